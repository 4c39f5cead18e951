package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"monban/firmware/nfc"
	"monban/firmware/nfc/nfctest"
	"monban/firmware/wiegand"
)

// cardModule is a PN532 at the other end of a pty.
type cardModule struct {
	mu    sync.Mutex
	m     nfctest.Module
	slave string
}

func newCardModule(t *testing.T) *cardModule {
	t.Helper()
	far, slave := openPTY(t)
	c := &cardModule{slave: slave}
	go func() {
		buf := make([]byte, 512)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			c.mu.Lock()
			out := c.m.Receive(buf[:n])
			c.mu.Unlock()
			if _, err := far.Write(out); err != nil {
				return
			}
		}
	}()
	return c
}

// lay puts a card on it, nil = none, and waits until that was seen.
func (c *cardModule) lay(s *site, card nfctest.Card) {
	s.t.Helper()
	looks := 0
	c.mu.Lock()
	c.m.Take()
	if card != nil {
		c.m.Cards = []nfctest.Card{card}
	}
	looks = len(c.m.Seen)
	c.mu.Unlock()
	s.until(time.Minute, "the module is looked at", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.m.Seen) > looks+4
	})
}

// AD-4, I1: a DESFire card on a module at a serial line proves itself and moves the lock; the log holds the grant. The same
// number on a card that does not know the site's key, and the serial number alone, move nothing.
func TestCardModuleToDecision(t *testing.T) {
	t.Parallel()
	c := newCardModule(t)
	s := boardSite(t, "controlled", fmt.Sprintf("name = \"Test\"\nboard = \"pi\"\n\n[[serial]]\nname = \"module\"\npath = %q\nbaud = 115200\n\n[[door]]\nid = \"d1\"\nkind = \"controlled\"\n"+
		"[door.lock]\npin = 23\ntype = \"fail-secure\"\nactive = \"high\"\nrelay = \"no\"\nmax_release = \"10s\"\n[door.contact]\npin = 16\nrest = \"low\"\npull = \"up\"\n"+
		"[[door.reader]]\nside = \"enter\"\ntype = \"pn532\"\nserial = \"module\"\ncards = [\"desfire\"]\nassurance = \"mutual_auth\"\nformats = [\"H10301\"]\n", c.slave))
	var master nfc.Key
	_, _ = rand.Read(master[:])
	text, err := json.Marshal(map[string]any{"desfire": map[string]any{"aid": "3042F5", "key": 1, "file": 2, "system": "town", "masters": []string{hex.EncodeToString(master[:])}}})
	if err != nil {
		t.Fatal(err)
	}
	s.write("gw-1-identity/cards.json", string(text))
	s.startServer()
	header := &fakeHeader{}
	stop := s.runHere("gw-1", header)

	serial := []byte{0x04, 1, 2, 3, 4, 5, 6}
	layout, _ := wiegand.Lookup("H10301")
	f, err := wiegand.Encode(layout, wiegand.Fields{FC: 123, CN: 4567})
	if err != nil {
		t.Fatal(err)
	}
	genuine := func() *nfctest.DESFire {
		d := &nfctest.DESFire{Serial: serial, AID: [3]byte{0x30, 0x42, 0xF5}, KeyNo: 1, FileNo: 2, File: [32]byte{byte(f.Len())}}
		for i := range f.Len() {
			d.File[1+i/8] |= f.Bit(i) << (7 - i%8)
		}
		d.Key = nfc.Diversify(master, slices.Concat(serial, d.AID[:], []byte("town")))
		d.Random = func() (b [16]byte) { _, _ = rand.Read(b[:]); return b }
		return d
	}
	s.until(time.Minute, "the lock is released", func() bool {
		c.lay(s, nil)
		c.lay(s, genuine())
		for range 20 {
			if len(header.moves()) > 0 {
				return true
			}
			time.Sleep(100 * time.Millisecond)
		}
		return false
	})
	c.lay(s, nil)
	s.until(time.Minute, "the lock is secured", func() bool { m := header.moves(); return len(m)%2 == 0 && !m[len(m)-1] })
	before := len(header.moves())
	forged := genuine()
	forged.Key[7] ^= 1
	c.lay(s, forged)
	c.lay(s, nil)
	c.lay(s, &nfctest.Plain{Serial: serial})
	c.lay(s, nil)
	c.lay(s, genuine()) // the reader works afterwards, and what came before it was decided before it
	s.until(time.Minute, "the lock is released again", func() bool { return len(header.moves()) > before })
	s.until(time.Minute, "and secured", func() bool { return len(header.moves())%2 == 0 })
	stop()
	if m := header.moves(); len(m) != before+2 {
		t.Errorf("the lock moved %d times, want %d", len(m), before+2)
	}
	s.server.stop(t)
	if granted := s.granted(); granted < len(header.moves())/2 {
		t.Errorf("the lock was released %d times, the log holds %d grants", len(header.moves())/2, granted)
	}
}
