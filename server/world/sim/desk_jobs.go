package sim

import (
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/visit"
)

// daily does the work of a new day, once: transfers whose day has come, recertifications whose due day is over, and a policy
// without the exceptions that have run out, as server/app's Registry does.
func (s *server) daily() {
	today := dayOf(s.wallMS(), s.w.opt.Zone)
	if s.done == today {
		return
	}
	if s.published == today && len(s.dir.Transfers) == 0 && len(s.dir.Rounds) == 0 {
		s.done = today // nothing would change
		return
	}
	err := s.w.desk(true, func(t *deskTx) error {
		d := &t.dir
		d.People, d.Groups, d.Grants, d.Rounds = slices.Clone(d.People), slices.Clone(d.Groups), slices.Clone(d.Grants), slices.Clone(d.Rounds)
		d.CarryOutTransfers(today)
		d.CloseRounds(today)
		if probs := d.Validate(); len(probs) > 0 {
			return probs
		}
		return nil
	})
	if err == nil && s.up {
		s.done = today // else it is tried again in a minute
	}
}

// purposeSwept is the setting that holds the last day whose blank purposes were told of.
const purposeSwept = "purpose_swept"

// jobs is what the desk's job of each minute does: it ends what is over and tells, once each, of what is overdue.
func (s *server) jobs() {
	if len(s.store.matters) == 0 && s.w.opt.Visits == nil {
		return
	}
	w := s.w
	expired := false
	_ = w.desk(false, func(t *deskTx) error { // what a disk fault swallows is done a minute later
		for _, x := range t.m.sorted(isOpen) {
			if m := x.matter(); expires(m, t.now, t.site) {
				expired = true
			}
		}
		return nil
	})
	if expired {
		_ = w.desk(true, func(t *deskTx) error {
			for _, x := range t.m.sorted(isOpen) {
				if m := x.matter(); expires(m, t.now, t.site) {
					if err := t.put(m, x.head.Kind+"_expired", visit.Actor{}); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if !s.up { // a disk fault ended the process
		return
	}
	_ = w.desk(false, func(t *deskTx) error {
		for _, d := range t.dues() {
			if d.State != visit.Overdue {
				continue
			}
			if err := t.find(review.Kind(d.Kind), d.Matter, d.Part); err != nil {
				return err
			}
		}
		return t.tellBlank()
	})
}

func expires(m visit.Matter, nowMS int64, s *visit.Site) bool {
	switch m := m.(type) {
	case *visit.Visit:
		return m.Expire(nowMS)
	case *visit.Emergency:
		return m.Expire(nowMS)
	case *visit.Permit:
		return m.Expire(nowMS, s)
	}
	return false
}

// tellBlank makes one finding a zone and day of entries whose purpose nobody has stated in time (RR-7).
func (t *deskTx) tellBlank() error {
	day := directory.DateOf(time.UnixMilli(t.now).In(t.site.Zone)).AddDays(-14)
	if last, err := directory.ParseDate(t.m.settings[purposeSwept]); err == nil && day.Before(last.AddDays(1)) {
		day = last.AddDays(1)
	}
	if visit.Blank(visit.Passage{AtMS: day.StartMS(t.site.Zone)}, t.now, t.site).State != visit.Overdue {
		return nil
	}
	told := map[access.ZoneID]bool{}
	for _, e := range t.passages() {
		if !e.In || told[e.Zone] || !t.site.Settings.AsksPurpose(e.Zone) || directory.DateOf(time.UnixMilli(e.AtMS).In(t.site.Zone)) != day {
			continue
		}
		if _, from := t.purposeOf(e); from != visit.NoPurpose {
			continue
		}
		told[e.Zone] = true
		f := review.New(review.PurposeBlank, review.NoCause)
		_, err := t.m.AppendFinding(attempt.Finding{
			Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: string(e.Zone) + "/" + day.String(), AtMS: t.now,
		}, nil)
		if err != nil {
			return err
		}
	}
	return t.m.SetSetting(purposeSwept, day.String())
}

func (t *deskTx) purposeOf(e visit.Passage) (string, visit.PurposeSource) {
	var stated []visit.Purpose
	for _, p := range of[*visit.Purpose](t.m, always) {
		stated = append(stated, *p)
	}
	return visit.PurposeOf(e, t.visits(), stated)
}

func (t *deskTx) visits() (out []visit.Visit) {
	for _, v := range of[*visit.Visit](t.m, always) {
		out = append(out, *v)
	}
	return out
}
