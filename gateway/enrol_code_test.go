package main

import (
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// D23: the one-time code need not stand on the line, where ps and the shell's history show it: without it, or as -, it is read from the terminal.
func TestCodeIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ arg, in, want string }{
		{"AB-CD", "", "AB-CD"}, {"", " EF-GH \nmore\n", "EF-GH"}, {"-", "EF-GH", "EF-GH"}, {"", "\n", ""}, {"-", "", ""},
	} {
		var asked strings.Builder
		got, err := codeFrom(x.arg, strings.NewReader(x.in), &asked)
		if got != x.want || (err != nil) != (x.want == "") || (asked.Len() > 0) != (x.arg == "" || x.arg == "-") {
			t.Errorf("%q, %q: %q, %v, asked %q", x.arg, x.in, got, err, asked.String())
		}
	}
	var c commands
	parser, err := kong.New(&c, kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	for _, last := range [][]string{nil, {"-"}, {"AB-CD"}} {
		if _, err := parser.Parse(append([]string{"enrol", "--server", "h:1", "--gateway", "gw-1", "--out", "d"}, last...)); err != nil {
			t.Errorf("enrol %v: %v", last, err)
		}
	}
}
