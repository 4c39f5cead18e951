package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/firmware/witness"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/logcheck"
	"monban/server/review"
	"monban/server/store"
)

// witnessOld is how old the newest cosignature of a witness may be: one a day at least (EV-4).
const witnessOld = 24 * time.Hour

// witnessSetting holds, behind it, what was told last of a gateway as a witness: that once is told once.
const witnessSetting = "witness_told/"

// witnesses keeps what gateways hold of the log (downlink.Witnesses). A gateway's cosigning key is what its signed
// message says; one that differs from the one before (another device) is told in the program's log, and whoever audits
// compares it with what the gateway itself shows.
type witnesses struct {
	site  string
	store *store.Store
	log   *slog.Logger
	keys  logcheck.Keys // of this log and of those before it

	mu   sync.Mutex
	last map[access.GatewayID]string // the note that was looked at last
}

func newWitnesses(s *Site, log *slog.Logger) (*witnesses, error) {
	opt, err := logKeys(s.Config.Path(keysDir))
	if err != nil {
		return nil, err
	}
	return &witnesses{site: s.Config.Site, store: s.Store, log: log, keys: logcheck.Keys{Log: opt.Log, Before: opt.Before}, last: map[access.GatewayID]string{}}, nil
}

// Witnessed implements downlink.Witnesses.
func (w *witnesses) Witnessed(ctx context.Context, gw access.GatewayID, m wire.Witness, at time.Time) (link.Proof, bool, error) {
	var held witness.Point
	if m.Held != "" {
		held = witness.State{Note: m.Held}.Held()
		if err := w.look(ctx, gw, &m, at); err != nil {
			return link.Proof{}, false, err
		}
	}
	if m.Refused != "" {
		if err := w.tell(ctx, gw, "refused", m.Refused, at); err != nil {
			return link.Proof{}, false, err
		}
	}
	if !m.Ask || w.store.SignErr() != nil {
		return link.Proof{}, false, nil
	}
	signed, proof, ok, err := w.store.ProveSince(ctx, held.Origin, held.Size)
	if err != nil || !ok {
		return link.Proof{}, false, err
	}
	p := link.Proof{Checkpoint: signed}
	if len(proof) > 0 {
		p.Old = uint64(held.Size)
	}
	for _, h := range proof {
		p.Proof = append(p.Proof, wire.Hash(h))
	}
	return p, true, nil
}

// look takes a held checkpoint: the log must extend it, and then it is kept.
func (w *witnesses) look(ctx context.Context, gw access.GatewayID, m *wire.Witness, at time.Time) error {
	w.mu.Lock()
	seen := w.last[gw] == m.Held
	w.mu.Unlock()
	if seen {
		return nil
	}
	c, root, err := store.OpenCosigned(m.Key, m.Held, w.keyOf)
	if err != nil {
		return err // nobody's word but the gateway's: nothing follows from it
	}
	if want := witnessName(w.site, gw); c.Witness != want {
		return fmt.Errorf("%w: key of %s, want one of %s", store.ErrWitness, c.Witness, want)
	}
	if c.Origin == w.keys.Log.Name() { // what a log before this one has lost stands in its succession
		if err := w.store.Beyond(ctx, "gateway "+string(gw), c.Size, root); err != nil {
			if !errors.Is(err, store.ErrHead) {
				return err
			}
			return errors.Join(err, w.tell(ctx, gw, "beyond", m.Held, at))
		}
	}
	err = w.store.Write(ctx, func(tx *store.Tx) error {
		old, err := tx.Cosignatures(c.Witness, 1)
		if err != nil {
			return err
		}
		if len(old) > 0 && old[0].VKey != c.VKey {
			w.log.LogAttrs(ctx, slog.LevelError, "a witness has another key: compare it with the gateway's own (monban-gateway witness)",
				slog.String("gateway", string(gw)), slog.String("key", c.VKey), slog.String("before", old[0].VKey))
		}
		return tx.PutCosignature(c)
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.last[gw] = m.Held
	w.mu.Unlock()
	return nil
}

// witnessName is the name of a gateway's cosigning key (witness.FromNoteKey).
func witnessName(site string, gw access.GatewayID) string {
	return wire.GatewayKeyName(site, gw) + "/witness"
}

func (w *witnesses) keyOf(origin string) note.Verifier { return w.keys.Of(origin) }

// tell makes a finding of a witness whose checkpoint the log does not extend. The finding is no proof, the two notes are.
func (w *witnesses) tell(ctx context.Context, gw access.GatewayID, what, signed string, at time.Time) error {
	sum := sha256.Sum256([]byte(what + "\n" + signed))
	mark := hex.EncodeToString(sum[:8])
	return w.store.Write(ctx, func(tx *store.Tx) error {
		told, err := tx.Setting(witnessSetting + string(gw))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if told == mark {
			return nil
		}
		f := review.New(review.LogFork, review.NoCause)
		_, err = tx.AppendFinding(attempt.Finding{
			Kind: string(f.Kind), Severity: f.Severity.String(), Gateway: string(gw), Cause: f.Cause, Detail: what, AtMS: at.UnixMilli(),
		}, nil)
		if err != nil {
			return fmt.Errorf("log finding %s: %w", f.Kind, err)
		}
		return tx.SetSetting(witnessSetting+string(gw), mark)
	})
}

// witnessAge asks whether each gateway of the directory has cosigned within a day (EV-4, OP-2).
func witnessAge(ctx context.Context, s *store.Store, site string, gateways []directory.Gateway, now time.Time) error {
	if len(gateways) == 0 {
		return errNotSetUp
	}
	newest := map[string]int64{}
	err := s.Read(ctx, func(r *store.ReadTx) error {
		for _, g := range gateways {
			list, err := r.Cosignatures(witnessName(site, g.ID), 1)
			if err != nil {
				return err
			}
			if len(list) > 0 {
				newest[string(g.ID)] = list[0].AtMS
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var missing []string
	for _, g := range gateways {
		if at, ok := newest[string(g.ID)]; !ok || now.Sub(time.UnixMilli(at)) > witnessOld {
			missing = append(missing, string(g.ID))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("no cosignature within a day of %v: look whether these gateways are linked and say why not (monban-gateway doctor, their log)", missing)
}
