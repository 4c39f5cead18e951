package review

import (
	"cmp"
	"slices"

	"monban/firmware/access"
	"monban/firmware/door"
)

// stays is who is inside by the log, and since when, for the rules about how long and with whom. Each person is an opaque
// number. A late record never moves somebody who has moved since.
type stays struct {
	set    *Settings
	areas  map[access.ZoneID]Area
	in     *memory[uint64, stay]             // who is inside some zone
	moved  *memory[uint64, int64]            // own time of everybody's newest passage
	alone  *memory[access.ZoneID, alone]     // who is alone in a zone that asks for company after a while
	lonely *memory[door.Attempt, unescorted] // entries that wait for an escort
}

// stay is one person's being inside.
type stay struct {
	since   Finding // place, time and attempt of the entry from outside every zone
	zone    access.ZoneID
	escort  bool
	overdue bool // told
	solo    bool // told of being alone
}

type alone struct {
	person  uint64
	sinceMS int64
}

type unescorted struct {
	zone  access.ZoneID
	entry Finding
}

// remembered is how long the newest passage of a person counts: no gateway sends records that are older.
const remembered = 31 * day

func newStays(book *journal, set *Settings) *stays {
	return &stays{
		set: set, in: newMemory[uint64, stay](book, remembered), moved: newMemory[uint64, int64](book, remembered),
		alone:  newMemory[access.ZoneID, alone](book, remembered),
		lonely: newMemory[door.Attempt, unescorted](book, remembered), // a gateway of the zone may be away for days
	}
}

func (s *stays) setAreas(list []Area) {
	s.areas = make(map[access.ZoneID]Area, len(list))
	for _, a := range list {
		s.areas[a.Zone] = a
	}
}

// within reports whether zone in is zone or lies in it.
func (s *stays) within(in, zone access.ZoneID) bool {
	for range len(s.areas) + 1 { // a tree; the bound is for one that is none
		if in == "" || in == zone {
			return in != ""
		}
		in = s.areas[in].Parent
	}
	return false
}

func (s *stays) level(zone access.ZoneID) int { return min(max(s.areas[zone].Level, 0), 3) }

func (s *stays) step(f *Fact) []Finding {
	if !f.passed() {
		return nil
	}
	if last, known := s.moved.get(f.Person); known && f.AtMS < last {
		return nil
	}
	s.moved.set(f.ReceivedMS, f.Person, f.AtMS)
	old, inside := s.in.get(f.Person)
	var out []Finding
	if inside { // what was over before anybody looked
		for _, zone := range s.watched() {
			if a, ok := s.alone.get(zone); ok && a.person == f.Person {
				out = s.wasAlone(f.ReceivedMS, zone, a, f.AtMS, out)
			}
		}
		out = s.overstayed(f.ReceivedMS, f.Person, f.AtMS, out)
		old, _ = s.in.get(f.Person)
	}
	switch {
	case f.Into == "":
		s.in.drop(f.Person)
	case inside && f.From != "":
		old.zone, old.escort = f.Into, f.Escort
		s.in.set(f.ReceivedMS, f.Person, old)
	default: // from outside; if they were inside by the log an exit is missing, and the stay begins anew
		s.in.set(f.ReceivedMS, f.Person, stay{since: f.about(Overstay, ""), zone: f.Into, escort: f.Escort})
	}
	s.company(f)
	return inOrder(s.recount(f.ReceivedMS, f.AtMS, out))
}

// company notes an outsider who came in without an escort, and takes back the note when an escort follows in time.
func (s *stays) company(f *Fact) {
	if f.Escort && f.Into != "" {
		for a, u := range s.lonely.all() { // dropping while looking is allowed, setting is not
			if s.within(f.Into, u.zone) && f.AtMS-u.entry.AtMS <= s.set.EscortWithinMS {
				s.lonely.drop(a)
			}
		}
		return
	}
	if !f.Outsider || f.Event != door.EventEntry || s.escorted(f.Into) {
		return
	}
	x := f.about(UnescortedVisitor, string(f.Into))
	x.Once = OncePerAttempt
	s.lonely.set(f.ReceivedMS, f.Attempt, unescorted{f.Into, x})
}

func (s *stays) escorted(zone access.ZoneID) bool {
	for _, x := range s.in.all() {
		if x.escort && s.within(x.zone, zone) {
			return true
		}
	}
	return false
}

// recount finds who is alone where after a passage at atMS, and tells of those whose being alone has ended too late.
func (s *stays) recount(nowMS, atMS int64, out []Finding) []Finding {
	for _, zone := range s.watched() {
		count, who := 0, uint64(0)
		for person, x := range s.in.all() {
			if s.within(x.zone, zone) {
				count, who = count+1, person
			}
		}
		before, was := s.alone.get(zone)
		if was && (count != 1 || before.person != who) {
			out = s.wasAlone(nowMS, zone, before, atMS, out)
			s.alone.drop(zone)
			was = false
		}
		if count == 1 && !was {
			s.alone.set(nowMS, zone, alone{who, atMS})
		}
	}
	return out
}

// watched lists the zones in which nobody should be alone for long, sorted.
func (s *stays) watched() []access.ZoneID {
	var out []access.ZoneID
	for id := range s.areas {
		if s.set.AloneMS[s.level(id)] != 0 {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// tick tells what has become so by nowMS.
func (s *stays) tick(nowMS int64, known func(access.ZoneID) bool) (out []Finding) {
	var due []uint64
	for person, x := range s.in.all() {
		if !x.overdue && s.tooLong(&x, nowMS) && known(x.zone) {
			due = append(due, person)
		}
	}
	for _, person := range due {
		out = s.overstayed(nowMS, person, nowMS, out)
	}
	for _, zone := range s.watched() {
		if a, ok := s.alone.get(zone); ok && known(zone) {
			out = s.wasAlone(nowMS, zone, a, nowMS, out)
		}
	}
	for a, u := range s.lonely.all() {
		if nowMS-u.entry.AtMS > s.set.EscortWithinMS && known(u.zone) { // who follows at the last moment is in time
			out = append(out, u.entry)
			s.lonely.drop(a)
		}
	}
	return inOrder(out)
}

// overstayed tells, once, of a stay that was too long at untilMS.
func (s *stays) overstayed(nowMS int64, person uint64, untilMS int64, out []Finding) []Finding {
	x, inside := s.in.get(person)
	if !inside || x.overdue || !s.tooLong(&x, untilMS) {
		return out
	}
	x.overdue = true
	s.in.set(nowMS, person, x)
	return append(out, x.told(Overstay, string(x.zone), x.since.AtMS+s.set.OverstayMS[s.level(x.zone)]))
}

func (s *stays) tooLong(x *stay, untilMS int64) bool {
	limit := s.set.OverstayMS[s.level(x.zone)]
	return limit != 0 && untilMS-x.since.AtMS >= limit
}

// wasAlone tells, once a stay, of somebody who was alone for too long at untilMS.
func (s *stays) wasAlone(nowMS int64, zone access.ZoneID, a alone, untilMS int64, out []Finding) []Finding {
	limit := s.set.AloneMS[s.level(zone)]
	x, inside := s.in.get(a.person)
	if !inside || x.solo || untilMS-a.sinceMS < limit {
		return out
	}
	x.solo = true
	s.in.set(nowMS, a.person, x)
	return append(out, x.told(LoneWorker, string(zone), a.sinceMS+limit))
}

// told makes a finding about a stay, at the moment at which it became so.
func (x *stay) told(kind Kind, zone string, atMS int64) Finding {
	f := New(kind, x.since.Cause)
	f.AtMS, f.Gateway, f.Door, f.Attempt, f.Detail, f.Once = atMS, x.since.Gateway, x.since.Door, x.since.Attempt, zone, OncePerAttempt
	return f
}

// outside takes an officer's word that somebody is outside since atMS (AD-9); person 0 is everybody in zone (AD-10).
func (s *stays) outside(nowMS, atMS int64, person uint64, zone access.ZoneID) {
	var gone []uint64
	for p, x := range s.in.all() {
		if last, _ := s.moved.get(p); (p == person || person == 0 && x.zone == zone) && last <= atMS {
			gone = append(gone, p)
		}
	}
	slices.SortFunc(gone, cmp.Compare[uint64])
	for _, p := range gone {
		s.in.drop(p)
		s.moved.set(nowMS, p, atMS)
	}
	if len(gone) > 0 {
		s.recount(nowMS, atMS, nil)
	}
}

// resume takes the newest passage of somebody as the log has it, at start, in the order of passing. since is the entry from
// outside every zone that the stay began with, when it leads into one.
func (s *stays) resume(f *Fact, since Finding) {
	s.moved.set(f.ReceivedMS, f.Person, f.AtMS)
	if f.Into != "" {
		s.in.set(f.ReceivedMS, f.Person, stay{since: since, zone: f.Into, escort: f.Escort})
	}
	s.recount(f.ReceivedMS, f.AtMS, nil)
	for _, zone := range s.watched() { // who is left is alone since the others have left, whose entries are not looked at
		if a, ok := s.alone.get(zone); ok && a.sinceMS < f.AtMS && s.within(f.From, zone) && !s.within(f.Into, zone) {
			a.sinceMS = f.AtMS
			s.alone.set(f.ReceivedMS, zone, a)
		}
	}
}
