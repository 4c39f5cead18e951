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
	alone      map[ZoneID]bool
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
		if w.alone == nil {
			w.alone = map[ZoneID]bool{}
		}
		w.alone[z.ID] = true
		w.out = append(w.out, Notice{NoticeAlone, z.ID, nowMS})
	}
	if !few {
		delete(w.alone, z.ID)
	}
	if w.count == nil {
		w.count = map[ZoneID]uint32{}
	}
	w.count[z.ID] = v.Count
}

// Unescorted lists the zones in which outsiders are without an escort, sorted: their doors beep.
func (w *Watch) Unescorted() []ZoneID { return slices.Sorted(maps.Keys(w.unescorted)) }

// Take gives what was found since the last call, in order of time.
func (w *Watch) Take() []Notice {
	out := w.out
	w.out = nil
	slices.SortStableFunc(out, func(a, b Notice) int { return cmp.Compare(a.AtMS, b.AtMS) })
	return out
}
