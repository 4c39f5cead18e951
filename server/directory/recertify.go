package directory

import (
	"errors"
	"fmt"
	"slices"

	"monban/firmware/access"
)

// ErrRoundOpen says that a zone's recertification is not over, or was opened today.
var ErrRoundOpen = errors.New("is open or was opened today: finish it first")

// OpenRound begins a recertification of a zone: everybody who has a right in it is asked about. Without a due
// day it is due after Terms.RoundDays. One round of a zone is open at a time.
func (s *Snapshot) OpenRound(zone access.ZoneID, today, due Date) (RoundID, error) {
	if !slices.ContainsFunc(s.Zones, func(z Zone) bool { return z.ID == zone }) {
		return "", fmt.Errorf("zone %s: %w", zone, ErrNoSuch)
	}
	id := RoundID(string(zone) + "-" + today.String())
	for i := range s.Rounds {
		if r := &s.Rounds[i]; r.ID == id || r.Zone == zone && r.Closed.IsZero() {
			return "", fmt.Errorf("zone %s: recertification %s: %w", zone, r.ID, ErrRoundOpen)
		}
	}
	r := Round{ID: id, Zone: zone, Opened: today, Due: firstSet(due, today.AddDays(s.Terms.roundDays()))}
	for _, p := range s.Holders(zone) {
		r.Answers = append(r.Answers, Answer{Person: p, Word: AnswerOpen})
	}
	if len(r.Answers) == 0 {
		r.Closed = today
	}
	s.Rounds = append(slices.Clone(s.Rounds), r)
	return id, nil
}

// Holders lists everybody who has a grant for a zone that has not run out by itself, in order: own ones and
// those of their groups, suspended and future ones too.
func (s *Snapshot) Holders(zone access.ZoneID) []PersonID {
	var out []PersonID
	for _, g := range s.Grants {
		if g.Zone != zone {
			continue
		}
		if g.Group == "" {
			out = append(out, g.Person)
			continue
		}
		for _, grp := range s.Groups {
			if grp.ID == g.Group {
				out = append(out, grp.Members...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// AnswerRound says of one person whether the rights in the round's zone are kept. Removing takes the person's
// own grants for the zone away, and bars those of groups there. Answering keep after the round has closed lifts a
// suspension.
func (s *Snapshot) AnswerRound(id RoundID, p PersonID, keep bool, today Date) error {
	for i := range s.Rounds {
		r := &s.Rounds[i]
		at := slices.IndexFunc(r.Answers, func(a Answer) bool { return a.Person == p })
		if r.ID != id || at < 0 {
			continue
		}
		r.Answers = slices.Clone(r.Answers)
		word := AnswerKeep
		if !keep {
			word = AnswerRemove
			s.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g Grant) bool { return g.Person == p && g.Zone == r.Zone })
		}
		r.Answers[at] = Answer{Person: p, Word: word, Day: today}
		if r.Closed.IsZero() && !slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.Word == AnswerOpen }) {
			r.Closed = today
		}
		return nil
	}
	return fmt.Errorf("recertification %s of %s: %w", id, p, ErrNoSuch)
}

// CloseRounds ends the rounds whose due day is over: whoever was not confirmed is suspended in that zone. It
// reports how many were. Where the site's terms say that rights are kept, it does nothing: the round stays open
// and overdue until everybody is answered for.
func (s *Snapshot) CloseRounds(today Date) (suspended int) {
	if s.Terms.RoundKeeps {
		return 0
	}
	for i := range s.Rounds {
		r := &s.Rounds[i]
		if !r.Closed.IsZero() || !r.Due.Before(today) {
			continue
		}
		r.Closed, r.Answers = today, slices.Clone(r.Answers)
		for j := range r.Answers {
			if r.Answers[j].Word == AnswerOpen {
				r.Answers[j] = Answer{Person: r.Answers[j].Person, Word: AnswerSuspended, Day: today}
				suspended++
			}
		}
	}
	return suspended
}

// Uncertified gives the newest answer about each person of a zone whose answer bars: AnswerSuspended bars
// every right there, AnswerRemove those of groups.
func (s *Snapshot) Uncertified(zone access.ZoneID) map[PersonID]string {
	newest := map[PersonID]Answer{}
	for i := range s.Rounds {
		r := &s.Rounds[i]
		if r.Zone != zone {
			continue
		}
		for _, a := range r.Answers {
			if old, ok := newest[a.Person]; a.Word != AnswerOpen && (!ok || !a.Day.Before(old.Day)) {
				newest[a.Person] = a
			}
		}
	}
	out := map[PersonID]string{}
	for p, a := range newest {
		if a.Word == AnswerSuspended || a.Word == AnswerRemove {
			out[p] = a.Word
		}
	}
	return out
}

// RoundDue is a zone that waits for a recertification.
type RoundDue struct {
	Zone access.ZoneID
	Last Date // last round opened, none = never
	Open RoundID
	Due  Date // of the open round; else the day from which a new one is due
}

// RoundsDue lists the zones with rights whose last round is Terms.RoundMonths old, or was before the transfers of
// 1 April, and the rounds that are open (VR-5).
func (s *Snapshot) RoundsDue(today Date) (out []RoundDue) {
	april := Date{today.FiscalYear(), 4, 1}
	for i := range s.Zones {
		x := RoundDue{Zone: s.Zones[i].ID}
		if len(s.Holders(x.Zone)) == 0 {
			continue
		}
		for j := range s.Rounds {
			if r := &s.Rounds[j]; r.Zone == x.Zone {
				if x.Last.IsZero() || x.Last.Before(r.Opened) {
					x.Last = r.Opened
				}
				if r.Closed.IsZero() {
					x.Open, x.Due = r.ID, r.Due
				}
			}
		}
		if x.Open != "" {
			out = append(out, x)
			continue
		}
		switch next := x.Last.addMonths(s.Terms.roundMonths()); {
		case x.Last.IsZero() || x.Last.Before(april):
			x.Due = april
		case !today.Before(next):
			x.Due = next
		default:
			continue
		}
		out = append(out, x)
	}
	return out
}

// addMonths gives the same day n months later; a day that does not exist there is the first of the month after.
func (d Date) addMonths(n int) Date {
	if d.IsZero() {
		return d
	}
	return DateOf(Date{d.Year, d.Month, 1}.Start(utc).AddDate(0, n, d.Day-1))
}
