package app

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// VR-11, VR-1: a zone's day with something on it that nobody has signed is told at the closing time of the next open day, once; a day
// with nothing on it is not.
func TestUnsignedDay(t *testing.T) {
	d := newDesk(t)
	d.decide(1, entrylog.Opening{Person: "1001", Name: "髙橋 健一"}, access.ReasonGranted, sitetest.Now())
	if err := d.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(unsignedSwept, "2026-11-22") }); err != nil {
		t.Fatal(err)
	}
	told := func(day, hour, minute int) (out []string) {
		d.now = func() time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, d.Zone) }
		for range 3 {
			if err := d.tellUnsigned(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		d.Read(func(r *store.ReadTx) error {
			list, _, err := r.Findings(true, 0, 100)
			for _, f := range list {
				if f.Kind == "unsigned_day" {
					out = append(out, f.Detail)
				}
			}
			return err
		})
		return out
	}
	if got := told(25, 17, 14); got != nil {
		t.Errorf("before it is due: %q", got)
	}
	for _, at := range [][3]int{{25, 17, 15}, {30, 9, 0}} {
		if diff := cmp.Diff([]string{"server-room/2026-11-24"}, told(at[0], at[1], at[2])); diff != "" {
			t.Errorf("%v: %s", at, diff)
		}
	}
}
