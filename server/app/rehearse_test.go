package app

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/policypub/sitetest"
	"monban/server/rehearse"
	"monban/server/store"
)

// rehearsed is the sample site with entries of one evening: person 1002 at the media store, whose door asks for no
// PIN, at each of the times given.
func rehearsed(t *testing.T, times ...string) *sitetest.Site {
	t.Helper()
	s := sitetest.New(t)
	enterAt(t, s, times...)
	return s
}

func enterAt(t *testing.T, s *sitetest.Site, times ...string) {
	t.Helper()
	a := authority.New(s.Publisher)
	for _, text := range times {
		at, err := time.ParseInLocation(time.DateTime, text, s.Zone)
		if err != nil {
			t.Fatal(err)
		}
		ask := wire.Ask{Gateway: "gw-2", Door: "media-store-1", Side: access.SideEnter, Card: s.Sealed("gw-2", 4568), Assurance: "uid_only", Rules: 1}
		_, _ = rand.Read(ask.ID[:]) // crypto/rand never fails
		_, _ = rand.Read(ask.Attempt[:])
		err = s.Store.Write(t.Context(), func(tx *store.Tx) error {
			ans, err := a.Answer(tx, &ask, at.UnixMilli())
			if err == nil && ans.Outcome != access.Granted {
				t.Errorf("%s: %s %s", text, ans.Outcome, ans.Failed)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// draftOf is a deep enough copy of the directory in force.
func draftOf(s *sitetest.Site) directory.Snapshot {
	d := *s.Site().Directory()
	d.Grants, d.Schedules, d.People = slices.Clone(d.Grants), slices.Clone(d.Schedules), slices.Clone(d.People)
	return d
}

// VR-9: a draft "no entry after 22:00" lists exactly the past entries that it would have refused.
func TestRehearseNoEntryAfterTen(t *testing.T) {
	s := rehearsed(t, "2026-11-24 09:00:00", "2026-11-24 21:59:59", "2026-11-24 22:00:00", "2026-11-24 23:30:00", "2026-11-25 05:00:00")
	d := draftOf(s)
	day := directory.Schedule{ID: "until-ten", Name: "22時まで", Windows: []directory.Window{{Days: directory.DayEvery, From: 0, To: 22 * 3600}}}
	d.Schedules = append(d.Schedules, day)
	for i := range d.Grants {
		if d.Grants[i].Zone == "media-store" {
			d.Grants[i].Schedule = day.ID
			d.Grants[i].ID = directory.MakeGrantID(d.Grants[i].Person, d.Grants[i].Zone, day.ID)
		}
	}
	slices.SortFunc(d.Schedules, func(a, b directory.Schedule) int { return compareText(a.ID, b.ID) })
	slices.SortFunc(d.Grants, func(a, b directory.Grant) int { return compareText(a.ID, b.ID) })
	got, err := Rehearse(t.Context(), s.Store, s.Site(), &d, RehearseQuery{From: "2026-11-20", Until: "2026-11-26"})
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	for _, x := range got.Otherwise {
		refused = append(refused, time.UnixMilli(x.AtMS).In(s.Zone).Format("01-02 15:04:05"))
		if x.Draft.Outcome != access.Denied || x.Draft.Primary != access.ReasonOutsideSchedule || x.Person != "1002" {
			t.Errorf("%s: %s %s for %q", refused[len(refused)-1], x.Draft.Outcome, x.Draft.Primary, x.Person)
		}
	}
	if want := []string{"11-24 22:00:00", "11-24 23:30:00"}; !slices.Equal(refused, want) {
		t.Errorf("the draft would have refused %v, want %v", refused, want)
	}
	if got.Compared != 5 || got.AlreadyOtherwise != 0 || got.Unreadable != 0 {
		t.Errorf("%d compared, %d already otherwise, %d unreadable", got.Compared, got.AlreadyOtherwise, got.Unreadable)
	}
	for _, r := range got.Rights {
		if r.Effect != rehearse.Changes || r.Zone != "media-store" {
			t.Errorf("right of %s to %s: %s", r.Person, r.Zone, r.Effect)
		}
	}
	if len(got.Rights) == 0 {
		t.Error("nobody's right changes")
	}
}

// VR-9: what people and rules have become since is not laid at the draft's door.
func TestRehearseCountsWhatHasChangedSince(t *testing.T) {
	s := rehearsed(t, "2026-11-24 09:00:00", "2026-11-24 10:00:00")
	_, err := s.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.SetPersonActive(tx, directory.Actor{From: "cli"}, "left", sitetest.Now().UnixMilli(), "1002", false)
	})
	if err != nil {
		t.Fatal(err)
	}
	d := draftOf(s)
	got, err := Rehearse(t.Context(), s.Store, s.Site(), &d, RehearseQuery{From: "2026-11-24", Until: "2026-11-24"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Otherwise) != 0 || got.AlreadyOtherwise != 2 || len(got.Rights) != 0 {
		t.Errorf("an empty draft: %d otherwise, %d already, %d rights", len(got.Otherwise), got.AlreadyOtherwise, len(got.Rights))
	}
	for i := range d.People {
		if d.People[i].ID == "1002" {
			d.People[i].Active = true
		}
	}
	if got, err = Rehearse(t.Context(), s.Store, s.Site(), &d, RehearseQuery{From: "2026-11-24", Until: "2026-11-24"}); err != nil {
		t.Fatal(err)
	}
	if len(got.Otherwise) != 2 || got.Otherwise[0].Now.Primary != access.ReasonPersonInactive || got.Otherwise[0].Draft.Outcome != access.Granted {
		t.Errorf("taken back: %+v", got.Otherwise)
	}
}

// A draft that could not be published is refused with what is wrong in it.
func TestRehearseRefusesABrokenDraft(t *testing.T) {
	s := rehearsed(t)
	d := draftOf(s)
	d.Grants[0].Zone = "nowhere"
	if _, err := Rehearse(t.Context(), s.Store, s.Site(), &d, RehearseQuery{From: "2026-11-24", Until: "2026-11-24"}); err == nil {
		t.Error("accepted")
	} else {
		t.Log(err)
	}
	for _, q := range []RehearseQuery{{From: "24.11.2026", Until: "2026-11-24"}, {From: "2026-11-24"}} {
		d := draftOf(s)
		if _, err := Rehearse(t.Context(), s.Store, s.Site(), &d, q); err == nil {
			t.Errorf("%+v accepted", q)
		}
	}
}

// The answer to "can X enter Y at T?" is the door's own, check by check; "who can enter Y?" lists the same people.
func TestExplainIsTheDoorsOwnDecision(t *testing.T) {
	s := rehearsed(t)
	w := World(s.Site())
	at, _ := time.ParseInLocation(time.DateTime, "2026-11-24 10:00:00", s.Zone) // the format is a constant
	who := map[directory.PersonID]access.Outcome{}
	list, err := rehearse.WhoCan(w, "server-room-1", at.UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		who[e.Person] = e.Outcome
	}
	for person, want := range map[directory.PersonID]access.Reason{
		"1001": access.ReasonPINRequired, "1007": access.ReasonGrantExpired, "1008": access.ReasonCredentialSuspended, "1009": access.ReasonNoGrant,
	} {
		answers, err := rehearse.Explain(w, rehearse.Question{Person: person, Door: "server-room-1", AtMS: at.UnixMilli()})
		if err != nil {
			t.Fatal(err)
		}
		a := answers[rehearse.Best(answers)]
		if a.Decision.Primary != want {
			t.Errorf("%s: %s, want %s", person, a.Decision.Primary, want)
		}
		if got, ok := who[person]; ok != (a.Decision.Outcome != access.Denied) || ok && got != a.Decision.Outcome {
			t.Errorf("%s: explained as %s, listed %v as %s", person, a.Decision.Outcome, ok, got)
		}
	}
	if _, err := rehearse.Explain(w, rehearse.Question{Person: "nobody", Door: "server-room-1"}); err == nil {
		t.Error("a person who does not exist was explained")
	}
	if _, err := rehearse.WhoCan(w, "no-door", 0); err == nil {
		t.Error("a door that does not exist was explained")
	}
	if _, err := rehearse.WhoCan(rehearse.World{}, "server-room-1", 0); err == nil {
		t.Error("without a policy somebody was listed")
	}
}

func compareText[T ~string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
