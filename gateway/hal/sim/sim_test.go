package sim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"monban/firmware/wiegand"
	"monban/gateway/hal"
	"monban/gateway/hal/haltest"
)

func config() Config {
	k, err := wiegand.ParseKeypad("burst4")
	if err != nil {
		panic(err)
	}
	return Config{
		Anchor: time.Now(),
		Doors: []DoorConfig{
			{ID: "a", Lock: true, Request: true, Enter: &ReaderConfig{Keypad: k}, Exit: &ReaderConfig{}},
			{ID: "b"},
		},
	}
}

func build(t *testing.T, cfg Config) *HAL {
	t.Helper()
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// The simulator passes the suite of every HAL, in virtual time.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, c := range haltest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := build(t, config())
				d, err := h.Door("a")
				if err != nil {
					t.Fatal(err)
				}
				card, err := NewCard("髙橋", "H10301", 12, 34567)
				if err != nil {
					t.Fatal(err)
				}
				c.Run(t, haltest.Fixture{
					Door: d, Released: h.door("a").lock.Released, Now: h.Now, Close: h.Close,
					Card: func(r hal.Reader) {
						if err := r.(*Reader).Present(card.frame); err != nil {
							t.Fatal(err)
						}
					},
					Open: func(open bool) {
						if open {
							h.door("a").Force()
						} else {
							h.door("a").Shut()
						}
					},
				})
			})
		})
	}
}

// The physics: a locked door does not open from outside, always opens from inside (I9), and the fire
// panel's wires open it without the lock moving.
func TestDoorPhysics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t, config())
		d, err := h.Door("a")
		if err != nil {
			t.Fatal(err)
		}
		do := func(line, want string) {
			t.Helper()
			reply, err := h.Do(line)
			if err != nil {
				reply = "error: " + err.Error()
			}
			if !strings.HasPrefix(reply, want) {
				t.Errorf("%s: %q, want %q", line, reply, want)
			}
		}
		do("open a", "error: door a is locked")
		do("leave a", "")
		do("state a", "contact=open lock=secured")
		do("close a", "")
		if err := d.Lock.Release(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		do("open a", "")
		do("state a", "contact=open lock=released")
		do("close a", "")
		time.Sleep(6 * time.Second)
		do("hold a", "error: door a is locked")
		do("fire a on", "")
		do("open a", "")
		do("state a", "contact=open lock=secured")
		do("fire a off", "")
		do("close a", "")
		do("force a", "")
		do("state a", "contact=open lock=secured")
		do("open b", "") // an observed door has no lock
		do("state b", "contact=open lock=none")
		do("rex b", "error: door b senses no")
		do("strike a fail", "")
		if err := d.Lock.Release(time.Second); !errors.Is(err, hal.ErrStrike) {
			t.Errorf("dead strike: %v", err)
		}
		do("strike a ok", "")
		if err := d.Lock.Release(time.Second); err != nil {
			t.Errorf("strike after repair: %v", err)
		}
		if err := d.Lock.Secure(); err != nil {
			t.Error(err)
		}
		var why []string
		for _, e := range h.Edges() {
			why = append(why, e.Why)
		}
		if got, want := strings.Join(why, " "), "start release limit release secure"; got != want {
			t.Errorf("edges %q, want %q", got, want)
		}
	})
}

// The edges that a simulated reader makes are those of the card: the assembler reads the same frame.
func TestEdgesAreTheCard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t, config())
		d, err := h.Door("a")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"badge a enter H10301 12 34567 PIN 4711", "badge a enter H10306 500 60000", "bits a enter 0101"} {
			if _, err := h.Do(line); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		asm := wiegand.NewAssembler(int64(h.Now()))
		var lengths []int
		for range 8 { // a card, four digits and #, a card, four bits
			edges, ok := (<-d.Enter.Signals()).(hal.Edges)
			if !ok {
				t.Fatal("not edges")
			}
			for _, e := range edges {
				if _, early := asm.Add(wiegand.Edge{Line: uint8(e.Line), At: int64(e.At), Seqno: e.Seq}); early {
					t.Fatal("train ended early")
				}
			}
			time.Sleep(30 * time.Millisecond)
			ev, ok := asm.Flush(int64(h.Now()))
			if !ok || ev.Drop != wiegand.DropNone {
				t.Fatalf("train: %v, %v", ok, ev.Drop)
			}
			lengths = append(lengths, ev.Frame.Len())
		}
		if got := fmt.Sprint(lengths); got != "[26 4 4 4 4 4 34 4]" {
			t.Errorf("trains of %s bits", got)
		}
	})
}

func TestReaderLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := build(t, config())
		d, err := h.Door("a")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			word string
			on   bool
		}{{"lost", true}, {"back", false}} {
			if _, err := h.Do("reader a exit " + c.word); err != nil {
				t.Fatal(err)
			}
			f, ok := (<-d.Exit.Signals()).(hal.Fault)
			if !ok || f.Kind != hal.FaultLost || f.On != c.on {
				t.Errorf("%s: %+v", c.word, f)
			}
			_, err := h.Do("badge a exit H10301 1 2")
			if (err != nil) != c.on {
				t.Errorf("badge at a reader that is %s: %v", c.word, err)
			}
			if err := d.Exit.Indicate(hal.Indication{}); (err != nil) != c.on {
				t.Errorf("indicate at a reader that is %s: %v", c.word, err)
			}
		}
	})
}

// PR: no line that goes wrong repeats a card number or a PIN, and nothing prints one.
func TestNumbersAreNeverEchoed(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	cfg := config()
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Trace = filepath.Join(t.TempDir(), "trace")
	h := build(t, cfg)
	d, err := h.Door("a")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, line := range []string{
		"badge a enter H10301 77777 54321", "badge a enter H10301 54321x 1", "badge a nowhere H10301 54 54321",
		"badge zz enter H10301 54 54321", "badge a enter 54321", "bits a enter 54321", "keys a exit 54321",
		"badge a enter H10301 12 54321 PIN 5432x1", "show a enter 54321", "54321", "keys a enter 5432x1",
		"badge a enter NOFORMAT 12 54321", "badge a enter H10301 12 54321 PIN 54321",
	} {
		reply, err := h.Do(line)
		if !strings.HasPrefix(line, "show") { // a label is no number; the demo's labels are names
			fmt.Fprintln(&out, reply, err)
		}
	}
	sig := <-d.Enter.Signals()
	fmt.Fprintf(&out, "%v %+v %#v %d %x %s", sig, sig, sig, sig, sig, sig)
	if _, err := NewCard("﨑山", "H10301", 54321, 54321); err != nil {
		fmt.Fprintln(&out, err)
	}
	c, err := NewCard("𠮷田", "H10301", 54, 54321)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%v %+v %#v %d", c, c, c, c)
	raw, err := os.ReadFile(cfg.Trace)
	if err != nil {
		t.Fatal(err)
	}
	// The two times before each line hold any four digits now and then.
	trace := regexp.MustCompile(`(?m)^\d+ \d+ `).ReplaceAllString(string(raw), " ")
	logged := regexp.MustCompile(`time=\S+ `).ReplaceAllString(log.String(), "")
	for name, text := range map[string]string{"output": out.String(), "log": logged, "trace": trace} {
		for _, secret := range []string{"54321", "77777", "5432", "d431"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %s: %s", name, secret, text)
			}
		}
	}
	if !strings.Contains(trace, " lock a secured start\n") || !strings.Contains(trace, " badge a enter 1\n") {
		t.Errorf("trace: %q", trace)
	}
}

func TestCardsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cards.toml")
	good := "[[card]]\nlabel=\"神谷 葛󠄀城\"\nformat=\"H10301\"\nfc=12\ncn=34567\n[[card]]\nlabel=\"渡邉\"\nformat=\"H10306\"\nfc=1\ncn=2\n"
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	cards, err := LoadCards(path)
	if err != nil || len(cards) != 2 || cards[0].Label() != "神谷 葛󠄀城" {
		t.Fatalf("%v, %v", cards, err)
	}
	cfg := config()
	cfg.Cards = cards
	h := build(t, cfg)
	if _, err := h.Do("show a enter 神谷 葛󠄀城 PIN 12"); err != nil {
		t.Error(err)
	}
	if _, err := h.Do("show a enter 誰"); err == nil {
		t.Error("an unknown label was shown")
	}
	for _, bad := range []string{
		strings.ReplaceAll(good, "fc=12", "fc=99912"), strings.ReplaceAll(good, "cn=34567", "cn=\"34567\""),
		strings.ReplaceAll(good, "渡邉", "神谷 葛󠄀城"), "card = 34567\n", strings.ReplaceAll(good, "cn=2", "cn=34567\nnumber=34567"),
	} {
		write(bad)
		if _, err := LoadCards(path); err == nil || strings.Contains(err.Error(), "34567") || strings.Contains(err.Error(), "99912") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The control socket answers line by line, serves its owner alone, and survives a killed predecessor.
func TestControl(t *testing.T) {
	t.Parallel()
	cfg := config()
	links := make(chan bool, 4)
	quit := make(chan struct{})
	cfg.SetLink = func(up bool) { links <- up }
	cfg.Quit = func() { close(quit) }
	h := build(t, cfg)
	path := filepath.Join(t.TempDir(), "c.sock")
	if l, err := net.Listen("unix", path); err != nil {
		t.Fatal(err)
	} else {
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		_ = l.Close() // what a killed process leaves behind
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.ServeControl(ctx, path) }()
	var c net.Conn
	for end := time.Now().Add(30 * time.Second); ; {
		var err error
		if c, err = net.Dial("unix", path); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	defer c.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v %v", info.Mode(), err)
	}
	in := bufio.NewScanner(c)
	for _, x := range [][2]string{
		{"force a", "ok"}, {"state a", "ok contact=open lock=secured enter=dark,steady,silent exit=dark,steady,silent tamper=off fire=off"},
		{"dance a", "error: unknown command"}, {"", "ok"}, {"# comment", "ok"},
		{"link down", "ok"}, {"link up", "ok"}, {"link sideways", "error: say up or down"}, {"quit", "ok"},
	} {
		if _, err := fmt.Fprintln(c, x[0]); err != nil {
			t.Fatal(err)
		}
		if !in.Scan() || in.Text() != x[1] {
			t.Errorf("%q answers %q, want %q", x[0], in.Text(), x[1])
		}
	}
	if <-links || !<-links {
		t.Error("link not cut and restored")
	}
	<-quit
	if err := h.ServeControl(ctx, path); err == nil {
		t.Error("a second server took the socket")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
