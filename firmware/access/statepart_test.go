package access

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fullPart() StatePart {
	return StatePart{Version: 7, Epoch: strings.Repeat("0a", 16), Through: 9, Inside: []Placed{{"a", "room", 5, 0}, {"b", "room", 6, 4}, {"c", "lobby", 0, 1}},
		Lifted: []Lifted{{Key{1}, 5}, {Key{2}, 4}}}
}

// D7: equal parts have equal bytes; all others are refused; the part that says nothing stays what it was.
func TestStatePart(t *testing.T) {
	s := fullPart()
	b, err := EncodeState(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeState(b)
	if diff := cmp.Diff(s, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	slices.Reverse(s.Inside)
	slices.Reverse(s.Lifted)
	if again, err := EncodeState(s); err != nil || !bytes.Equal(again, b) {
		t.Errorf("another order: %v\n%s", err, again)
	}
	if empty, err := EncodeState(StatePart{Version: 1}); err != nil || string(empty) != `{"v":1,"version":1,"inside":[]}`+"\n" {
		t.Errorf("%q, %v", empty, err)
	}
	for name, spoil := range map[string]func(s *StatePart){
		"version":    func(s *StatePart) { s.Version = 0 },
		"epoch":      func(s *StatePart) { s.Epoch = "0A" + s.Epoch[2:] },
		"short":      func(s *StatePart) { s.Epoch = "0a" },
		"no epoch":   func(s *StatePart) { s.Epoch = "" },
		"person":     func(s *StatePart) { s.Inside[0].Person = "髙橋" },
		"zone":       func(s *StatePart) { s.Inside[0].Zone = "" },
		"time":       func(s *StatePart) { s.Inside[0].LastMS = -1 },
		"twice":      func(s *StatePart) { s.Inside[1].Person = "a" },
		"untold":     func(s *StatePart) { s.Untold = true },
		"no card":    func(s *StatePart) { s.Lifted[0].Key = Key{} },
		"no reset":   func(s *StatePart) { s.Lifted[0].AtMS = 0 },
		"card twice": func(s *StatePart) { s.Lifted[1].Key = Key{1} },
	} {
		s := fullPart()
		spoil(&s)
		if b, err := EncodeState(s); err == nil {
			t.Errorf("%s: %s", name, b)
		}
	}
	for _, bad := range []string{"", "{}", `{"v":2,"version":1,"inside":[]}` + "\n", `{"v":1,"version":1,"inside":null}` + "\n", `{"v":1,"version":1,"inside":[]}`, string(b) + " ", `{"v":1,"version":1,"x":1,"inside":[]}` + "\n"} {
		if _, err := DecodeState([]byte(bad)); err == nil {
			t.Errorf("accepted: %s", bad)
		}
	}
	st := got.State()
	if st.Count("room") != 5 || st.Inside("c") != "lobby" || !st.Knows().Has(KnowZone) {
		t.Errorf("%d in the room, c in %q", st.Count("room"), st.Inside("c"))
	}
	if diff := cmp.Diff(got.Inside, st.Placed([]ZoneID{"room", "lobby", "attic"})); diff != "" {
		t.Error(diff)
	}
	if st := (&StatePart{Version: 9, Untold: true, Lifted: fullPart().Lifted}).State(); st.Knows() != 0 {
		t.Error("a part that tells of PIN resets alone is taken for one that says that nobody is inside")
	}
	if st := (&StatePart{Version: 1, Inside: fullPart().Inside}).State(); st.Knows() != 0 || st.Count("room") != 0 {
		t.Error("a part that says nothing is believed")
	}
}

func FuzzDecodeState(f *testing.F) {
	s := fullPart()
	b, err := EncodeState(s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"v":1,"version":1,"inside":[]}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeState(b)
		if err != nil {
			return
		}
		if again, err := EncodeState(s); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted bytes that are not canonical (%v)", err)
		}
		s.State()
	})
}

// D7: a gateway is told of the zones of its doors, of those in and around them, and of none without rules.
func TestWatched(t *testing.T) {
	r := site(t)
	if got := compile(t, r).Watched([]DoorID{"front"}); got != nil {
		t.Errorf("no rules: %v", got)
	}
	r.Zones[2].Parent, r.Zones[2].AntiPassback = "lobby", AntiPassbackSoft // the archive lies in the lobby
	p := compile(t, r)
	if got := p.Watched([]DoorID{"front"}); !slices.Equal(got, []ZoneID{"archive", "lobby"}) {
		t.Errorf("front door: %v", got)
	}
	if got := p.Watched([]DoorID{"archive-door", "nowhere"}); !slices.Equal(got, []ZoneID{"archive", "lobby", "server-room"}) {
		t.Errorf("archive door: %v", got)
	}
}
