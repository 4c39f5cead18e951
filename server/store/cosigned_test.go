package store

import (
	"os"
	"testing"
	"time"
)

// EV-4: once the day is over the log commits to what each witness held: a row that is taken out, moved, written over or given to a
// leaf that says otherwise is found without asking anybody; before that the witnesses have to be asked.
func TestCosignaturesAreCommitted(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	tr := newTraffic()
	guards := []*guard{newGuard("w1"), newGuard("w2")}
	day := func(n int) time.Time { return time.UnixMilli(monday + int64(n)*86_400_000).UTC() }
	for n := range 3 {
		for range 4 {
			must(t, st.Write(t.Context(), tr.step))
		}
		must(t, st.SignNow(t.Context()))
		for _, g := range guards {
			must(t, g.visit(t, st, s.log, day(n).UnixMilli()))
			g.keep(t, s, st)
		}
		for want := range 2 { // a second run of the job writes nothing
			must(t, st.Write(t.Context(), func(tx *Tx) error {
				got, err := tx.CommitCosignatures(day(n))
				if want == 0 && n > 0 && got != 2 || (want == 1 || n == 0) && got != 0 {
					t.Errorf("day %d: %d leaves", n, got)
				}
				return err
			}))
		}
	}
	must(t, st.Write(t.Context(), func(tx *Tx) error { // one of a day that is over comes late
		list, err := tx.Cosignatures("", 10)
		must(t, err)
		old := list[len(list)-1]
		old.AtMS += 1000
		return tx.PutCosignature(old)
	}))
	must(t, st.SignNow(t.Context()))
	must(t, st.Close())
	wantClean(t, s.verify(t, false))
	data, err := os.ReadFile(s.path)
	must(t, err)
	for _, x := range []struct{ name, sql string }{
		{"taken out", `DELETE FROM cosignature WHERE idx = (SELECT min(idx) FROM cosignature WHERE idx >= 0)`},
		{"all taken out", `DELETE FROM cosignature`},
		{"of another leaf", `UPDATE cosignature SET idx = idx + 1 WHERE idx = (SELECT max(idx) FROM cosignature)`},
		{"of none", `UPDATE cosignature SET idx = -1 WHERE idx = (SELECT max(idx) FROM cosignature)`},
		{"another day's in its place", `CREATE TEMP TABLE c AS SELECT * FROM cosignature WHERE idx < 0 LIMIT 1;
			UPDATE cosignature SET note = (SELECT note FROM c), size = (SELECT size FROM c), at_ms = (SELECT at_ms FROM c), vkey = (SELECT vkey FROM c) WHERE idx = (SELECT max(idx) FROM cosignature)`},
	} {
		t.Run(x.name, func(t *testing.T) {
			must(t, os.WriteFile(s.path, data, 0o600))
			exec(t, s.path, x.sql)
			found := false
			for _, f := range s.verify(t, false).Findings {
				found = found || f.Table == "cosignature"
			}
			if !found {
				t.Error("not found")
			}
		})
	}
	must(t, os.WriteFile(s.path, data, 0o600))
	exec(t, s.path, `DELETE FROM cosignature WHERE idx < 0`) // of the day that goes on: the stated limit
	for _, f := range s.verify(t, false).Findings {
		if f.Table == "cosignature" {
			t.Errorf("%s", f)
		}
	}
}
