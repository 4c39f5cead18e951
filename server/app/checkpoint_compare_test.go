package app

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/server/report"
)

// EV-4: a checkpoint as it stands in a mail, a QR code's text, or typed in by hand is compared beside a running server: equal, older,
// newer than the newest stored one, of another log, of more than there is.
func TestCompareCheckpoint(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	early, err := Newest(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	leaves(t, cfg, 4)
	_, _, stop := running(t, cfg)
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	compare := func(text string) Comparison {
		t.Helper()
		c, err := Compare(t.Context(), cfg, text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return c
	}
	if c := compare(early); c.Result != ComparedOlder || !c.Signed {
		t.Errorf("an early one: %+v", c)
	}
	lines := strings.Split(early, "\n")
	root := lines[2]
	for name, text := range map[string]string{
		"mail":     "From: x\n\nToday's checkpoint:\n> " + strings.Join(lines, "\n> ") + "\n-- \nmonban\n",
		"CRLF":     strings.ReplaceAll(early, "\n", "\r\n"),
		"QR":       strings.TrimSuffix(early, "\n") + "\nsha256 0011\n",
		"wide":     "　" + lines[0] + "\n " + strings.NewReplacer("0", "０", "1", "１", "2", "２", "3", "３", "4", "４", "5", "５", "6", "６", "7", "７", "8", "８", "9", "９").Replace(lines[1]) + "\n" + root + "\n",
		"CEF":      `<85>1 2026-11-26T06:20:00Z host monban - checkpoint CEF:0|monban|monban|1|checkpoint|x|0|cat=checkpoint msg=x cs4Label=checkpoint cs4=` + strings.NewReplacer("\n", `\n`, "=", `\=`).Replace(strings.TrimSpace(early)),
		"JSON":     `{"event":{},"monban":{"checkpoint":"` + strings.ReplaceAll(strings.TrimSpace(early), "\n", `\n`) + `","count":0,"step":0}}`,
		"no blank": lines[0] + "\n" + lines[1] + "\n" + root,
	} {
		if c := compare(text); c.Result != ComparedOlder || c.Signed != (name != "no blank") && name != "wide" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c := compare(lines[0] + "\n" + lines[1] + "\n" + root + "\n— " + lines[0] + " AAAA\n"); c.Result != ComparedOlder || c.Signed {
		t.Errorf("a signature that does not hold: %+v", c)
	}
	other := "A"
	if root[0] == 'A' {
		other = "B"
	}
	if c := compare(lines[0] + "\n" + lines[1] + "\n" + other + root[1:] + "\n"); c.Result != ComparedOther || c.Result.Good() {
		t.Errorf("another root: %+v", c)
	}
	if c := compare(lines[0] + "\n99999999\n" + root + "\n"); c.Result != ComparedBehind || c.Result.Good() {
		t.Errorf("more than there is: %+v", c)
	}
	if c := compare("monban/00000000\n" + lines[1] + "\n" + root + "\n"); c.Result != ComparedUnknown || c.Result.Good() {
		t.Errorf("another log: %+v", c)
	}
	for _, bad := range []string{"", "hello", lines[0], lines[0] + "\n" + lines[1], lines[0] + "\n0\n" + root, lines[0] + "\n" + lines[1] + "\n" + root[1:]} {
		if _, err := Compare(t.Context(), cfg, bad); !errors.Is(err, errNoCheckpoint) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for result := ComparedSame; result <= ComparedBeyond; result++ {
		for _, japanese := range []bool{false, true} {
			var out strings.Builder
			c := Comparison{Result: result, Size: 5, Now: 9}
			if err := c.Print(&out, japanese); err != nil || strings.ContainsAny(out.String(), "{}") || out.Len() < 20 {
				t.Errorf("%d: %q, %v", result, out.String(), err)
			}
			if said := strings.Contains(out.String(), "NOT THE SAME LOG") || strings.Contains(out.String(), "同じ記録ではありません"); said == (result.Good() || result == ComparedLost) {
				t.Errorf("%d says %q", result, out.String())
			}
		}
	}
}

// EV-3, EV-4: in a stopped site the newest one is equal; after the database was put back to an older copy it is behind; where entries
// were written anew it is another log.
func TestCompareTakenBack(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	past := pastOf(t, cfg)
	leaves(t, cfg, 5)
	newest, err := Newest(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Compare(t.Context(), cfg, newest); err != nil || c.Result != ComparedSame {
		t.Errorf("%+v %v", c, err)
	}
	takeBack(t, cfg, past)
	if c, err := Compare(t.Context(), cfg, newest); err != nil || c.Result != ComparedBehind {
		t.Errorf("taken back: %+v %v", c, err)
	}
	withSite(t, cfg, func(s *Site) {
		for range 40 {
			if err := s.Store.Write(t.Context(), gapLeaf); err != nil {
				t.Fatal(err)
			}
		}
	})
	if c, err := Compare(t.Context(), cfg, newest); err != nil || c.Result != ComparedOther {
		t.Errorf("written anew: %+v %v", c, err)
	}
}

// D22, EV-3: after a recorded restore a checkpoint of the log before is told as what it is: within what was restored it is compared, within what was lost it is
// said to be lost, with the root that the restore knew; what the restore knew nothing of is another log.
func TestCompareBeforeARestore(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	kept, err := Newest(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	backup := backupOf(t, cfg)
	leaves(t, cfg, 2)
	within, err := Newest(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	leaves(t, cfg, 2)
	last, err := Newest(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	if _, err := Restore(t.Context(), cfg, RestoreOptions{Backup: backup, Reason: "disk failed", By: "kato", Now: at}); err != nil {
		t.Fatal(err)
	}
	leaves(t, cfg, 40) // longer than the log before ever was
	lines := strings.Split(last, "\n")
	n, _ := strconv.Atoi(lines[1])
	more := lines[0] + "\n" + strconv.Itoa(n+1) + "\n" + lines[2] + "\n"
	forged := lines[0] + "\n" + lines[1] + "\n" + strings.Split(kept, "\n")[2] + "\n"
	for what, x := range map[string]struct {
		text string
		want Compared
	}{"restored": {kept, ComparedOlder}, "lost": {within, ComparedLost}, "the last of the log before": {last, ComparedLost}, "more than was known": {more, ComparedBeyond}, "another end": {forged, ComparedOther}} {
		c, err := Compare(t.Context(), cfg, x.text)
		if err != nil || c.Result != x.want || !c.Earlier || c.Succeeds == 0 || c.LostTo != int64(n) || c.Restored.UnixMilli() != at.UnixMilli() {
			t.Errorf("%s: %+v %v, want %d", what, c, err, x.want)
		}
		var out strings.Builder
		if err := c.Print(&out, false); err != nil || strings.Contains(out.String(), "NOT THE SAME") != (x.want == ComparedBeyond || x.want == ComparedOther) {
			t.Errorf("%s: %v %q", what, err, out.String())
		}
	}
}

// EV-4: the QR code for terminals holds the modules of the printed one.
func TestCheckpointCode(t *testing.T) {
	text, err := CheckpointCode("monban/01234567\n5\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n")
	if err != nil {
		t.Fatal(err)
	}
	code, err := report.QR("monban/01234567\n5\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != (code.Size+1)/2 {
		t.Errorf("%d lines of a code of %d", len(lines), code.Size)
	}
	for i, l := range lines {
		l = strings.TrimSuffix(strings.TrimPrefix(l, "\x1b[30;107m"), "\x1b[0m")
		if n := len([]rune(l)); n != code.Size {
			t.Errorf("line %d: %d modules", i, n)
		}
	}
}
