// Package fetch gets a release from the site's server when the server says that it is this gateway's turn (ADR 0084), and hands it on as a
// person with a stick would: to gateway/slot, which checks it with firmware/update. Nothing is believed because the server sent it; what the
// server can do is to say nothing, and to send what is dropped again.
//
// It must never write more than a release may hold, never keep what was not signed, and never change a program by itself.
//
// The doors: it has no way to one. A server that is gone, slow or hostile costs this gateway some bytes and a goroutine's time.
package fetch

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"monban/firmware/update"
	"monban/gateway/slot"
)

// Bounds on what a server may have this gateway take.
const (
	mostAnswer  = 256 << 10        // bytes of the list of files
	mostFiles   = 2000             // of them
	mostSigned  = 4 << 20          // bytes of one signed text; firmware/update has narrower bounds
	mostTexts   = 64 << 20         // bytes of all signed texts together
	mostProgram = 256 << 20        // bytes of a program, signed or not
	mostError   = 300              // bytes of a refusal that are shown
	answerWait  = 15 * time.Second // until an answer begins
	stall       = 30 * time.Second // without a byte, and a transfer is given up
	longest     = 20 * time.Minute // of one visit; the next goes on from where it was
)

// Config of a Fetcher.
type Config struct {
	Server string // https://HOST:PORT
	// Client gives the connection of one visit: certificates and roots are those of its moment.
	Client func() *http.Client
	Dir    string // folder of its own: what has come, and what became of it
	Store  *slot.Store
	Root   string // file of the root, for the first time
	Path   string // this machine's program in a release
	Arch   string // as in Path
	Own    int64  // number of the machine's own program
	// Running is the number of the program of this process.
	Running int64
	// Trial is the number of the program while this process was started to be tried, 0 = it was not.
	Trial int64
	Clock func() (clock update.Clock, linked bool)
	Every time.Duration // how often it asks
	// Stall and Longest bound a transfer; 0 = 30 s and 20 min.
	Stall, Longest time.Duration
}

// Fetcher asks for its turn.
type Fetcher struct {
	c      Config
	client *http.Client // of the visit
	// Told is called with what a person should know; nil = nobody. change says that something is about to happen to the program.
	Told func(change bool, text string, err error)
	last string // what was told last: the same trouble is told once
}

// New makes a Fetcher; it does nothing until Run.
func New(c Config) *Fetcher {
	if c.Stall == 0 {
		c.Stall = stall
	}
	if c.Longest == 0 {
		c.Longest = longest
	}
	return &Fetcher{c: c}
}

// Run asks until ctx ends, with a jitter, and only while linked says so: without a server there is nobody to ask.
func (f *Fetcher) Run(ctx context.Context, linked func() bool) {
	for {
		var b [2]byte
		_, _ = rand.Read(b[:]) // never fails
		wait := f.c.Every*3/4 + f.c.Every/2*time.Duration(binary.BigEndian.Uint16(b[:]))/(1<<16)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if !linked() {
			continue
		}
		visit, end := context.WithTimeout(ctx, f.c.Longest)
		err := f.Visit(visit)
		end()
		if ctx.Err() != nil {
			return
		}
		f.tell(err)
	}
}

func (f *Fetcher) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != f.last && f.Told != nil && err != nil {
		f.Told(false, "release not fetched", err)
	}
	f.last = text
}

// turn is what the server answers to whom it gives a turn.
type turn struct {
	Number int64 `json:"number"`
	Try    int   `json:"try"`
	Files  []struct {
		Path string `json:"path"`
		Size int64  `json:"size"`
	} `json:"files"`
}

// Visit asks once, and takes the release when it has its turn. An error is of the network, the server, the disk or the release; the programs
// are then as they were.
func (f *Fetcher) Visit(ctx context.Context) error {
	f.client = f.c.Client()
	defer f.client.CloseIdleConnections()
	st, err := f.c.Store.State()
	if err != nil {
		return err
	}
	o, err := f.outcome()
	if err != nil {
		return err
	}
	t, err := f.ask(ctx, f.say(st, o))
	if err != nil || t == nil {
		return err
	}
	switch {
	case t.Number <= 0 || t.Try <= 0:
		return errors.New("the server's answer is none of a turn")
	case st.Next.Number != 0: // one at a time; what was done is told at the next visit
		return nil
	case o.Number == t.Number && o.Try == t.Try:
		return nil // done with this turn, and how is told with each visit
	}
	err = f.take(ctx, t)
	var bad *badRelease
	switch {
	case errors.As(err, &bad):
		err = errors.Join(err, f.finish(outcome{t.Number, t.Try, refused}))
	case err == nil:
		err = f.finish(outcome{t.Number, t.Try, staged})
		if f.Told != nil {
			f.Told(true, "a release waits for the doors", nil)
		}
	}
	return err
}

// badRelease is an error of the release itself: it does not get better by another try of the same turn.
type badRelease struct{ error }

func (b *badRelease) Unwrap() error { return b.error }

// said is what the server is told.
type said struct {
	word   string
	number int64
	try    int
}

// say is how this gateway stands: what is under way, else how the last turn ended.
func (f *Fetcher) say(st slot.State, o outcome) said {
	switch {
	case st.Next.Number != 0 && st.Next.Number == f.c.Trial:
		return said{"trial", st.Next.Number, o.tryOf(st.Next.Number)}
	case st.Next.Number != 0:
		return said{"waiting", st.Next.Number, o.tryOf(st.Next.Number)}
	case o.What == refused:
		return said{"refused", o.Number, o.Try}
	case o.What == staged && st.Failed.Number == o.Number:
		return said{"failed", o.Number, o.Try}
	case o.What == staged && f.c.Running >= o.Number:
		return said{"kept", o.Number, o.Try}
	}
	if _, err := os.Stat(filepath.Join(f.c.Dir, releaseDir)); err == nil {
		return said{"fetching", 0, 0}
	}
	return said{"idle", 0, 0}
}

func (f *Fetcher) get(ctx context.Context, target string, from int64) (*http.Response, error) {
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, f.c.Server+target, http.NoBody)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		rq.Header.Set("Range", "bytes="+strconv.FormatInt(from, 10)+"-")
	}
	resp, err := f.client.Do(rq)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text holds the address, which every line of the journal has already
			err = u.Err
		}
		return nil, fmt.Errorf("server of updates: %w", err)
	}
	return resp, nil
}

// ask gives the server's answer; nil = it is not this gateway's turn.
func (f *Fetcher) ask(ctx context.Context, s said) (*turn, error) {
	ctx, end := context.WithTimeout(ctx, 2*answerWait)
	defer end()
	q := url.Values{"arch": {f.c.Arch}, "running": {strconv.FormatInt(f.c.Running, 10)}, "state": {s.word},
		"number": {strconv.FormatInt(s.number, 10)}, "try": {strconv.Itoa(s.try)}}
	resp, err := f.get(ctx, "/v1/turn?"+q.Encode(), 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil, nil
	case http.StatusOK:
	default:
		return nil, refusal(resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("server of updates: %w", err)
	}
	var t turn
	if len(data) > mostAnswer || json.Unmarshal(data, &t) != nil || len(t.Files) > mostFiles {
		return nil, errors.New("the server's answer cannot be read: is this its port of updates?")
	}
	return &t, nil
}

func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, mostError)) // what there is of it
	return fmt.Errorf("server of updates: %s: %q", resp.Status, strings.TrimSpace(string(text)))
}

// take fetches what is missing and hands the whole to the store. Signed texts come first: only when they are good is it known how long the
// program is, and only then is it fetched.
func (f *Fetcher) take(ctx context.Context, t *turn) error {
	dir := filepath.Join(f.c.Dir, releaseDir)
	if err := f.begin(dir, t); err != nil {
		return err
	}
	left := int64(mostTexts)
	program := false
	for _, x := range t.Files {
		switch {
		case x.Path == f.c.Path:
			program = true
			continue
		case !update.Signed(x.Path) || !fs.ValidPath(x.Path) || strings.Count(x.Path, "/") > 1:
			return &badRelease{fmt.Errorf("%q: is no file of a release for this machine", x.Path)}
		}
		n, err := f.file(ctx, x.Path, filepath.Join(dir, filepath.FromSlash(x.Path)), min(left, mostSigned), false)
		if err != nil {
			return err
		}
		left -= n
	}
	if !program {
		return &badRelease{fmt.Errorf("%s: the release has no such file: it is not for this machine", f.c.Path)}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // only read
	clock, linked := f.c.Clock()
	r := slot.Release{Folder: root.FS(), Path: f.c.Path, Clock: clock, Own: f.c.Own, Root: f.c.Root, Linked: linked, Again: t.Try > 1}
	p, file, err := f.c.Store.Check(r)
	switch {
	case err != nil:
		return f.drop(dir, &badRelease{err})
	case p.Number != t.Number:
		return f.drop(dir, &badRelease{fmt.Errorf("the server gave release %d for %d", p.Number, t.Number)})
	case file.Size > mostProgram:
		return f.drop(dir, &badRelease{fmt.Errorf("%s: has more than %d bytes", file.Path, mostProgram)})
	}
	if _, err := f.file(ctx, file.Path, filepath.Join(dir, filepath.FromSlash(file.Path)), file.Size, true); err != nil {
		return err
	}
	if err := update.Copy(io.Discard, root.FS(), file); err != nil { // by the network or by a disk: the next visit begins anew
		return f.drop(dir, err)
	}
	if _, err := f.c.Store.Stage(r); err != nil {
		return f.drop(dir, &badRelease{err})
	}
	return f.drop(dir, nil)
}

// begin makes the folder of a turn. What came in another turn, or of another release, is thrown away.
func (f *Fetcher) begin(dir string, t *turn) error {
	mark := filepath.Join(dir, "turn")
	want := fmt.Sprintf("%d %d\n", t.Number, t.Try)
	if have, err := os.ReadFile(mark); err == nil && string(have) == want {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, d := range []string{update.RootFolder, path.Dir(f.c.Path)} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(d)), 0o700); err != nil {
			return err
		}
	}
	return os.WriteFile(mark, []byte(want), 0o600) // half of it is another turn's
}

// drop throws away what has come; err is why, and is given back.
func (f *Fetcher) drop(dir string, err error) error { return errors.Join(err, os.RemoveAll(dir)) }

// file fetches one file of at most so many bytes, and gives how many it has. With resume it goes on from what is there; without it a file that
// is there is fetched anew, as nobody has vouched for its length.
func (f *Fetcher) file(ctx context.Context, name, to string, most int64, resume bool) (size int64, err error) {
	flags := os.O_WRONLY | os.O_CREATE
	if !resume {
		flags |= os.O_TRUNC
	}
	out, err := os.OpenFile(to, flags, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if size, err = out.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	if resume && size >= most { // whole, or damaged; its hash says which
		return size, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(answerWait+f.c.Stall, cancel)
	defer idle.Stop()
	resp, err := f.get(ctx, "/v1/file/"+(&url.URL{Path: name}).EscapedPath(), size)
	if err != nil {
		return size, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	switch {
	case resp.StatusCode == http.StatusOK && size > 0: // it does not go on: from the beginning
		if err := out.Truncate(0); err != nil {
			return size, err
		}
		if size, err = out.Seek(0, io.SeekStart); err != nil {
			return size, err
		}
	case resp.StatusCode == http.StatusPartialContent && size > 0 && strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(size, 10)+"-"):
	case resp.StatusCode != http.StatusOK:
		return size, refusal(resp)
	}
	body := &lively{r: io.LimitReader(resp.Body, most-size+1), idle: idle, wait: f.c.Stall}
	n, err := io.Copy(out, body)
	if size += n; size > most {
		return 0, errors.Join(fmt.Errorf("%s: the server sends more than %d bytes", name, most), out.Truncate(0))
	}
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("the server has stopped sending")
		}
		return size, fmt.Errorf("%s: %w", name, err)
	}
	return size, out.Sync()
}

// lively puts the end of a transfer off with each byte that comes.
type lively struct {
	r    io.Reader
	idle *time.Timer
	wait time.Duration
}

// Read implements io.Reader.
func (l *lively) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if n > 0 {
		l.idle.Reset(l.wait)
	}
	return n, err
}
