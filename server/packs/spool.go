package packs

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Errors of a Spool.
var (
	ErrBusy = errors.New("too many packs are waiting or kept: try again when some are done or gone")
	ErrNone = errors.New("no such pack")
	// ErrNoRoom is told before a pack is begun, and ends one that is being made: the disk is the log's first.
	ErrNoRoom = errors.New("there is no room for a pack")
)

// State is how far a job is. The zero value is none.
type State string

// States of a Job.
const (
	Waiting State = "waiting"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Limits of a Spool.
const (
	// KeptFor is how long a pack is kept after it was made (†).
	KeptFor = 24 * time.Hour
	// jobTime ends a job that hangs.
	jobTime = 2 * time.Hour
	// mostTries ends a job that each time takes the server down with it.
	mostTries = 3
	// Reserve is what a pack leaves free on its disk, in bytes: the log lies there too, and an acknowledgement needs room (I4).
	Reserve = 1 << 30
	maxJobs = 60
	// Of one account: nobody keeps the others from their packs.
	maxJobsEach, maxWaitingEach = 12, 3
)

// Job is one pack that somebody asked for.
type Job struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	From    string `json:"from"`    // how the account came in, for the leaves
	Address string `json:"address"` // from where
	Kind    string `json:"kind"`    // audit, day, person
	First   string `json:"first"`   // YYYY-MM-DD
	Last    string `json:"last"`
	Person  string `json:"person"`
	Names   bool   `json:"names"`
	Use     string `json:"use"` // registered purpose of use
	Reason  string `json:"reason"`

	State State     `json:"state"`
	Asked time.Time `json:"asked"`
	Ended time.Time `json:"ended"`
	Tries int       `json:"tries"`
	Sum   string    `json:"sum"`  // SHA-256 of its MANIFEST, hex, as the log holds it
	Size  int64     `json:"size"` // bytes of the pack
	Fault string    `json:"fault"`
	Key   []byte    `json:"key"` // of this try's file

	Part  int `json:"-"` // done, of Parts
	Parts int `json:"-"`
}

// Make writes the pack of a job and gives its hash. It may be called again for a job that was broken off.
type Make func(ctx context.Context, j Job, w io.Writer, progress func(done, of int)) (sum string, err error)

// Spool holds the jobs.
type Spool struct {
	dir  string
	make Make
	now  func() time.Time
	log  *slog.Logger
	seal cipher.AEAD
	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	turn chan struct{} // one at a time
	free func(dir string) (uint64, error)

	mu   sync.Mutex
	jobs map[string]*Job
}

// Open takes a directory, which it makes, and goes on with what was there. What key does not open is taken away.
func Open(dir string, key [32]byte, make Make, now func() time.Time, log *slog.Logger) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("packs: %w", err)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	s := &Spool{dir: dir, make: make, now: now, log: log, turn: newTurn(), free: freeBytes, jobs: map[string]*Job{}}
	if s.seal, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.load(); err != nil {
		return nil, err
	}
	s.Sweep()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, j := range s.jobs {
		switch {
		case j.State == Done || j.State == Failed:
		case j.Tries >= mostTries:
			j.State, j.Ended, j.Fault = Failed, now(), "it was broken off each time"
			if err := s.save(j); err != nil {
				return nil, err
			}
		default:
			j.State = Waiting
			s.work.Add(1)
			go s.run(id)
		}
	}
	return s, nil
}

func newTurn() chan struct{} { return make(chan struct{}, 1) }

// load reads the notes and takes away what belongs to none.
func (s *Spool) load() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("packs: %w", err)
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".job")
		if !ok {
			continue
		}
		sealed, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if err != nil {
			return fmt.Errorf("packs: %w", err)
		}
		var j Job
		if data, err := s.seal.Open(nil, nil, sealed, []byte(id)); err == nil && json.Unmarshal(data, &j) == nil && j.ID == id {
			s.jobs[id] = &j
		}
	}
	for _, e := range entries {
		id, tail, _ := strings.Cut(e.Name(), ".")
		if j := s.jobs[id]; j == nil || tail != "job" && (tail != "pack" || j.State != Done) {
			_ = os.Remove(filepath.Join(s.dir, e.Name())) // unreadable or half written; it is made again
		}
	}
	return nil
}

// Close breaks off the job that runs and waits for it. The next Open begins it again.
func (s *Spool) Close() {
	s.stop()
	s.work.Wait()
}

// Start queues a job and gives its id. It is kept before this returns.
func (s *Spool) Start(j Job) (string, error) {
	s.Sweep()
	if err := s.room(); err != nil {
		return "", err
	}
	j.ID, j.State, j.Asked, j.Tries = rand.Text(), Waiting, s.now(), 0
	s.mu.Lock()
	defer s.mu.Unlock()
	own, waiting := 0, 0
	for _, x := range s.jobs {
		if x.Account == j.Account {
			own++
			if x.State == Waiting || x.State == Running {
				waiting++
			}
		}
	}
	if len(s.jobs) >= maxJobs || own >= maxJobsEach || waiting >= maxWaitingEach || s.ctx.Err() != nil {
		return "", ErrBusy
	}
	if err := s.save(&j); err != nil {
		return "", err
	}
	s.jobs[j.ID] = &j
	s.work.Add(1)
	go s.run(j.ID)
	return j.ID, nil
}

func (s *Spool) run(id string) {
	defer s.work.Done()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-s.ctx.Done():
		return // the next start begins it
	}
	key := make([]byte, 32)
	rand.Read(key)
	j, err := s.set(id, func(j *Job) { j.State, j.Tries, j.Key = Running, j.Tries+1, key })
	if err == nil {
		var sum string
		var size int64
		if sum, size, err = s.write(j); err == nil {
			_, err = s.set(id, func(j *Job) { j.State, j.Ended, j.Sum, j.Size = Done, s.now(), sum, size })
		}
	}
	if err == nil {
		return
	}
	_ = os.Remove(s.path(id, "pack")) // half a pack is none
	if s.ctx.Err() != nil {
		_, err = s.set(id, func(j *Job) { j.State, j.Tries = Waiting, j.Tries-1 }) // the server ends: no fault of the job
	} else {
		s.log.Error("a pack could not be made", "job", id, "err", err)
		_, err = s.set(id, func(j *Job) { j.State, j.Ended, j.Fault = Failed, s.now(), err.Error() })
	}
	if err != nil && !errors.Is(err, ErrNone) {
		s.log.Error("the note of a pack could not be written", "job", id, "err", err)
	}
}

// write makes the file of a job.
func (s *Spool) write(j Job) (sum string, size int64, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, jobTime)
	defer cancel()
	f, err := os.OpenFile(s.path(j.ID, "pack"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("packs: %w", err)
	}
	w, err := newSealer(&roomy{s: s, f: f}, j.Key)
	if err != nil {
		return "", 0, errors.Join(err, f.Close())
	}
	sum, err = s.guarded(ctx, j, w)
	if err == nil {
		err = w.Close()
	}
	return sum, w.size, errors.Join(err, f.Sync(), f.Close(), syncDir(s.dir))
}

// guarded turns a panic into a failed job: a pack must not end the server.
func (s *Spool) guarded(ctx context.Context, j Job, w io.Writer) (sum string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("BUG: making a pack panicked: %v", r)
		}
	}()
	return s.make(ctx, j, w, func(done, of int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if j := s.jobs[j.ID]; j != nil {
			j.Part, j.Parts = done, of
		}
	})
}

// set changes a job and its note. ErrNone when it is gone.
func (s *Spool) set(id string, change func(*Job)) (Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil {
		return Job{}, ErrNone
	}
	change(j)
	return *j, s.save(j)
}

// save writes the note of a job, under s.mu. It replaces the one before as a whole, and is on the disk when it returns: a power cut leaves a note or none.
func (s *Spool) save(j *Job) error {
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	path := s.path(j.ID, "job")
	err = writeSynced(path+".tmp", s.seal.Seal(nil, nil, data, []byte(j.ID)))
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return fmt.Errorf("packs: %w", err)
	}
	return nil
}

func (s *Spool) path(id, tail string) string { return filepath.Join(s.dir, id+"."+tail) }

// Jobs lists the jobs of an account, newest first. Keys are left out.
func (s *Spool) Jobs(account string) (out []Job) {
	s.Sweep()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.Account == account {
			x := *j
			x.Key = nil
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Job) int { return cmp.Or(b.Asked.Compare(a.Asked), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Read gives the pack of a job to whoever asked for it, and to nobody else: ErrNone. What was changed on the disk ends with an error
// before its last byte is given.
func (s *Spool) Read(account, id string) (io.ReadCloser, Job, error) {
	s.Sweep()
	s.mu.Lock()
	j := s.jobs[id]
	if j == nil || account == "" || j.Account != account || j.State != Done {
		s.mu.Unlock()
		return nil, Job{}, ErrNone
	}
	x := *j
	s.mu.Unlock()
	f, err := os.Open(s.path(id, "pack"))
	if err != nil {
		return nil, Job{}, fmt.Errorf("packs: %w", err)
	}
	r, err := newOpener(f, x.Key)
	if err != nil {
		return nil, Job{}, errors.Join(err, f.Close())
	}
	x.Key = nil
	return struct {
		io.Reader
		io.Closer
	}{r, f}, x, nil
}

// Sweep takes away what is older than KeptFor.
func (s *Spool) Sweep() {
	s.drop(func(j *Job) bool { return !j.Ended.IsZero() && s.now().Sub(j.Ended) >= KeptFor })
}

// DropMadeBefore takes away what was made before a time, as what was disposed of or erased then must be in no file that is handed out later.
// One that was asked for before and made after goes too: it may have read before. So does one from a time that is still to come: the clock went back, and
// nobody can say on which side of t it was asked for.
func (s *Spool) DropMadeBefore(t time.Time) {
	s.drop(func(j *Job) bool { return j.State == Done && (j.Asked.Before(t) || j.Asked.After(s.now())) })
}

func (s *Spool) drop(old func(*Job) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, j := range s.jobs {
		if old(j) {
			_ = os.Remove(s.path(id, "pack")) // without its note nobody can read it
			_ = os.Remove(s.path(id, "job"))
			delete(s.jobs, id)
		}
	}
}
