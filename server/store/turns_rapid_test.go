package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// errWanted is what a write comes to that is meant to fail.
var errWanted = errors.New("this one is bad")

// asked is one op of the machine with what became of it.
type asked struct {
	*op
	kind    string
	came    int // turns that had begun when it came
	ran     int // times that it ran
	records int // turns with others in them, begun after it came and before it first ran
	done    bool
	err     error
	commits int
}

// queueMachine drives the turns of a store by hand, one after the other, so that every order of asks, records, failures and ends can be had
// again.
type queueMachine struct {
	t      *rapid.T
	s      *Store
	name   int // of the case
	ops    []*asked
	holder *asked // has the turn
	turn   int
	others bool // the turn that runs has run one that is not urgent
	denied int  // turns in a row that took none of the others, though some waited
	script []func()
}

func (m *queueMachine) fn(a *asked) func(*Tx) error {
	return func(tx *Tx) error {
		if a.done {
			m.t.Fatalf("%s %d runs after it was told %v", a.kind, a.no, a.err)
		}
		if a.ran++; !a.urgent && !m.others {
			m.others = true
			for _, o := range m.ops {
				if o.urgent && o.ran == 0 && o.came < m.turn {
					o.records++
				}
			}
		}
		if len(m.script) > 0 { // somebody comes in the middle
			next := m.script[0]
			m.script = m.script[1:]
			next()
		}
		if err := tx.SetSetting(m.key(a), a.kind); err != nil {
			return err
		}
		switch a.kind {
		case "bad record", "bad ask":
			return errWanted
		case "panic", "panicking ask":
			panic(errWanted)
		case "no commit", "ask without commit":
			return uncommittable(tx)
		}
		tx.AfterCommit(func() { a.commits++ })
		return nil
	}
}

func (m *queueMachine) arrive(kind string, urgent bool) {
	a := &asked{kind: kind, came: m.turn, op: &op{ctx: context.Background(), urgent: urgent, told: make(chan verdict, 1)}}
	if kind == "upkeep" {
		a.alone, a.solo = true, func() error {
			if a.ran++; a.done {
				m.t.Fatal("upkeep runs twice")
			}
			a.commits++
			return nil
		}
	} else {
		a.op.fn = m.fn(a)
	}
	m.s.turns.mu.Lock()
	m.ops = append(m.ops, a)
	mine := m.s.arrive(a.op)
	m.s.turns.mu.Unlock()
	if mine {
		if m.holder != nil {
			m.t.Fatal("two have the turn")
		}
		m.holder = a
	}
}

// listen takes what was told.
func (m *queueMachine) listen() {
	for _, a := range m.ops {
		select {
		case v := <-a.told:
			switch {
			case a.done:
				m.t.Fatalf("%s %d is told twice", a.kind, a.no)
			case !v.turn:
				a.done, a.err = true, v.err
			case m.holder != nil:
				m.t.Fatal("two have the turn")
			default:
				m.holder = a
			}
		default:
		}
	}
}

// step is one turn of whoever has it.
func (m *queueMachine) step() {
	if m.listen(); m.holder == nil {
		return
	}
	l := &m.s.turns
	l.mu.Lock()
	owed := len(l.waiting) > 0
	l.mu.Unlock()
	m.turn++
	m.holder, m.others = nil, false
	before := m.ran()
	m.s.commitWaiting()
	switch {
	case m.others || !owed || m.ran() != before:
		m.denied = 0
	default:
		m.denied++
	}
	if m.denied > 2*mostFailed+2 {
		m.t.Fatalf("I2: records were passed over %d times", m.denied)
	}
	m.listen()
}

// ran counts upkeep that ran: it is one of the others.
func (m *queueMachine) ran() (n int) {
	for _, a := range m.ops {
		if a.solo != nil {
			n += a.ran
		}
	}
	return n
}

// I1, I2, I4, D29: whatever comes in whatever order, fails, panics or cannot be committed: each op is told once how it came out, is on the disk exactly when
// it was told so, and does not run again; an ask waits for one turn of records at most; no records are kept out.
func TestTurnsOfAnything(t *testing.T) {
	site := newSite(t)
	opt := site.options()
	opt.Signer, opt.Log = nil, nil // nothing is written but what the machine writes
	s, err := Open(site.path, opt)
	must(t, err)
	defer s.Close()
	l := &s.turns
	name := 0
	rapid.Check(t, func(rt *rapid.T) {
		name++
		l.mu.Lock() // whatever the case before has left, when it failed
		l.urgent, l.again, l.waiting, l.row = nil, nil, nil, 0
		l.taken, l.skipped, l.closing = false, false, false
		l.hurry.Store(false)
		l.mu.Unlock()
		m := &queueMachine{t: rt, s: s, name: name}
		kinds := []string{"ask", "ask", "record", "record", "record", "bad record", "bad ask", "panic", "panicking ask", "no commit", "ask without commit", "upkeep"}
		come := func() {
			kind := rapid.SampledFrom(kinds).Draw(rt, "kind")
			m.arrive(kind, slices.Contains([]string{"ask", "bad ask", "panicking ask", "ask without commit"}, kind))
		}
		closing := false
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch what := rapid.IntRange(0, 9).Draw(rt, "what"); {
			case what < 5 && !closing:
				come()
			case what == 5 && !closing: // somebody will come in the middle of the next write
				kind := rapid.SampledFrom(kinds[:8]).Draw(rt, "kind in the middle")
				m.script = append(m.script, func() { m.arrive(kind, kind == "ask" || kind == "bad ask") })
			case what == 7 && rapid.IntRange(0, 9).Draw(rt, "ends") == 0:
				closing, m.script = true, nil
				l.mu.Lock()
				l.closing = true
				l.mu.Unlock()
			default:
				m.step()
			}
		}
		m.script = nil
		for turns := 0; ; turns++ {
			if m.listen(); m.holder != nil {
				m.step()
			} else if !slices.ContainsFunc(m.ops, func(a *asked) bool { return !a.done }) {
				break
			}
			if turns > 100*(len(m.ops)+1) {
				rt.Fatal("not all are told how they came out")
			}
		}
		m.check()
	})
}

// check looks at the end at what became of all.
func (m *queueMachine) check() {
	on := map[*asked]bool{}
	err := m.s.Read(context.Background(), func(r *ReadTx) error {
		for _, a := range m.ops {
			v, err := r.Setting(m.key(a))
			on[a] = err == nil && v != ""
		}
		return nil
	})
	if err != nil {
		m.t.Error(err)
	}
	for _, a := range m.ops {
		want := 0
		if a.err == nil {
			want = 1
		}
		if a.commits != want {
			m.t.Errorf("%s %d was told %v and committed %d times", a.kind, a.no, a.err, a.commits)
		}
		if good := a.kind == "ask" || a.kind == "record" || a.kind == "upkeep"; good != (a.err == nil) {
			m.t.Errorf("%s %d: %v", a.kind, a.no, a.err)
		}
		if a.urgent && a.records > 1 {
			m.t.Errorf("D29: %s %d waited for %d turns of records", a.kind, a.no, a.records)
		}
		if a.solo == nil && on[a] != (a.err == nil) {
			m.t.Errorf("%s %d was told %v; on the disk: %v", a.kind, a.no, a.err, on[a])
		}
	}
}

func (m *queueMachine) key(a *asked) string { return fmt.Sprintf("case-%d-op-%d", m.name, a.no) }
