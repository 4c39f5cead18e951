package register

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var site = Tree{"server-room": "floor-3", "cage": "server-room"}

// day is 2026-11-23 00:00 in Tokyo, UTC ms.
const day = 1795359600000

func at(hour, minute int) int64 { return day + int64(hour*60+minute)*60_000 }

func cross(n int, who string, from, to ZoneID, ms int64) Event {
	d := "2026-11-23"
	if ms >= day+86_400_000 {
		d = "2026-11-24"
	}
	return Event{ID: fmt.Sprint(n), Kind: Crossed, Person: who, From: from, To: to, Gateway: "g", Seq: uint64(n), AtMS: ms, Day: d}
}

// text draws rows as a person would read them.
func text(rows []Row, zone ZoneID) string {
	var b strings.Builder
	for i := range rows {
		r := &rows[i]
		if r.Zone != zone {
			continue
		}
		id := func(e *Event) string {
			if e == nil {
				return "-"
			}
			return e.ID
		}
		fmt.Fprintf(&b, "%s %s %s %s", r.Person, id(r.Entry), id(r.Exit), r.State)
		for _, x := range []struct {
			name string
			e    *Event
		}{{"other", r.Other}, {"seen", r.Seen}, {"elsewhere", r.Elsewhere}} {
			if x.e != nil {
				fmt.Fprintf(&b, " %s=%s", x.name, x.e.ID)
			}
		}
		if r.Leader != "" {
			fmt.Fprintf(&b, " with %s", r.Leader)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// RR-1, RR-2: what the rows of a zone are, case by case.
func TestPair(t *testing.T) {
	for name, c := range map[string]struct {
		zone   ZoneID
		events []Event
		want   string
	}{
		"in and out": {"server-room", []Event{
			cross(1, "a", "floor-3", "server-room", at(9, 0)), cross(2, "a", "server-room", "floor-3", at(10, 0)),
		}, "a 1 2 complete\n"},
		"over midnight": {"server-room", []Event{
			cross(1, "a", "floor-3", "server-room", at(22, 0)), cross(2, "a", "server-room", "floor-3", at(29, 0)),
		}, "a 1 2 complete\n"},
		"still there": {"server-room", []Event{cross(1, "a", "floor-3", "server-room", at(9, 0))}, "a 1 - inside\n"},
		"a late exit in the place where it belongs": {"server-room", []Event{
			cross(1, "a", "floor-3", "server-room", at(9, 0)), cross(3, "a", "floor-3", "server-room", at(13, 0)),
			cross(4, "a", "server-room", "floor-3", at(14, 0)), cross(2, "a", "server-room", "floor-3", at(10, 0)),
		}, "a 1 2 complete\na 3 4 complete\n"},
		"in twice": {"server-room", []Event{
			cross(1, "a", "floor-3", "server-room", at(9, 0)), cross(2, "a", "floor-3", "server-room", at(13, 0)),
		}, "a 1 - exit_not_recorded elsewhere=2\na 2 - inside\n"},
		"out twice": {"server-room", []Event{
			cross(1, "a", "floor-3", "server-room", at(9, 0)), cross(2, "a", "server-room", "floor-3", at(10, 0)),
			cross(3, "a", "server-room", "floor-3", at(11, 0)),
		}, "a 1 2 complete\na - 3 entry_not_recorded\n"},
		"seen in another building": {"server-room", []Event{
			cross(1, "a", "floor-3", "server-room", at(9, 0)), cross(2, "a", "", "archive", at(13, 0)),
		}, "a 1 - exit_not_recorded elsewhere=2\n"},
		"the zone around, seen from within": {"floor-3", []Event{
			cross(1, "a", "floor-3", "server-room", at(9, 0)), cross(2, "a", "server-room", "floor-3", at(10, 0)), cross(3, "a", "floor-3", "", at(11, 0)),
		}, "a - 3 entry_not_recorded seen=1\n"},
		"inner doors are no rows of the zone around": {"floor-3", []Event{
			cross(1, "a", "", "floor-3", at(8, 0)), cross(2, "a", "floor-3", "server-room", at(9, 0)), cross(3, "a", "server-room", "floor-3", at(10, 0)),
			cross(4, "a", "floor-3", "", at(11, 0)),
		}, "a 1 4 complete\n"},
		"one door straight into the inner zone": {"floor-3", []Event{
			cross(1, "a", "", "cage", at(8, 0)), cross(2, "a", "cage", "", at(9, 0)),
		}, "a 1 2 complete\n"},
		"a party on one badge": {"server-room", []Event{
			func() Event {
				e := cross(1, "escort", "floor-3", "server-room", at(9, 0))
				e.Party = []string{"v1", "v2"}
				return e
			}(),
			cross(2, "v1", "server-room", "floor-3", at(10, 0)),
		}, "escort 1 - inside\nv1 1 2 complete with escort\nv2 1 - inside with escort\n"},
		"what moves nobody": {"server-room", []Event{
			{ID: "1", Kind: LeftUnknown, From: "server-room", AtMS: at(9, 0)}, {ID: "2", Kind: OpenedInside, From: "server-room", AtMS: at(9, 1)},
			{ID: "3", Kind: OpenedByForce, To: "server-room", AtMS: at(9, 2)}, {ID: "4", Kind: NotEntered, Person: "a", To: "server-room", AtMS: at(9, 3)},
			{ID: "5", Kind: Refused, Person: "b", To: "server-room", AtMS: at(9, 4)}, {ID: "6", AtMS: at(9, 5)},
			{ID: "7", Kind: Crossed, From: "floor-3", To: "server-room", AtMS: at(9, 6)},
		}, " - - exit_unattributed other=1\n - - unexplained other=2\n - - unexplained other=3\na - - no_entry other=4\nb - - denied other=5\n" +
			" - - unexplained other=7\n"},
	} {
		if got := text(Pair(c.events, site), c.zone); got != c.want {
			t.Errorf("%s:\n%swant\n%s", name, got, c.want)
		}
	}
}

// VE-9: a row belongs to the day of the entry; a late event marks it.
func TestRow(t *testing.T) {
	out := cross(2, "a", "server-room", "floor-3", at(29, 0))
	out.Late = true
	r := Pair([]Event{cross(1, "a", "floor-3", "server-room", at(22, 0)), out}, site)[1] // floor-3 comes first
	if r.Zone != "server-room" || r.Day() != "2026-11-23" || !r.Late() {
		t.Errorf("%+v", r)
	}
	for ms, want := range map[int64]bool{at(22, 0) - 1: false, at(22, 0): true, at(29, 0) - 1: true, at(29, 0): false} {
		if r.InsideAt(ms) != want {
			t.Errorf("inside at %d: %v", ms, !want)
		}
	}
}

var places = []ZoneID{"", "floor-3", "server-room", "cage", "archive"}

func anyDay(t *rapid.T) []Event {
	var out []Event
	for i := range rapid.IntRange(0, 40).Draw(t, "events") {
		e := Event{
			ID: fmt.Sprint(i), Kind: Kind(rapid.IntRange(0, int(kindCount)).Draw(t, "kind")), Gateway: rapid.SampledFrom([]string{"g1", "g2"}).Draw(t, "gateway"),
			Seq: uint64(i), AtMS: day + int64(rapid.IntRange(0, 30).Draw(t, "minute"))*60_000,
			Person: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "person"),
			From:   rapid.SampledFrom(places).Draw(t, "from"), To: rapid.SampledFrom(places).Draw(t, "to"),
		}
		if rapid.IntRange(0, 5).Draw(t, "alone") == 0 {
			e.Party = []string{"c", "d"}
		}
		if e.Kind == Crossed && e.From == e.To {
			e.To = ""
			if e.From == "" {
				e.To = "archive"
			}
		}
		out = append(out, e)
	}
	return out
}

// crossers are those whom an event moves.
func crossers(e Event) []string {
	if e.Kind != Crossed {
		return nil
	}
	var out []string
	for _, who := range append([]string{e.Person}, e.Party...) {
		if who != "" && !slices.Contains(out, who) {
			out = append(out, who)
		}
	}
	return out
}

func under(z, of ZoneID) bool { return slices.Contains(site.within(z), of) }

// RR-2: whatever happens, in whatever order it comes, each crossing stands in exactly one row of each zone whose border it
// crosses for each person, and in no other; each event that moves nobody in exactly one row; and between the two crossings of a row
// the person has crossed no border of that zone.
func TestEachEventOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyDay(t)
		rows := Pair(rapid.Permutation(events).Draw(t, "arrival"), site)
		type key struct {
			zone       ZoneID
			person, id string
		}
		got := map[key]int{}
		for i := range rows {
			r := &rows[i]
			if r.State == StateUnknown {
				t.Fatalf("a row without a state: %+v", r)
			}
			for _, e := range []*Event{r.Entry, r.Exit, r.Other} {
				if e != nil {
					got[key{r.Zone, r.Person, e.ID}]++
				}
			}
			if (r.State == Complete) != (r.Entry != nil && r.Exit != nil) {
				t.Fatalf("%s: %+v", r.State, r)
			}
			if r.State == Complete && before(r.Entry, r.Exit) >= 0 {
				t.Fatalf("left before they came: %+v %+v", r.Entry, r.Exit)
			}
			if r.State != Complete {
				continue
			}
			for _, e := range events {
				if before(r.Entry, &e) < 0 && before(&e, r.Exit) < 0 && slices.Contains(crossers(e), r.Person) && under(e.From, r.Zone) != under(e.To, r.Zone) {
					t.Fatalf("%s crossed the border of %s in between: %s", r.Person, r.Zone, e.ID)
				}
			}
		}
		want := map[key]int{}
		for _, e := range events {
			who := crossers(e)
			for _, person := range who {
				for _, z := range places[1:] {
					if under(e.From, z) != under(e.To, z) {
						want[key{z, person, e.ID}] = 1
					}
				}
			}
			zone := e.To
			if zone == "" || e.Kind == LeftUnknown || (e.Kind == OpenedInside || e.Kind == OpenedByForce) && e.From != "" {
				zone = e.From
			}
			switch e.Kind {
			case Crossed:
				if e.Person == "" {
					want[key{zone, "", e.ID}] = 1
				}
			case LeftUnknown, OpenedInside, OpenedByForce, NotEntered, Refused:
				want[key{zone, e.Person, e.ID}] = 1
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("rows hold %v\nwant %v", got, want)
		}
	})
}

// RR-3: who is inside at any time is what the doors' own state says when it is replayed up to then.
func TestPresentIsReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyDay(t)
		rows := Pair(events, site)
		sorted := slices.Clone(events)
		slices.SortFunc(sorted, func(a, b Event) int { return before(&a, &b) })
		ms := day + int64(rapid.IntRange(-1, 31).Draw(t, "when"))*60_000
		where := map[string]ZoneID{}
		for _, e := range sorted {
			if e.AtMS <= ms {
				for _, who := range crossers(e) {
					where[who] = e.To
				}
			}
		}
		for _, z := range places[1:] {
			var got, want []string
			for _, r := range Present(rows, z, ms) {
				got = append(got, r.Person)
			}
			for who, place := range where {
				if under(place, z) {
					want = append(want, who)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("in %s at %d: %v, want %v", z, ms, got, want)
			}
		}
	})
}

// The words of the states are those of the pages.
func TestStateWords(t *testing.T) {
	seen := map[string]bool{}
	for s := range stateCount {
		if w := s.String(); w == "" || seen[w] {
			t.Errorf("state %d: %q", s, w)
		} else {
			seen[w] = true
		}
	}
	if State(200).String() != StateUnknown.String() {
		t.Error("an unknown state has a word of its own")
	}
}
