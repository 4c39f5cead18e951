package review

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"monban/firmware/access"
	"monban/firmware/door"
)

func always(access.ZoneID) bool { return true }

// drawFacts draws a site's records: a few people, cards and doors, times that mostly go on and sometimes come late.
func drawFacts(t *rapid.T) []Fact {
	at := int64(1_795_400_000_000)
	var out []Fact
	for i := range rapid.IntRange(1, 120).Draw(t, "facts") {
		at += rapid.Int64Range(0, 40*minute).Draw(t, "later")
		f := Fact{
			AtMS: at, ReceivedMS: at, Leaf: int64(i), Gateway: "gw-1", OpenDay: true, Used: true, Card: uint64(rapid.IntRange(1, 4).Draw(t, "card")),
			Door:  rapid.SampledFrom([]access.DoorID{"front", "side", "room", "back"}).Draw(t, "door"),
			Event: rapid.SampledFrom([]door.Event{door.EventEntry, door.EventExit, door.EventDenied, door.EventClosed, door.EventNoEntry}).Draw(t, "event"),
		}
		f.Attempt = door.Attempt{byte(i), byte(i >> 8), 1}
		if f.Person = f.Card; rapid.IntRange(0, 9).Draw(t, "late") == 0 {
			f.AtMS -= rapid.Int64Range(0, 20*hour).Draw(t, "by")
			f.Late = true
		}
		switch f.Event {
		case door.EventDenied:
			f.Reason = rapid.SampledFrom([]access.Reason{access.ReasonNoGrant, access.ReasonUnknownCredential, access.ReasonCredentialLost}).Draw(t, "reason")
		case door.EventEntry:
			f.Into = rapid.SampledFrom([]access.ZoneID{"hall", "server-room", "media-store"}).Draw(t, "into")
			f.Outsider, f.Escort = f.Person == 1, f.Person == 2
		case door.EventExit:
			f.From = "hall"
		}
		out = append(out, f)
	}
	return out
}

func newTestWatch() *Watch {
	w := NewWatch(DefaultSettings(), 0)
	w.Areas(testAreas())
	return w
}

// key is what of a finding goes into the log.
func key(x Finding) string {
	return fmt.Sprintf("%s %s %s %x %d %s %d", x.Kind, x.Gateway, x.Door, x.Attempt, x.Cause, x.Detail, x.AtMS)
}

func keys(list []Finding) map[string]int {
	out := map[string]int{}
	for _, x := range list {
		out[key(x)]++
	}
	return out
}

// VR-1: the same facts give the same findings, however they are cut into batches, however often a batch is rolled back and
// runs again, and however often somebody looks at the clock.
func TestBatchesAndRollbacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		facts := drawFacts(t)
		end := facts[len(facts)-1].ReceivedMS + 40*day
		straight, cut := newTestWatch(), newTestWatch()
		var want, got []Finding
		for _, f := range facts {
			want = append(want, straight.Step(f)...)
		}
		want = append(want, straight.Tick(end, always)...)
		for i := 0; i < len(facts); {
			n := min(len(facts)-i, rapid.IntRange(1, 9).Draw(t, "batch"))
			var found []Finding
			for tries := rapid.IntRange(0, 2).Draw(t, "failures"); ; tries-- {
				found = nil
				cut.Begin()
				for _, f := range facts[i : i+n] {
					found = append(found, cut.Step(f)...)
				}
				if now := facts[i+n-1].ReceivedMS; rapid.Bool().Draw(t, "tick") {
					// While something of before may still come, nobody knows who is inside, and the caller says so.
					behind := slices.ContainsFunc(facts[i+n:], func(f Fact) bool { return f.AtMS < now })
					found = append(found, cut.Tick(now, func(access.ZoneID) bool { return !behind })...)
				}
				if tries == 0 {
					cut.Keep()
					break
				}
				cut.Back()
			}
			got = append(got, found...)
			i += n
		}
		got = append(got, cut.Tick(end, always)...)
		if d := cmp.Diff(keys(want), keys(got)); d != "" {
			t.Fatalf("findings (-at once +in pieces):\n%s", d)
		}
	})
}

// VR-1: nothing is told twice, no finding holds a person or card, and each has a cause that is in the log.
func TestFindingsAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTestWatch()
		seen := map[string]bool{}
		check := func(list []Finding) {
			for _, x := range list {
				if k := key(x); seen[k] || x.Cause < 0 || x.Severity != x.Kind.Entry().Severity {
					t.Fatalf("told twice, without a cause or not as the catalogue has it: %s", k)
				} else {
					seen[k] = true
				}
			}
		}
		for _, f := range drawFacts(t) {
			check(w.Step(f))
			check(w.Tick(f.ReceivedMS, always))
		}
	})
}

// VR-7: what a watch holds is bounded, and it forgets, whatever is sent.
func TestMemoryIsBounded(t *testing.T) {
	var book journal
	m := newMemory[uint64, int](&book, 100)
	m.most = 1000
	for i := range 10_000 {
		m.set(0, uint64(i), i)
	}
	if n := len(m.young) + len(m.old); n > 2000 {
		t.Errorf("holds %d entries, want at most 2000", n)
	}
	if v, ok := m.get(9_999); !ok || v != 9_999 {
		t.Errorf("the newest is gone: %d %v", v, ok)
	}
	m.set(100, 1, 1)
	m.set(200, 2, 2)
	if _, ok := m.get(9_999); ok {
		t.Error("an entry is there after twice its life")
	}
	if got := slices.Sorted(maps.Keys(maps.Collect(m.all()))); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("all gives %v", got)
	}
	m.drop(1)
	if _, ok := m.get(1); ok {
		t.Error("dropped and there")
	}
}

// VR-1: a rolled back memory is as it was, also over a change of generations.
func TestMemoryGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var book journal
		m := newMemory[int, int](&book, 10)
		now := int64(0)
		change := func(n int) {
			for range n {
				now += rapid.Int64Range(0, 6).Draw(t, "time")
				k := rapid.IntRange(0, 5).Draw(t, "key")
				if rapid.Bool().Draw(t, "drop") {
					m.drop(k)
				} else {
					m.set(now, k, rapid.Int().Draw(t, "value"))
				}
			}
		}
		change(rapid.IntRange(0, 20).Draw(t, "before"))
		young, old, since := maps.Clone(m.young), maps.Clone(m.old), m.sinceMS
		book.open = true
		change(rapid.IntRange(0, 20).Draw(t, "undone"))
		book.back()
		if !maps.Equal(young, m.young) || !maps.Equal(old, m.old) || since != m.sinceMS {
			t.Fatalf("young %v old %v since %d, want %v %v %d", m.young, m.old, m.sinceMS, young, old, since)
		}
	})
}

// Each threshold out of range is named (VR-7).
func TestSettingsOutOfRange(t *testing.T) {
	ok := DefaultSettings()
	if err := ok.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Settings){
		"window": func(s *Settings) { s.WindowMS = 1 }, "unknown_cards": func(s *Settings) { s.UnknownCards = 1 },
		"card_refusals": func(s *Settings) { s.CardRefusals = 17 }, "door_refusals": func(s *Settings) { s.DoorRefusals = 0 },
		"scan_cards": func(s *Settings) { s.ScanCards = 17 }, "scan_doors": func(s *Settings) { s.ScanDoors = 1 },
		"flood": func(s *Settings) { s.Flood = 2 }, "overstay_level_2": func(s *Settings) { s.OverstayMS[2] = 1 },
		"alone_level_1": func(s *Settings) { s.AloneMS[1] = 1 }, "escort_within": func(s *Settings) { s.EscortWithinMS = 0 },
		"first_use": func(s *Settings) { s.FirstUseMS = 1 }, "warm_up": func(s *Settings) { s.WarmUpMS = -1 },
		"usual_from": func(s *Settings) { s.UsualFrom = s.UsualUntil }, "walk": func(s *Settings) { s.Walks = []Walk{{"a", "a", 5000}} },
		"offline_after": func(s *Settings) { s.OfflineMS = 0 },
	} {
		s := DefaultSettings()
		spoil(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "review."+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
