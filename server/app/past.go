package app

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/register"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// pastPlaces is where doors led and which zones there were, over time: a register is that of the rooms of its days, also when the room has moved
// since, or is no more (RR-1).
type pastPlaces struct {
	doors map[access.DoorID][]store.DoorPast // each in the order of time, never empty
	zones map[access.ZoneID][]store.ZonePast
}

// loadPlaces reads it.
func loadPlaces(r store.Reader) (*pastPlaces, error) {
	doors, err := r.DoorsPast()
	if err != nil {
		return nil, err
	}
	zones, err := r.ZonesPast()
	if err != nil {
		return nil, err
	}
	x := &pastPlaces{map[access.DoorID][]store.DoorPast{}, map[access.ZoneID][]store.ZonePast{}}
	for _, d := range doors {
		x.doors[d.ID] = append(x.doors[d.ID], d)
	}
	for _, z := range zones {
		x.zones[z.ID] = append(x.zones[z.ID], z)
	}
	return x, nil
}

// load reads it once, and gives the doors and zones that are gone their names.
func (n *names) load(r store.Reader) error {
	if n.past.doors != nil {
		return nil
	}
	x, err := loadPlaces(r)
	if err != nil {
		return err
	}
	*n.past = *x
	for id, list := range x.doors {
		if last := list[len(list)-1]; last.Gone {
			if n.english && last.NameEN != "" {
				last.Name = last.NameEN
			}
			n.doors[id] = last.Door
		}
	}
	for id, list := range x.zones {
		if last := list[len(list)-1]; last.Gone {
			if n.english && last.NameEN != "" {
				last.Name = last.NameEN
			}
			n.zones[id] = last.Zone
		}
	}
	return nil
}

// door is where a door led at a moment, UTC ms. What happened before it was written down, or when it was taken out already, is taken as
// the nearest that is known.
func (x *pastPlaces) door(id access.DoorID, ms int64) (d directory.Door, known bool) {
	list := x.doors[id]
	for i := range list {
		if i == 0 || list[i].SinceMS <= ms {
			d, known = list[i].Door, true
		}
	}
	return d, known
}

// between calls f for each door as it led at some time in [fromMS, toMS).
func (x *pastPlaces) between(fromMS, toMS int64, f func(d *directory.Door)) {
	for _, id := range slices.Sorted(maps.Keys(x.doors)) {
		list := x.doors[id]
		for i := range list {
			since, until := list[i].SinceMS, int64(math.MaxInt64)
			if i == 0 {
				since = math.MinInt64
			}
			if i+1 < len(list) {
				until = list[i+1].SinceMS
			}
			if !list[i].Gone && since < toMS && until > fromMS {
				f(&list[i].Door)
			}
		}
	}
}

// firstDoors are the doors that led into a zone, or over its border, from the beginning of what is known: a line of theirs is one of the zone's, however old.
// What was recorded at a door before it came to lead there is another room's.
func (x *pastPlaces) firstDoors(zone access.ZoneID) (out []string) {
	tree := x.tree(math.MinInt64)
	for id, list := range x.doors {
		if d := &list[0].Door; d.Enter == zone || d.Exit == zone || tree.borders(d.Enter, d.Exit, zone) {
			out = append(out, string(id))
		}
	}
	return out
}

// tree gives each zone's parent at a moment, UTC ms; of one that was none then the nearest that is known.
func (x *pastPlaces) tree(ms int64) zoneTree {
	t := zoneTree{}
	for id, list := range x.zones {
		for i := range list {
			if i == 0 || list[i].SinceMS <= ms {
				t[id] = list[i].Parent
			}
		}
	}
	return t
}

// gone is since when there is a zone no more, UTC ms; 0 = it is there.
func (x *pastPlaces) gone(id access.ZoneID) int64 {
	if list := x.zones[id]; len(list) > 0 && list[len(list)-1].Gone {
		return list[len(list)-1].SinceMS
	}
	return 0
}

// passage is a line of the log as a passage, by where its door led then.
func (b *book) passage(l *attempt.Row) visit.Passage {
	x := passage(l, b.site.Dir)
	ms := l.PassedMS
	if ms == 0 {
		ms = l.FromMS
	}
	if d, known := b.names.past.door(x.Door, ms); known {
		x.Zone, x.Outside = d.Enter, d.Exit == "" && !x.In
	}
	return x
}

// treeAt is the register's tree at the end of the days read.
func (n *names) treeAt(ms int64) register.Tree {
	t := register.Tree{}
	for id, parent := range n.past.tree(ms) {
		t[register.ZoneID(id)] = register.ZoneID(parent)
	}
	return t
}

// read folds lines, findings, coverage and acts of the days from…to. The days around one on which a door came to lead elsewhere are read apart, so that each has the
// doors that it had; that day itself has both.
func (v *dayReview) read(p *pages, r *store.ReadTx, from, to directory.Date) (map[string]*reviewDay, error) {
	if ms := v.names.past.gone(v.area); ms != 0 { // nobody signs days of a room that was no more
		if last := directory.DateOf(time.UnixMilli(ms).In(v.zone)); last.Before(to) {
			to = last
		}
	}
	out := map[string]*reviewDay{}
	for first := from; !to.Before(first); {
		last := to
		for _, list := range v.names.past.doors {
			for _, d := range list[1:] {
				switch day := directory.DateOf(time.UnixMilli(d.SinceMS).In(v.zone)); {
				case day == first:
					last = first
				case first.Before(day) && !last.Before(day):
					last = day.AddDays(-1)
				}
			}
		}
		v.leads(first, last)
		days, err := v.readAlike(p, r, first, last)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, days)
		first = last.AddDays(1)
	}
	v.leads(from, to) // whoever acts on all of them asks for every door
	return out, nil
}

// leads finds the doors by which people came into the zone and left it on the days from…to.
func (v *dayReview) leads(from, to directory.Date) {
	v.doors, v.borders, v.gateways, v.within, v.rowsOf = nil, nil, nil, nil, store.DayDoors{}
	tree := v.names.past.tree(to.EndMS(v.zone))
	v.parents = tree
	v.names.past.between(from.StartMS(v.zone), to.EndMS(v.zone), func(d *directory.Door) {
		if tree.borders(d.Enter, d.Exit, v.area) {
			v.rowsOf.Across = append(v.rowsOf.Across, string(d.ID))
		} else if tree.within(d.Enter, v.area) {
			v.within = append(v.within, string(d.ID))
		}
		if d.Enter == v.area {
			v.rowsOf.Into = append(v.rowsOf.Into, string(d.ID))
		}
		if cmp.Or(d.Exit, d.Enter) == v.area {
			v.rowsOf.Back = append(v.rowsOf.Back, string(d.ID))
		}
		if d.Enter != v.area && d.Exit != v.area {
			if tree.borders(d.Enter, d.Exit, v.area) {
				v.borders = append(v.borders, string(d.ID))
			}
			return
		}
		v.doors = append(v.doors, string(d.ID))
		if !slices.Contains(v.gateways, string(d.Gateway)) {
			v.gateways = append(v.gateways, string(d.Gateway))
		}
	})
}

// goneZones lists the zones that are no more and had a door, by name.
func (n *names) goneZones(zone *time.Location) (out []web.ZoneName) {
	for _, id := range slices.Sorted(maps.Keys(n.past.zones)) {
		ms := n.past.gone(id)
		if ms == 0 {
			continue
		}
		tree, had := n.past.tree(ms), false
		n.past.between(math.MinInt64, math.MaxInt64, func(d *directory.Door) { had = had || tree.within(d.Enter, id) || tree.within(d.Exit, id) })
		if had {
			out = append(out, web.ZoneName{ID: id, Name: n.zone(id), Level: n.zones[id].Level, Gone: directory.DateOf(time.UnixMilli(ms).In(zone)).String()})
		}
	}
	return out
}
