package store_test

import (
	"testing"
	"time"

	"monban/server/directory"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// VR-5, RA-5, AD-8..AD-10, VE-2: what the sample has not, every field set, is read back as it was written, and can be removed.
func TestDirectoryRulesRoundTrip(t *testing.T) {
	s := sitetest.New(t)
	update := func(edit func(*directory.Snapshot)) (want, got directory.Snapshot) {
		t.Helper()
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			_, err := directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(d *directory.Snapshot) error {
				edit(d)
				want = *d
				return nil
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Read(func(r *store.ReadTx) (err error) { got, err = r.Directory(); return err })
		return want, got
	}
	day := directory.Date{Year: 2026, Month: 11, Day: 24}
	want, got := update(func(d *directory.Snapshot) {
		d.Rounds = []directory.Round{{ID: "r-1", Zone: "media-store", Opened: day, Due: day.AddDays(9), Closed: day.AddDays(1), Answers: []directory.Answer{
			{Person: "1001", Word: directory.AnswerKeep, Day: day}, {Person: "1002", Word: directory.AnswerOpen}, {Person: "1003", Word: directory.AnswerSuspended, Day: day},
		}}}
		d.Transfers = []directory.Transfer{{Person: "1001", Day: day.AddDays(3), Section: "総務課", Overlap: 5, Joins: true}, {Person: "1002", Day: day, Leave: true}}
		d.Grants[0].Suspended, d.Grants[0].Basis = true, "情政第12号"
		d.Groups[0].Section = "情報政策課"
		d.Schedules[0].ValidFrom, d.Schedules[0].ValidUntil = day, day.AddDays(100)
		d.Schedules[0].Dates = []directory.DateHours{{Day: day.AddDays(1)}, {Day: day.AddDays(2), Windows: []directory.Window{{From: 3600, To: 7200}, {From: 79200, To: 18000}}}}
		d.Items[0].State, d.Items[0].Counted, d.Items[0].Proof = directory.ItemDisposed, day, "裁断"
		d.Enrolments[0].Deleted = day
		d.Exceptions[0].Review = day.AddDays(10)
		for i := range d.Zones {
			if z := &d.Zones[i]; z.ID == "server-room" {
				z.AntiPassback, z.AntiPassbackFor, z.MaxInside, z.MinInside = directory.PassbackTimed, time.Minute, 5, 2
				z.TwoPersonWithin, z.TwoPersonAlways, z.StaffNeeded = 30*time.Second, true, true
				z.Escort, z.EscortRatio, z.EscortWithin, z.EscortGrace = directory.EscortOutsiders, 3, 20*time.Second, time.Minute
				z.Training, z.Conditions, z.CarryIn = directory.TrainingDeny, 1, directory.CarryInAttended
			}
		}
	})
	if diff := directory.Diff(want, got); len(diff) > 0 {
		t.Errorf("read back: %v", diff)
	}
	if len(got.Rounds) != 1 || len(got.Rounds[0].Answers) != 3 || len(got.Transfers) != 2 {
		t.Errorf("%+v %+v", got.Rounds, got.Transfers)
	}
	_, got = update(func(d *directory.Snapshot) {
		d.Rounds, d.Transfers, d.Items, d.Enrolments, d.Exceptions, d.Contracts = nil, nil, nil, nil, nil, nil
		kept := d.Grants[:0]
		for _, g := range d.Grants {
			if g.Group == "" {
				kept = append(kept, g)
			}
		}
		d.Grants, d.Groups = kept, nil
	})
	if n := len(got.Rounds) + len(got.Transfers) + len(got.Items) + len(got.Enrolments) + len(got.Exceptions) + len(got.Contracts) + len(got.Groups); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
