package osdp_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/osdp"
	"monban/firmware/osdp/osdptest"
)

var newKey = osdp.Key{0xAA, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xBB}

// A reader fresh from the box gets its key in the window, proves it, and works with it from then on.
func TestPairing(t *testing.T) {
	fresh := func(c *osdp.Config, pds []*osdptest.PD) {
		c.Readers[0].Key, c.Readers[0].Plain = nil, true
		pds[0].HasKey, pds[0].Install = false, true
	}
	l := newLine(t, 9600, 1, 1, fresh)
	l.run(time.Second)
	if err := l.bus.Pair(l.now, 0, newKey, time.Minute); err != nil {
		t.Fatal(err)
	}
	l.run(5 * time.Second)
	if got := l.kinds(0); !slices.Equal(got, []string{"online", "pairing", "lost", "paired", "online"}) || !l.events[4].Secure {
		t.Fatalf("%v", got)
	}
	if l.pds[0].Key != [16]byte(newKey) {
		t.Error("the reader holds another key")
	}
	l.badge(0, 3)
	l.run(time.Second)
	if got := l.cards(0); len(got) != 1 {
		t.Error("no card after the pairing")
	}
	l.pds[0].Restart()
	l.run(2 * time.Second)
	if e := l.events[len(l.events)-1]; e.Kind != osdp.EventOnline || !e.Secure {
		t.Errorf("after a restart: %v", l.kinds(0))
	}
}

// A reader that has a key gets another one through the channel of the first: it need not be in its installation mode, nobody
// who listens with the key that everybody knows learns anything, and the old key is worth nothing afterwards.
func TestRotation(t *testing.T) {
	l := newLine(t, 38400, 2, 1, nil)
	l.run(time.Second)
	old := osdp.Key(l.pds[0].Key)
	for name, err := range map[string]error{"the key it has": l.bus.Rotate(l.now, 0, old, time.Minute), "default key": l.bus.Rotate(l.now, 0, osdp.Key(osdptest.DefaultKey), time.Minute),
		"no such one": l.bus.Rotate(l.now, 9, newKey, time.Minute)} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := l.bus.Rotate(l.now, 0, newKey, time.Minute); err != nil {
		t.Fatal(err)
	}
	l.run(5 * time.Second)
	if got := l.kinds(0); !slices.Equal(got, []string{"online", "pairing", "lost", "paired", "online"}) || !l.events[slices.IndexFunc(l.events, func(e osdp.Event) bool { return e.Kind == osdp.EventPaired })].Secure {
		t.Fatalf("%v", got)
	}
	if l.pds[0].Key != [16]byte(newKey) {
		t.Error("the reader holds another key")
	}
	l.badge(0, 3)
	l.badge(1, 4)
	l.run(time.Second)
	if len(l.cards(0)) != 1 || len(l.cards(1)) != 1 {
		t.Error("no card after the rotation, or none of the other reader")
	}

	// A reader that was exchanged proves nothing: no key is sent to it, and the record stays.
	l = newLine(t, 38400, 1, 1, nil)
	l.run(time.Second)
	l.pds[0].Key[5] ^= 1
	was := l.pds[0].Key
	if err := l.bus.Rotate(l.now, 0, newKey, 3*time.Second); err != nil {
		t.Fatal(err)
	}
	l.run(5 * time.Second)
	if l.saw(0, osdp.EventPaired) || !l.saw(0, osdp.EventPairingEnd) || l.pds[0].Key != was {
		t.Errorf("a reader with another key: %v", l.kinds(0))
	}
}

// What a pairing refuses, and how it ends when the reader does not take part: the window closes by itself, no reader is
// spoken to with the default key afterwards, and one that may hold the new key is asked for it.
func TestPairingEnds(t *testing.T) {
	l := newLine(t, 38400, 2, 1, nil)
	l.run(time.Second)
	for name, err := range map[string]error{
		"default key":    l.bus.Pair(l.now, 0, osdp.Key(osdptest.DefaultKey), time.Minute),
		"zero key":       l.bus.Pair(l.now, 0, osdp.Key{}, time.Minute),
		"too long":       l.bus.Pair(l.now, 0, newKey, time.Hour),
		"no time":        l.bus.Pair(l.now, 0, newKey, 0),
		"no such one":    l.bus.Pair(l.now, 9, newKey, time.Minute),
		"negative":       l.bus.Pair(l.now, -1, newKey, time.Minute),
		"(the good one)": nil,
	} {
		if err == nil != strings.HasPrefix(name, "(") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The reader has a key already and does not know the default one.
	if err := l.bus.Pair(l.now, 0, newKey, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := l.bus.Pair(l.now, 1, newKey, time.Minute); err == nil {
		t.Error("two at once")
	}
	l.run(10 * time.Second)
	if !l.saw(0, osdp.EventPairingEnd) {
		t.Fatalf("%v", l.kinds(0))
	}
	l.between = func(toReader bool, b []byte) [][]byte {
		if toReader {
			checkCommand(t, b)
		}
		return [][]byte{b}
	}
	l.run(10 * time.Second)
	if e := l.events[len(l.events)-1]; e.Kind != osdp.EventOnline || !e.Secure {
		t.Errorf("the reader does not work with its old key: %v", l.kinds(0))
	}

	// A mute reader: the window closes by time.
	l = newLine(t, 38400, 1, 1, nil)
	l.pds[0].Mute = true
	if err := l.bus.Pair(0, 0, newKey, time.Minute); err != nil {
		t.Fatal(err)
	}
	l.run(2 * time.Minute)
	i := slices.IndexFunc(l.events, func(e osdp.Event) bool { return e.Kind == osdp.EventPairingEnd })
	if i < 0 || l.events[i].Detail != "time" || l.when[i].Sub(0) > time.Minute+time.Second {
		t.Errorf("%v", l.events)
	}
}

// Cut off right after KEYSET, nobody knows which key the reader holds: both are tried, and only those.
func TestKeyIsPendingUntilItIsProven(t *testing.T) {
	for _, took := range []bool{true, false} {
		pending := newKey
		l := newLine(t, 38400, 1, 1, func(c *osdp.Config, pds []*osdptest.PD) {
			c.Readers[0].Pending = &pending
			if took {
				pds[0].Key = [16]byte(newKey)
			}
		})
		l.between = func(toReader bool, b []byte) [][]byte {
			if toReader {
				checkCommand(t, b)
			}
			return [][]byte{b}
		}
		l.run(10 * time.Second)
		if !l.saw(0, osdp.EventOnline) || l.saw(0, osdp.EventPaired) != took {
			t.Errorf("reader took the new key: %v: %v", took, l.kinds(0))
		}
	}
}

// Keys print masked, in whatever way.
func TestKeysAreMasked(t *testing.T) {
	if s := newKey.String() + newKey.GoString(); strings.Contains(s, "aa") || strings.Contains(s, "170") {
		t.Error("a key prints itself")
	}
}

func TestConfigIsRefused(t *testing.T) {
	k := testKey
	good := osdp.Config{Baud: 9600, Readers: []osdp.Reader{{Name: "a", Addr: 0, Key: &k}, {Name: "b", Addr: 1, Key: &k}}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*osdp.Config){
		"baud":          func(c *osdp.Config) { c.Baud = 300 },
		"nobody":        func(c *osdp.Config) { c.Readers = nil },
		"broadcast":     func(c *osdp.Config) { c.Readers[0].Addr = 127 },
		"twice":         func(c *osdp.Config) { c.Readers[1].Addr = 0 },
		"no key":        func(c *osdp.Config) { c.Readers[0].Key = nil },
		"key and plain": func(c *osdp.Config) { c.Readers[0].Plain = true },
		"three at 9600": func(c *osdp.Config) { c.Readers = append(c.Readers, osdp.Reader{Name: "c", Addr: 2, Key: &k}) },
	} {
		c := good
		c.Readers = slices.Clone(good.Readers)
		spoil(&c)
		if _, err := osdp.NewBus(0, c, nil); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: several lines", name)
		}
	}
}
