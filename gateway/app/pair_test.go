package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/access"
	"monban/firmware/osdp/osdptest"
	"monban/firmware/wire"
	"monban/gateway/config"
	"monban/gateway/hal/pi"
	"monban/gateway/outbox"
	"monban/hardware/board"
)

// simulatedReader answers as an OSDP reader on a pty and gives the path of its line.
func simulatedReader(t *testing.T, pd *osdptest.PD) string {
	t.Helper()
	pd.Random = func() (r [8]byte) { _, _ = rand.Read(r[:]); return r }
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
	path := fmt.Sprintf("/dev/pts/%d", n)
	hold, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0) // keeps the line alive between two openings
	if err != nil {
		t.Fatal(err)
	}
	var ended sync.WaitGroup
	ended.Go(func() {
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
				if a := pd.Receive(append([]byte{0xFF}, in[i:end]...)); a != nil {
					_, _ = m.Write(a)
				}
				in = in[end:]
			}
		}
	})
	t.Cleanup(func() { hold.Close(); m.Close(); ended.Wait() })
	return path
}

// osdpSite is the configuration of one observed door with one OSDP reader on the line at path.
func osdpSite(t *testing.T, path string) config.Config {
	t.Helper()
	p, err := board.Parse("test", []byte(`name = "test"
board = "linux"
[[serial]]
name = "readers"
path = "`+path+`"
baud = 115200
[[door]]
id = "place"
kind = "observe"
[[door.reader]]
side = "enter"
type = "osdp"
serial = "readers"
address = 3
formats = ["H10301"]
`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cfg := config.Config{Gateway: "gw", Site: "s", IdentityDir: filepath.Join(dir, "identity"), DataDir: filepath.Join(dir, "data"), Profile: p,
		Doors: []config.Door{{ID: "door", Place: "place", Kind: "observe", Exit: "none"}}}
	if err := os.MkdirAll(cfg.IdentityDir, 0o700); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// recorded are the details of the events in a gateway's outbox, with their doors.
func recorded(t *testing.T, cfg config.Config) (out []string) {
	t.Helper()
	for _, r := range records(t, cfg) {
		if r.Door != "" {
			out = append(out, string(r.Door)+" "+string(r.Event)+" "+r.Detail)
		}
	}
	return out
}

// records are those in a gateway's outbox.
func records(t *testing.T, cfg config.Config) (out []wire.Record) {
	t.Helper()
	o, err := outbox.Open(outbox.Config{Path: cfg.Path("outbox.db"), Gateway: access.GatewayID(cfg.Gateway), Stamp: func() wire.Stamp { return wire.Stamp{} }})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	s := o.Stat()
	ev, err := o.Load(s.Epoch, s.Tail, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ev.Records {
		r, err := wire.ParseRecord(c.Body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// DS-5: `pair` gives a reader on a serial line its key, stores it where the gateway looks for it, for its owner alone, and
// records beginning and end; a reader that takes no key leaves no file, and the record says so.
func TestPair(t *testing.T) {
	for name, takes := range map[string]bool{"in installation mode": true, "not in it": false} {
		pd := &osdptest.PD{Addr: 3, Install: takes, Serial: 4711}
		cfg := osdpSite(t, simulatedReader(t, pd))
		var out bytes.Buffer
		window := time.Minute
		if !takes {
			window = time.Second
		}
		err := Pair(t.Context(), PairOptions{Config: cfg, Door: "door", Side: "enter", Window: window, Open: pi.OpenSerial, Out: &out})
		if (err == nil) != takes {
			t.Fatalf("%s: %v", name, err)
		}
		key, kerr := loadReaderKey(cfg.IdentityDir, "place", "enter")
		file := filepath.Join(cfg.IdentityDir, readerKeyFile("place", "enter"))
		want := "door maintenance pairing.enter, door maintenance not_paired.enter"
		if takes {
			want = "door maintenance pairing.enter, door maintenance paired.enter"
			if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 || kerr != nil || *key.Key != pd.Key || key.Pending != nil || key.Known.Serial != 4711 {
				t.Errorf("%s: %v %v", name, err, kerr)
			}
			if !strings.Contains(out.String(), "4711") {
				t.Errorf("said %q", out.String())
			}
		} else if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: a key is stored", name)
		}
		if got := strings.Join(recorded(t, cfg), ", "); got != want {
			t.Errorf("%s: recorded %q, want %q", name, got, want)
		}
	}
}

// DS-5: `pair --new` gives a key to each reader that has none, whatever becomes of the others, and touches none that has one: the image says it at each start.
func TestPairNew(t *testing.T) {
	pd := &osdptest.PD{Addr: 3, Install: true, Serial: 4711}
	cfg := osdpSite(t, simulatedReader(t, pd))
	at := &cfg.Profile.Doors[0]
	at.Readers = append(at.Readers, at.Readers[0], at.Readers[0])
	at.Readers[1].Side, at.Readers[1].Address = "exit", 9 // nobody answers there
	at.Readers[2].Side, at.Readers[2].Plain = "aside", true
	opt := PairOptions{Config: cfg, Window: time.Second, Open: pi.OpenSerial, Out: &bytes.Buffer{}}
	if err := PairNew(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "reader exit") || strings.Contains(err.Error(), "reader enter") {
		t.Errorf("%v", err)
	}
	key, err := loadReaderKey(cfg.IdentityDir, "place", "enter")
	if err != nil || *key.Key != pd.Key {
		t.Fatalf("the reader that answers has no key: %v", err)
	}
	at.Readers = at.Readers[:1]
	n := len(recorded(t, cfg))
	opt.Open = func(string, int) (pi.Port, error) {
		t.Error("a reader with a key was touched")
		return nil, os.ErrInvalid
	}
	if err := PairNew(t.Context(), opt); err != nil || len(recorded(t, cfg)) != n {
		t.Errorf("again: %v", err)
	}
}

// What `pair` refuses before a byte is sent.
func TestPairRefuses(t *testing.T) {
	cfg := osdpSite(t, "/dev/nowhere")
	open := func(string, int) (pi.Port, error) { t.Error("the line was opened"); return nil, os.ErrInvalid }
	for name, c := range map[string]struct {
		change func(*PairOptions)
		want   string
	}{
		"no such door": {func(o *PairOptions) { o.Door = "other" }, "not in the configuration"},
		"no such side": {func(o *PairOptions) { o.Side = "exit" }, "no OSDP reader"},
		"too long":     {func(o *PairOptions) { o.Window = time.Hour }, "at most"},
		"plain":        {func(o *PairOptions) { o.Config.Profile.Doors[0].Readers[0].Plain = true }, "plain = true"},
		"no board":     {func(o *PairOptions) { o.Config.Profile = nil }, "board is missing"},
		"gateway runs": {func(o *PairOptions) {}, "stop the gateway first"},
	} {
		opt := PairOptions{Config: cfg, Door: "door", Side: "enter", Window: time.Minute, Open: open, Out: &bytes.Buffer{}}
		p := *cfg.Profile
		p.Doors = []board.Door{p.Doors[0]}
		p.Doors[0].Readers = append([]board.Reader(nil), p.Doors[0].Readers...)
		opt.Config.Profile = &p
		c.change(&opt)
		if name == "gateway runs" {
			j, err := openJournal(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer j.close()
		}
		if err := Pair(context.Background(), opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
