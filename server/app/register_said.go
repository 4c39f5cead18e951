package app

import (
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/store"
)

// said is what somebody said of a row beside what was recorded: a correction, an exit, a purpose. It changes what the row shows, so whoever
// signed before it came has not seen that row (VR-12).
type said struct {
	zone   access.ZoneID // "" = the rows of each zone that begin with the line
	person directory.PersonID
	atMS   int64
	leaf   int64 // its newest
}

func (x *said) in(zone access.ZoneID) bool { return x.zone == "" || x.zone == zone }

// say keeps what was said, by the line that the row begins with. rows are the matters that were read of it.
func (b *book) say(rows []store.Matter) {
	leaf := map[string]int64{}
	for _, m := range rows {
		leaf[m.ID] = m.Idx
	}
	b.said = map[string][]said{}
	add := func(attempt, id string, x said) {
		x.leaf = leaf[id]
		b.said[attempt] = append(b.said[attempt], x)
	}
	for i := range b.wrong {
		x := &b.wrong[i]
		add(x.Attempt, x.ID, said{zone: x.Zone, person: x.Person, atMS: x.AtMS})
	}
	for i := range b.exits {
		x := &b.exits[i]
		add(x.Attempt, x.ID, said{zone: x.Zone, person: x.Person, atMS: x.EntryMS})
	}
	for i := range b.stated {
		x := &b.stated[i]
		add(x.Attempt, x.ID, said{person: x.Person, atMS: x.EntryMS})
	}
}

// spoken counts what was said of rows into the days of these.
func (v *dayReview) spoken(days map[string]*reviewDay) error {
	for attempt, list := range v.said {
		var key [16]byte
		if b, err := hex.DecodeString(attempt); err != nil || copy(key[:], b) != len(key) {
			continue
		}
		if !slices.ContainsFunc(list, func(x said) bool { return x.in(v.area) && v.counts(days, &x) }) {
			continue
		}
		line, err := v.r.AttemptRow(key)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		d := days[line.Day]
		if d == nil {
			continue
		}
		for i := range list {
			x := &list[i]
			if !x.in(v.area) || x.zone == "" && !slices.Contains(v.doors, line.Door) && !slices.Contains(v.borders, line.Door) {
				continue
			}
			if d.facts.Last = max(d.facts.Last, x.leaf); d.sheet.Signed != nil && x.leaf >= d.sheet.Upto {
				d.facts.Late = append(d.facts.Late, string(x.person))
			}
		}
	}
	return nil
}

// counts reports whether it may matter to one of the days: of a list only what came after a signature does, and looking each line up costs.
func (v *dayReview) counts(days map[string]*reviewDay, x *said) bool {
	if len(days) == 1 {
		return true
	}
	day := directory.DateOf(time.UnixMilli(x.atMS).In(v.zone))
	for n := -1; n <= 1; n++ { // a day is frozen when its first record comes, and the door may be passed after midnight
		if d := days[day.AddDays(n).String()]; d != nil && d.sheet.Signed != nil && x.leaf >= d.sheet.Upto {
			return true
		}
	}
	return false
}
