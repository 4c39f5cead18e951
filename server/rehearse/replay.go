package rehearse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
)

// Past is a decision of the log with the inputs it was made from (D16).
type Past struct {
	Attempt [16]byte
	Leaf    int64 // whose opening holds the inputs
	AtMS    int64
	Person  string         // person id at that time, "" = nobody known
	Outcome access.Outcome // that counted at the door
	Reason  access.Reason
	View    access.View
	Request access.Request // Key is the card_ref
}

// Difference is a past decision that a draft would have made otherwise.
type Difference struct {
	Past
	Now   access.Decision // by the rules in force
	Draft access.Decision
}

// Replay compares a draft with the rules in force over past decisions.
type Replay struct {
	Compared int
	// Otherwise are those that the draft decides otherwise than the rules in force, in the order they were
	// given: exactly what publishing it would change, had the past come again.
	Otherwise []Difference
	// AlreadyOtherwise counts those that the rules in force decide otherwise than it was decided then, because
	// people, cards and rules have changed since. They are not the draft's doing.
	AlreadyOtherwise int

	now, draft *access.Policy
}

// NewReplay begins a comparison. Neither policy may be nil.
func NewReplay(now, draft *access.Policy) (*Replay, error) {
	if now == nil || draft == nil {
		return nil, ErrNoPolicy
	}
	return &Replay{now: now, draft: draft}, nil
}

// Add decides one past request by both policies, on the server's footing: age, lease and clock of the gateway
// that decided then say nothing about the rules.
func (r *Replay) Add(p Past) {
	q := p.Request
	q.Link, q.Behind, q.AgeMS, q.Clock = access.LinkServer, false, 0, access.ClockServer
	now, draft := access.Decide(r.now, p.View, q), access.Decide(r.draft, p.View, q)
	r.Compared++
	if now.Outcome != p.Outcome {
		r.AlreadyOtherwise++
	}
	if now.Outcome != draft.Outcome {
		r.Otherwise = append(r.Otherwise, Difference{Past: p, Now: now, Draft: draft})
	}
}

// RightChange says what a draft does to one person's right to a zone.
type RightChange struct {
	Person directory.PersonID
	Zone   access.ZoneID
	Effect Effect
	// Before and After are the terms of the right, schedule and validity of each grant; empty = none.
	Before, After []string
}

// Effect of a draft on a right.
type Effect string

// The effects.
const (
	Gains   Effect = "gains"   // had no right to the zone
	Loses   Effect = "loses"   // keeps none
	Changes Effect = "changes" // other hours or another validity
)

// Rights compares who may go where by the grants of two directories, by person and zone.
func Rights(now, draft *directory.Snapshot) []RightChange {
	before, after := terms(now), terms(draft)
	var out []RightChange
	for k, b := range before {
		a := after[k]
		switch {
		case len(a) == 0:
			out = append(out, RightChange{k.person, k.zone, Loses, b, nil})
		case !slices.Equal(a, b):
			out = append(out, RightChange{k.person, k.zone, Changes, b, a})
		}
	}
	for k, a := range after {
		if len(before[k]) == 0 {
			out = append(out, RightChange{k.person, k.zone, Gains, nil, a})
		}
	}
	slices.SortFunc(out, func(a, b RightChange) int {
		return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Zone, b.Zone))
	})
	return out
}

type right struct {
	person directory.PersonID
	zone   access.ZoneID
}

// terms lists, for each right, in words that two directories can be compared by, the hours and days of each grant.
// A schedule counts by its windows, not its name: renaming one changes nobody's right.
func terms(s *directory.Snapshot) map[right][]string {
	schedules := make(map[directory.ScheduleID]string, len(s.Schedules))
	for i := range s.Schedules {
		schedules[s.Schedules[i].ID] = hours(&s.Schedules[i])
	}
	out := make(map[right][]string)
	s.EachRight(func(holder directory.PersonID, g *directory.Grant, _ *directory.Group) {
		if g.Suspended {
			return
		}
		k := right{holder, g.Zone}
		out[k] = append(out[k], fmt.Sprintf("%s %s–%s", schedules[g.Schedule], g.ValidFrom, g.ValidUntil))
	})
	for k := range out {
		slices.Sort(out[k])
	}
	return out
}

func hours(s *directory.Schedule) string {
	if len(s.Windows) == 0 && len(s.Dates) == 0 {
		return "never"
	}
	windows := make([]string, len(s.Windows), len(s.Windows)+len(s.Dates)+1)
	for i, w := range s.Windows {
		windows[i] = w.String()
	}
	for _, d := range s.Dates {
		windows = append(windows, d.String())
	}
	if !s.ValidFrom.IsZero() || !s.ValidUntil.IsZero() {
		windows = append(windows, s.ValidFrom.String()+" to "+s.ValidUntil.String())
	}
	return strings.Join(windows, ", ")
}
