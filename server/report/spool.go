package report

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
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
	ErrBusy = errors.New("too many reports are waiting: try again when some are done")
	ErrNone = errors.New("no such report")
)

// State is how far a job is. The zero value is none.
type State string

// States of a Job.
const (
	Waiting State = "waiting"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
	// Lost is a job that a restart ended, or whose files it made unreadable, or whose files may show what is withheld since: it is asked for again.
	Lost State = "lost"
)

// Limits of a Spool.
const (
	// KeptFor is how long files are kept after they were made (†).
	KeptFor = 24 * time.Hour
	// jobTime ends a job that hangs.
	jobTime    = 30 * time.Minute
	maxJobs    = 500 // kept
	maxWaiting = 50  // not done yet
	// Of one account: nobody keeps the others from their papers.
	maxJobsEach    = 50
	maxWaitingEach = 5
	// maxUnasked is of papers that the server makes by itself, beside the others: each zone's of a Golden Week.
	maxUnasked = 5000
)

// Unasked is the account of papers that the server makes by itself. No account is called so.
const Unasked = "*"

// Job is one report that somebody asked for. It names nobody but the account.
type Job struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Kind    string    `json:"kind"`
	Zone    string    `json:"zone"`
	Query   string    `json:"query"` // of the page, to ask for it again
	Format  Format    `json:"format"`
	State   State     `json:"state"`
	Asked   time.Time `json:"asked"`
	Ended   time.Time `json:"ended"`
	Until   time.Time `json:"until,omitzero"` // its files are kept until then, if that is later than KeptFor
	Part    int       `json:"-"`              // parts done
	Parts   int       `json:"-"`
	Files   []Kept    `json:"-"`
	Output  Output    `json:"-"` // without the files
}

// Kept is a file of a job.
type Kept struct {
	Name, Type string
	Size       int
}

// Spool makes reports one after the other and keeps their files for a while. The files are encrypted under a key that is in memory only:
// what a backup or a stolen disk holds of them cannot be read, and destroying the keys of a year needs no look in here (PR-3).
type Spool struct {
	dir  string
	now  func() time.Time
	log  *slog.Logger
	seal cipher.AEAD
	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	turn chan struct{} // one at a time

	mu   sync.Mutex
	jobs map[string]*Job
}

// OpenSpool takes a directory, which it makes. Jobs that were there are shown as lost; their files go.
func OpenSpool(dir string, now func() time.Time, log *slog.Logger) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	s := &Spool{dir: dir, now: now, log: log, turn: make(chan struct{}, 1), jobs: map[string]*Job{}}
	if s.seal, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !strings.HasSuffix(e.Name(), ".json") {
			_ = os.Remove(path) // unreadable since the restart; what stays is swept with its age
			continue
		}
		var j Job
		if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &j) != nil || j.ID+".json" != e.Name() {
			_ = os.Remove(path)
			continue
		}
		if j.State != Failed {
			j.State = Lost
		}
		if j.Ended.IsZero() {
			j.Ended = now()
		}
		s.jobs[j.ID] = &j
	}
	return s, nil
}

// Close ends the job that runs and waits for it.
func (s *Spool) Close() {
	s.stop()
	s.work.Wait()
}

// Start queues a job and gives its id. make is called once, in its turn; what it returns is kept. ErrBusy when too many wait.
func (s *Spool) Start(j Job, make func(ctx context.Context, progress func(done, of int)) (*Output, error)) (string, error) {
	s.Sweep()
	j.ID, j.State, j.Asked = rand.Text(), Waiting, s.now()
	s.mu.Lock()
	waiting, own, ownWaiting, unasked := 0, 0, 0, 0
	for _, x := range s.jobs {
		if x.Account == Unasked {
			unasked++
			continue
		}
		mine := x.Account == j.Account
		if mine {
			own++
		}
		if x.State == Waiting || x.State == Running {
			waiting++
			if mine {
				ownWaiting++
			}
		}
	}
	busy := waiting >= maxWaiting || len(s.jobs)-unasked >= maxJobs || own >= maxJobsEach || ownWaiting >= maxWaitingEach
	if j.Account == Unasked { // one waits at a time; neither keeps the other from its paper
		busy = unasked >= maxUnasked
	}
	if busy || s.ctx.Err() != nil {
		s.mu.Unlock()
		return "", ErrBusy
	}
	if err := s.save(&j); err != nil {
		s.mu.Unlock()
		return "", err
	}
	s.jobs[j.ID] = &j
	s.work.Add(1)
	s.mu.Unlock()
	go s.run(j.ID, make)
	return j.ID, nil
}

func (s *Spool) run(id string, make func(context.Context, func(done, of int)) (*Output, error)) {
	defer s.work.Done()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-s.ctx.Done():
		return // the next start says that it is lost
	}
	s.set(id, func(j *Job) { j.State = Running })
	ctx, cancel := context.WithTimeout(s.ctx, jobTime)
	defer cancel()
	out, err := s.guarded(ctx, make, func(done, of int) { s.set(id, func(j *Job) { j.Part, j.Parts = done, of }) })
	var kept []Kept
	if err == nil {
		kept, err = s.keep(id, out.Files)
	}
	s.set(id, func(j *Job) {
		j.Ended, j.State = s.now(), Done
		if err != nil {
			j.State = Failed
		} else {
			j.Files, j.Output = kept, *out
			j.Output.Files = nil
		}
		if e := s.save(j); e != nil {
			s.log.Error("a report's note could not be written", "err", e)
		}
	})
	if err != nil && s.ctx.Err() == nil {
		s.log.Error("a report could not be made", "job", id, "err", err)
	}
}

// guarded turns a panic of a library into a failed job: a report must not end the server.
func (s *Spool) guarded(ctx context.Context, make func(context.Context, func(done, of int)) (*Output, error), progress func(done, of int)) (out *Output, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("BUG: making a report panicked: %v", r)
		}
	}()
	return make(ctx, progress)
}

func (s *Spool) set(id string, f func(*Job)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.jobs[id]; j != nil {
		f(j)
	}
}

// save writes the note of a job, under s.mu. After a power cut a half-written one is dropped at the next start.
func (s *Spool) save(j *Job) error {
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, j.ID+".json"), data, 0o600); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	return nil
}

func (s *Spool) path(id string, n int) string {
	return filepath.Join(s.dir, id+"-"+itoa(n)+".bin")
}

func (s *Spool) keep(id string, files []File) (kept []Kept, err error) {
	for i, f := range files {
		if err := os.WriteFile(s.path(id, i), s.seal.Seal(nil, nil, f.Data, []byte(id)), 0o600); err != nil {
			return nil, fmt.Errorf("reports: %w", err)
		}
		kept = append(kept, Kept{f.Name, f.Type, len(f.Data)})
	}
	return kept, nil
}

// Jobs lists the jobs of an account, newest first.
func (s *Spool) Jobs(account string) (out []Job) {
	s.Sweep()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.Account == account {
			out = append(out, *j)
		}
	}
	slices.SortFunc(out, func(a, b Job) int { return cmp.Or(b.Asked.Compare(a.Asked), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Wait waits until a job has ended and gives it.
func (s *Spool) Wait(ctx context.Context, id string) (Job, error) {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		s.mu.Lock()
		j := s.jobs[id]
		if j == nil {
			s.mu.Unlock()
			return Job{}, ErrNone
		}
		x := *j
		s.mu.Unlock()
		if x.State != Waiting && x.State != Running {
			return x, nil
		}
		select {
		case <-ctx.Done():
			return x, ctx.Err()
		case <-s.ctx.Done():
			return x, context.Canceled
		case <-t.C:
		}
	}
}

// Read gives a file of a job to whoever asked for it, and to nobody else: ErrNone.
func (s *Spool) Read(account, id string, n int) (File, error) {
	s.Sweep()
	s.mu.Lock()
	j := s.jobs[id]
	if j == nil || j.Account != account || account == "" || j.State != Done || n < 0 || n >= len(j.Files) {
		s.mu.Unlock()
		return File{}, ErrNone
	}
	f := j.Files[n]
	s.mu.Unlock()
	sealed, err := os.ReadFile(s.path(id, n))
	if err != nil {
		return File{}, fmt.Errorf("reports: %w", err)
	}
	data, err := s.seal.Open(nil, nil, sealed, []byte(id))
	if err != nil {
		return File{}, fmt.Errorf("reports: file %d of %s was changed: %w", n, id, err)
	}
	return File{f.Name, f.Type, data}, nil
}

// Sweep takes away what is older than KeptFor, and is not to be kept longer.
func (s *Spool) Sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, j := range s.jobs {
		if j.Ended.IsZero() || s.now().Sub(j.Ended) < KeptFor || s.now().Before(j.Until) {
			continue
		}
		for n := range j.Files {
			_ = os.Remove(s.path(id, n))
		}
		_ = os.Remove(filepath.Join(s.dir, id+".json"))
		delete(s.jobs, id)
	}
}

// DropMadeBefore makes papers lost that were asked for before a time: what is withheld since then must be in no file that is handed out later. They are asked for again. So are papers
// from a time that is still to come: the clock went back, and nobody can say on which side of t they were asked for.
func (s *Spool) DropMadeBefore(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, j := range s.jobs {
		if j.State != Done || !j.Asked.Before(t) && !j.Asked.After(s.now()) {
			continue
		}
		for n := range j.Files {
			_ = os.Remove(s.path(id, n)) // its key is in memory only: what stays is swept at the next start
		}
		j.State, j.Files, j.Output = Lost, nil, Output{}
	}
}
