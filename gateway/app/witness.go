package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"monban/firmware/link"
	"monban/firmware/witness"
)

// witnessFile keeps, in the data directory, what this gateway holds as a witness of the entry log. Two checkpoints and
// nothing personal: whoever audits may read it (`monban-gateway witness`).
const witnessFile = "witness.json"

type witnessForm struct {
	Version int    `json:"monban_witness"` // 1
	Held    string `json:"held"`
	Refused string `json:"refused"`
}

// logWitness is this gateway's part as a witness. It moves no door: with it broken, full or refusing, the doors do
// what they did (I6).
type logWitness struct {
	dir string
	key *witness.Cosigner
	now func() int64 // UTC ms, the best there is
	log *slog.Logger

	onFork func() // rings the bell (AL-6), once for each note refused; nil = nobody. It does not block.
	mu     sync.Mutex
	state  witness.State
	told   string // the refused note that rang last
}

func openWitness(identity, dir string, now func() int64, log *slog.Logger) (*logWitness, error) {
	skey, err := secret(identity, "note.key")
	if err != nil {
		return nil, err
	}
	w := &logWitness{dir: dir, now: now, log: log}
	if w.key, err = witness.FromNoteKey(string(skey)); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(identity, "note.key"), err)
	}
	data, err := os.ReadFile(filepath.Join(dir, witnessFile))
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	var form witnessForm
	if err := json.Unmarshal(data, &form); err != nil || form.Version != 1 {
		// It held one past of the log; to begin anew as if it had seen nothing is for a person to decide.
		return nil, fmt.Errorf("%s: is damaged: keep a copy for whoever audits the log, then remove it", filepath.Join(dir, witnessFile))
	}
	w.state = witness.State{Note: form.Held, Refused: form.Refused}
	return w, nil
}

// Held implements uplink.Witness.
func (w *logWitness) Held() link.WitnessHeld {
	w.mu.Lock()
	defer w.mu.Unlock()
	return link.WitnessHeld{Key: w.key.VKey(), Held: w.state.Note, Refused: w.state.Refused}
}

// Check implements uplink.Witness: the new state is on the disk before it is given back, and so before the server sees a
// cosignature.
//
//	crash point 1: taken, not written → the older one is held; nobody has seen the newer cosignature
//	crash point 2: written, not sent  → sent with the next question
func (w *logWitness) Check(c link.WitnessCheck) link.WitnessHeld {
	if err := w.check(c); err != nil {
		level := slog.LevelWarn
		if errors.Is(err, witness.ErrFork) {
			level = slog.LevelError // both notes are kept; the server is told, and whoever audits reads them here
		}
		w.log.LogAttrs(context.Background(), level, "checkpoint of the log not cosigned", slog.String("err", err.Error()))
	}
	return w.Held()
}

func (w *logWitness) check(c link.WitnessCheck) error {
	if c.Log == nil || c.Old > 1<<62 {
		return witness.ErrNote
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	proof := make(tlog.TreeProof, len(c.Proof))
	for i, h := range c.Proof {
		proof[i] = tlog.Hash(h)
	}
	next, err := w.state.Take(w.key, c.Log, c.Checkpoint, int64(c.Old), proof, uint64(max(0, w.now()/int64(time.Second/time.Millisecond))))
	if errors.Is(err, witness.ErrOld) {
		return nil // on its way since before; asked for again
	}
	if errors.Is(err, witness.ErrFork) && next.Refused != w.state.Refused && next.Refused != w.told && w.onFork != nil {
		w.told = next.Refused // the server sends it again every 30 s; written or not, people have heard it
		w.onFork()
	}
	if next == w.state {
		return err
	}
	data, jsonErr := json.Marshal(witnessForm{Version: 1, Held: next.Note, Refused: next.Refused})
	if jsonErr != nil {
		return errors.Join(err, jsonErr)
	}
	if writeErr := replaceFile(w.dir, witnessFile, append(data, '\n')); writeErr != nil {
		return errors.Join(err, fmt.Errorf("witness: %w", writeErr)) // not written, not shown
	}
	w.state = next
	return err
}

// WitnessText is what this gateway holds, for whoever audits: its public key, the newest checkpoint it cosigned, and the one
// it refused.
func WitnessText(identity, dir string) (string, error) {
	w, err := openWitness(identity, dir, func() int64 { return 0 }, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	if w.state.Note == "" {
		return w.key.VKey() + "\n", nil
	}
	text := w.key.VKey() + "\n\n" + w.state.Note
	if w.state.Refused != "" {
		text += "\nREFUSED, it contradicts the one above:\n\n" + w.state.Refused
	}
	return text, nil
}
