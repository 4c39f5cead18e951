package outbox

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/firmware/wire"
)

// childEnv names the file on which a re-executed test binary works as the product would, until it
// is killed.
const childEnv = "MONBAN_OUTBOX_KILL_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child appends as fast as it can and prints a line for each record that it was told is durable. The
// line stands for the lock edge: printed only after Done, so the parent must find its record.
func child(path string) error {
	cfg := testConfig(path)
	cfg.KeepAcked = 50
	o, err := Open(cfg)
	if err != nil {
		return err
	}
	go o.Run(context.Background())
	for i := 0; ; i++ {
		results := make(chan Result, 8)
		n := 1 + i%8
		for j := range n {
			word := fmt.Sprintf("c%d-%d-%d", os.Getpid(), i, j)
			o.Append(Entry{Record: record(word), Private: make([]byte, 200), Done: func(r Result) {
				if r.Err == nil {
					fmt.Printf("%d %s\n", r.Seq, word)
				}
				results <- r
			}})
		}
		for range n {
			if r := <-results; r.Err != nil {
				return r.Err
			}
		}
		if i%5 == 0 { // the server acknowledges up to 100 records ago, and trimming follows
			s := o.Stat()
			if s.Head > s.Acked+100 {
				hash, err := o.HashAt(s.Epoch, s.Head-100)
				if err != nil {
					return err
				}
				o.Acked(s.Epoch, s.Head-100, hash, nil)
			}
		}
	}
}

// I1, I2, I3: kill -9 at any moment loses no record that anybody was told of, breaks no chain and
// begins no epoch. Crash points 1–4, 7 and 8 are hit at random; MONBAN_KILL_CYCLES asks for more.
func TestKill9(t *testing.T) {
	cycles := 30
	if s := os.Getenv("MONBAN_KILL_CYCLES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		cycles = n
	}
	const seed = 20261123
	rng := rand.New(rand.NewPCG(seed, seed))
	path := filepath.Join(t.TempDir(), "outbox.db")
	told := map[uint64]string{}
	var epoch wire.Epoch
	for c := range cycles {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Every other child may die while the file is being made or opened; the rest at work, however slow the machine is to start them.
		delay := time.Duration(rng.IntN(50)) * time.Millisecond
		kill := func() { _ = cmd.Process.Kill() }
		atWork, last := c%2 == 1, 30*time.Second
		if !atWork {
			last = delay
		}
		time.AfterFunc(last, kill)
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			if atWork {
				atWork = false
				time.AfterFunc(delay, kill)
			}
			seq, word, ok := strings.Cut(sc.Text(), " ")
			n, err := strconv.ParseUint(seq, 10, 64)
			if !ok || err != nil {
				continue // the last line, cut by the kill
			}
			if old, twice := told[n]; twice {
				t.Fatalf("seed %d cycle %d: seq %d given to %s and %s", seed, c, n, old, word)
			}
			told[n] = word
		}
		if _ = cmd.Wait(); stderr.Len() > 0 {
			t.Fatalf("seed %d cycle %d: %s", seed, c, stderr.String())
		}
		epoch = verifyFromOutside(t, fmt.Sprintf("seed %d cycle %d", seed, c), path, epoch, told)
	}
	t.Logf("%d kills, %d records told durable, 0 lost", cycles, len(told))
	if len(told) < cycles {
		t.Errorf("only %d records: the child hardly worked", len(told))
	}
}

// verifyFromOutside reads the file with the walker, not through an Outbox.
func verifyFromOutside(t *testing.T, where, path string, epoch wire.Epoch, told map[uint64]string) wire.Epoch {
	t.Helper()
	if _, err := os.Stat(path); os.IsNotExist(err) && len(told) == 0 {
		return epoch // killed before crash point 3
	}
	found := map[uint64]string{}
	s, err := scanFile(path, "gw-1", func(e epochRow, r row) error {
		rec, err := wire.ParseRecord(r.body)
		if err != nil {
			return err
		}
		found[r.rec.Seq] = rec.Detail
		return nil
	})
	if err != nil || s.fault != nil || s.doubt || len(s.epochs) != 1 {
		t.Fatalf("%s: %v, fault %v, doubt %v, %d epochs", where, err, s.fault, s.doubt, len(s.epochs))
	}
	e := s.epochs[0]
	if epoch != (wire.Epoch{}) && e.epoch != epoch {
		t.Fatalf("%s: the epoch changed", where)
	}
	if e.tail > e.acked+1 {
		t.Fatalf("%s: trimmed to %d, acknowledged only to %d", where, e.tail, e.acked)
	}
	for seq, word := range told {
		switch got, ok := found[seq]; {
		case !ok && seq >= e.tail:
			t.Fatalf("%s: LOST record %d (%s)", where, seq, word)
		case ok && got != word:
			t.Fatalf("%s: record %d is %q, told %q", where, seq, got, word)
		}
	}
	return e.epoch
}
