package report

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// printer is the one of this machine; programs are what the tests look at its PDFs with.
func printer(t *testing.T, programs ...string) *Printer {
	t.Helper()
	p, err := FindPrinter(t.Context())
	if err != nil {
		skip(t, err.Error())
	}
	for _, x := range programs {
		if _, err := exec.LookPath(x); err != nil {
			skip(t, x+" is not there: apt-get install poppler-utils qpdf")
		}
	}
	return p
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}

func quiet(int, int) {}

// RR-1: the A4 register of a day with names that programs lose. The text of the PDF is each name as it was typed; a letter that no font has is
// 〓 with a foot-note and not a blank; hostile names put nothing into the file; the same report twice is the same bytes.
func TestPDF(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	p := printer(t, "pdftotext", "pdffonts", "pdfdetach", "qpdf")
	d := day()
	tb := &d.Tables[0]
	const rare = "\U0002FA1F山" // of no font here
	for _, name := range []string{rare, `<link rel=attachment href="file:///etc/passwd">`, `<a rel="attachment" href="file:///etc/hostname">x</a>`, `<img src="file:///etc/passwd">`} {
		tb.Rows = append(tb.Rows, []string{itoa(len(tb.Rows) + 1), "23:00", name, ""})
	}
	out, err := Make(t.Context(), d, AsPDF, "register", p, quiet)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(path, out.Files[0].Data, 0o600); err != nil {
		t.Fatal(err)
	}
	if keep := os.Getenv("MONBAN_SCREENSHOTS"); keep != "" {
		_ = os.WriteFile(filepath.Join(keep, "register.pdf"), out.Files[0].Data, 0o600)
	}
	text := output(t, "pdftotext", "-layout", path, "-")
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	for _, name := range hard {
		if !slices.ContainsFunc(lines, func(l string) bool {
			return strings.Contains(l, ":00 "+name+" 無停電") || strings.HasSuffix(l, ":00 "+name)
		}) {
			t.Errorf("%q is not in the PDF's text:\n%s", name, text)
		}
	}
	if !p.letters.Has(0x2FA1F) { // a font of the machine may have it
		if !strings.Contains(text, "〓山") || !strings.Contains(text, "U+2FA1F") || len(out.Missing) != 1 || !strings.Contains(out.Missing[0], "〓山 = U+2FA1F") {
			t.Errorf("the rare letter: %v", out.Missing)
		}
	}
	for _, want := range []string{"様式第2号(第8条関係)", "入退室管理簿", "担当", "係長", "課長", "12345", "3q2+7w==", out.Hash} {
		if !strings.Contains(text, want) {
			t.Errorf("the PDF does not say %q", want)
		}
	}
	if !strings.Contains(strings.ReplaceAll(text, " ", ""), "\n1/") {
		t.Errorf("no page number:\n%s", text)
	}
	if list := output(t, "pdfdetach", "-list", path); strings.TrimSpace(list) != "0 embedded files" {
		t.Errorf("a name put a file into the PDF: %s", list)
	}
	if strings.Contains(text, "root:") {
		t.Error("a name read a file of the machine")
	}
	for i, line := range strings.Split(strings.TrimSpace(output(t, "pdffonts", path)), "\n") {
		if f := strings.Fields(line); i > 1 && (len(f) < 5 || f[len(f)-5] != "yes") {
			t.Errorf("a font is not in the file: %s", line)
		}
	}
	output(t, "qpdf", "--check", path)
	d.Tables[0].Rows = [][]string{{"1", "08:00", "xyz", ""}} // the large font of rare letters takes seconds
	var twice [2][]byte
	for i := range twice {
		out, err := Make(t.Context(), d, AsPDF, "register", p, quiet)
		if err != nil {
			t.Fatal(err)
		}
		twice[i] = out.Files[0].Data
	}
	if !bytes.Equal(twice[0], twice[1]) {
		t.Error("the same report twice is not the same bytes")
	}
}

// fake is a printer whose program is a script.
func fake(t *testing.T, script string) *Printer {
	t.Helper()
	limit, err := exec.LookPath("prlimit")
	if err != nil {
		skip(t, "prlimit is not there: apt-get install util-linux")
	}
	path := filepath.Join(t.TempDir(), "weasyprint")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Printer{prlimit: limit, weasyprint: path, letters: &Letters{ranges: []runes{{0x20, 0x10ffff}}}, run: make(chan struct{}, 1), time: partTime}
}

// RR-1: the program gets nothing of our environment and a directory with nothing in it; it is given up when it hangs, fails, or writes no PDF.
// Parts of a long report are made one after the other, and each row is in one.
func TestPrinterLimits(t *testing.T) {
	t.Setenv("MONBAN_SECRET", "x")
	p := fake(t, `cat >/dev/null; echo "%PDF-"; env; ls -a; echo "$@"; ulimit -t; ulimit -v`)
	out, err := Make(t.Context(), day(), AsPDF, "a", p, quiet)
	if err != nil {
		t.Fatal(err)
	}
	said := string(out.Files[0].Data)
	if strings.Contains(said, "MONBAN") || !strings.Contains(said, "SOURCE_DATE_EPOCH=1795568400") || !strings.Contains(said, "\n.\n..\n-q - -\n120\n1464843\n") {
		t.Errorf("the program saw: %s", said)
	}
	for name, script := range map[string]string{"an error": "cat >/dev/null; echo 'MemoryError: x' >&2; exit 1", "no PDF": "cat >/dev/null; echo hello", "nothing": "cat >/dev/null", "does not read": "exit 3"} {
		_, err := Make(t.Context(), day(), AsPDF, "a", fake(t, script), quiet)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want an error in one line", name, err)
		}
	}
	p = fake(t, "exec sleep 600")
	p.time = 200 * time.Millisecond
	if _, err := Make(t.Context(), day(), AsPDF, "a", p, quiet); err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
		t.Errorf("a program that hangs: %v", err)
	}
	long := day()
	for len(long.Tables[0].Rows) < 2*partRows+1 {
		long.Tables[0].Rows = append(long.Tables[0].Rows, long.Tables[0].Rows[0])
	}
	var told []int
	out, err = Make(t.Context(), long, AsPDF, "a", fake(t, `echo "%PDF-"; grep -c "<tr><td class=\"fixed\""`), func(done, of int) { told = append(told, done, of) })
	if err != nil || !slices.Equal(told, []int{0, 3, 1, 3, 2, 3, 3, 3}) || out.Files[0].Name != "a.zip" || out.Files[0].Type != "application/zip" {
		t.Fatalf("%v %v", told, err)
	}
	for _, want := range []string{"a-001.pdf", "%PDF-\n500\n", "a-003.pdf", "%PDF-\n1\n"} {
		if !strings.Contains(string(out.Files[0].Data), want) {
			t.Errorf("the parts do not hold %q", want)
		}
	}
	if _, err := Make(t.Context(), long, AsPDF, "a", nil, quiet); err != ErrNoPrinter {
		t.Errorf("without a printer: %v", err)
	}
}

// RR-1: ranges as fc-query writes them.
func TestLetters(t *testing.T) {
	l := &Letters{}
	if err := l.add("20-7e 3000-30ff 4e00-9fff\n9fff a000 20bb7"); err != nil {
		t.Fatal(err)
	}
	l.merge()
	for r, want := range map[rune]bool{'a': true, 0x7f: false, 'ア': true, '一': true, 0xa000: true, 0xa001: false, '𠮷': true, '𩸽': false, 0xE0100: true, '\n': true} {
		if l.Has(r) != want {
			t.Errorf("%U: %v", r, !want)
		}
	}
	for _, bad := range []string{"x", "20-x", "30-20"} {
		if (&Letters{}).add(bad) == nil {
			t.Errorf("%q is read", bad)
		}
	}
	d := &Document{Tables: []Table{{Columns: []Column{{Head: "氏名"}}, Rows: [][]string{{"𩸽 一"}, {"𠮷 一"}, {"𩸽 二"}}}}, Reduced: map[string]string{"𩸽 二": "一二三"}}
	got, missing := l.Replace(d)
	if rows := got.Tables[0].Rows; rows[0][0] != "〓 一" || rows[1][0] != "𠮷 一" || rows[2][0] != "一二三" || len(missing) != 2 || d.Tables[0].Rows[0][0] != "𩸽 一" {
		t.Errorf("%v %v", rows, missing)
	}
}
