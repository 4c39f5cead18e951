package app

import (
	"errors"
	"testing"

	"monban/server/directory"
	"monban/server/policypub/sitetest"
	"monban/server/privacy"
	"monban/server/store"
)

// PR-1: an export without a purpose is refused, for attendance until the site has registered that purpose, and again
// when it has taken it away. A refusal gives nothing away; that somebody tried is a leaf each time, and one finding (VR-1).
func TestExportNeedsAPurpose(t *testing.T) {
	at := sitetest.Now()
	reg, s := registryAt(t, &at, false)
	size := s.Store.Size()
	for use, want := range map[privacy.Use]error{"": privacy.ErrNoPurpose, privacy.Attendance: privacy.ErrNotRegistered, privacy.Performance: privacy.ErrNotRegistered} {
		if data, err := reg.Export(t.Context(), first, use, "毎月の確認", directory.KindPeople); !errors.Is(err, want) || data != nil {
			t.Errorf("purpose %q: %v", use, err)
		}
	}
	if got := s.Store.Size() - size; got != 4 {
		t.Errorf("%d leaves for what was refused three times, want one each and a finding", got)
	}
	p := privacy.Purpose{Use: privacy.Attendance, Name: "勤怠の確認のため", NameEN: "Attendance", Basis: "令和8年4月1日 市長決裁"}
	if err := reg.RegisterPurpose(t.Context(), first, " ", p); !errors.Is(err, directory.ErrNoReason) {
		t.Errorf("registered without a reason: %v", err)
	}
	if err := reg.RegisterPurpose(t.Context(), first, "条例の改正", p); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Export(t.Context(), first, privacy.Attendance, "4月分", directory.KindPeople); err != nil {
		t.Errorf("registered: %v", err)
	}
	if err := reg.EndPurpose(t.Context(), first, "条例の廃止", privacy.Attendance); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Export(t.Context(), first, privacy.Attendance, "5月分", directory.KindPeople); !errors.Is(err, privacy.ErrNotRegistered) {
		t.Errorf("ended: %v", err)
	}
	err := reg.store.Read(t.Context(), func(r *store.ReadTx) error { // one while it is open, however often it was tried
		n, err := r.ToldAt("export_without_purpose", "", "", 0, 1<<60, 10)
		if n != 1 {
			t.Errorf("%d findings of exports without a purpose, want 1", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := reg.EndPurpose(t.Context(), first, "x", privacy.EntryControl); err == nil {
		t.Error("entry control was taken away")
	}
	if got, err := reg.Purposes(t.Context()); err != nil || got.Has(privacy.Attendance) || !got.Has(privacy.Audit) {
		t.Errorf("%+v %v", got, err)
	}
}
