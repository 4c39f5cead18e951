package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/osdp/osdptest"
	"monban/firmware/wiegand"
	"monban/gateway/app"
	"monban/gateway/config"
	"monban/gateway/hal/pi"
)

// ptyReader is one OSDP reader at the other end of a pty.
type ptyReader struct {
	mu    sync.Mutex
	pd    *osdptest.PD
	slave string
	raw   []byte                     // what show told last, as it stands in an answer
	man   func(answer []byte) []byte // on the line between reader and gateway; nil = nobody
}

// openPTY gives the far end of a serial line and the path of the near one.
func openPTY(t *testing.T) (far *os.File, path string) {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(m.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	path = fmt.Sprintf("/dev/pts/%d", n)
	hold, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0) // keeps the slave alive between two openings
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hold.Close(); m.Close() })
	return m, path
}

func newPTYReader(t *testing.T) *ptyReader {
	t.Helper()
	m, slave := openPTY(t)
	r := &ptyReader{slave: slave, pd: &osdptest.PD{Addr: 3, HasKey: true, CUID: [8]byte{1}, Serial: 7}}
	_, _ = rand.Read(r.pd.Key[:])
	r.pd.Random = func() (b [8]byte) { _, _ = rand.Read(b[:]); return b }
	go func() {
		var in []byte
		buf := make([]byte, 512)
		for {
			n, err := m.Read(buf)
			if err != nil {
				return
			}
			in = append(in, buf[:n]...)
			for {
				i := bytes.IndexByte(in, 0x53)
				if i < 0 || len(in)-i < 8 || len(in)-i < int(in[i+2]) {
					break
				}
				end := i + int(in[i+2])
				r.mu.Lock()
				out := slices.Clone(r.pd.Receive(in[i:end]))
				if out != nil && r.man != nil {
					out = r.man(out)
				}
				r.mu.Unlock()
				in = in[end:]
				if _, err := m.Write(out); err != nil {
					return
				}
			}
		}
	}()
	return r
}

func (r *ptyReader) secured() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pd.Open()
}

// show holds an H10301 card before the reader.
func (r *ptyReader) show(t *testing.T, fc, number uint64) {
	t.Helper()
	layout, _ := wiegand.Lookup("H10301")
	f, err := wiegand.Encode(layout, wiegand.Fields{FC: fc, CN: number})
	if err != nil {
		t.Fatal(err)
	}
	bits := make([]byte, 4)
	for i := range f.Len() {
		bits[i/8] |= f.Bit(i) << (7 - i%8)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pd.Card(f.Len(), bits)
	r.raw = append([]byte{0, 0, byte(f.Len()), 0}, bits...)
}

// attacked has a man answer in the reader's place until he has done so a few times. He is told whether he may.
func (r *ptyReader) attacked(s *site, what string, man func(answer []byte) []byte) {
	s.t.Helper()
	done := 0
	r.mu.Lock()
	r.man = func(answer []byte) []byte {
		if forged := man(answer); forged != nil {
			done++
			return forged
		}
		return answer
	}
	r.mu.Unlock()
	s.until(time.Minute, what, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return done >= 3
	})
	time.Sleep(300 * time.Millisecond) // what a card that was believed would need to reach the lock; nothing hangs on its length
	r.mu.Lock()
	r.man = nil
	r.mu.Unlock()
}

// keyFile gives the gateway the reader's key, as pairing leaves it.
func (r *ptyReader) keyFile(s *site, gateway, door string) {
	s.t.Helper()
	if err := os.MkdirAll(s.path(gateway+"-identity/readers"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"key": r.pd.Key[:], "cuid": r.pd.CUID[:], "serial": r.pd.Serial})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(filepath.Join(gateway+"-identity/readers", door+"-enter.json"), string(text))
}

const osdpPart = "name = \"Test\"\nboard = %q\n\n[[serial]]\nname = \"line\"\npath = %q\nbaud = 115200\n\n[[door]]\nid = \"d1\"\nkind = %q\n\n[[door.reader]]\nside = \"enter\"\ntype = \"osdp\"\nserial = \"line\"\naddress = 3\nformats = [\"H10301\"]\n"

func boardSite(t *testing.T, kind, profile string) *site {
	t.Helper()
	csv := officeCSV(t, 1, 123, 4567, []doorSpec{{"d1", "gw-1", "none"}})
	csv["doors.csv"] = strings.Replace(csv["doors.csv"], "controlled", kind, 1)
	s := newSite(t, csv, []gatewaySpec{{id: "gw-1", doors: []string{fmt.Sprintf("[[door]]\nid = \"d1\"\nkind = %q\nexit = \"none\"\nrelease_time = \"1s\"\n", kind)}}})
	s.write("board.toml", profile)
	text, err := os.ReadFile(s.path("gw-1.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("gw-1.toml", fmt.Sprintf("board = %q\n", s.path("board.toml"))+string(text))
	return s
}

// DS-5, AD-4, DS-11: the shipped gateway with a board profile that has nothing but an OSDP reader starts on this machine; a
// card before the reader is an entry in the server's log.
func TestOSDPProfileOnAnyMachine(t *testing.T) {
	t.Parallel()
	r := newPTYReader(t)
	s := boardSite(t, "observe", fmt.Sprintf(osdpPart, "linux", r.slave, "observe"))
	r.keyFile(s, "gw-1", "d1")
	s.gateways["gw-1"] = s.start("monban-gateway", "run", "--config", s.path("gw-1.toml"))
	s.until(time.Minute, "the reader proves its key", r.secured)
	s.until(2*time.Minute, "a card is an entry in the log", func() bool {
		s.startServer() // the log can be read only while no server runs
		for range 6 {
			r.show(t, 123, 4567)
			time.Sleep(500 * time.Millisecond)
		}
		s.server.stop(t)
		for _, a := range s.attempts() {
			if a.person == "p0000" && len(a.events) > 0 {
				return true
			}
		}
		return false
	})
}

// fakeHeader is a GPIO chip in memory. Its lock line is watched; its contact never moves.
type fakeHeader struct {
	mu    sync.Mutex
	edges []bool // of GPIO 23
	level bool
}

type fakeOutput struct {
	h   *fakeHeader
	pin int
}

func (h *fakeHeader) Output(pin int) (pi.Output, error) { return fakeOutput{h, pin}, nil }

func (o fakeOutput) Set(high bool) error {
	o.h.mu.Lock()
	defer o.h.mu.Unlock()
	if o.pin == 23 && o.h.level != high {
		o.h.level = high
		o.h.edges = append(o.h.edges, high)
	}
	return nil
}

func (fakeOutput) Close() error { return nil }

type fakeEvents struct {
	*os.File
	w *os.File
}

func (h *fakeHeader) Events([]int, pi.EventOptions) (pi.Events, error) {
	r, w, err := os.Pipe()
	return fakeEvents{r, w}, err
}

func (fakeEvents) Levels() (uint64, error) { return 0, nil } // closed

func (e fakeEvents) Close() error {
	_ = e.w.Close()
	return e.File.Close()
}

func (h *fakeHeader) moves() []bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.edges)
}

// DS-5, AD-4: a man on the line who forges or replays the reader's words moves nothing.
// I1, DS-1: a card on an OSDP line moves the line of the lock, by itself back, and each time the server's log
// holds the decision; a start and an end move it not at all.
func TestOSDPCardMovesTheLock(t *testing.T) {
	t.Parallel()
	r := newPTYReader(t)
	s := boardSite(t, "controlled", fmt.Sprintf(osdpPart, "pi", r.slave, "controlled")+
		"\n[door.lock]\npin = 23\ntype = \"fail-secure\"\nactive = \"high\"\nrelay = \"no\"\nmax_release = \"10s\"\n\n[door.contact]\npin = 16\nrest = \"low\"\npull = \"up\"\n")
	r.keyFile(s, "gw-1", "d1")
	s.startServer()
	header := &fakeHeader{}
	stop := s.runHere("gw-1", header)
	s.until(time.Minute, "the reader proves its key", r.secured)
	s.until(time.Minute, "the lock is released", func() bool {
		r.show(t, 123, 4567)
		for range 20 {
			if len(header.moves()) > 0 {
				return true
			}
			time.Sleep(100 * time.Millisecond)
		}
		return false
	})
	s.until(time.Minute, "the lock is secured", func() bool { m := header.moves(); return len(m) > 0 && !m[len(m)-1] })

	// A man on the line knows the card, and has what the reader said when it was shown.
	r.mu.Lock()
	var recorded []byte
	r.man = func(answer []byte) []byte {
		if osdptest.Code(answer) == 0x50 {
			recorded = slices.Clone(answer)
		}
		return answer
	}
	r.mu.Unlock()
	s.until(time.Minute, "an answer with a card is recorded, the lock moved and is secured", func() bool {
		r.show(t, 123, 4567)
		time.Sleep(2 * time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		m := header.moves()
		return recorded != nil && r.pd.Waiting() == 0 && len(m) >= 4 && !m[len(m)-1]
	})
	before := len(header.moves())
	r.attacked(s, "the card is said in the clear", func(a []byte) []byte { return osdptest.Forged(3, a[4], 0x50, r.raw) })
	r.attacked(s, "the recorded answer is said again", func(a []byte) []byte {
		if a[4]&3 != recorded[4]&3 || osdptest.Block(a) < 0x16 {
			return nil
		}
		return slices.Clone(recorded)
	})
	if after := len(header.moves()); after != before {
		t.Errorf("a man on the line moved the lock %d times", after-before)
	}
	s.until(time.Minute, "the reader proves its key again", r.secured)
	stop()
	if m := header.moves(); len(m)%2 != 0 || m[len(m)-1] {
		t.Errorf("moves of the lock: %v", m)
	}
	s.server.stop(t)
	if granted := s.granted(); granted < len(header.moves())/2 {
		t.Errorf("the lock was released %d times, the log holds %d grants", len(header.moves())/2, granted)
	}
}

// granted counts the grants in the log.
func (s *site) granted() (n int) {
	for _, l := range s.attempts() {
		if l.decision != nil && l.decision.Outcome == "granted" {
			n++
		}
	}
	return n
}

// runHere runs a gateway in this process, on a header in memory. stop ends it and waits.
func (s *site) runHere(gateway string, header *fakeHeader) (stop func()) {
	s.t.Helper()
	cfg, err := config.Load(s.path(gateway + ".toml"))
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := app.New(app.Options{Config: cfg, Version: "test", Log: slog.New(slog.NewTextHandler(s.logs, nil)), Out: s.logs,
		Chip: func() (pi.Chip, error) { return header, nil }})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// A profile that needs a header names it on a machine that has none, and nothing starts.
func TestMissingHeaderIsNamed(t *testing.T) {
	if _, err := pi.OpenChip(); err == nil {
		t.Skip("this machine has a header")
	}
	s := boardSite(t, "controlled", "")
	s.write("gw-1.toml", strings.Replace(s.read("gw-1.toml"), s.path("board.toml"), "bench", 1))
	s.write("gw-1.toml", strings.Replace(s.read("gw-1.toml"), "exit = \"none\"\n", "exit = \"none\"\nplace = \"bench\"\n", 1))
	p := s.start("monban-gateway", "run", "--config", s.path("gw-1.toml"))
	s.until(time.Minute, "the gateway ends", p.ended)
	if out := string(s.logs.Bytes()); !strings.Contains(out, "no GPIO chip whose label begins with pinctrl-") || !strings.Contains(out, "Bench kit") {
		t.Error("the error does not name the chip and the profile")
	}
}

func (s *site) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}
