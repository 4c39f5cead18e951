package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/server/config"
	"monban/server/muster"
)

// OP-7, RR-3, PR-2: the copy says who is inside, as the page does, with the gateways' numbers; it is renewed, stays when the server is gone, ends by
// itself, and holds no name in clear. Whoever stated an exit is marked uncertain. One leaf a day says that copies are made, and names nobody.
func TestMusterCopy(t *testing.T) {
	c := newCounter(t)
	p := c.registers()
	cfg := &config.Config{Site: "demo", Muster: config.Muster{Dir: t.TempDir(), Every: config.D(time.Minute), Keep: config.D(4 * time.Hour)}}
	m, err := openMuster(p, c.pub, cfg, [32]byte{7})
	c.must(err)
	c.clock(24, 10, 0)
	c.pass(c.site.Ref(4567), "server-room-1", door.EventEntry)
	size := c.site.Store.Size()
	c.must(m.write(t.Context()))
	if c.site.Store.Size() != size+1 {
		t.Errorf("%d leaves of the first copy of a day", c.site.Store.Size()-size)
	}
	c.must(m.write(t.Context()))
	if c.site.Store.Size() != size+1 {
		t.Error("each copy is a leaf")
	}
	read := func() []byte {
		t.Helper()
		file, err := os.ReadFile(filepath.Join(cfg.Muster.Dir, musterFile))
		c.must(err)
		return file
	}
	copyOf := p.Muster(t.Context())
	if !copyOf.Made.Equal(c.at) || !copyOf.End.Equal(c.at.Add(4*time.Hour)) || copyOf.Failed {
		t.Errorf("the page says %+v", copyOf)
	}
	found := func(file []byte) (names string) {
		t.Helper()
		l, _, err := muster.Open(file, copyOf.Code, c.at.Add(time.Hour)) // without the server
		c.must(err)
		for _, z := range l.Zones {
			for _, x := range z.Inside {
				names += z.Name + ":" + x.Name
				if x.Uncertain {
					names += "?"
				}
				keys := c.pub.Site().Keys.Gateways["gw-1"]
				short := access.ShortPseudonym(access.Pseudonym("1001", func(k access.Key) access.Key { return access.Key(card.Ref(k).Token(keys.Token[:])) }))
				if !strings.Contains(strings.Join(x.Numbers, " "), short) {
					t.Errorf("numbers %v, want %s", x.Numbers, short)
				}
			}
		}
		return names
	}
	file := read()
	name := ""
	for _, x := range c.pub.Site().Directory().People {
		if x.ID == "1001" {
			name = x.Name
		}
	}
	if got := found(file); !strings.HasSuffix(got, ":"+name) || name == "" || strings.Contains(string(file), name) {
		t.Errorf("the copy says %q, want %q", got, name)
	}
	if _, _, err := muster.Open(file, copyOf.Code, c.at.Add(4*time.Hour)); !errors.Is(err, muster.ErrEnded) {
		t.Errorf("after its end: %v", err)
	}
	c.clock(25, 9, 0)
	_, err = c.StateExit(t.Context(), c.entryOf("1001"), c.at.Add(-20*time.Hour), chief)
	c.must(err)
	c.must(m.write(t.Context()))
	if got := found(read()); !strings.HasSuffix(got, "?") {
		t.Errorf("a stated exit: %q", got)
	}
	// The month turns: the code shown is that of the copy that lies there, and the next one is shown in time; a restart keeps both.
	c.must(os.Chtimes(filepath.Join(cfg.Muster.Dir, musterFile), c.at, c.at))
	again, err := openMuster(c.registers(), c.pub, cfg, [32]byte{7})
	c.must(err)
	for c.at.Day() > 1 {
		c.at = c.at.Add(24 * time.Hour)
	}
	for what, m := range map[string]*musterCopy{"the same run": m, "after a restart": again} {
		now := m.pages.Muster(t.Context())
		if now.Code != copyOf.Code || now.Next == "" || now.Next == now.Code {
			t.Errorf("%s, on the first of the next month: %+v, want code %s and a next one", what, now, copyOf.Code)
		}
		c.must(m.write(t.Context()))
		if after := m.pages.Muster(t.Context()); after.Code != now.Next || after.Next != "" {
			t.Errorf("%s, the first copy of a month: %+v, want code %s", what, after, now.Next)
		}
		m.last = now.Made
	}
	cfg.Muster.Dir = filepath.Join(cfg.Muster.Dir, "none")
	if _, err := openMuster(p, c.pub, cfg, [32]byte{7}); err == nil {
		t.Error("a folder that is not there")
	}
	m.cfg.Dir = cfg.Muster.Dir
	if err := m.write(t.Context()); err == nil {
		t.Error("a copy that could not be written counts")
	}
	c.noNames(name)
}

// entryOf is the line of a person's newest entry.
func (c *counter) entryOf(person string) string {
	c.t.Helper()
	list, err := c.OwnEntries(c.t.Context(), "1001", 3)
	c.must(err)
	for _, e := range list {
		if e.Passed && e.Side == access.SideEnter {
			return e.Attempt
		}
	}
	c.t.Fatalf("%s has not entered", person)
	return ""
}
