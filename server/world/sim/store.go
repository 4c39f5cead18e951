package sim

import (
	"errors"

	"monban/firmware/card"
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
	awaited  []store.Awaited // the same
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
