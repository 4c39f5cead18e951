package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
	"monban/gateway/slot"
)

const (
	day     = 24 * 60 * 60
	today   = 20_000 * day
	program = "programs/monban-gateway-arm64"
)

// maker makes releases; one key has every role.
type maker struct {
	t    *testing.T
	key  note.Signer
	root []byte
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	private, public, err := note.GenerateKey(nil, "release")
	if err != nil {
		t.Fatal(err)
	}
	m := &maker{t: t}
	if m.key, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	one := update.Holders{Threshold: 1, Keys: []string{public}}
	m.root = m.sign((&update.Root{Number: 1, Expires: today + 3650*day,
		Holders: map[update.Role]update.Holders{update.RoleRoot: one, update.RoleRelease: one, update.RoleStamp: one}}).Text())
	return m
}

func (m *maker) sign(text string) []byte {
	m.t.Helper()
	data, err := note.Sign(&note.Note{Text: text}, m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	return data
}

func fileOf(path, text string) update.File {
	sum := sha256.Sum256([]byte(text))
	return update.File{Path: path, Size: int64(len(text)), Sum: hex.EncodeToString(sum[:])}
}

// release is a folder; files are paths and texts.
func (m *maker) release(number, stampEnds int64, files map[string]string) fstest.MapFS {
	l := &update.List{Version: fmt.Sprintf("0~%d", number), Number: number, Expires: today + 1000*day}
	out := fstest.MapFS{"root/1": {Data: m.root}}
	for path, text := range files {
		l.Files = append(l.Files, fileOf(path, text))
		out[path] = &fstest.MapFile{Data: []byte(text)}
	}
	slices.SortFunc(l.Files, func(a, b update.File) int { return strings.Compare(a.Path, b.Path) })
	list := m.sign(l.Text())
	out[update.ListFile] = &fstest.MapFile{Data: list}
	out[update.StampFile] = &fstest.MapFile{Data: m.sign(update.StampOf(list, l, number+60, stampEnds).Text())}
	return out
}

func (m *maker) good(number int64) fstest.MapFS {
	return m.release(number, today+365*day, map[string]string{program: fmt.Sprint("program ", number, strings.Repeat("x", 5000)), "programs/monban-gateway-amd64": "amd64"})
}

// server is a site's server that does as it is told.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	folder fs.FS
	number int64
	try    int // 0 = nobody's turn
	// serve takes a file's place; nil = the file. turn the answer's.
	serve func(w http.ResponseWriter, rq *http.Request, name string) bool
	turn  func(w http.ResponseWriter) bool
	heard []string // queries
	sent  []string // files that were asked for, with their ranges
}

func newServer(t *testing.T, folder fs.FS, number int64) *server {
	s := &server{folder: folder, number: number, try: 1}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, rq *http.Request) {
	s.mu.Lock()
	folder, number, try := s.folder, s.number, s.try
	name, ok := strings.CutPrefix(rq.URL.Path, "/v1/file/")
	if ok {
		s.sent = append(s.sent, strings.TrimSpace(name+" "+rq.Header.Get("Range")))
	} else {
		s.heard = append(s.heard, rq.URL.RawQuery)
	}
	s.mu.Unlock()
	switch {
	case ok && s.serve != nil && s.serve(w, rq, name):
	case ok:
		http.ServeFileFS(w, rq, folder, name)
	case s.turn != nil && s.turn(w):
	case try == 0:
		w.WriteHeader(http.StatusNoContent)
	default:
		a := turn{Number: number, Try: try}
		_ = fs.WalkDir(folder, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (update.Signed(path) || path == program) {
				a.Files = append(a.Files, struct {
					Path string `json:"path"`
					Size int64  `json:"size"`
				}{path, 1})
			}
			return err
		})
		_ = json.NewEncoder(w).Encode(a)
	}
}

func (s *server) says(state string, number, try int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.heard[len(s.heard)-1], fmt.Sprintf("number=%d&", number)) && strings.HasSuffix(s.heard[len(s.heard)-1], fmt.Sprintf("state=%s&try=%d", state, try))
}

// machine is a gateway's part in it.
type machine struct {
	*Fetcher
	t     *testing.T
	store *slot.Store
}

func newMachine(t *testing.T, m *maker, s *server) *machine {
	t.Helper()
	root := filepath.Join(t.TempDir(), "release.root")
	if err := os.WriteFile(root, m.root, 0o600); err != nil {
		t.Fatal(err)
	}
	g := &machine{t: t, store: &slot.Store{Dir: t.TempDir()}}
	g.Fetcher = New(Config{Server: s.URL, Client: client, Dir: t.TempDir(), Store: g.store, Root: root, Path: program, Arch: "arm64", Own: 100, Running: 100,
		Clock: func() (update.Clock, bool) { return update.Clock{Now: today, Sure: true}, true }, Every: time.Millisecond})
	return g
}

func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableCompression: true, MaxConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (g *machine) state() slot.State {
	g.t.Helper()
	st, err := g.store.State()
	if err != nil {
		g.t.Fatal(err)
	}
	return st
}

// bytes is what lies in its folders.
func (g *machine) bytes() (n int64) {
	for _, dir := range []string{g.c.Dir, g.store.Dir} {
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if info, err := d.Info(); err == nil {
					n += info.Size()
				}
			}
			return nil
		})
	}
	return n
}

// start is what `start` and the trial do: the program gets well, or not.
func (g *machine) start(well bool) {
	g.t.Helper()
	c, f, err := g.store.Choose(100)
	if err != nil || !c.Trial {
		g.t.Fatalf("%+v %v", c, err)
	}
	if err := f.Close(); err != nil {
		g.t.Fatal(err)
	}
	if well {
		if err := g.store.Well(c.Number); err != nil {
			g.t.Fatal(err)
		}
		g.c.Own, g.c.Running = c.Number, c.Number
		return
	}
	if c, f, err = g.store.Choose(100); err != nil || c.Trial || f != nil {
		g.t.Fatalf("%+v %v", c, err)
	}
}

func (g *machine) visit() {
	g.t.Helper()
	if err := g.Visit(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// OP-4: a release comes when it is this gateway's turn, goes the way of the stick, and how it went is told.
func TestTurn(t *testing.T) {
	m := newMaker(t)
	s := newServer(t, m.good(500), 500)
	g := newMachine(t, m, s)
	s.try = 0
	g.visit()
	if len(s.sent) > 0 || g.state() != (slot.State{}) || !s.says("idle", 0, 0) {
		t.Fatalf("without its turn: %v %v", s.sent, s.heard)
	}
	s.try = 1
	g.visit()
	if st := g.state(); st.Next.Number != 500 || !st.Linked || st.Tried {
		t.Fatalf("%+v", st)
	}
	if left, _ := filepath.Glob(filepath.Join(g.c.Dir, releaseDir)); left != nil {
		t.Error("what was fetched lies there still")
	}
	sent := len(s.sent)
	g.visit()
	if !s.says("waiting", 500, 1) || len(s.sent) != sent {
		t.Errorf("%v", s.heard)
	}
	g.start(true)
	g.visit()
	if !s.says("kept", 500, 1) || len(s.sent) != sent {
		t.Errorf("%v", s.heard)
	}
}

// OP-4: a release that failed is told once a turn, and tried once more only in another turn.
func TestFailedTurn(t *testing.T) {
	m := newMaker(t)
	s := newServer(t, m.good(500), 500)
	g := newMachine(t, m, s)
	g.visit()
	g.start(false)
	sent := len(s.sent)
	for range 3 {
		g.visit()
	}
	if !s.says("failed", 500, 1) || len(s.sent) != sent || g.state().Next.Number != 0 {
		t.Fatalf("%v %+v", s.heard, g.state())
	}
	s.try = 2
	g.visit()
	if g.state().Next.Number != 500 {
		t.Fatal("not tried in another turn")
	}
	g.visit()
	if !s.says("waiting", 500, 2) {
		t.Errorf("%v", s.heard)
	}
}

// OP-4: TUF's attacks by a server that is not honest or not well, and its network: nothing of a program changes, what lies on the disk is
// bounded, and the gateway tells refused where another try of the same turn would help nobody.
func TestAttacks(t *testing.T) {
	type world struct {
		m *maker
		s *server
		g *machine
	}
	instead := func(name string, data []byte) func(*world) {
		return func(w *world) {
			w.s.serve = func(rw http.ResponseWriter, _ *http.Request, n string) bool {
				if n != name {
					return false
				}
				_, _ = rw.Write(data)
				return true
			}
		}
	}
	endless := func(name string) func(*world) {
		return func(w *world) {
			w.s.serve = func(rw http.ResponseWriter, _ *http.Request, n string) bool {
				if n != name {
					return false
				}
				for {
					if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
						return true
					}
				}
			}
		}
	}
	answer := func(text string) func(*world) {
		return func(w *world) {
			w.s.turn = func(rw http.ResponseWriter) bool { _, _ = io.WriteString(rw, text); return true }
		}
	}
	for name, c := range map[string]struct {
		do      func(*world)
		refused bool // told as the end of the turn
	}{
		"an older release after a newer one": {func(w *world) {
			w.g.visit()
			w.g.start(true)
			w.s.folder, w.s.number = w.m.good(400), 400
		}, true},
		"an older release under a newer number": {func(w *world) {
			w.g.visit()
			w.g.start(true)
			w.s.folder, w.s.number = w.m.good(400), 600
		}, true},
		"another release than was said":   {func(w *world) { w.s.number = 501 }, true},
		"a freeze: the stamp has expired": {func(w *world) { w.s.folder = w.m.release(500, today-day, map[string]string{program: "p"}) }, true},
		"somebody else's keys":            {func(w *world) { w.s.folder = newMaker(t).good(500) }, true},
		"no program for this machine": {func(w *world) {
			w.s.folder = w.m.release(500, today+day, map[string]string{"programs/monban-gateway-amd64": "amd64"})
		}, true},
		"a program that the list has not": {func(w *world) {
			f := w.m.release(500, today+day, map[string]string{"other": "x"})
			f[program] = &fstest.MapFile{Data: []byte("evil")}
			w.s.folder = f
		}, true},
		"another machine's program": {instead(program, []byte("amd64")), false},
		"a program of the same length": {func(w *world) {
			f := w.m.good(500)
			f[program] = &fstest.MapFile{Data: make([]byte, len(f[program].Data))}
			w.s.folder = f
		}, false},
		"a program that is cut off":      {instead(program, []byte("program 500xxx")), false},
		"a program without end":          {endless(program), false},
		"a list that is cut off":         {instead(update.ListFile, []byte("monban bundle 2\n")), true},
		"a list without end":             {endless(update.ListFile), false},
		"a stamp without end":            {endless(update.StampFile), false},
		"the list and the stamp swapped": {instead(update.StampFile, newMaker(t).good(500)[update.ListFile].Data), true},
		"a stamp of another release": {func(w *world) {
			f := w.m.good(500)
			f[update.StampFile] = w.m.good(700)[update.StampFile]
			w.s.folder = f
		}, true},
		"an empty file":                    {instead(update.StampFile, nil), true},
		"a way out of the folder":          {answer(`{"number":500,"try":1,"files":[{"path":"root/../../x"},{"path":"` + program + `"}]}`), true},
		"an absolute path":                 {answer(`{"number":500,"try":1,"files":[{"path":"/etc/passwd"}]}`), true},
		"a file that is none of a release": {answer(`{"number":500,"try":1,"files":[{"path":"packages/x.deb"}]}`), true},
		"a deep path":                      {answer(`{"number":500,"try":1,"files":[{"path":"root/a/b"}]}`), true},
		"nothing at all":                   {answer(`{"number":500,"try":1}`), true},
		"no number":                        {answer(`{"try":1,"files":[]}`), false},
		"a number below 0":                 {answer(`{"number":-1,"try":1,"files":[]}`), false},
		"no JSON":                          {answer("<html>"), false},
		"an answer without end":            {func(w *world) { w.s.turn = func(rw http.ResponseWriter) bool { return spill(rw) } }, false},
		"ten thousand files":               {answer(`{"number":500,"try":1,"files":[` + strings.Repeat(`{"path":"root/1"},`, 9999) + `{"path":"root/1"}]}`), false},
		"a way to another server": {func(w *world) {
			w.s.turn = func(rw http.ResponseWriter) bool {
				rw.Header().Set("Location", "http://192.0.2.1/")
				rw.WriteHeader(302)
				return true
			}
		}, false},
		"an error": {func(w *world) {
			w.s.turn = func(rw http.ResponseWriter) bool { http.Error(rw, "no", 500); return true }
		}, false},
		"files that are not there": {func(w *world) {
			w.s.serve = func(rw http.ResponseWriter, rq *http.Request, _ string) bool { http.NotFound(rw, rq); return true }
		}, false},
		"a server that hangs up": {func(w *world) {
			w.s.serve = func(http.ResponseWriter, *http.Request, string) bool { panic(http.ErrAbortHandler) }
		}, false},
		"a server that is gone": {func(w *world) { w.s.Close() }, false},
		"slow drops":            {func(w *world) { w.g.c.Stall = 50 * time.Millisecond; w.s.serve = drip }, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMaker(t)
			w := &world{m: m, s: newServer(t, m.good(500), 500)}
			w.g = newMachine(t, m, w.s)
			c.do(w)
			before, size := w.g.state(), w.g.bytes()
			err := w.g.Visit(t.Context())
			if err == nil {
				t.Error("no error")
			}
			t.Log(err)
			if st := w.g.state(); st != before {
				t.Errorf("programs: %+v, before %+v", st, before)
			}
			if n := w.g.bytes() - size; n > 5<<20 {
				t.Errorf("%d bytes on the disk", n)
			}
			if err != nil && (strings.Contains(err.Error(), "\n\n") || len(err.Error()) > 1000) {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
			o, err := w.g.outcome()
			if err != nil || (o.What == refused) != c.refused {
				t.Errorf("outcome %+v %v", o, err)
			}
			if left, err := os.ReadDir(filepath.Dir(w.g.c.Dir)); err != nil || slices.ContainsFunc(left, func(e fs.DirEntry) bool { return e.Name() == "x" }) {
				t.Errorf("out of its folder: %v %v", left, err)
			}
		})
	}
}

func spill(w http.ResponseWriter) bool {
	for {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			return true
		}
	}
}

// drip sends a byte and then nothing until the other side gives up.
func drip(w http.ResponseWriter, rq *http.Request, name string) bool {
	if name != program {
		return false
	}
	_, _ = w.Write([]byte("p"))
	_ = http.NewResponseController(w).Flush()
	<-rq.Context().Done()
	return true
}

// OP-4: after an attack the same turn goes on with a good server, where it was no fault of the release.
func TestGoesOnAfterTrouble(t *testing.T) {
	m := newMaker(t)
	s := newServer(t, m.good(500), 500)
	g := newMachine(t, m, s)
	s.serve = func(w http.ResponseWriter, _ *http.Request, n string) bool {
		if n == program {
			_, _ = w.Write([]byte("amd64"))
		}
		return n == program
	}
	if err := g.Visit(t.Context()); err == nil {
		t.Fatal("taken")
	}
	if !s.says("idle", 0, 0) {
		t.Errorf("%v", s.heard)
	}
	s.serve = nil
	for range 2 { // what had come is damaged: it is thrown away, then fetched anew
		_ = g.Visit(t.Context())
	}
	if g.state().Next.Number != 500 {
		t.Fatal("not taken")
	}
}

// OP-4: a transfer that breaks off anywhere goes on from where it was; a server that cannot do that is asked from the beginning.
func TestResumes(t *testing.T) {
	m := newMaker(t)
	for _, ranges := range []bool{true, false} {
		s := newServer(t, m.good(500), 500)
		g := newMachine(t, m, s)
		data := m.good(500)[program].Data
		total, cuts := 0, 0
		s.serve = func(w http.ResponseWriter, rq *http.Request, n string) bool {
			if n != program {
				return false
			}
			from := 0
			if r := rq.Header.Get("Range"); ranges && r != "" {
				if _, err := fmt.Sscanf(r, "bytes=%d-", &from); err != nil {
					t.Error(err)
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
				w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
				w.WriteHeader(http.StatusPartialContent)
			} else {
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
			}
			to := min(from+1000, len(data))
			if !ranges && cuts > 2 {
				to = len(data)
			}
			_, _ = w.Write(data[from:to])
			total += to - from
			cuts++
			if to < len(data) {
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			return true
		}
		for range 20 {
			if err := g.Visit(t.Context()); err == nil {
				break
			}
			if !errors.Is(g.Visit(canceled(t)), context.Canceled) { // whoever ends in between loses nothing
				t.Error("a visit that is over")
			}
		}
		if g.state().Next.Number != 500 {
			t.Fatalf("ranges %t: not taken", ranges)
		}
		if ranges && total != len(data) {
			t.Errorf("%d bytes sent for %d", total, len(data))
		}
	}
}

func canceled(t *testing.T) context.Context {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	return ctx
}

// OP-4: what came for another turn or release is not gone on with.
func TestNewTurnBeginsAnew(t *testing.T) {
	m := newMaker(t)
	s := newServer(t, m.good(500), 500)
	g := newMachine(t, m, s)
	s.serve = func(w http.ResponseWriter, _ *http.Request, n string) bool {
		if n == program {
			w.Header().Set("Content-Length", "9999")
			_, _ = w.Write([]byte("half"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		return false
	}
	if err := g.Visit(t.Context()); err == nil {
		t.Fatal("taken")
	}
	s.serve = nil
	s.folder, s.number = m.good(600), 600
	g.visit()
	if g.state().Next.Number != 600 || strings.Contains(strings.Join(s.sent, "\n"), "bytes=4-") {
		t.Errorf("%+v %v", g.state(), s.sent)
	}
}

// OP-4: it asks only while there is a link, and ends with its context.
func TestRunAsksWhileLinked(t *testing.T) {
	m := newMaker(t)
	s := newServer(t, m.good(500), 500)
	g := newMachine(t, m, s)
	looked := make(chan bool)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.Run(ctx, func() bool {
			select {
			case l := <-looked:
				return l
			case <-ctx.Done():
				return false
			}
		})
	}()
	for range 3 {
		looked <- false
	}
	s.mu.Lock()
	asked := len(s.heard)
	s.mu.Unlock()
	if asked != 0 {
		t.Error("it asks without a link")
	}
	looked <- true
	looked <- false // the visit is over
	if g.state().Next.Number != 500 {
		t.Error("not taken")
	}
	stop()
	<-ended
}
