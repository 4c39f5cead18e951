package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names in the folder of a Fetcher.
const (
	releaseDir  = "release" // what has come of a release
	outcomeFile = "outcome" // how the last turn ended
)

// What became of a turn.
const (
	staged  = "staged"  // the program waits, is tried or was tried: gateway/slot knows how it went
	refused = "refused" // the release was not taken
)

// outcome is how the last turn ended: a turn is done once. The zero outcome is no turn.
type outcome struct {
	Number int64  `json:"number"` // of the release
	Try    int    `json:"try"`
	What   string `json:"what"`
}

// tryOf is the turn in which a release came; 0 = it came another way.
func (o outcome) tryOf(number int64) int {
	if o.Number == number && o.What == staged {
		return o.Try
	}
	return 0
}

// outcome reads it. One that cannot be read is none: then the turn is done once more, and checked as at first.
func (f *Fetcher) outcome() (o outcome, err error) {
	data, err := os.ReadFile(filepath.Join(f.c.Dir, outcomeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	if json.Unmarshal(data, &o) != nil {
		return outcome{}, nil
	}
	return o, nil
}

// finish remembers how a turn ended:
//
//	crash point 1: staged, not remembered  → the store says that it waits, or that it failed; both are told
//	crash point 2: refused, not remembered → the turn is done once more
func (f *Fetcher) finish(o outcome) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	file := filepath.Join(f.c.Dir, outcomeFile)
	out, err := os.OpenFile(file+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("remember how the turn ended: %w", err)
	}
	_, err = out.Write(data)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return fmt.Errorf("remember how the turn ended: %w", err)
	}
	d, err := os.Open(f.c.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
