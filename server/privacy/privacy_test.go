package privacy

import (
	"errors"
	"strings"
	"testing"
)

// PR-1: a use without a purpose is refused, and attendance and performance are until the site registers them.
func TestUsesNeedARegisteredPurpose(t *testing.T) {
	r := Default()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := r.Check(""); !errors.Is(err, ErrNoPurpose) {
		t.Errorf("no purpose: %v", err)
	}
	for _, u := range []Use{EntryControl, Incident, Audit, Disclosure} {
		if err := r.Check(u); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	for _, u := range []Use{Attendance, Performance, "marketing", "Entry_control"} {
		if err := r.Check(u); !errors.Is(err, ErrNotRegistered) {
			t.Errorf("%s: %v", u, err)
		}
	}
	with, err := r.With(Purpose{Use: Attendance, Name: "勤怠の確認のため", Basis: "令和8年4月1日 市長決裁"})
	if err != nil || with.Check(Attendance) != nil || r.Check(Attendance) == nil {
		t.Errorf("registered: %v", err)
	}
	without, err := with.Without(Attendance)
	if err != nil || without.Check(Attendance) == nil {
		t.Errorf("taken away: %v", err)
	}
	if _, err := r.Without(EntryControl); err == nil {
		t.Error("entry control was taken away")
	}
	if _, err := r.Without(Attendance); !errors.Is(err, ErrNotRegistered) {
		t.Errorf("taken away twice: %v", err)
	}
}

func TestRegisterIsRefused(t *testing.T) {
	for name, p := range map[string]Purpose{
		"no name":      {Use: "x", Basis: "b"},
		"no basis":     {Use: "x", Name: "n"},
		"bad use":      {Use: "X y", Name: "n", Basis: "b"},
		"control":      {Use: "x", Name: "n\x00", Basis: "b"},
		"too long":     {Use: "x", Name: strings.Repeat("長", 201), Basis: "b"},
		"line in name": {Use: "x", Name: "n\nm", Basis: "b"},
	} {
		if _, err := Default().With(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	text, err := Default().Text()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(text)
	if err != nil || len(back.Purposes) != len(Default().Purposes) {
		t.Errorf("read again: %v", err)
	}
	for _, bad := range []string{"{", `{"purposes":[]}`, `{"purposes":null,"x":1}`, `{"purposes":[{"use":"a"}]}`} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
	if r, err := Parse(""); err != nil || !r.Has(EntryControl) {
		t.Error("a new site has no purposes")
	}
}

// PR-1: the entry of the register of files names every purpose with its basis, and what is open says so.
func TestFileEntry(t *testing.T) {
	r, err := Default().With(Purpose{Use: Attendance, Name: "勤怠の確認のため", NameEN: "Attendance", Basis: "市長決裁"})
	if err != nil {
		t.Fatal(err)
	}
	entry := FileEntry(Facts{City: "多賀城デモ市", People: 1000}, r)
	all := ""
	for _, e := range entry {
		if len(e.Lines) == 0 || e.Lines[0] == "" {
			t.Errorf("%s is empty", e.Item)
		}
		all += strings.Join(e.Lines, "\n") + "\n"
	}
	for _, want := range []string{"勤怠の確認のため(市長決裁)", "多賀城デモ市", "1,000人以上", "(記入してください)", "管理区域への入退室を管理するため"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := Notice(r, true); len(n) != len(r.Purposes) || n[0] != "Attendance" {
		// sorted by use: attendance comes before audit
		t.Errorf("notice %v", n)
	}
}

func FuzzParse(f *testing.F) {
	text, _ := Default().Text()
	f.Add(text)
	f.Add(`{"purposes":[{"use":"entry_control","name":"a","name_en":"","basis":"b","day":""}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		again, err := r.Text()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Errorf("does not read again: %v", err)
		}
	})
}
