package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"monban/server/config"
	"monban/server/store"
	"monban/server/timestamp"
	"monban/server/witness"
)

// What `checkpoint` commands have done by the running server, or by themselves when none runs: files that somebody carries to a
// witness or to a time-stamping authority and back (EV-4, EV-10).
const (
	opStampAsk   = "stamp_ask"   // → request for a time stamp (.tsq)
	opStampTake  = "stamp_take"  // answer to it (.tsr) →
	opCosignAsk  = "cosign_ask"  // → body of add-checkpoint
	opCosignTake = "cosign_take" // cosignature lines →
)

// checkpointAsk is one of them.
type checkpointAsk struct {
	Op      string `json:"op"`
	Witness string `json:"witness,omitempty"` // name of its key; "" = the only one
	Old     int64  `json:"old,omitempty"`     // size that the witness says it holds; 0 = what is known here
	Data    []byte `json:"data,omitempty"`
}

// CheckpointFile is what came of it.
type CheckpointFile struct {
	Data []byte `json:"data,omitempty"` // to be written
	Size int64  `json:"size,omitempty"` // leaves of the checkpoint
	Who  string `json:"who,omitempty"`  // witness or authority
	AtMS int64  `json:"at_ms,omitempty"`
}

// filesOut are the checkpoints that were exported for a witness and may come back cosigned: a setting behind this with its name.
const filesOut = "witness_files/"

// mostOut of them are remembered.
const mostOut = 8

// StampAsk makes the request for a time stamp on the newest checkpoint.
func StampAsk(ctx context.Context, cfg *config.Config, log *slog.Logger) (CheckpointFile, error) {
	return doCheckpoint(ctx, cfg, checkpointAsk{Op: opStampAsk}, log)
}

// StampTake checks and keeps the answer.
func StampTake(ctx context.Context, cfg *config.Config, answer []byte, log *slog.Logger) (CheckpointFile, error) {
	return doCheckpoint(ctx, cfg, checkpointAsk{Op: opStampTake, Data: answer}, log)
}

// CosignAsk makes the file for a witness that is reached by files: the body of an add-checkpoint, with the proof from what it
// cosigned last. old, when not 0, is what the witness says it holds.
func CosignAsk(ctx context.Context, cfg *config.Config, name string, old int64, log *slog.Logger) (CheckpointFile, error) {
	return doCheckpoint(ctx, cfg, checkpointAsk{Op: opCosignAsk, Witness: name, Old: old}, log)
}

// CosignTake checks and keeps what the witness gave.
func CosignTake(ctx context.Context, cfg *config.Config, answer []byte, log *slog.Logger) (CheckpointFile, error) {
	return doCheckpoint(ctx, cfg, checkpointAsk{Op: opCosignTake, Data: answer}, log)
}

func doCheckpoint(ctx context.Context, cfg *config.Config, q checkpointAsk, log *slog.Logger) (f CheckpointFile, err error) {
	if len(q.Data) > timestamp.MostAnswer {
		return f, fmt.Errorf("the file is longer than %d bytes: it is none of these", timestamp.MostAnswer)
	}
	l, err := lock(cfg.Path(lockFile))
	if errors.Is(err, syscall.EWOULDBLOCK) {
		a, err := askServer(ctx, cfg.Path(requestDir), request{Checkpoint: &q})
		if err == nil && a.File == nil {
			err = errors.New("the running server is of another version: stop it first")
		}
		if err != nil {
			return f, err
		}
		return *a.File, nil
	}
	if err != nil {
		return f, err
	}
	if err := l.Close(); err != nil {
		return f, err
	}
	s, err := OpenSite(cfg, time.Now(), log)
	if err != nil {
		return f, err
	}
	o, err := newOutside(s, log, time.Now)
	if err == nil {
		f, err = o.byFile(ctx, s, &q)
	}
	return f, errors.Join(err, s.Close())
}

// byFile does what a command asks for.
func (o *outside) byFile(ctx context.Context, s *Site, q *checkpointAsk) (CheckpointFile, error) {
	switch q.Op {
	case opStampAsk:
		return o.stampAsk(ctx)
	case opStampTake:
		return o.stampTake(ctx, s.Config, q.Data)
	case opCosignAsk:
		return o.cosignAsk(ctx, q.Witness, q.Old)
	case opCosignTake:
		return o.cosignTake(ctx, string(q.Data))
	}
	return CheckpointFile{}, errors.New("not a request about checkpoints")
}

// newest signs what is not signed yet and gives the newest checkpoint.
func (o *outside) newest(ctx context.Context) (signed string, size int64, err error) {
	if err := o.store.SignNow(ctx); err != nil {
		return "", 0, err
	}
	if signed = o.store.Checkpoint(); signed == "" {
		return "", 0, errors.New("nothing is signed yet")
	}
	size, err = sizeOf(signed)
	return signed, size, err
}

func (o *outside) stampAsk(ctx context.Context) (f CheckpointFile, err error) {
	signed, size, err := o.newest(ctx)
	if err != nil {
		return f, err
	}
	nonce, err := o.stampNonce(ctx, signed)
	if err != nil {
		return f, err
	}
	if f.Data, err = timestamp.Request([]byte(signed), nonce); err != nil {
		return f, err
	}
	f.Size = size
	return f, o.store.Write(ctx, func(tx *store.Tx) error {
		return tx.PutStampRequest(store.StampRequest{Size: size, Note: signed, Nonce: nonce, AtMS: o.now().UnixMilli()})
	})
}

// stampNonce is that of the request that waits for its answer, or a new one: asked for again, the file that was carried away first is answered too.
func (o *outside) stampNonce(ctx context.Context, signed string) (nonce []byte, err error) {
	err = o.store.Read(ctx, func(r *store.ReadTx) error {
		q, err := r.StampRequest(sha256.Sum256([]byte(signed)))
		nonce = q.Nonce
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return timestamp.NewNonce(nil)
	}
	return nonce, err
}

// stampTrust reads whose time stamps are believed; nil when none is set up.
func stampTrust(c *config.Timestamp) (*timestamp.Trust, error) {
	if c.CAFile == "" {
		return nil, nil //nolint:nilnil // none is configured
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("timestamp.ca_file: %w", err)
	}
	t, err := timestamp.NewTrust(pem, c.Policies)
	if err != nil {
		return nil, fmt.Errorf("timestamp.ca_file %s: %w", c.CAFile, err)
	}
	return t, nil
}

func (o *outside) stampTake(ctx context.Context, cfg *config.Config, answer []byte) (f CheckpointFile, err error) {
	trust, err := stampTrust(&cfg.Timestamp)
	if err == nil && trust == nil {
		err = errors.New("no authority is trusted: name its certificate in timestamp.ca_file")
	}
	if err != nil {
		return f, err
	}
	imprint, err := timestamp.Imprint(answer)
	if err != nil {
		return f, err
	}
	var s store.Stamp
	err = o.store.Write(ctx, func(tx *store.Tx) error {
		q, err := tx.StampRequest(imprint)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: none is waited for (make a request first; each is answered once)", timestamp.ErrImprint)
		}
		if err != nil {
			return err
		}
		s, err = tx.PutStamp(q, answer, trust, o.now())
		return err
	})
	return CheckpointFile{Size: s.Size, Who: s.Authority, AtMS: s.StampMS}, err
}

// named gives the witness of that name, or the only one.
func (o *outside) named(name string) (*witness.Client, error) {
	var names []string
	for _, c := range o.list {
		if c.Name() == name || name == "" && len(o.list) == 1 {
			return c, nil
		}
		names = append(names, c.Name())
	}
	if len(names) == 0 {
		return nil, errors.New("no witness is set up: give its key in [[witness]], without a url when it is reached by files")
	}
	return nil, fmt.Errorf("which witness? one of %s", strings.Join(names, ", "))
}

func (o *outside) cosignAsk(ctx context.Context, name string, old int64) (f CheckpointFile, err error) {
	c, err := o.named(name)
	if err != nil {
		return f, err
	}
	if old == 0 {
		if old, err = o.held(ctx, c.Name()); err != nil {
			return f, err
		}
	}
	if _, _, err := o.newest(ctx); err != nil {
		return f, err
	}
	signed, size, proof, err := o.ProveFrom(ctx, old)
	if err != nil {
		return f, err
	}
	if f.Data, err = witness.Request(old, proof, signed); err != nil {
		return f, err
	}
	f.Size, f.Who = size, c.Name()
	return f, o.store.Write(ctx, func(tx *store.Tx) error {
		out, err := sentOut(tx.Setting(filesOut + c.Name()))
		if err != nil {
			return err
		}
		if !slices.Contains(out, signed) {
			out = append(out, signed)
		}
		text, err := json.Marshal(out[max(0, len(out)-mostOut):])
		if err != nil {
			return err
		}
		return tx.SetSetting(filesOut+c.Name(), string(text))
	})
}

// sentOut reads the setting of checkpoints that were exported, oldest first.
func sentOut(text string, err error) (out []string, _ error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal([]byte(text), &out)
}

// cosignTake finds out by the signatures which witness cosigned which of the checkpoints that were exported for it.
func (o *outside) cosignTake(ctx context.Context, answer string) (f CheckpointFile, err error) {
	if size, bad := strconv.ParseInt(strings.TrimSpace(answer), 10, 64); bad == nil { // a 409 as a file
		return f, fmt.Errorf("the witness holds a checkpoint of %d leaves: export again with --old %d", size, size)
	}
	for _, c := range o.list {
		var out []string
		err := o.store.Read(ctx, func(r *store.ReadTx) (err error) {
			out, err = sentOut(r.Setting(filesOut + c.Name()))
			return err
		})
		if err != nil {
			return f, err
		}
		for _, signed := range slices.Backward(out) {
			cosigned, err := c.Cosigned(signed, answer)
			if err != nil {
				continue // of another checkpoint, or another witness
			}
			size, err := sizeOf(signed)
			if err != nil {
				return f, err
			}
			if err := o.keep(ctx, c, cosigned); err != nil {
				return f, err
			}
			return CheckpointFile{Size: size, Who: c.Name(), AtMS: o.now().UnixMilli()}, nil
		}
	}
	return f, fmt.Errorf("%w, or of no checkpoint that was exported for it (the last %d are remembered)", witness.ErrCosignature, mostOut)
}
