package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// uncommittable has the transaction fail at its COMMIT: an opening of a leaf that there is not, which SQLite looks for at the end only.
func uncommittable(tx *Tx) error {
	if _, err := tx.exec(`PRAGMA defer_foreign_keys = ON`); err != nil {
		return err
	}
	_, err := tx.exec(insertOpening, int64(1)<<40, 2026, "system", make([]byte, 60), make([]byte, 48), nil)
	return err
}

// D29: when a COMMIT fails and nobody knows by whose fault, who stands at a door still goes before the records, and those keep their order.
func TestUrgentBesideAFailedCommit(t *testing.T) {
	u := newLineUp(t)
	var tx *Tx
	entered := false
	u.enter("records-1", false, nil)
	u.enter("bad", false, func() error {
		u.mu.Lock()
		tx = u.txs["bad"]
		u.mu.Unlock()
		return uncommittable(tx)
	})
	u.enter("records-2", false, nil)
	u.enter("records-3", false, func() error {
		if !entered {
			entered = true
			u.enter("ask", true, nil)
		}
		return nil
	})
	got := u.letGo()
	if want := []string{"ask", "records-1", "bad", "records-2", "records-3"}; len(got) < 10 || !slices.Equal(got[len(got)-5:], want) {
		t.Errorf("ran %q, want at the end %q", got, want)
	}
	for _, name := range []string{"ask", "records-1", "records-2", "records-3"} {
		if u.errs[name] != nil {
			t.Errorf("%s: %v", name, u.errs[name])
		}
	}
	if u.errs["bad"] == nil || errors.Is(u.errs["bad"], ErrLatched) {
		t.Errorf("the one that cannot be committed came to %v", u.errs["bad"])
	}
}

// What failed in a shared transaction is tried again in the order in which it came.
func TestRetriesInOrder(t *testing.T) {
	u := newLineUp(t)
	bad := errors.New("this one is bad")
	var want []string
	for i := range 4 {
		name := fmt.Sprintf("bad-%d", i)
		want = append(want, name)
		u.enter(name, false, func() error { return bad })
		u.enter(fmt.Sprintf("good-%d", i), false, nil)
	}
	got := u.letGo()
	if len(got) < 4 || !slices.Equal(got[len(got)-4:], want) {
		t.Errorf("ran %q, want at the end %q", got, want)
	}
}

// D29: who stands at a door is not cut off with the records that find no room: not even in a transaction that runs again after a failure.
func TestUrgentIsNotCutOff(t *testing.T) {
	s := newSite(t).open(t)
	bad := errors.New("this one is bad")
	runs := 0
	make1 := func(no uint64, urgent bool, fn func(*Tx) error) *op {
		return &op{ctx: t.Context(), fn: fn, urgent: urgent, told: make(chan verdict, 1), no: no}
	}
	fine := func(*Tx) error { return nil }
	slow := func(*Tx) error {
		if runs++; runs > 1 {
			time.Sleep(hurried + time.Millisecond)
		}
		return nil
	}
	ask1, ask2 := make1(2, true, fine), make1(4, true, fine)
	s.turns.mu.Lock()
	s.turns.taken = true
	s.turns.mu.Unlock()
	run := group{ops: []*op{make1(1, false, slow), ask1, make1(3, false, fine), ask2, make1(5, true, func(*Tx) error { return bad })}}
	s.runBatch(&run)
	s.turns.waiting = append(s.turns.waiting, make1(9, false, fine)) // came meanwhile
	s.putBack(run.left)
	for _, o := range []*op{ask1, ask2} {
		select {
		case v := <-o.told:
			if v.err != nil {
				t.Errorf("ask %d: %v", o.no, v.err)
			}
		default:
			t.Errorf("ask %d was cut off", o.no)
		}
	}
	l := &s.turns
	if len(l.urgent) != 0 || len(l.again) != 1 || len(l.waiting) != 2 || l.waiting[0].no != 3 {
		t.Errorf("%d urgent, %d to be tried again, %d others wait; want 0, 1 and 2, in front the one that found no room", len(l.urgent), len(l.again), len(l.waiting))
	}
	l.mu.Lock()
	l.waiting, l.again, l.taken = nil, nil, false
	l.mu.Unlock()
}

// D29: urgent writes have a turn for themselves before the others', and every other turn at most (I2).
func TestUrgentTurns(t *testing.T) {
	s := new(Store)
	l := &s.turns
	ops := func(n int, urgent, alone bool) (list []*op) {
		for range n {
			list = append(list, &op{urgent: urgent, alone: alone})
		}
		return list
	}
	ask := func() { l.urgent = ops(2, true, false); l.hurry.Store(true) }
	l.waiting = ops(3, false, false)
	ask()
	if g := s.takeTurn(); len(g.ops) != 2 || len(l.waiting) != 3 {
		t.Errorf("the first turn took %d ops, want the 2 urgent ones", len(g.ops))
	}
	ask()
	if g := s.takeTurn(); len(g.ops) != 5 || len(l.waiting) != 0 {
		t.Errorf("the second turn took %d ops, want all 5", len(g.ops))
	}
	l.waiting = ops(3, false, false)
	l.waiting[0].alone = true
	ask()
	if g := s.takeTurn(); len(g.ops) != 2 {
		t.Errorf("a turn with urgent ops took %d, want 2", len(g.ops))
	}
	ask()
	if g := s.takeTurn(); len(g.ops) != 1 || !g.ops[0].alone {
		t.Errorf("the turn after it took %d, want the op that is alone", len(g.ops))
	}
	// Asks that failed are tried again one by one before the others, but not for ever.
	l.urgent, l.skipped = nil, false
	l.hurry.Store(false)
	l.again = ops(mostFailed+1, true, true)
	for i := range mostFailed {
		if g := s.takeTurn(); len(g.ops) != 1 || !g.ops[0].urgent {
			t.Errorf("turn %d took %d ops, want one that is tried again", i, len(g.ops))
		}
	}
	if g := s.takeTurn(); len(g.ops) != 2 || g.ops[0].urgent {
		t.Errorf("the turn after %d tries took %d ops, want the 2 others", mostFailed, len(g.ops))
	}
}
