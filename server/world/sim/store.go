package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/world/invariant"
)

// model is the server's durable half: what has committed. It implements the transaction interfaces of
// authority, ingest and policypub with the same results as server/store, without a disk. Openings are
// kept in clear beside the leaves: nobody but the stories looks at them.
type model struct {
	w    *World
	fold attempt.Fold

	leaves   []entrylog.Leaf
	tree     entrylog.Tree
	openings map[int64]entrylog.Opening
	chains   map[chainKey]chainState
	records  map[recordKey]recordRow
	attempts map[[16]byte]*attempt.Row
	leavesOf map[int64][]int64 // first leaf → later ones
	order    []*attempt.Row    // by first leaf
	findings []attempt.Finding
	counted  []store.More    // a slice is replaced, never changed
	kept     map[string]bool // quarantine
	heads    map[[2]string]policyHead
	parts    map[[2]string][]policyHead // versions before, oldest first; a slice is replaced, never changed
	settings map[string]string
	coverage []attempt.Coverage
	acts     []store.ZoneAct // as an officer declared them; a story does
	matters  map[string]*matter
	badges   map[string]visit.Badge
	pins     map[card.Ref]uint8

	open   bool
	undo   []func()
	then   []func()
	events []invariant.Event
}

type chainKey struct {
	gateway string
	epoch   [16]byte
}

type chainState struct {
	watermark uint64
	hash      entrylog.Hash
	idx       int64
}

type recordKey struct {
	chainKey
	seq uint64
}

type recordRow struct {
	hash entrylog.Hash
	idx  int64
}

type policyHead struct {
	version uint64
	sum     entrylog.Hash
	bytes   []byte
	idx     int64
}

func newModel(w *World) *model {
	return &model{
		w: w, fold: attempt.Fold{Zone: w.opt.Zone}, openings: map[int64]entrylog.Opening{}, chains: map[chainKey]chainState{},
		records: map[recordKey]recordRow{}, attempts: map[[16]byte]*attempt.Row{}, leavesOf: map[int64][]int64{},
		kept: map[string]bool{}, heads: map[[2]string]policyHead{}, parts: map[[2]string][]policyHead{}, settings: map[string]string{},
		matters: map[string]*matter{}, badges: map[string]visit.Badge{},
		pins: map[card.Ref]uint8{},
	}
}

// commitFault is what a disk may do to a transaction.
type commitFault uint8

const (
	commitOK     commitFault = iota
	commitLost               // nothing was written, and the caller is told so
	commitUntold             // it was written, and the process dies before anybody is told
)

var errCommit = errors.New("the disk failed")

// write runs one transaction. With an error nothing of it has happened, unless the fault is
// commitUntold.
func (m *model) write(fault commitFault, fn func(m *model) error) error {
	if m.open {
		panic("BUG: a transaction inside a transaction")
	}
	m.open, m.undo, m.then, m.events = true, m.undo[:0], nil, m.events[:0]
	err := fn(m)
	if err == nil && fault == commitLost {
		err = errCommit
	}
	m.open = false
	if err != nil {
		for i := len(m.undo) - 1; i >= 0; i-- {
			m.undo[i]()
		}
		return err
	}
	for _, e := range m.events {
		m.w.emit(e)
	}
	if fault == commitUntold {
		return errCommit
	}
	for _, f := range m.then {
		f()
	}
	return nil
}

func (m *model) undone(f func()) { m.undo = append(m.undo, f) }

// AfterCommit implements the transaction interfaces.
func (m *model) AfterCommit(f func()) { m.then = append(m.then, f) }

func (m *model) append(kind entrylog.Kind, body []byte, o *entrylog.Opening) int64 {
	before := m.tree
	idx, _ := m.tree.Append(nil, entrylog.LeafHash(body))
	m.leaves = append(m.leaves, entrylog.Leaf{Kind: kind, Body: body})
	m.undone(func() { m.tree, m.leaves = before, m.leaves[:len(m.leaves)-1] })
	if o != nil {
		m.openings[idx] = *o
		m.undone(func() { delete(m.openings, idx) })
	}
	m.events = append(m.events, invariant.Event{Kind: invariant.Leaf, Seq: uint64(idx), Hash: wire.Hash(entrylog.LeafHash(body)), Body: body})
	return idx
}

func refOf(o *entrylog.Opening) attempt.Ref {
	if o == nil {
		return attempt.Ref{}
	}
	r := attempt.Ref{Has: true}
	if o.Person != "" {
		r.Person = append([]byte(o.Person), make([]byte, 16)...)[:16]
	}
	return r
}

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
// a day is short.
func (m *model) OpenFinding(kind, gateway, door, detail string) (bool, error) {
	for i := range m.findings {
		f := &m.findings[i]
		if f.Kind == kind && f.Gateway == gateway && f.Door == door && f.Detail == detail {
			return true, nil
		}
	}
	return false, nil
}

// ForkedAt implements ingest.Past.
func (m *model) ForkedAt(gateway string, epoch [16]byte) (bool, error) {
	prefix := entrylog.HexText(epoch[:]) + "/"
	for i := range m.findings {
		f := &m.findings[i]
		if f.Kind == "chain_fork" && f.Gateway == gateway && len(f.Detail) >= len(prefix) && f.Detail[:len(prefix)] == prefix {
			return true, nil
		}
	}
	return false, nil
}

// Quarantined implements ingest.Past.
func (m *model) Quarantined(gateway string, epoch [16]byte, seq uint64, body []byte) (bool, error) {
	return m.kept[quarantineKey(gateway, epoch, seq, body)], nil
}

// OtherEpoch implements ingest.Past.
func (m *model) OtherEpoch(gateway string, epoch [16]byte) (bool, error) {
	for k := range m.chains {
		if k.gateway == gateway && k.epoch != epoch {
			return true, nil
		}
	}
	return false, nil
}

// Unrecorded implements ingest.Past.
func (m *model) Unrecorded(days [2]string, beforeMS int64) ([]attempt.Row, error) {
	var out []attempt.Row
	for _, r := range m.order {
		if r.Decision == attempt.NoIndex || r.Received >= beforeMS || r.Day != days[0] && r.Day != days[1] || m.leaves[r.First].Kind == entrylog.KindRecord {
			continue
		}
		bare := true
		for _, idx := range m.leavesOf[r.First] {
			bare = bare && m.leaves[idx].Kind != entrylog.KindRecord
		}
		for i := range m.findings {
			bare = bare && (m.findings[i].Attempt != r.ID || m.findings[i].Kind != "decision_without_record")
		}
		if bare {
			out = append(out, *r)
		}
	}
	return out, nil
}

// LoanAt implements ingest.Past.
func (m *model) LoanAt(ref card.Ref, atMS int64) (visit.Loan, bool, error) {
	for _, b := range m.badges {
		if !b.HasCard() || b.Ref != ref {
			continue
		}
		for _, x := range slices.Backward(m.sorted(always)) {
			if lender, ok := x.matter().(interface {
				LoanAt(badge string, atMS int64) (visit.Loan, bool)
			}); ok {
				if l, ok := lender.LoanAt(b.ID, atMS); ok {
					l.Masked = b.Masked
					m.nameLoan(&l)
					return l, true, nil
				}
			}
		}
	}
	return visit.Loan{}, false, nil
}

// nameLoan fills in who the directory knows.
func (m *model) nameLoan(l *visit.Loan) {
	for i := range m.w.server.dir.People {
		if p := &m.w.server.dir.People[i]; p.ID == l.Person && l.Name == "" {
			if l.Name, l.Category, l.Company = p.Name, p.Category, p.Company; l.Company == "" {
				l.Company = p.Section
			}
		}
	}
}

// MatterAtDoor implements ingest.Past.
func (m *model) MatterAtDoor(kind, door string, atMS int64) (bool, error) {
	for _, x := range m.matters {
		if h := x.head; h.Kind == kind && h.FromMS <= atMS && (h.UntilMS > atMS || h.UntilMS == 0 && h.Open) && slices.Contains(h.Doors, door) {
			return true, nil
		}
	}
	return false, nil
}

// LastRecord implements ingest.Past.
func (m *model) LastRecord(gateway string) (int64, error) {
	last := int64(-1)
	for k, c := range m.chains {
		if k.gateway == gateway {
			last = max(last, c.idx)
		}
	}
	if last < 0 {
		return 0, store.ErrNotFound
	}
	return last, nil
}

// PolicyHead implements policypub.Ledger.
func (m *model) PolicyHead(gateway, part string) (uint64, entrylog.Hash, error) {
	h := m.heads[[2]string{gateway, part}]
	return h.version, h.sum, nil
}

// AppendPolicy implements policypub.Ledger.
func (m *model) AppendPolicy(gateway, part string, version uint64, bytes []byte, atMS int64) (int64, error) {
	leaf, sum := attempt.PolicyLeaf(gateway, part, version, bytes, atMS)
	idx, err := m.system(leaf, nil)
	if err != nil {
		return 0, err
	}
	key := [2]string{gateway, part}
	old, before := m.heads[key], m.parts[key]
	m.heads[key] = policyHead{version, sum, bytes, idx}
	if old.version > 0 {
		m.parts[key] = append(slices.Clone(before[max(0, len(before)+1-keptVersions):]), old)
	}
	m.undone(func() { m.heads[key], m.parts[key] = old, before })
	return idx, nil
}

// keptVersions is how many versions of a part the model keeps beside the one in force; the store keeps all.
const keptVersions = 20

// Policy implements policypub.Ledger.
func (m *model) Policy(gateway, part string, version uint64) (store.PolicyVersion, error) {
	key := [2]string{gateway, part}
	for _, h := range append(slices.Clone(m.parts[key]), m.heads[key]) {
		if h.version == version && version > 0 {
			return store.PolicyVersion{Idx: h.idx, Version: h.version, Sum: h.sum[:], Bytes: h.bytes}, nil
		}
	}
	return store.PolicyVersion{}, store.ErrNotFound
}

// Setting implements policypub.Ledger.
func (m *model) Setting(key string) (string, error) {
	v, ok := m.settings[key]
	if !ok {
		return "", store.ErrNotFound
	}
	return v, nil
}

// SetSetting implements policypub.Ledger.
func (m *model) SetSetting(key, value string) error {
	old := m.settings[key]
	m.settings[key] = value
	m.undone(func() { m.settings[key] = old })
	return nil
}

// appendCoverage states a silence (I10). from and to are true times.
func (m *model) appendCoverage(c attempt.Coverage, from, to time.Duration, atMS int64) error {
	if _, err := m.system(c.Leaf(atMS), nil); err != nil {
		return err
	}
	m.coverage = append(m.coverage, c)
	m.undone(func() { m.coverage = m.coverage[:len(m.coverage)-1] })
	m.events = append(m.events, invariant.Event{Kind: invariant.Coverage, Gateway: gatewayID(c.Gateway), From: from, Until: to})
	return nil
}

// Passages implements authority.Past.
func (m *model) Passages(int64, *time.Location) (out []attempt.Row, err error) {
	for _, r := range m.order {
		if r.Passage == string(door.EventEntry) || r.Passage == string(door.EventExit) || r.Passage == "" {
			out = append(out, *r)
		}
	}
	return out, nil
}

// PassedBefore implements authority.Past.
func (m *model) PassedBefore(person string, ms int64, limit int) (out []attempt.Row, err error) {
	for _, r := range m.order {
		passed := r.Passage == string(door.EventEntry) || r.Passage == string(door.EventExit)
		if passed && r.PassedMS < ms && r.Opening != attempt.NoIndex && m.openings[r.Opening].Person == person {
			out = append(out, *r)
		}
	}
	slices.SortStableFunc(out, func(a, b attempt.Row) int { return cmp.Compare(a.PassedMS, b.PassedMS) })
	return out[max(0, len(out)-limit):], nil
}

// FoundSince implements authority.Past.
func (m *model) FoundSince(kind, detail string, fromMS int64) (bool, error) {
	for i := range m.findings {
		if f := &m.findings[i]; f.Kind == kind && f.Detail == detail && f.AtMS >= fromMS {
			return true, nil
		}
	}
	return false, nil
}

// Opening implements authority.Past.
func (m *model) Opening(idx int64) (entrylog.Opening, error) {
	o, ok := m.openings[idx]
	if !ok {
		return o, store.ErrNotFound
	}
	return o, nil
}

// PINCount implements authority.Tx. No story has a PIN reset.
func (m *model) PINCount(ref card.Ref) (uint8, int64, error) { return m.pins[ref], 0, nil }

// SetPINFailed implements authority.Tx.
func (m *model) SetPINFailed(ref card.Ref, failed uint8) error {
	old := m.pins[ref]
	m.pins[ref] = failed
	m.undone(func() { m.pins[ref] = old })
	return nil
}

// PINResets implements authority.Past.
func (m *model) PINResets(int) ([]store.PINReset, error) { return nil, nil }

// ZoneActs implements authority.Past.
func (m *model) ZoneActs(int64) ([]store.ZoneAct, error) { return m.acts, nil }
