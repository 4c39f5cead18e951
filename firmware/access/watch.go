package access

import (
	"cmp"
	"maps"
	"slices"
)

// NoticeKind is what a Watch finds.
type NoticeKind uint8

// Kinds of notices; the zero kind says nothing.
const (
	NoticeNone   NoticeKind = iota
	NoticeEscort            // outsiders have been inside without an escort for longer than the grace (VE-10)
	NoticeAlone             // fewer inside than the zone asks for, and not none (AD-10)
)

// Notice is something a person has to look at, found by looking at who is inside.
type Notice struct {
	Kind NoticeKind
	Zone ZoneID
	AtMS int64 // UTC ms at which it became so
}

// Watch looks after escorts that left and people left alone. Its owner calls Step after every event of
// the state and when time has passed. The zero Watch has seen nothing; it is not safe for concurrent use.
type Watch struct {
	unescorted map[ZoneID]int64 // since when outsiders are inside without an escort
	told       map[ZoneID]bool  // NoticeEscort of it was given
	alone      map[ZoneID]bool  // NoticeAlone of it was given
	few        map[ZoneID]bool  // fewer than asked for are inside, and not none
	count      map[ZoneID]uint32
	out        []Notice
}

// Step compares the state at nowMS with what it was before. An escort who comes in before the grace is
// over ends the matter: a hand-over is no more than another escort's entry. After an event nowMS is the
// event's own time, so that late records are judged by when things happened.
func (w *Watch) Step(p *Policy, st *State, nowMS int64) {
	if p == nil || st == nil {
		return
	}
	for i := range p.zones {
		z := &p.zones[i]
		if z.Escort == EscortNone && z.MinInside == 0 {
			continue
		}
		v := st.zoneView(p, uint32(i))
		if z.Escort != EscortNone {
			w.escorts(z, &v, nowMS)
		}
		if z.MinInside > 0 {
			w.company(z, &v, nowMS)
		}
	}
}

func (w *Watch) escorts(z *Zone, v *ZoneView, nowMS int64) {
	since, running := w.unescorted[z.ID]
	if running && !w.told[z.ID] && nowMS-since >= z.EscortGraceMS {
		if w.told == nil {
			w.told = map[ZoneID]bool{}
		}
		w.told[z.ID] = true
		w.out = append(w.out, Notice{NoticeEscort, z.ID, since + z.EscortGraceMS})
	}
	outsiders := v.Visitors
	if z.Escort != EscortVisitors {
		outsiders += v.Contractors
	}
	switch lonely := outsiders > 0 && v.Escorts == 0; {
	case !lonely:
		delete(w.unescorted, z.ID)
		delete(w.told, z.ID)
	case !running:
		if w.unescorted == nil {
			w.unescorted = map[ZoneID]int64{}
		}
		w.unescorted[z.ID] = nowMS
	}
}

func (w *Watch) company(z *Zone, v *ZoneView, nowMS int64) {
	few := v.Count > 0 && v.Count < z.MinInside
	// Going in one after the other is no departure: only a count that fell is told.
	if few && !w.alone[z.ID] && w.count[z.ID] >= z.MinInside {
		w.setAlone(z.ID, nowMS)
	}
	switch {
	case !few:
		delete(w.alone, z.ID)
		delete(w.few, z.ID)
	case w.few == nil:
		w.few = map[ZoneID]bool{z.ID: true}
	default:
		w.few[z.ID] = true
	}
	if w.count == nil {
		w.count = map[ZoneID]uint32{}
	}
	w.count[z.ID] = v.Count
}

func (w *Watch) setAlone(zone ZoneID, atMS int64) {
	if w.alone == nil {
		w.alone = map[ZoneID]bool{}
	}
	w.alone[zone] = true
	w.out = append(w.out, Notice{NoticeAlone, zone, atMS})
}

// Escorts lists the ids of the persons who may escort.
func (p *Policy) Escorts() []string {
	var out []string
	for i := range p.persons {
		if p.persons[i].MayEscort {
			out = append(out, p.persons[i].ID)
		}
	}
	return out
}

// Outsiders lists the ids of the persons inside a zone, or in one in it, whom it lets in with an escort only.
func (p *Policy) Outsiders(st *State, zone ZoneID) []string {
	n := p.zoneNumber(zone)
	if n == outside || st == nil {
		return nil
	}
	var out []string
	for _, in := range p.tree[n].below {
		for _, person := range st.People(p.zones[in].ID) {
			if no, known := p.personIndex[person]; known && p.zones[n].outsider(p.persons[no].Category, p.persons[no].MayEscort) {
				out = append(out, person)
			}
		}
	}
	return out
}

// Within reports whether zone in is zone or lies in it; "" lies in none.
func (p *Policy) Within(in, zone ZoneID) bool {
	return in != "" && p.within(p.zoneNumber(in), p.zoneNumber(zone))
}

// Unescorted lists the zones in which outsiders are without an escort, sorted: their doors beep.
func (w *Watch) Unescorted() []ZoneID { return slices.Sorted(maps.Keys(w.unescorted)) }

// Few lists the zones in which fewer are inside than the zone asks for, and not none, sorted.
func (w *Watch) Few() []ZoneID { return slices.Sorted(maps.Keys(w.few)) }

// Resume says since when outsiders are without an escort in a zone, UTC ms, when the Watch itself came too late to see it:
// its owner knows from the log. told: the notice was given already.
func (w *Watch) Resume(zone ZoneID, sinceMS int64, told bool) {
	if _, running := w.unescorted[zone]; !running {
		return
	}
	w.unescorted[zone] = sinceMS
	if told {
		if w.told == nil {
			w.told = map[ZoneID]bool{}
		}
		w.told[zone] = true
	}
}

// LeftAlone gives the notice of a departure that the Watch came too late to see, at UTC ms.
func (w *Watch) LeftAlone(zone ZoneID, atMS int64) {
	if w.few[zone] && !w.alone[zone] {
		w.setAlone(zone, atMS)
	}
}

// Take gives what was found since the last call, in order of time.
func (w *Watch) Take() []Notice {
	out := w.out
	w.out = nil
	slices.SortStableFunc(out, func(a, b Notice) int { return cmp.Compare(a.AtMS, b.AtMS) })
	return out
}
