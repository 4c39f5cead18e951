package review

import (
	"cmp"
	"slices"

	"monban/firmware/access"
	"monban/firmware/door"
)

// Watch runs the rules that look over time or at a person. It is a pure fold over the facts in the order of the log: the same
// facts give the same findings, however they are cut into batches. What it holds is bounded and forgets by the log's clock.
// Facts are judged at their own times, so a backlog tells what happened then and not what happens now.
//
// It is not safe for concurrent use: ingest drives it inside the store's transactions, one at a time. Between Begin and
// Keep it can go Back to where it was, which a rolled back transaction needs.
type Watch struct {
	set   Settings
	book  journal
	rules []overTime
	stays *stays

	beganMS int64
}

// overTime is one rule that remembers.
type overTime interface{ step(f *Fact) []Finding }

// NewWatch makes a watch that has seen nothing. beganMS is the time of the log's first entry, UTC ms.
func NewWatch(set Settings, beganMS int64) *Watch {
	w := &Watch{set: set, beganMS: beganMS}
	w.stays = newStays(&w.book, &w.set)
	w.rules = []overTime{
		newUnknownCards(&w.book, &w.set), newDeniedBurst(&w.book, &w.set), newCardScan(&w.book, &w.set), newTailgating(&w.book),
		exitWithoutEntry{&w.set, beganMS}, firstUse{&w.set, beganMS}, impossibleTravel{&w.set}, afterHours{&w.set}, selfGranted{}, w.stays,
	}
	return w
}

// Settings gives the thresholds.
func (w *Watch) Settings() Settings { return w.set }

// Begin makes what follows revocable.
func (w *Watch) Begin() { w.book.open = true }

// Keep ends that: the transaction has committed. Calling it again changes nothing.
func (w *Watch) Keep() { w.book.keep() }

// Back undoes every Step and Tick since Begin: the transaction was rolled back. Calling it again changes nothing.
func (w *Watch) Back() { w.book.back() }

// Step takes the next fact of the log and gives what the rules over time find in it.
func (w *Watch) Step(f Fact) []Finding {
	var out []Finding
	for _, r := range w.rules {
		out = append(out, r.step(&f)...)
	}
	return out
}

// Tick gives what has become so by time alone. nowMS is the server's clock, UTC ms; known reports whether everything that
// happened at a zone's doors until now is in the log: while a gateway is away nobody can say who is alone. Which
// findings there are does not depend on how often it is called, only when they are told.
func (w *Watch) Tick(nowMS int64, known func(access.ZoneID) bool) []Finding {
	return w.stays.tick(nowMS, known)
}

// Settled judges an exit again of which Unsettled was said: every record that may tell of the entry is here.
func (w *Watch) Settled(f Fact) []Finding {
	f.Unsettled = false
	return exitWithoutEntry{&w.set, w.beganMS}.step(&f)
}

// Resume takes the newest passage of a person as the log has it, at start, people in the order of passing. since is the
// passage from outside every zone that their being inside began with.
func (w *Watch) Resume(f, since Fact) {
	w.stays.resume(&f, since.about(Overstay, ""))
}

// Replay takes a fact of shortly before the start: what is counted within a window goes on where it was. What it finds was
// found.
func (w *Watch) Replay(f Fact) {
	for _, r := range w.rules {
		if r != overTime(w.stays) {
			r.step(&f)
		}
	}
}

// Unescorted lists the entries that wait for an escort to follow, as the findings that they would be.
func (w *Watch) Unescorted() []Finding {
	var out []Finding
	for _, u := range w.stays.lonely.all() {
		out = append(out, u.entry)
	}
	return inOrder(out)
}

// ResumeUnescorted takes an entry that waited for an escort before the start, as Unescorted gave it. nowMS is the log's clock.
func (w *Watch) ResumeUnescorted(nowMS int64, entry Finding) {
	w.stays.lonely.set(nowMS, entry.Attempt, unescorted{access.ZoneID(entry.Detail), entry})
}

// Outside takes an officer's word that a person is outside since atMS; person 0 is everybody in a zone (AD-9, AD-10).
func (w *Watch) Outside(nowMS, atMS int64, person uint64, zone access.ZoneID) {
	w.stays.outside(nowMS, atMS, person, zone)
}

// Areas tells the watch the zones of the site; it is called again when they change.
func (w *Watch) Areas(areas []Area) { w.stays.setAreas(areas) }

// Area is a zone as the rules see it.
type Area struct {
	Zone, Parent access.ZoneID // Parent is the zone it lies in, "" = none
	Level        int           // 1–3
}

// Passage is one earlier or later passage of a person.
type Passage struct {
	Known   bool
	AtMS    int64 // UTC ms
	WidthMS int64 // how far its time may be off in all
	Door    access.DoorID
	Into    access.ZoneID // the zone that it led into, "" = outside
	Within  bool          // Into is the zone that the fact's exit leaves, or lies in it
	Usual   bool          // it was in the usual hours
}

// passed reports whether a fact is somebody known walking through a door.
func (f *Fact) passed() bool {
	return f.Person != 0 && (f.Event == door.EventEntry || f.Event == door.EventExit)
}

// Passed reports whether a fact is somebody known walking through a door, so that the past of the person is asked for.
func (f *Fact) Passed() bool { return f.passed() }

// usual reports whether a moment lies in the usual hours.
func (s *Settings) usual(openDay bool, minute int) bool {
	return openDay && minute >= s.UsualFrom && minute < s.UsualUntil
}

// Usual reports whether a moment lies in the usual hours: an open day, and a minute of it.
func (w *Watch) Usual(openDay bool, minute int) bool { return w.set.usual(openDay, minute) }

// AsksWork reports whether it matters for a fact if approved work covers it: that is looked up only then.
func (w *Watch) AsksWork(f *Fact) bool {
	for _, r := range w.rules {
		if a, ok := r.(interface{ asksWork(*Fact) bool }); ok && a.asksWork(f) {
			return true
		}
	}
	return false
}

// about makes the finding of a rule over time at a fact's place and time.
func (f *Fact) about(kind Kind, detail string) Finding {
	x := New(kind, f.Leaf)
	x.AtMS, x.Gateway, x.Door, x.Attempt, x.Detail = f.AtMS, f.Gateway, f.Door, f.Attempt, detail
	return x
}

func inOrder(list []Finding) []Finding {
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Door, b.Door), slices.Compare(a.Attempt[:], b.Attempt[:]))
	})
	return list
}
