package sim

import (
	"fmt"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/world/invariant"
)

// Leaves of the model store, as the server appends them.

// AttemptRow implements authority.Tx.
func (m *model) AttemptRow(id [16]byte) (attempt.Row, error) {
	r, ok := m.attempts[id]
	if !ok {
		return attempt.Row{}, store.ErrNotFound
	}
	return *r, nil
}

// AttemptLeaves implements authority.Tx.
func (m *model) AttemptLeaves(first int64) ([]int64, error) {
	return append([]int64{first}, m.leavesOf[first]...), nil
}

// Leaf implements authority.Tx and ingest.Past.
func (m *model) Leaf(idx int64) (entrylog.Leaf, error) {
	if idx < 0 || idx >= int64(len(m.leaves)) {
		return entrylog.Leaf{}, store.ErrNotFound
	}
	return m.leaves[idx], nil
}

func (m *model) insert(r attempt.Row) {
	row := &r
	m.attempts[r.ID] = row
	m.order = append(m.order, row)
	m.undone(func() {
		delete(m.attempts, r.ID)
		m.order = m.order[:len(m.order)-1]
	})
}

func (m *model) update(r attempt.Row, idx int64) {
	row := m.attempts[r.ID]
	old, first := *row, row.First
	*row = r
	m.leavesOf[first] = append(m.leavesOf[first], idx)
	m.undone(func() {
		*row = old
		m.leavesOf[first] = m.leavesOf[first][:len(m.leavesOf[first])-1]
	})
}

func (m *model) decided(d *entrylog.Decision) {
	m.events = append(m.events, invariant.Event{
		Kind: invariant.Decided, Gateway: gatewayID(d.Gateway), Door: doorID(d.Door), Attempt: d.Attempt,
		Granted: d.Outcome == "granted", By: 1,
	})
}

// AppendFirstDecision implements authority.Tx.
func (m *model) AppendFirstDecision(d entrylog.Decision, o *entrylog.Opening) (int64, bool, error) {
	if _, known := m.attempts[d.Attempt]; known {
		return 0, false, nil
	}
	body, err := d.Append(nil)
	if err != nil {
		return 0, false, err
	}
	idx := m.append(entrylog.KindDecision, body, o)
	row := attempt.Row{}
	m.fold.Decision(&row, true, idx, &d, refOf(o))
	m.insert(row)
	m.decided(&d)
	return idx, true, nil
}

// AppendDecision implements authority.Tx.
func (m *model) AppendDecision(d entrylog.Decision, o *entrylog.Opening) (int64, error) {
	idx, first, err := m.AppendFirstDecision(d, o)
	if err != nil || first {
		return idx, err
	}
	body, err := d.Append(nil)
	if err != nil {
		return 0, err
	}
	idx = m.append(entrylog.KindDecision, body, o)
	row := *m.attempts[d.Attempt]
	m.fold.Decision(&row, false, idx, &d, refOf(o))
	m.update(row, idx)
	m.decided(&d)
	return idx, nil
}

// AppendRecord implements ingest.Tx.
func (m *model) AppendRecord(in store.RecordIn, o *entrylog.Opening) (int64, entrylog.Hash, error) {
	b, l := in.Body, in.Leaf
	key := chainKey{string(b.Gateway), b.Epoch}
	c := m.chains[key]
	if b.Seq != c.watermark+1 {
		return 0, entrylog.Hash{}, fmt.Errorf("append record %d after %d: %w", b.Seq, c.watermark, store.ErrNotNext)
	}
	l.Chain = entrylog.Link(c.hash, l.Body)
	body, err := l.Append(nil)
	if err != nil {
		return 0, entrylog.Hash{}, err
	}
	idx := m.append(entrylog.KindRecord, body, o)
	m.setChain(key, chainState{b.Seq, l.Chain, idx})
	rk := recordKey{key, b.Seq}
	m.records[rk] = recordRow{l.Chain, idx}
	m.undone(func() { delete(m.records, rk) })
	m.events = append(m.events, invariant.Event{
		Kind: invariant.Row, Gateway: b.Gateway, Door: b.Door, Epoch: b.Epoch, Seq: b.Seq, Hash: wire.Hash(l.Chain), Body: l.Body,
	})
	if m.w.opt.Hooks.IngestTwice && m.w.chance(2) { // a table without its unique key, and a batch that came twice
		m.events = append(m.events, m.events[len(m.events)-1])
	}
	if b.Attempt == (door.Attempt{}) {
		return idx, l.Chain, nil
	}
	row, known := m.attempts[b.Attempt]
	r := attempt.Row{}
	if known {
		r = *row
	}
	m.fold.Record(&r, !known, idx, &l, b, refOf(o))
	if known {
		m.update(r, idx)
	} else {
		m.insert(r)
	}
	return idx, l.Chain, nil
}

func (m *model) setChain(key chainKey, c chainState) {
	old, had := m.chains[key]
	m.chains[key] = c
	m.undone(func() {
		if m.chains[key] = old; !had {
			delete(m.chains, key)
		}
	})
}

// Chain implements ingest.Tx.
func (m *model) Chain(gateway string, epoch [16]byte) (uint64, entrylog.Hash, error) {
	c := m.chains[chainKey{gateway, epoch}]
	return c.watermark, c.hash, nil
}

// RecordHash implements ingest.Tx.
func (m *model) RecordHash(gateway string, epoch [16]byte, seq uint64) (entrylog.Hash, int64, error) {
	r, ok := m.records[recordKey{chainKey{gateway, epoch}, seq}]
	if !ok {
		return entrylog.Hash{}, 0, store.ErrNotFound
	}
	return r.hash, r.idx, nil
}

func (m *model) system(y entrylog.System, o *entrylog.Opening) (int64, error) {
	body, err := y.Append(nil)
	if err != nil {
		return 0, err
	}
	return m.append(entrylog.KindSystem, body, o), nil
}

// AppendGap implements ingest.Tx.
func (m *model) AppendGap(gateway string, epoch [16]byte, seq uint64, h entrylog.Hash, atMS int64) (int64, error) {
	idx, err := m.system(entrylog.System{Name: entrylog.SystemGap, AtMS: atMS, Values: []string{
		gateway, entrylog.HexText(epoch[:]), fmt.Sprint(seq), entrylog.HexText(h[:]),
	}}, nil)
	if err != nil {
		return 0, err
	}
	m.setChain(chainKey{gateway, epoch}, chainState{seq, h, idx})
	m.events = append(m.events, invariant.Event{Kind: invariant.Gap, Gateway: gatewayID(gateway), Epoch: epoch, Seq: seq, Hash: wire.Hash(h)})
	return idx, nil
}

// AppendQuarantine implements ingest.Tx.
func (m *model) AppendQuarantine(gateway string, epoch [16]byte, seq uint64, body []byte, atMS int64, o *entrylog.Opening) (int64, error) {
	idx, err := m.system(attempt.QuarantineLeaf(gateway, epoch, seq, body, atMS), o)
	if err != nil {
		return 0, err
	}
	key := quarantineKey(gateway, epoch, seq, body)
	m.kept[key] = true
	m.undone(func() { delete(m.kept, key) })
	return idx, nil
}

func quarantineKey(gateway string, epoch [16]byte, seq uint64, body []byte) string {
	return fmt.Sprintf("%s %x %d %s", gateway, epoch, seq, body)
}

// AppendFinding implements ingest.Tx and authority.Tx.
func (m *model) AppendFinding(f attempt.Finding, o *entrylog.Opening) (int64, error) {
	idx, err := m.system(f.Leaf(), o)
	if err != nil {
		return 0, err
	}
	f.Idx, f.StatusIdx, f.Status, f.Day = idx, idx, attempt.StatusOpen, entrylog.Day(f.AtMS, m.w.opt.Zone)
	m.findings = append(m.findings, f)
	m.undone(func() { m.findings = m.findings[:len(m.findings)-1] })
	if m.w.opt.Hooks.NoRollbackCheck && f.Kind == "gateway_rolled_back" {
		return idx, nil
	}
	m.events = append(m.events, invariant.Event{Kind: invariant.Finding, Gateway: gatewayID(f.Gateway), Door: doorID(f.Door), Attempt: f.Attempt, Word: f.Kind})
	if row, known := m.attempts[f.Attempt]; known {
		r := *row
		m.fold.Finding(&r, idx)
		m.update(r, idx)
	}
	return idx, nil
}

// OpenFinding implements ingest.Past. Nobody closes findings here, so every one is open; the list of
