package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

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

// witnessSetting holds, behind it with gateway and kind, what was told last of a gateway as a witness and on which day: that
// once is told once, and that a gateway in wrong hands cannot fill the log with findings.
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
	last map[access.GatewayID]looked // what was looked at last
	said map[string]string           // gateway/subject → day on which the program's log was told of it
}

func newWitnesses(s *Site, log *slog.Logger) (*witnesses, error) {
	opt, err := logKeys(s.Config.Path(keysDir))
	if err != nil {
		return nil, err
	}
	return &witnesses{site: s.Config.Site, store: s.Store, log: log, keys: logcheck.Keys{Log: opt.Log, Before: opt.Before}, last: map[access.GatewayID]looked{}, said: map[string]string{}}, nil
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
		if err := w.refused(ctx, gw, held, m.Refused, at); err != nil {
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
	before := w.last[gw]
	w.mu.Unlock()
	if before.note == m.Held { // its signatures are known; the log may have changed under it since
		return w.compare(ctx, gw, before, at)
	}
	c, root, err := store.OpenCosigned(m.Key, m.Held, w.keyOf)
	if err != nil {
		return err // nobody's word but the gateway's: nothing follows from it
	}
	if want := witnessName(w.site, gw); c.Witness != want {
		return fmt.Errorf("%w: key of %s, want one of %s", store.ErrWitness, c.Witness, want)
	}
	held := looked{note: m.Held, origin: c.Origin, size: c.Size, root: root}
	if err := w.compare(ctx, gw, held, at); err != nil {
		return err
	}
	c.ReceivedMS = at.UnixMilli()
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
	switch {
	case errors.Is(err, store.ErrWitnessClock):
		// It is not kept, so that the self-test misses this witness. It is answered all the same: else it would never get past
		// this checkpoint, also with its clock set.
		w.say(ctx, gw, "clock", "a witness's cosignature is of a time to come and is not kept: set the gateway's clock", at,
			slog.Time("cosigned", time.UnixMilli(c.AtMS)), slog.Time("received", at))
	case err != nil:
		return err
	}
	w.mu.Lock()
	w.last[gw] = held
	w.mu.Unlock()
	return nil
}

// looked is a note of a gateway whose signatures were checked.
type looked struct {
	note, origin string
	size         int64
	root         tlog.Hash
}

// compare holds the log against what a gateway holds of it, each time it says so.
func (w *witnesses) compare(ctx context.Context, gw access.GatewayID, x looked, at time.Time) error {
	if x.origin != w.keys.Log.Name() { // what a log before this one has lost stands in its succession
		return nil
	}
	err := w.store.Beyond(ctx, "gateway "+string(gw), x.size, x.root)
	if !errors.Is(err, store.ErrHead) {
		return err
	}
	return errors.Join(err, w.tell(ctx, gw, "beyond", x.note, at))
}

// witnessName is the name of a gateway's cosigning key (witness.FromNoteKey).
func witnessName(site string, gw access.GatewayID) string {
	return wire.GatewayKeyName(site, gw) + "/witness"
}

func (w *witnesses) keyOf(origin string) note.Verifier { return w.keys.Of(origin) }

// say tells the program's log, once a day of each gateway and subject: what a gateway shows comes again each half minute.
func (w *witnesses) say(ctx context.Context, gw access.GatewayID, subject, text string, at time.Time, attrs ...slog.Attr) {
	key, day := string(gw)+"/"+subject, at.UTC().Format(time.DateOnly)
	w.mu.Lock()
	told := w.said[key] == day
	w.said[key] = day
	w.mu.Unlock()
	if !told {
		w.log.LogAttrs(ctx, slog.LevelError, text, append([]slog.Attr{slog.String("gateway", string(gw))}, attrs...)...)
	}
}

// refused takes the checkpoint that a gateway says contradicts what it holds. Only what is signed by the log's key and does
// contradict, by itself or against this log, is a finding; the rest is nobody's word but the gateway's.
func (w *witnesses) refused(ctx context.Context, gw access.GatewayID, held witness.Point, signed string, at time.Time) error {
	err := w.contradicts(ctx, gw, held, signed)
	switch {
	case err == nil:
		return w.tell(ctx, gw, "refused", signed, at)
	case errors.Is(err, errNoFork):
		w.say(ctx, gw, "refused", "a gateway shows a checkpoint as refused that proves nothing; it is dropped", at, slog.Any("error", err))
		return nil
	}
	return err
}

// errNoFork says that a checkpoint a gateway refused is no evidence of a second log.
var errNoFork = errors.New("not a checkpoint that contradicts this log")

// contradicts gives nil when the note is a checkpoint of a log of ours that cannot stand beside the held one, whose signatures
// and place in this log were looked at before; errNoFork when it can, or nothing tells.
func (w *witnesses) contradicts(ctx context.Context, gw access.GatewayID, held witness.Point, signed string) error {
	list, err := logcheck.OpenHeld(&w.keys, []logcheck.NamedNote{{Name: "refused by " + string(gw), Signed: signed}})
	if err != nil {
		return fmt.Errorf("%w: %w", errNoFork, err)
	}
	c := list[0].Checkpoint
	switch {
	case c.Origin == held.Origin && c.Size == held.Size && c.Root != held.Root:
		return nil // two signed roots of one size
	case c.Origin != w.keys.Log.Name():
		return fmt.Errorf("%w: it is of the earlier log %s, and what that one lost stands in the succession", errNoFork, c.Origin)
	}
	// The log extends what is held: what it does not extend too is of another log under the same key.
	err = w.store.Extends(ctx, "the note refused by "+string(gw), c.Size, c.Root)
	switch {
	case err == nil:
		return fmt.Errorf("%w: the log extends it (%d leaves)", errNoFork, c.Size)
	case errors.Is(err, store.ErrHead):
		return nil
	}
	return err
}

// tell makes a finding of a checkpoint that the log does not extend: each once, and of a gateway and kind at most one a day.
// The finding is no proof, the two notes are.
func (w *witnesses) tell(ctx context.Context, gw access.GatewayID, what, signed string, at time.Time) error {
	sum := sha256.Sum256([]byte(signed))
	mark, day := hex.EncodeToString(sum[:8]), at.UTC().Format(time.DateOnly)
	key := witnessSetting + string(gw) + "/" + what
	return w.store.Write(ctx, func(tx *store.Tx) error {
		told, err := tx.Setting(key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if toldMark, toldDay, _ := strings.Cut(told, " "); toldMark == mark || toldDay == day {
			return nil
		}
		f := review.New(review.LogFork, review.NoCause)
		_, err = tx.AppendFinding(attempt.Finding{
			Kind: string(f.Kind), Severity: f.Severity.String(), Gateway: string(gw), Cause: f.Cause, Detail: what, AtMS: at.UnixMilli(),
		}, nil)
		if err != nil {
			return fmt.Errorf("log finding %s: %w", f.Kind, err)
		}
		return tx.SetSetting(key, mark+" "+day)
	})
}

// witnessAge asks whether of each gateway of the directory a cosignature came within a day (EV-4, OP-2), by this server's clock.
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
				newest[string(g.ID)] = list[0].ReceivedMS
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
