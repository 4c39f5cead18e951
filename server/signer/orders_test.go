package signer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
)

// court is a signer that demands approvals, a log that a server writes as it likes, and a clock.
type court struct {
	t      *testing.T
	l      *Local
	now    time.Time
	stored []tlog.Hash
	bodies [][]byte
}

var theID = [16]byte{7, 1}

const theDoor = "server-room-1"

// text is a command's text as the tests write it: command DOOR HEX ACTION PULSE LEAF.
func text(o Order) string {
	return fmt.Sprintf("command %s %x %s %d %d\n", o.Door, o.ID, o.Action, o.PulseMS, o.Leaf)
}

func readText(s string) (o Order, err error) {
	var id []byte
	if _, err = fmt.Sscanf(s, "command %s %x %s %d %d\n", &o.Door, &id, &o.Action, &o.PulseMS, &o.Leaf); err == nil && len(id) != len(o.ID) {
		err = errors.New("no id")
	}
	if err == nil {
		o.ID = [16]byte(id)
	}
	return o, err
}

func newCourt(t *testing.T) *court {
	c := &court{t: t, now: time.UnixMilli(1795489200000)}
	c.l, _ = newLocal(t)
	c.demand()
	c.now = c.now.Add(time.Minute)
	for range 5 { // something stands in the log already
		c.leaf([]byte(`{"leaf":1,"kind":"other"}`))
	}
	return c
}

func (c *court) demand() {
	c.l.DemandApprovals(Approvals{
		Read: readText, Asked: map[string]string{"unlock_asked": "remote_unlock", "rearm_asked": "rearm"}, Ordered: "command_ordered", Target: "command",
		Two: map[string]bool{"remote_unlock": true}, One: map[string]bool{"store-1": true},
		Within: 5 * time.Minute, Life: 5 * time.Second, Now: func() time.Time { return c.now },
	})
}

func (c *court) leaf(body []byte) int64 {
	c.t.Helper()
	h, err := tlog.StoredHashesForRecordHash(int64(len(c.bodies)), entrylog.LeafHash(body), reader(c.stored))
	if err != nil {
		c.t.Fatal(err)
	}
	c.stored, c.bodies = append(c.stored, h...), append(c.bodies, body)
	return int64(len(c.bodies)) - 1
}

func (c *court) action(a entrylog.Action) int64 {
	c.t.Helper()
	body, err := a.Append(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.leaf(body)
}

// sign has the signer sign the log as it stands.
func (c *court) sign() int64 {
	c.t.Helper()
	n := int64(len(c.bodies))
	root, err := tlog.TreeHash(n, reader(c.stored))
	if err != nil {
		c.t.Fatal(err)
	}
	var proof tlog.TreeProof
	if old, _ := c.l.LastCheckpoint(); old > 0 && old < n {
		if proof, err = tlog.ProveTree(n, old, reader(c.stored)); err != nil {
			c.t.Fatal(err)
		}
	}
	v, err := c.l.Verifier(RoleLog)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.l.SignCheckpoint(entrylog.Checkpoint{Origin: v.Name(), Size: n, Root: root}.Text(), proof); err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *court) proof(size, idx int64) LeafProof {
	c.t.Helper()
	p, err := tlog.ProveRecord(size, idx, reader(c.stored))
	if err != nil {
		c.t.Fatal(err)
	}
	return LeafProof{idx, c.bodies[idx], p}
}

// attempt is one order: the leaves, what is shown and what is to be signed. What a test leaves alone is sound.
type attempt struct {
	asked, ordered entrylog.Action
	order          Order
	unsigned       bool // the leaves are in no signed log
	show           func(*Evidence)
	wait           time.Duration // from showing to signing
}

func (c *court) sound() *attempt {
	id := theDoor + "/" + hex.EncodeToString(theID[:])
	leaf := func(who, verb string, before time.Duration) entrylog.Action {
		return entrylog.Action{Account: who, Verb: verb, Target: "command", ID: id, From: "lan", Result: "ok", Reason: verb != "command_ordered",
			AtMS: c.now.Add(-before).UnixMilli()}
	}
	return &attempt{
		asked: leaf("A", "unlock_asked", 40*time.Second), ordered: leaf("B", "command_ordered", 300*time.Millisecond),
		order: Order{ID: theID, Door: theDoor, Action: "remote_unlock"},
	}
}

// try shows the approvals and has the command signed; shown is the first error, signed the second.
func (c *court) try(a *attempt) (shown, signed error) {
	c.t.Helper()
	asked, ordered := c.action(a.asked), c.action(a.ordered)
	size := int64(len(c.bodies))
	if !a.unsigned {
		size = c.sign()
	}
	e := Evidence{Size: size, Asked: c.proof(size, asked), Ordered: c.proof(size, ordered)}
	if a.show != nil {
		a.show(&e)
	}
	shown = c.l.Approve(e)
	c.now = c.now.Add(a.wait)
	a.order.Leaf += ordered
	_, signed = c.l.Sign(RoleCommand, text(a.order))
	return shown, signed
}

// D18, RA-2, I7: whoever has taken over the server gets no command signed but one whose approvals stand in the log that was
// signed: two accounts, a reason, this command, in time, and each once.
func TestCommandsNeedApprovals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c *court, a *attempt)
		want   string // of the refusal to take the approvals; "" = only the signature is refused
	}{
		"one account twice":       {func(_ *court, a *attempt) { a.ordered.Account = a.asked.Account }, "one account"},
		"no account":              {func(_ *court, a *attempt) { a.asked.Account = "" }, "names no account"},
		"nobody orders":           {func(_ *court, a *attempt) { a.ordered.Account = "" }, "names no account"},
		"no reason":               {func(_ *court, a *attempt) { a.asked.Reason = false }, "without a reason"},
		"another door's approval": {func(_ *court, a *attempt) { a.ordered.ID = strings.Replace(a.ordered.ID, theDoor, "lab", 1) }, "not of one command"},
		"another command's":       {func(_ *court, a *attempt) { a.ordered.ID = theDoor + "/" + strings.Repeat("0", 32) }, "not of one command"},
		"no command":              {func(_ *court, a *attempt) { a.asked.ID, a.ordered.ID = theDoor, theDoor }, "names no command"},
		"another target":          {func(_ *court, a *attempt) { a.asked.Target, a.ordered.Target = "account", "account" }, "not of one command"},
		"a refused leaf":          {func(_ *court, a *attempt) { a.ordered.Result = "refused" }, "was refused"},
		"not an order":            {func(_ *court, a *attempt) { a.ordered.Verb = "command_withdrawn" }, "no approvals"},
		"not a request":           {func(_ *court, a *attempt) { a.asked.Verb = "view_log" }, "no approvals"},
		"too old":                 {func(_ *court, a *attempt) { a.ordered.AtMS -= 5000 }, "too old"},
		"of the future":           {func(_ *court, a *attempt) { a.ordered.AtMS += 2000 }, "future"},
		"asked long ago":          {func(_ *court, a *attempt) { a.asked.AtMS -= 5 * 60 * 1000 }, "too much time"},
		"asked after the order":   {func(_ *court, a *attempt) { a.asked.AtMS += 60_000 }, "too much time"},
		"in no signed log":        {func(_ *court, a *attempt) { a.unsigned = true }, "no checkpoint of"},
		"no proof":                {func(_ *court, a *attempt) { a.show = func(e *Evidence) { e.Ordered.Proof = nil } }, "not in the signed log"},
		"another leaf's body":     {func(_ *court, a *attempt) { a.show = func(e *Evidence) { e.Ordered.Body = e.Asked.Body } }, "not in the signed log"},
		"a leaf that never was": {func(_ *court, a *attempt) {
			a.show = func(e *Evidence) { e.Asked.Body = []byte(strings.Replace(string(e.Asked.Body), `"A"`, `"C"`, 1)) }
		}, "not in the signed log"},
		"one leaf for both":    {func(_ *court, a *attempt) { a.show = func(e *Evidence) { e.Asked = e.Ordered } }, "in the order of"},
		"leaves swapped":       {func(_ *court, a *attempt) { a.show = func(e *Evidence) { e.Asked, e.Ordered = e.Ordered, e.Asked } }, "in the order of"},
		"an index below":       {func(_ *court, a *attempt) { a.show = func(e *Evidence) { e.Asked.Index = -1 } }, "in the order of"},
		"an index beyond":      {func(_ *court, a *attempt) { a.show = func(e *Evidence) { e.Ordered.Index = e.Size } }, "in the order of"},
		"no size":              {func(_ *court, a *attempt) { a.show = func(e *Evidence) { e.Size = 0 } }, "in the order of|no checkpoint of"},
		"sign another door":    {func(_ *court, a *attempt) { a.order.Door = "lab" }, ""},
		"sign another id":      {func(_ *court, a *attempt) { a.order.ID[0]++ }, ""},
		"sign another action":  {func(_ *court, a *attempt) { a.order.Action = "rearm" }, ""},
		"sign another leaf":    {func(_ *court, a *attempt) { a.order.Leaf = -1 }, ""},
		"sign with a pulse":    {func(_ *court, a *attempt) { a.order.PulseMS = 5000 }, ""},
		"sign too late":        {func(_ *court, a *attempt) { a.wait = 5 * time.Second }, ""},
		"a re-arm as unlock":   {func(_ *court, a *attempt) { a.asked.Verb = "rearm_asked" }, ""},
		"another door is free": {func(_ *court, a *attempt) { a.ordered.Account = "A"; a.order.Door = "store-1" }, "one account"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newCourt(t)
			a := k.sound()
			c.change(k, a)
			shown, signed := k.try(a)
			if !errors.Is(signed, ErrNotApproved) {
				t.Fatalf("signed: %v (shown: %v)", signed, shown)
			}
			found := c.want == "" && shown == nil
			for want := range strings.SplitSeq(c.want, "|") {
				found = found || want != "" && errors.Is(shown, ErrNotApproved) && strings.Contains(shown.Error(), want)
			}
			if !found {
				t.Errorf("shown: %v, want %q", shown, c.want)
			}
			if shown, signed := k.try(k.sound()); shown != nil || signed != nil {
				t.Errorf("a sound order after it: %v, %v", shown, signed)
			}
		})
	}
}

// D18, D27: what is approved is signed: two accounts at any door, one for what locks, one at a door of the signer's own list.
func TestApprovedCommandsAreSigned(t *testing.T) {
	for name, change := range map[string]func(a *attempt){
		"unlock":             func(*attempt) {},
		"at the last moment": func(a *attempt) { a.wait = 4700 * time.Millisecond },
		"re-arm by one": func(a *attempt) {
			a.asked.Verb, a.asked.Account, a.order.Action = "rearm_asked", "B", "rearm"
		},
		"unlock by one": func(a *attempt) {
			a.asked.Account, a.order.Door = "B", "store-1"
			a.asked.ID = strings.Replace(a.asked.ID, theDoor, "store-1", 1)
			a.ordered.ID = a.asked.ID
		},
	} {
		k := newCourt(t)
		a := k.sound()
		change(a)
		if shown, signed := k.try(a); shown != nil || signed != nil {
			t.Errorf("%s: %v, %v", name, shown, signed)
		}
	}
}

// I7: an order is signed once, however it is asked for: again, after it was shown again, under another checkpoint, and by
// a signer that was started in between.
func TestOrderIsSignedOnce(t *testing.T) {
	k := newCourt(t)
	a := k.sound()
	if shown, signed := k.try(a); shown != nil || signed != nil {
		t.Fatal(shown, signed)
	}
	again := func(what string) {
		t.Helper()
		if _, err := k.l.Sign(RoleCommand, text(a.order)); !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: signed twice: %v", what, err)
		}
	}
	show := func() error {
		size := k.sign()
		return k.l.Approve(Evidence{Size: size, Asked: k.proof(size, a.order.Leaf-1), Ordered: k.proof(size, a.order.Leaf)})
	}
	again("at once")
	if err := show(); !errors.Is(err, ErrNotApproved) {
		t.Errorf("shown again: %v", err)
	}
	again("shown again")
	k.leaf([]byte("more"))
	if err := show(); !errors.Is(err, ErrNotApproved) {
		t.Errorf("under another checkpoint: %v", err)
	}
	again("under another checkpoint")
	k.now = k.now.Add(30 * time.Second) // what was signed is still known when the clock is set back
	_, _ = k.try(k.sound())
	k.now = k.now.Add(-30 * time.Second)
	if err := show(); !errors.Is(err, ErrNotApproved) {
		t.Errorf("the clock is set back: %v", err)
	}
	again("the clock is set back")
	k.demand() // the signer is started again, within the order's life
	if err := show(); !errors.Is(err, ErrNotApproved) {
		t.Errorf("shown to the next signer: %v", err)
	}
	again("by the next signer")
}

// A server that floods its signer with orders gets no more signed and has nothing forgotten.
func TestOrdersAreBounded(t *testing.T) {
	k := newCourt(t)
	a := k.sound()
	asked, ordered := k.action(a.asked), []int64{}
	for range maxApproved + 1 {
		ordered = append(ordered, k.action(a.ordered))
	}
	size := k.sign()
	for i, idx := range ordered {
		err := k.l.Approve(Evidence{Size: size, Asked: k.proof(size, asked), Ordered: k.proof(size, idx)})
		if (err == nil) != (i < maxApproved) {
			t.Fatalf("order %d: %v", i, err)
		}
	}
	a.order.Leaf = ordered[0]
	if _, err := k.l.Sign(RoleCommand, text(a.order)); err != nil {
		t.Errorf("the first one was forgotten: %v", err)
	}
}

// D18: over the socket too, a bare request for a command's signature is refused, in words that the server can tell apart.
func TestRemoteNeedsApprovals(t *testing.T) {
	a := newApart(t)
	k := &court{t: t, l: a.local, now: time.UnixMilli(1795489200000)}
	k.demand()
	k.now = k.now.Add(time.Minute)
	r := a.open()
	if _, err := r.Sign(RoleCommand, text(Order{ID: theID, Door: theDoor, Action: "remote_unlock"})); !errors.Is(err, ErrNotApproved) {
		t.Errorf("without approvals: %v", err)
	}
	if _, err := r.Sign(RoleCommand, "anything\n"); !errors.Is(err, ErrNotApproved) {
		t.Errorf("no command at all: %v", err)
	}
	x := k.sound()
	asked, ordered := k.action(x.asked), k.action(x.ordered)
	size := k.sign()
	if err := r.Approve(Evidence{Size: size, Asked: k.proof(size, ordered), Ordered: k.proof(size, asked)}); !errors.Is(err, ErrNotApproved) {
		t.Errorf("leaves swapped: %v", err)
	}
	if err := r.Approve(Evidence{Size: size, Asked: k.proof(size, asked), Ordered: k.proof(size, ordered)}); err != nil {
		t.Fatal(err)
	}
	x.order.Leaf = ordered
	signed, err := r.Sign(RoleCommand, text(x.order))
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Verifier(RoleCommand)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(v)); err != nil {
		t.Error(err)
	}
	if _, err := r.Sign(RoleCommand, text(x.order)); !errors.Is(err, ErrNotApproved) {
		t.Errorf("twice: %v", err)
	}
}
