package signer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
)

// Order is what a signer reads out of a command's text before it signs it.
type Order struct {
	ID      [16]byte
	Door    string
	Action  string
	PulseMS int64 // a pulse of its own; 0 = the door's
	Leaf    int64 // index of the leaf that says who ordered it
}

// Approvals says what must stand in the log before a command is signed (D18, ADR 0031). The words come from those who
// write the leaves, so that this package knows no page and no message.
type Approvals struct {
	Read    func(text string) (Order, error) // takes a command's text apart; an error refuses it
	Asked   map[string]string                // verb of the leaf that asks → action that it asks for
	Ordered string                           // verb of the leaf that orders
	Target  string                           // kind of target of both; their id is DOOR/HEX of the command's id
	Two     map[string]bool                  // actions that take two accounts …
	One     map[string]bool                  // … but at these doors, by this signer's own configuration
	Within  time.Duration                    // from asking to ordering at most
	Life    time.Duration                    // from ordering to signing at most
	Now     func() time.Time
}

// LeafProof is a leaf with the proof that it stands in a tree.
type LeafProof struct {
	Index int64            `json:"index"`
	Body  []byte           `json:"body"`
	Proof tlog.RecordProof `json:"proof"`
}

// Evidence shows who asked for a command and who ordered it: two leaves in the tree of a checkpoint that this signer
// signed lately.
type Evidence struct {
	Size    int64     `json:"size"`
	Asked   LeafProof `json:"asked"`
	Ordered LeafProof `json:"ordered"`
}

const (
	// clockSlack is how far the clock that dates leaves may stand before the signer's: they are one machine's.
	clockSlack = time.Second
	// maxApproved bounds the approvals kept; more are refused, none is forgotten.
	maxApproved = 256
	// maxSigned is how many checkpoints evidence may refer to: the server signs another one at most each half second.
	maxSigned = 32
)

// orders is a signer's memory of approvals.
type orders struct {
	rules Approvals
	since int64 // UTC ms; an order from before this process may have been signed by the one before

	mu     sync.Mutex
	open   map[int64]approved // mu; by the index of the ordering leaf
	signed map[int64]int64    // mu; ordering leaves that have been signed for → UTC ms until which that is kept
}

// approved is an order that may be signed once.
type approved struct {
	id     string // DOOR/HEX
	action string
	until  int64 // UTC ms
}

// DemandApprovals makes the signer refuse every command that Approve has not been shown the approvals of. It is called
// before the signer serves anybody.
func (l *Local) DemandApprovals(a Approvals) {
	l.orders = &orders{rules: a, since: a.Now().UnixMilli(), open: map[int64]approved{}, signed: map[int64]int64{}}
}

// Approve checks who asked for a command and who ordered it; then the command may be signed once, while the order is
// young enough. Without DemandApprovals it checks nothing. Every refusal is an ErrNotApproved.
func (l *Local) Approve(e Evidence) error {
	if l.orders == nil {
		return nil
	}
	root, ok := l.rootOf(e.Size)
	if !ok {
		return fmt.Errorf("%w: no checkpoint of %d leaves was signed lately", ErrNotApproved, e.Size)
	}
	if err := l.orders.approve(&e, root); err != nil {
		return fmt.Errorf("%w: %w", ErrNotApproved, err)
	}
	return nil
}

// rootOf is the root of the tree of that size in the checkpoints signed lately.
func (l *Local) rootOf(size int64) (root tlog.Hash, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if size == l.last.Size && size > 0 {
		return l.last.Root, true
	}
	root, ok = l.lately[size]
	return root, ok
}

// keep remembers a checkpoint that was signed. Call with mu held.
func (l *Local) keep(size int64, root tlog.Hash) {
	if l.lately == nil {
		l.lately = map[int64]tlog.Hash{}
	}
	l.lately[size] = root
	if len(l.lately) > maxSigned {
		least := size
		for n := range l.lately {
			least = min(least, n)
		}
		delete(l.lately, least)
	}
}

// leaf takes an action leaf whose proof holds.
func (p *LeafProof) leaf(size int64, root tlog.Hash) (a entrylog.Action, err error) {
	if err := entrylog.CheckRecord(p.Proof, size, root, p.Index, entrylog.LeafHash(p.Body)); err != nil {
		return a, fmt.Errorf("leaf %d is not in the signed log: %w", p.Index, err)
	}
	if a, err = entrylog.ParseAction(p.Body); err != nil {
		return a, fmt.Errorf("leaf %d: %w", p.Index, err)
	}
	return a, nil
}

func (o *orders) approve(e *Evidence, root tlog.Hash) error {
	if e.Asked.Index < 0 || e.Ordered.Index < 0 || e.Asked.Index >= e.Ordered.Index || e.Ordered.Index >= e.Size {
		return errors.New("the leaves do not stand in the order of asking and ordering")
	}
	asked, err := e.Asked.leaf(e.Size, root)
	if err != nil {
		return err
	}
	ordered, err := e.Ordered.leaf(e.Size, root)
	if err != nil {
		return err
	}
	action, known := o.rules.Asked[asked.Verb]
	door, id, err := commandOf(asked.ID)
	switch {
	case err != nil:
		return err
	case !known || ordered.Verb != o.rules.Ordered:
		return fmt.Errorf("leaves of %q and %q are no approvals", asked.Verb, ordered.Verb)
	case asked.Target != o.rules.Target || ordered.Target != o.rules.Target || asked.ID != ordered.ID:
		return errors.New("the leaves are not of one command")
	case asked.Result != "ok" || ordered.Result != "ok":
		return errors.New("one of the leaves says that it was refused")
	case asked.Account == "" || ordered.Account == "":
		return errors.New("a leaf names no account")
	case !asked.Reason:
		return errors.New("it was asked for without a reason")
	case o.rules.Two[action] && asked.Account == ordered.Account && !o.rules.One[door]:
		return errors.New("one account asked for it and ordered it, and this signer's configuration does not allow that at the door")
	case ordered.AtMS < asked.AtMS || ordered.AtMS-asked.AtMS > o.rules.Within.Milliseconds():
		return errors.New("too much time lies between asking and ordering")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.rules.Now().UnixMilli()
	until := ordered.AtMS + o.rules.Life.Milliseconds()
	_, signed := o.signed[e.Ordered.Index]
	o.forget(now)
	switch {
	case signed:
		return errors.New("it was signed already")
	case ordered.AtMS-now > clockSlack.Milliseconds():
		return errors.New("the order is dated in the future")
	case now > until:
		return errors.New("the order is too old")
	case ordered.AtMS <= o.since+clockSlack.Milliseconds():
		return errors.New("it was ordered before this signer was started, which does not know what was signed then; order it again")
	case len(o.open) >= maxApproved || len(o.signed) >= maxApproved:
		return errors.New("too many orders at once")
	}
	o.open[e.Ordered.Index] = approved{door + "/" + id, action, until}
	return nil
}

// commandOf takes the id of a target apart.
func commandOf(id string) (door, command string, err error) {
	var key [16]byte
	n := len(id) - hex.EncodedLen(len(key)) - 1
	if n < 1 || id[n] != '/' {
		return "", "", errors.New("a leaf names no command")
	}
	if _, err := hex.Decode(key[:], []byte(id[n+1:])); err != nil || hex.EncodeToString(key[:]) != id[n+1:] {
		return "", "", errors.New("a leaf names no command")
	}
	return id[:n], id[n+1:], nil
}

// forget drops what can no longer be signed. What was signed is kept a minute longer, in which a clock that is set back
// makes no order young again; set back further, the order is dated in the future. Call with mu held.
func (o *orders) forget(now int64) {
	for i, a := range o.open {
		if now > a.until {
			delete(o.open, i)
		}
	}
	for i, until := range o.signed {
		if now > until {
			delete(o.signed, i)
		}
	}
}

// take lets a command's text be signed, once.
func (o *orders) take(text string) error {
	x, err := o.rules.Read(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotApproved, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.rules.Now().UnixMilli()
	a, ok := o.open[x.Leaf]
	switch {
	case !ok:
		return fmt.Errorf("%w: no approvals of it were shown", ErrNotApproved)
	case a.id != x.Door+"/"+hex.EncodeToString(x.ID[:]) || a.action != x.Action:
		return fmt.Errorf("%w: what was approved is another command", ErrNotApproved)
	case x.PulseMS != 0:
		return fmt.Errorf("%w: nobody approves a pulse of its own", ErrNotApproved)
	case now > a.until:
		return fmt.Errorf("%w: the order is too old", ErrNotApproved)
	}
	delete(o.open, x.Leaf)
	o.signed[x.Leaf] = a.until + time.Minute.Milliseconds()
	return nil
}
