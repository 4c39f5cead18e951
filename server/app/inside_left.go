package app

import (
	"math"
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/register"
	"monban/server/visit"
)

// leaving is what somebody said of an exit that the log does not show. The zero value: nothing was said.
type leaving struct {
	ms   int64 // when they left, as is said
	sure bool  // somebody else has confirmed it, or corrected the row: they are not inside
	in   bool  // it is said of a zone within, and of this one nothing
}

// leavingWord is one statement or correction of an exit.
type leavingWord struct {
	attempt         string // line that the row begins with
	person          string
	zone            access.ZoneID
	beganMS, leftMS int64
	sure            bool
}

// leavings reads what is said of how the stays in rows ended, as far as that lies before a moment, UTC ms. rows are those of everybody who is
// looked for, in whatever zone: what is said of a stay is found by when it began, however long ago that was.
func (b *book) leavings(rows []register.Row, atMS int64) ([]leavingWord, error) {
	exits, wrong := slices.Clone(b.exits), slices.Clone(b.wrong)
	from, err := directory.ParseDate(b.from)
	if err != nil {
		return nil, err
	}
	var begins []int64
	for i := range rows {
		begins = append(begins, rows[i].First().AtMS)
	}
	slices.Sort(begins)
	const around = 24 * 3_600_000 // how long before somebody went into a zone they may have come into the one around it
	read, have := int64(math.MinInt64), from.StartMS(b.zone)-fortnight
	for _, began := range begins {
		first, last := max(began-around, read), min(began+1, have) // openBook has read the later ones
		if first >= last {
			continue
		}
		read = last
		found, err := b.r.MattersBetween(visit.KindExit, first, last)
		older, err := list[visit.ExitStated](b.r, found, err)
		if err != nil {
			return nil, err
		}
		found, err = b.r.MattersBetween(visit.KindCorrection, first, last)
		said, err := list[visit.Correction](b.r, found, err)
		if err != nil {
			return nil, err
		}
		exits, wrong = append(exits, older...), append(wrong, said...)
	}
	var out []leavingWord
	for i := range exits {
		x := &exits[i]
		out = append(out, leavingWord{x.Attempt, string(x.Person), x.Zone, x.EntryMS, x.LeftMS, x.Confirmed.Done()})
	}
	for i := range wrong {
		if x := &wrong[i]; x.Right.OutMS != 0 && !x.Refused {
			out = append(out, leavingWord{x.Attempt, string(x.Person), x.Zone, x.AtMS, x.Right.OutMS, x.InForce()})
		}
	}
	return slices.DeleteFunc(out, func(x leavingWord) bool { return x.person == "" || x.leftMS > atMS }), nil
}

// leftBy reads from the words whether somebody whose row has no exit has left. Who left a zone is neither in it nor in a zone within it, unless
// they were seen later (seenMS is when they were seen last): a passage between parts of a zone begins no new row of it. Whether who left a zone
// also left the one around it nobody has said: they stay on every list, marked (RR-6).
func leftBy(r *register.Row, words []leavingWord, tree zoneTree, seenMS int64) (out leaving) {
	began, zone := r.First(), access.ZoneID(r.Zone)
	for _, x := range words {
		if x.person != r.Person || x.leftMS < began.AtMS {
			continue
		}
		own := x.attempt == began.ID
		var l leaving
		switch {
		case x.zone == zone && own && seenMS <= x.leftMS:
			l = leaving{ms: x.leftMS, sure: x.sure}
		case x.zone != zone && tree.within(zone, x.zone) && x.beganMS <= began.AtMS && seenMS <= x.leftMS:
			l = leaving{ms: x.leftMS, sure: x.sure}
		case x.zone != zone && tree.within(x.zone, zone) && seenMS <= x.beganMS:
			l = leaving{ms: x.leftMS, in: true}
		default:
			continue
		}
		if l.sure && !out.sure || l.sure == out.sure && l.ms > out.ms {
			out = l
		}
	}
	return out
}

// lastSeen gives when each person passed a door last, until a moment, UTC ms.
func (b *book) lastSeen(atMS int64) map[string]int64 {
	out := map[string]int64{}
	for i := range b.made {
		e := &b.made[i]
		if e.Kind != register.Crossed || e.AtMS > atMS {
			continue
		}
		for _, who := range append([]string{e.Person}, e.Party...) {
			if who != "" && !strings.HasPrefix(who, erasedPrefix) {
				out[who] = max(out[who], e.AtMS)
			}
		}
	}
	return out
}
