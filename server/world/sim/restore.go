package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/world/invariant"
)

// policyJump is by how much a restore raises the versions of rules and modes, as in server/app.
const policyJump = 1_000_000

// backup is what a backup of the running server holds.
type backup struct {
	store *model
	dir   directory.Snapshot
	saved map[access.GatewayID]time.Duration
	at    time.Duration // true time
	known entrylog.Checkpoint
}

// backup keeps the server's durable half as it has committed; it goes on meanwhile.
func (s *server) backup() *backup {
	s.w.count("backup")
	return &backup{s.store.copy(), s.dir, maps.Clone(s.saved), s.w.now, s.known}
}

// copy gives a model that shares nothing with this one but what is never changed.
func (m *model) copy() *model {
	if m.open {
		panic("BUG: a copy inside a transaction")
	}
	c := &model{
		w: m.w, fold: m.fold, leaves: slices.Clone(m.leaves), tree: m.tree, openings: maps.Clone(m.openings), chains: maps.Clone(m.chains),
		records: maps.Clone(m.records), attempts: map[[16]byte]*attempt.Row{}, leavesOf: map[int64][]int64{},
		findings: slices.Clone(m.findings), kept: maps.Clone(m.kept), heads: maps.Clone(m.heads), parts: maps.Clone(m.parts),
		settings: maps.Clone(m.settings), pins: maps.Clone(m.pins), coverage: slices.Clone(m.coverage), acts: slices.Clone(m.acts),
		matters: maps.Clone(m.matters), badges: maps.Clone(m.badges), counted: m.counted, awaited: m.awaited,
	}
	for _, r := range m.order {
		row := *r
		c.order = append(c.order, &row)
		c.attempts[row.ID] = &row
	}
	for first, list := range m.leavesOf {
		c.leavesOf[first] = slices.Clone(list)
	}
	return c
}

// restore puts a backup in the place of a stopped server's database and begins another log (ADR 0017). fresh: on a new
// machine, where nothing is left of what the old one signed since the backup.
func (s *server) restore(b *backup, fresh bool) error {
	w := s.w
	if s.up {
		return errors.New("BUG: restored under a running server")
	}
	w.count("restore")
	w.counts["leaves lost by restores"] += len(s.store.leaves) - len(b.store.leaves)
	for k, c := range s.store.chains {
		w.counts["records lost by restores"] += int(c.watermark - b.store.chains[k].watermark)
	}
	before := statuses(&s.dir)
	s.lost = s.store
	s.store, s.dir, s.saved = b.store.copy(), b.dir, maps.Clone(b.saved)
	known := s.known
	if fresh {
		known = b.known
	}
	if err := s.tell(b.at); err != nil {
		return err
	}
	if err := s.succeed(known); err != nil {
		return err
	}
	for i := range s.dir.Credentials { // what operators did since the backup is undone, and nobody but they can know of it
		c := &s.dir.Credentials[i]
		was := before[c.ID]
		if was != c.Status {
			w.count("card states undone by restores")
		}
		switch {
		case was == c.Status:
		case c.Status == access.CredentialActive:
			w.emit(invariant.Event{Kind: invariant.Reinstated, Card: string(c.ID)})
		case was == access.CredentialActive:
			w.emit(invariant.Event{Kind: invariant.Revoked, Card: string(c.ID)})
		}
	}
	s.boot()
	return w.err
}

func statuses(d *directory.Snapshot) map[directory.CardID]access.CredentialStatus {
	out := map[directory.CardID]access.CredentialStatus{}
	for i := range d.Credentials {
		out[d.Credentials[i].ID] = d.Credentials[i].Status
	}
	return out
}

// tell shows the checkers what is in the restored store, by its leaves, and which disks are behind it.
func (s *server) tell(taken time.Duration) error {
	w := s.w
	w.emit(invariant.Event{Kind: invariant.Restored, Seq: uint64(len(s.store.leaves)), From: taken})
	for i, l := range s.store.leaves {
		w.emit(invariant.Event{Kind: invariant.Leaf, Seq: uint64(i), Hash: wire.Hash(entrylog.LeafHash(l.Body)), Body: l.Body})
		p, err := entrylog.Parse(l.Body)
		if err != nil {
			return fmt.Errorf("restored leaf %d: %w", i, err)
		}
		switch {
		case p.Kind == entrylog.KindRecord:
			r, err := wire.ParseRecord(p.Record.Body)
			if err != nil {
				return fmt.Errorf("restored leaf %d: %w", i, err)
			}
			w.emit(invariant.Event{
				Kind: invariant.Row, Gateway: r.Gateway, Door: r.Door, Epoch: r.Epoch, Seq: r.Seq, Hash: wire.Hash(p.Record.Chain), Body: p.Record.Body,
			})
		case p.Kind == entrylog.KindSystem && p.System.Name == entrylog.SystemGap:
			e := invariant.Event{Kind: invariant.Gap, Gateway: gatewayID(p.System.Value("gateway"))}
			seq, ok := p.System.Int("seq")
			if !ok || !p.System.Hex("epoch", e.Epoch[:]) || !p.System.Hex("hash", e.Hash[:]) {
				return fmt.Errorf("restored leaf %d: no gap leaf", i)
			}
			e.Seq = uint64(seq)
			w.emit(e)
		}
	}
	w.rolled = map[string]bool{}
	for i := range s.store.findings {
		if f := &s.store.findings[i]; f.Kind == string(review.GatewayRolledBack) {
			w.rolled[f.Gateway+" "+f.Detail] = true
		}
	}
	for _, g := range w.gateways {
		w.owedRollback(g)
	}
	return w.err
}

// succeed ends the log and begins the next one: succession leaf, finding, floor of versions, in one transaction.
func (s *server) succeed(known entrylog.Checkpoint) error {
	w := s.w
	if w.opt.Hooks.NoSuccession {
		return nil // the old key goes on signing
	}
	old := hashKey{s.origin}
	s.origin = logName(s.logs + 1)
	s.logs++
	next := entrylog.Succession{
		Origin: s.origin, Before: old.name, Size: s.store.tree.Size(), Root: s.store.tree.Root(), SinceMS: w.wallMS(), AtMS: w.wallMS(), Why: "restore",
	}
	if known.Size > 0 {
		signed, err := note.Sign(&note.Note{Text: known.Text()}, old)
		if err != nil {
			return err
		}
		next.Known = string(signed)
	}
	if err := next.Check(next.Size, next.Root, old); err != nil {
		return err
	}
	leaf, err := next.Leaf()
	if err != nil {
		return err
	}
	s.known = entrylog.Checkpoint{Origin: s.origin}
	from, to := next.Lost()
	return s.store.write(commitOK, func(m *model) error {
		if _, err := m.system(leaf, &entrylog.Opening{Name: "operator", Text: "restore"}); err != nil {
			return err
		}
		f := review.New(review.LogSucceeded, next.Size)
		if _, err := m.AppendFinding(attempt.Finding{
			Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, AtMS: w.wallMS(), Detail: fmt.Sprintf("lost:%d-%d", from, to),
		}, nil); err != nil {
			return err
		}
		if w.opt.Hooks.NoVersionJump {
			return nil
		}
		floor := uint64(0)
		for _, part := range []string{wire.PartRules, wire.PartModes} {
			v, _, err := m.PolicyHead("", part)
			if err != nil {
				return err
			}
			floor = max(floor, v)
		}
		return m.SetSetting(policypub.FloorSetting, strconv.FormatUint(floor+policyJump, 10))
	})
}

// logName is the name of the nth log's key.
func logName(n int) string { return fmt.Sprintf("monban/%08x", n) }

// takeBackup is the first half of a restore in a day; a stopped server's database can be copied too.
func (w *World) takeBackup() time.Duration {
	w.backup = w.server.backup()
	return time.Second
}

// loseServer breaks the server's machine; after a while it is back from the backup.
func (w *World) loseServer() time.Duration {
	s, b := w.server, w.backup
	if b == nil {
		panic("BUG: no backup was taken in this part of the day")
	}
	w.backup = nil
	if s.up {
		s.stop("power cut")
	}
	s.life++ // nobody else boots it
	life, fresh := s.life, w.chance(50)
	took := w.between(10*time.Second, 90*time.Second)
	w.after(took, func() {
		if s.life != life || s.up {
			return
		}
		if err := s.restore(b, fresh); err != nil && w.err == nil {
			w.err = err
		}
	})
	return took + w.between(3*time.Second, 20*time.Second)
}
