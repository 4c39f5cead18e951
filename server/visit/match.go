package visit

import (
	"slices"

	"monban/firmware/access"
)

// Presence is what the log says of one guest of a visit.
type Presence struct {
	Guest     int
	EnteredMS int64 // first entry into a zone of the visit, 0 = none
	LeftMS    int64 // last exit, 0 = none
	Inside    bool  // by the log: the last passage was an entry
	Entries   int
	Carried   bool   // on the carrier's badge (VE-11)
	Attempt   string // the first entry's line in the log, "" = none
}

// Match lays the applications beside what really happened: for each guest of a visit the passages of the log, in order of
// time, that are the guest's: by the lent badge, or by the carrier's for those without a card. One opening of the door on a
// badge that carries a party is an entry of each of the party.
func (v *Visit) Match(passages []Passage) []Presence {
	out := make([]Presence, len(v.Guests))
	for i := range v.Guests {
		g, p := &v.Guests[i], &out[i]
		p.Guest, p.Carried = i, g.Received() && !g.Card
		if !g.Received() {
			continue
		}
		in := map[access.ZoneID]bool{}
		for _, x := range passages {
			if !v.passes(i, x) {
				continue
			}
			if !x.In {
				p.LeftMS = x.AtMS
				delete(in, x.Zone)
				if x.Outside {
					clear(in)
				}
				continue
			}
			if p.EnteredMS == 0 {
				p.EnteredMS, p.Attempt = x.AtMS, x.Attempt
			}
			p.Entries++
			in[x.Zone] = true
		}
		p.Inside = len(in) > 0
		if g.Leaving.Done() {
			p.Inside = false
		}
	}
	return out
}

// passes reports whether a passage is one of guest i, who was received and has not given the badge back: on their own badge, or on
// the carrier's.
func (v *Visit) passes(i int, x Passage) bool {
	g, who := &v.Guests[i], v.PersonID(i)
	if !g.Received() {
		return false
	}
	if !g.Card {
		who = v.carrierAt(x.AtMS + skewMS) // after a hand-over the exit of who carried before is theirs alone (VE-10)
	}
	if who == "" || x.Person != who || x.AtMS < g.Checked.AtMS-skewMS || !v.touches(x.Zone) {
		return false
	}
	return !g.Returned.Done() || x.AtMS < g.Returned.AtMS+skewMS
}

// Carried lists the guests who passed a door on the badge of somebody else (VE-11).
func (v *Visit) Carried(x Passage) (guests []int) {
	for i := range v.Guests {
		if !v.Guests[i].Card && v.passes(i, x) {
			guests = append(guests, i)
		}
	}
	return guests
}

// skewMS is how far the time of a passage may be off: it is the middle of the interval in which it happened.
const skewMS = 5000

func (v *Visit) touches(z access.ZoneID) bool { return slices.Contains(v.Zones, z) }

// Insider makes of Match what ReturnBadge and Close ask for.
func (v *Visit) Insider(passages []Passage) func(guest int) bool {
	found := v.Match(passages)
	return func(i int) bool { return i >= 0 && i < len(found) && found[i].Inside }
}

// Mismatch is one difference between applications and entries, for the day's review.
type Mismatch struct {
	Kind  string // never_entered, outside_window, not_returned, no_visit
	Visit string // "" for an entry without a visit
	Guest int
	Entry Passage // of outside_window and no_visit
}

// Compare lists the differences of a day: guests who were received and never entered, entries outside the approved window,
// entries of lent badges that no visit explains. visits are those that touch the day; passages in order of time. Who comes as
// early as reception may begin is inside the window: the door let them in by the rules.
func Compare(visits []Visit, passages []Passage, nowMS int64, s *Site) (out []Mismatch) {
	owner := map[string]struct{ visit, guest int }{}
	for i := range visits {
		v := &visits[i]
		for j, p := range v.Match(passages) {
			g := &v.Guests[j]
			if g.Received() && p.EnteredMS == 0 && (v.State == Closed || nowMS >= v.UntilMS) {
				out = append(out, Mismatch{Kind: "never_entered", Visit: v.ID, Guest: j})
			}
			if !p.Carried {
				owner[string(v.PersonID(j))] = struct{ visit, guest int }{i, j}
			}
		}
	}
	for _, x := range passages {
		o, known := owner[string(x.Person)]
		switch {
		case !x.In:
		case known:
			v := &visits[o.visit]
			if x.AtMS < v.FromMS-s.Settings.EarlyMS || x.AtMS >= v.UntilMS {
				out = append(out, Mismatch{Kind: "outside_window", Visit: v.ID, Guest: o.guest, Entry: x})
			}
		case isGuestID(string(x.Person)):
			out = append(out, Mismatch{Kind: "no_visit", Entry: x})
		}
	}
	return out
}

// isGuestID reports whether a person id was made by guestID.
func isGuestID(id string) bool {
	return len(id) > len(KindVisit) && id[:len(KindVisit)+1] == KindVisit+"-"
}
