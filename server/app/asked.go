package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"monban/firmware/access"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/setup"
)

// A command that changes a card, or wants to know how the site stands, beside a running server puts a file into the data directory's folder of requests; the
// server, which alone writes the database, does it and puts an answer there. Whoever may write into that folder may read
// the keys too, so nothing more is asked of him (as with the files of ADR 0015).
const (
	requestDir   = "requests"
	requestTail  = ".request" // asked
	takenTail    = ".taken"   // the server does it
	answerTail   = ".answer"  // done, or refused
	requestEvery = 200 * time.Millisecond
	requestWait  = 10 * time.Second // then the command takes its request back
	maxRequest   = 64 << 10
)

// request asks for a card's new status, or with Steps how far the site is on its way; then nothing is changed.
type request struct {
	Card   string `json:"card,omitempty"`
	Status string `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
	Steps  bool   `json:"steps,omitempty"`

	Export     *exportNote     `json:"export,omitempty"` // the leaf of an export
	Checkpoint *checkpointAsk  `json:"checkpoint,omitempty"`
	Update     *updateRequest  `json:"update,omitempty"`
	Rollout    *rolloutRequest `json:"rollout,omitempty"`
}

type answer struct {
	Proposal string         `json:"proposal,omitempty"`
	Steps    []setup.Step   `json:"steps,omitempty"`
	Leaf     int64          `json:"leaf,omitempty"` // index of the leaf of an export
	Update   *UpdateState   `json:"update,omitempty"`
	Rollout  *RolloutStatus `json:"rollout,omitempty"`
	Error    string         `json:"error,omitempty"`

	File *CheckpointFile `json:"file,omitempty"`
}

// ErrNotKnown says that a command does not know what became of what it asked for.
var ErrNotKnown = errors.New("the server has begun and has not answered: look at the card on the pages, or ask again")

// SetCard changes a card's status: beside a running server through it, so that gateways hear of it within seconds (I5),
// else in the database of the stopped one. To re-activate one may wait for a second person: then the proposal's id
// is given back. The change is in the log when this returns without an error.
func SetCard(ctx context.Context, cfg *config.Config, card, status, reason string, log *slog.Logger) (proposal string, err error) {
	l, err := lock(cfg.Path(lockFile))
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		a, err := askServer(ctx, cfg.Path(requestDir), request{Card: card, Status: status, Reason: reason})
		return a.Proposal, err
	case err != nil:
		return "", err
	}
	if err := l.Close(); err != nil {
		return "", err
	}
	s, err := OpenSite(cfg, time.Now(), log)
	if err != nil {
		return "", err
	}
	proposal, err = s.SetCardStatus(ctx, card, status, reason)
	return proposal, errors.Join(err, s.Close())
}

// errNoAnswer says that the server has not taken what was asked.
var errNoAnswer = errors.New("the server that uses this data directory does not answer; nothing was changed: stop it and try again")

// askServer asks the running server and waits for its answer.
func askServer(ctx context.Context, dir string, q request) (a answer, err error) {
	if _, err := os.Stat(dir); err != nil {
		return a, fmt.Errorf("the server that is running takes no requests (%w): stop it first", err)
	}
	data, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	base := filepath.Join(dir, hex.EncodeToString(id[:]))
	if err := place(base+requestTail, data); err != nil {
		return a, fmt.Errorf("ask the server: %w", err)
	}
	wait := time.NewTimer(requestWait)
	defer wait.Stop()
	look := time.NewTicker(requestEvery / 4)
	defer look.Stop()
	for late := false; ; {
		data, err := os.ReadFile(base + answerTail)
		if err == nil {
			err = errors.Join(json.Unmarshal(data, &a), os.Remove(base+answerTail))
			if a.Error != "" {
				err = errors.Join(errors.New(a.Error), err)
			}
			return a, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return a, err
		}
		select {
		case <-look.C:
			continue
		case <-ctx.Done():
		case <-wait.C:
		}
		// Taken back before the server took it, nothing has happened; else its answer is waited for once more.
		switch err := os.Remove(base + requestTail); {
		case err == nil:
			return a, errNoAnswer
		case late || ctx.Err() != nil:
			return a, ErrNotKnown
		}
		late = true
		wait.Reset(requestWait)
	}
}

// place writes a file under another name and renames it, so that nobody reads half of it. It follows no link: the folder is the
// server's user's, and what asks may be stronger.
func place(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, path)
}

// openRequests makes the folder and forgets what an earlier server left half done: who asked was told that it is not
// known. A request that nobody has taken is done now only if somebody still waits for it, which is not known either, so
// it is forgotten too.
func openRequests(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("folder of requests: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("folder of requests: %w", err)
	}
	return nil
}

// followRequests does what commands ask for until ctx ends.
func (a *App) followRequests(ctx context.Context) {
	dir := a.site.Config.Path(requestDir)
	t := time.NewTicker(requestEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := eachRequest(dir, func(path string) answer { return a.doRequest(ctx, path) }); err != nil && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelError, "requests of commands", slog.Any("err", err))
			}
		}
	}
}

// eachRequest has each request that lies there done, in the order of their names.
func eachRequest(dir string, do func(path string) answer) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	for _, e := range list {
		base, ok := strings.CutSuffix(filepath.Join(dir, e.Name()), requestTail)
		if !ok {
			continue
		}
		if err := os.Rename(base+requestTail, base+takenTail); errors.Is(err, fs.ErrNotExist) {
			continue // taken back
		} else if err != nil {
			return err
		}
		done, err := json.Marshal(do(base + takenTail))
		if err == nil {
			err = errors.Join(place(base+answerTail, done), os.Remove(base+takenTail))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *App) doRequest(ctx context.Context, path string) (out answer) {
	q, err := readRequest(path)
	if err == nil && q.Steps {
		if out.Steps, err = a.Steps(ctx); err != nil {
			out.Error = err.Error()
		}
		return out
	}
	if err == nil && q.Export != nil {
		if out.Leaf, err = cliNote(ctx, a.site.Store, *q.Export, time.Now()); err != nil {
			out.Error = err.Error()
		}
		return out
	}
	if err == nil && q.Checkpoint != nil {
		f, err := a.outside.byFile(ctx, a.site, q.Checkpoint)
		if err != nil {
			return answer{Error: err.Error()}
		}
		return answer{File: &f}
	}
	if err == nil && q.Update != nil {
		if out, err = a.updateRequested(ctx, q.Update); err != nil {
			out.Error = err.Error()
		}
		return out
	}
	if err == nil && q.Rollout != nil {
		if out, err = a.rolloutRequested(ctx, q.Rollout); err != nil {
			out.Error = err.Error()
		}
		return out
	}
	var status access.CredentialStatus
	if err == nil {
		status, err = access.ParseCredentialStatus(q.Status)
	}
	if err == nil && strings.TrimSpace(q.Reason) == "" {
		err = errors.New("a reason is needed")
	}
	if err == nil {
		var done directory.Outcome
		done, err = a.registry.SetCardStatus(ctx, directory.Actor{From: "cli"}, q.Reason, directory.CardID(q.Card), status)
		out.Proposal = done.Proposal
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

// readRequest reads a request; what is not one is refused.
func readRequest(path string) (q request, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return q, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxRequest {
		return q, errors.New("not a request")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return q, err
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return q, errors.New("not a request") // err may quote it
	}
	return q, nil
}
