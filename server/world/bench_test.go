package world

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's own binary be the server process of an arm, as monban-server is.
func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "bench" && os.Args[2] == "--arm" && os.Args[4] == "--dir" {
		if err := Bench(context.Background(), BenchOptions{Arm: os.Args[3], Dir: os.Args[5], In: os.Stdin}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestBenchSmoke runs every row of the benchmark once, too briefly for the numbers to mean anything.
func TestBenchSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three server processes")
	}
	s := size{
		warmUp: 2, rounds: 5, hot: 5, gateways: 4, pairs: 1, warm: 50 * time.Millisecond, window: 200 * time.Millisecond,
		appendPairs: 1, appendRows: 300, attempts: 60, verifyPairs: 1,
	}
	var table bytes.Buffer
	report, err := measure(t.Context(), BenchOptions{Dir: t.TempDir(), Version: "test", Table: &table}, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Print(&table); err != nil {
		t.Fatal(err)
	}
	for _, row := range report.Rows {
		if row.Value <= 0 && !strings.Contains(row.Name, "others") {
			t.Errorf("%s was not measured: %v", row.Name, row.Value)
		}
	}
	for _, letter := range []byte("abcdef") {
		if !bytes.Contains(table.Bytes(), []byte("\n"+string(letter)+" ")) && table.Bytes()[0] != letter {
			t.Errorf("the table has no row %c:\n%s", letter, &table)
		}
	}
	t.Logf("\n%s", &table)
}
