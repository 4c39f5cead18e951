package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/door"
	release "monban/firmware/update"
	"monban/gateway/config"
	"monban/gateway/slot"
)

// release200 is a release and the root of its keys.
func release200(t *testing.T) (folder fstest.MapFS, root string) {
	t.Helper()
	private, public, err := note.GenerateKey(nil, "release")
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(text string) []byte {
		data, err := note.Sign(&note.Note{Text: text}, key)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	const far = 40_000 * 24 * 60 * 60
	one := release.Holders{Threshold: 1, Keys: []string{public}}
	root = filepath.Join(t.TempDir(), "root")
	text := (&release.Root{Number: 1, Expires: far, Holders: map[release.Role]release.Holders{release.RoleRoot: one, release.RoleRelease: one, release.RoleStamp: one}}).Text()
	if err := os.WriteFile(root, sign(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := []byte("program")
	sum := sha256.Sum256(program)
	l := &release.List{Version: "v2", Number: 200, Expires: far, Files: []release.File{{Path: programPath(), Size: int64(len(program)), Sum: hex.EncodeToString(sum[:])}}}
	list := sign(l.Text())
	return fstest.MapFS{programPath(): {Data: program}, release.ListFile: {Data: list}, release.StampFile: {Data: sign(release.StampOf(list, l, 300, far).Text())}}, root
}

// staged is a folder of programs in which release 200 waits; linked says that the link was up then.
func staged(t *testing.T, linked bool) *slot.Store {
	t.Helper()
	folder, root := release200(t)
	s := &slot.Store{Dir: t.TempDir()}
	if _, err := s.Stage(slot.Release{Path: programPath(), Own: 100, Root: root, Linked: linked, Folder: folder}); err != nil {
		t.Fatal(err)
	}
	return s
}

// OP-4: a trial that the power cut short is dropped before a release is looked at, so that what is there to have it tried once more acts at that start
// and not at the next one; without --again the release is refused, and the drop stays.
func TestCutTrialIsDroppedFirst(t *testing.T) {
	folder, root := release200(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, folder); err != nil {
		t.Fatal(err)
	}
	s := &slot.Store{Dir: t.TempDir()}
	var dropped []int64
	update := func(again, cut bool) error {
		_, err := StageUpdate(UpdateOptions{Config: config.Config{DataDir: t.TempDir()}, Dir: dir, Slots: s.Dir, Root: root, Own: 100, Again: again, Cut: cut,
			Dropped: func(n int64) { dropped = append(dropped, n) }})
		return err
	}
	if err := update(false, true); err != nil || len(dropped) != 0 {
		t.Fatalf("nothing on trial: %v, dropped %v", err, dropped)
	}
	if err := update(false, true); err == nil || len(dropped) != 0 {
		t.Fatalf("what waits for its trial: %v, dropped %v", err, dropped)
	}
	if c := chosen(t, s); !c.Trial || c.Number != 200 {
		t.Fatalf("%+v", c)
	}
	// Power away; the machine starts.
	if err := update(true, false); err == nil || !strings.Contains(err.Error(), "waits already or is being tried") || len(dropped) != 0 {
		t.Fatalf("beside a running gateway: %v, dropped %v", err, dropped)
	}
	if err := update(false, true); err == nil || !strings.Contains(err.Error(), "did not get well when it was tried") || len(dropped) != 1 || dropped[0] != 200 {
		t.Fatalf("without --again: %v, dropped %v", err, dropped)
	}
	if c := chosen(t, s); c.Trial || c.Number != 0 || c.Dropped != 0 {
		t.Fatalf("it is dropped once, and the machine's own program starts: %+v", c)
	}
	if err := update(true, true); err != nil {
		t.Fatal(err)
	}
	if c := chosen(t, s); !c.Trial || c.Number != 200 {
		t.Fatalf("%+v", c)
	}
	// Power away again; again.txt is there already.
	if err := update(true, true); err != nil || len(dropped) != 2 {
		t.Fatalf("at the first start after the trial was cut: %v, dropped %v", err, dropped)
	}
	if c := chosen(t, s); !c.Trial || c.Number != 200 || c.Dropped != 0 {
		t.Fatalf("not tried at that start: %+v", c)
	}
}

// gatewayOn is what an updates sees of a gateway that is well; tests spoil it.
type gatewayOn struct {
	still  atomic.Pointer[string]
	linked atomic.Bool
	ended  atomic.Bool
	mu     sync.Mutex
	doors  []doorStanding
}

func (g *gatewayOn) updates(s *slot.Store, trial int64) *updates {
	g.doors = []doorStanding{{ID: "d", Known: true, State: "secured"}}
	return &updates{store: s, trial: trial, log: slog.New(slog.DiscardHandler), link: g.linked.Load, end: func() { g.ended.Store(true) },
		still: func() string {
			if p := g.still.Load(); p != nil {
				return *p
			}
			return ""
		},
		stand: func() []doorStanding {
			g.mu.Lock()
			defer g.mu.Unlock()
			return append([]doorStanding{}, g.doors...)
		},
		every: time.Millisecond, well: 3 * time.Millisecond, limit: time.Hour}
}

func chosen(t *testing.T, s *slot.Store) slot.Choice {
	t.Helper()
	c, f, err := s.Choose(100)
	if err != nil {
		t.Fatal(err)
	}
	if f != nil {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// waitUpdate waits at most a minute.
func waitUpdate(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// OP-4: an update as another user than the gateway's (root by sudo) would leave files that the gateway cannot read: it is refused with what to type.
func TestUpdateAsOwner(t *testing.T) {
	data, none, me := t.TempDir(), filepath.Join(t.TempDir(), "none"), os.Geteuid()
	for _, folders := range [][]string{{data, none}, {none, data}} {
		if err := asOwner(me, folders...); err != nil {
			t.Errorf("its owner: %v", err)
		}
		if err := asOwner(me+1, folders...); err == nil || !strings.Contains(err.Error(), data+" belongs to") || !strings.Contains(err.Error(), "monban-gateway update") {
			t.Errorf("another user: %v", err)
		}
	}
	if err := asOwner(0, none, none); err == nil || !strings.Contains(err.Error(), "runuser -u monban-gateway -- ") {
		t.Errorf("root before the first start: %v", err)
	}
	if err := asOwner(990, none, none); err != nil {
		t.Errorf("the gateway's user before the first start: %v", err)
	}
	if me != 0 {
		return // folders cannot be given away
	}
	if err := os.Chown(data, 990, 990); err != nil {
		t.Fatal(err)
	}
	slots := filepath.Join(data, "slots")
	if _, err := StageUpdate(UpdateOptions{Config: config.Config{DataDir: data}, Dir: t.TempDir(), Slots: slots}); err == nil || !strings.Contains(err.Error(), "belongs to") {
		t.Errorf("as root: %v", err)
	}
	if _, err := os.Stat(slots); err == nil {
		t.Error("what was refused has made a folder")
	}
}

// OP-4: a program on trial is kept once it serves its doors; what is missing is waited for, and after the limit the one before starts again.
func TestTrial(t *testing.T) {
	hung := "door d"
	for name, c := range map[string]struct {
		linked bool // before
		spoil  func(*gatewayOn)
		well   bool
	}{
		"well, with its link":              {true, func(g *gatewayOn) { g.linked.Store(true) }, true},
		"no link, and there was none":      {false, func(*gatewayOn) {}, true},
		"no link, and there was one":       {true, func(*gatewayOn) {}, false},
		"a loop stands still":              {false, func(g *gatewayOn) { g.still.Store(&hung) }, false},
		"a door that nobody has looked at": {false, func(g *gatewayOn) { g.doors[0].Known = false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := staged(t, c.linked)
			if ch := chosen(t, s); !ch.Trial || ch.Number != 200 {
				t.Fatalf("%+v", ch)
			}
			g := &gatewayOn{}
			u := g.updates(s, 200)
			c.spoil(g)
			if !c.well {
				u.limit = 20 * time.Millisecond
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- u.run(ctx) }()
			if !c.well {
				if err := <-ended; !errors.Is(err, errUnwell) {
					t.Fatalf("%v", err)
				}
				if ch := chosen(t, s); ch.Number != 0 || ch.Dropped != 200 {
					t.Errorf("next start %+v, want the machine's own", ch)
				}
				return
			}
			waitUpdate(t, "it is not kept", func() bool {
				st, err := s.State()
				return err == nil && st.Held.Number == 200
			})
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if ch := chosen(t, s); ch.Number != 200 || ch.Trial {
				t.Errorf("next start %+v", ch)
			}
		})
	}
}

// OP-4, DS-1: the running gateway ends for a new program only while nobody is on the way through a door.
func TestWaitsForCalm(t *testing.T) {
	s, g := staged(t, false), &gatewayOn{}
	u := g.updates(s, 0)
	g.doors[0].State = "unlocked"
	looked := 0
	stand := u.stand
	u.stand = func() []doorStanding { g.mu.Lock(); looked++; g.mu.Unlock(); return stand() }
	ended := make(chan error, 1)
	go func() { ended <- u.run(t.Context()) }()
	waitUpdate(t, "nobody looks at the doors", func() bool { g.mu.Lock(); defer g.mu.Unlock(); return looked > 5 })
	if g.ended.Load() {
		t.Fatal("it ends while a door is unlocked")
	}
	g.mu.Lock()
	g.doors[0].State = "secured"
	g.mu.Unlock()
	if err := <-ended; err != nil || !g.ended.Load() {
		t.Errorf("%v, ended %t", err, g.ended.Load())
	}
}

// OP-4, DS-1: which states are calm: all that a door can have, and one that nobody knows yet.
func TestCalm(t *testing.T) {
	calm := map[string]bool{"secured": true, "lockdown": true}
	states := 0
	for s := door.StateName(0); ; s++ {
		name := s.String()
		if !regexp.MustCompile(`^[a-z_]+$`).MatchString(name) {
			break
		}
		states++
		for _, contact := range []string{"open", "closed", "unknown", "none"} {
			u := &updates{stand: func() []doorStanding {
				return []doorStanding{{Known: true, State: "secured", Contact: "closed"}, {Known: true, State: name, Contact: contact}}
			}}
			if got, want := u.calm(), calm[name] && contact != "open"; got != want {
				t.Errorf("%s, contact %s: calm %t", name, contact, got)
			}
		}
	}
	if states != 8 {
		t.Errorf("%d states", states)
	}
}

// A folder that is spoilt while the gateway runs is said once and moves nothing.
func TestSpoiltWhileRunning(t *testing.T) {
	s, g := staged(t, false), &gatewayOn{}
	if err := os.WriteFile(filepath.Join(s.Dir, "state"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	u := g.updates(s, 0)
	var b bytes.Buffer
	u.log = slog.New(slog.NewTextHandler(&b, nil))
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := u.run(ctx); err != nil || g.ended.Load() {
		t.Errorf("%v, ended %t", err, g.ended.Load())
	}
	if n := bytes.Count(b.Bytes(), []byte("is damaged")); n > 1 {
		t.Errorf("said %d times", n)
	}
}
