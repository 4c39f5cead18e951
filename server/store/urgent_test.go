package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// lineUp holds the connection with one write, lets others line up in this order behind it, lets go, and gives what each came to and in
// which order and transaction they ran.
type lineUp struct {
	t     *testing.T
	s     *Store
	all   sync.WaitGroup
	first chan struct{}
	bad   error // what the first write comes to

	mu   sync.Mutex
	ran  []string
	txs  map[string]*Tx
	errs map[string]error
}

func newLineUp(t *testing.T) *lineUp {
	u := &lineUp{t: t, s: newSite(t).open(t), first: make(chan struct{}), txs: map[string]*Tx{}, errs: map[string]error{}}
	held := make(chan struct{})
	u.all.Go(func() {
		again := false
		err := u.s.Write(context.Background(), func(tx *Tx) error {
			if !again {
				again = true
				close(held)
				<-u.first
			}
			u.note("first", tx)
			return u.bad
		})
		if !errors.Is(err, u.bad) {
			t.Errorf("the first write: %v, want %v", err, u.bad)
		}
	})
	<-held
	return u
}

func (u *lineUp) order() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.ran)
}

func (u *lineUp) note(name string, tx *Tx) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ran, u.txs[name] = append(u.ran, name), tx
}

// enter lines one write up and returns when it waits.
func (u *lineUp) enter(name string, urgent bool, do func() error) {
	u.t.Helper()
	l := &u.s.turns
	waiting := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.waiting) + len(l.urgent)
	}
	before := waiting()
	write := u.s.Write
	if urgent {
		write = u.s.WriteUrgent
	}
	u.all.Go(func() {
		err := write(context.Background(), func(tx *Tx) error {
			u.note(name, tx)
			if do != nil {
				return do()
			}
			return nil
		})
		u.mu.Lock()
		u.errs[name] = err
		u.mu.Unlock()
	})
	for end := time.Now().Add(time.Minute); waiting() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			u.t.Fatal("it does not line up")
		}
	}
}

func (u *lineUp) letGo() []string {
	close(u.first)
	u.all.Wait()
	return u.order()
}

// D29: who stands at a door joins the transaction that is open and goes before every record that waits.
func TestUrgentGoesFirst(t *testing.T) {
	u := newLineUp(t)
	u.enter("records-1", false, nil)
	u.enter("records-2", false, nil)
	u.enter("ask-1", true, nil)
	u.enter("ask-2", true, nil)
	if got, want := u.letGo(), []string{"first", "ask-1", "ask-2", "records-1", "records-2"}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	if u.txs["ask-1"] != u.txs["first"] || u.txs["ask-2"] != u.txs["first"] {
		t.Error("an ask waited for another transaction than the one that was open")
	}
}

// D29: a transaction with an ask in it ends soon; what did not get in comes later, in its order, and each transaction takes something of it, so
// that asks never keep records out (I2).
func TestUrgentEndsTheTransaction(t *testing.T) {
	u := newLineUp(t)
	entered := false
	u.enter("records-1", false, func() error {
		if !entered {
			entered = true
			u.enter("ask", true, nil) // somebody stands at a door while this transaction is open
			time.Sleep(hurried + time.Millisecond)
		}
		return nil
	})
	u.enter("records-2", false, nil)
	u.enter("records-3", false, nil)
	want := []string{"first", "records-1", "ask", "records-2", "records-3"}
	if got := u.letGo(); !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	if u.txs["ask"] != u.txs["records-1"] {
		t.Error("the ask did not join the open transaction")
	}
	if u.txs["records-2"] == u.txs["ask"] {
		t.Error("records joined an ask's transaction after its time was over")
	}
	for _, name := range want[1:] {
		if u.errs[name] != nil {
			t.Errorf("%s: %v", name, u.errs[name])
		}
	}
}

// A transaction of records ends after a while even when nobody waits at a door.
func TestLongTransactionEnds(t *testing.T) {
	u := newLineUp(t)
	u.enter("records-1", false, func() error { time.Sleep(longest + time.Millisecond); return nil })
	u.enter("records-2", false, nil)
	if got, want := u.letGo(), []string{"first", "records-1", "records-2"}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	if u.txs["records-1"] == u.txs["records-2"] {
		t.Error("the transaction had no end")
	}
}

// I1: an ask that joined a transaction which fails after it ran is committed in the next one, and what fails is told alone.
func TestUrgentBesideAFailure(t *testing.T) {
	u := newLineUp(t)
	bad := errors.New("this ask is bad")
	entered := false
	u.enter("records", false, func() error {
		if !entered {
			entered = true
			u.enter("ask", true, nil)
			u.enter("bad ask", true, func() error { return bad })
		}
		return nil
	})
	if got, want := u.letGo(), []string{"first", "records", "ask", "bad ask", "ask", "records", "bad ask"}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	if u.errs["ask"] != nil || u.errs["records"] != nil || !errors.Is(u.errs["bad ask"], bad) {
		t.Errorf("%v", u.errs)
	}
}

// A write whose goroutine ends in the middle latches, and everybody in line hears of it.
func TestUrgentBesideAnEnd(t *testing.T) {
	u := newLineUp(t)
	u.enter("records-1", false, func() error { runtime.Goexit(); return nil })
	u.enter("records-2", false, nil)
	u.enter("ask", true, nil)
	u.letGo()
	if u.errs["ask"] != nil || !errors.Is(u.errs["records-2"], ErrLatched) {
		t.Errorf("ask %v, want it committed before; records %v, want %v", u.errs["ask"], u.errs["records-2"], ErrLatched)
	}
}

// D29: a write that fails takes nobody's commit away: the others come together once more without it, and an ask that comes meanwhile does not
// wait for a commit of each.
func TestOneFailureInMany(t *testing.T) {
	bad := errors.New("this one is bad")
	var u *lineUp
	for range 5 { // a machine that stands still for 20 ms ends a transaction earlier; it does not do so each time
		u = newLineUp(t)
		u.enter("records-1", false, nil)
		u.enter("bad", false, func() error { return bad })
		u.enter("records-2", false, nil)
		u.enter("records-3", false, nil)
		u.letGo()
		if u.txs["records-1"] == u.txs["records-2"] && u.txs["records-2"] == u.txs["records-3"] {
			break
		}
	}
	if u.txs["records-1"] != u.txs["records-2"] || u.txs["records-2"] != u.txs["records-3"] {
		t.Error("the writes beside the one that failed did not share a commit")
	}
	if !errors.Is(u.errs["bad"], bad) {
		t.Errorf("the one that failed came to %v", u.errs["bad"])
	}
	for _, name := range []string{"records-1", "records-2", "records-3"} {
		if u.errs[name] != nil {
			t.Errorf("%s: %v", name, u.errs[name])
		}
	}
}

// D29, I2: where many fail, each is told its own error and the others are committed.
func TestManyFailures(t *testing.T) {
	u := newLineUp(t)
	bad := errors.New("this one is bad")
	for i := range 3 * mostFailed {
		u.enter(fmt.Sprintf("bad-%d", i), false, func() error { return bad })
		u.enter(fmt.Sprintf("good-%d", i), false, nil)
	}
	u.letGo()
	for i := range 3 * mostFailed {
		if err := u.errs[fmt.Sprintf("bad-%d", i)]; !errors.Is(err, bad) {
			t.Errorf("bad-%d: %v", i, err)
		}
		if err := u.errs[fmt.Sprintf("good-%d", i)]; err != nil {
			t.Errorf("good-%d: %v", i, err)
		}
	}
}
