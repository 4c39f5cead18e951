package directory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"monban/server/entrylog"
)

// States of a proposal.
const (
	ProposalOpen      = "open"
	ProposalConfirmed = "confirmed"
	ProposalWithdrawn = "withdrawn"
)

// proposalLife is how long a proposal can be confirmed: after that nobody remembers why it was made.
const proposalLife = int64(30 * 24 * 3600 * 1000)

// Proposal is a change that waits for a second person (D27). Nothing of it is in force.
type Proposal struct {
	ID         string // 32 hex digits
	State      string // ProposalOpen …
	Proposer   string // account, "" = the command line
	ProposedMS int64  // UTC ms
	Reason     string // "" once decided: it stands in the log
	Decider    string // account that confirmed or withdrew it, "" while open
	DecidedMS  int64  // 0 while open
	Idx        int64  // leaf that tells of its last step
	// Body holds the rows before and after; nil once decided: what was decided stands in the log.
	Body []byte
}

// ProposalTx is a Tx that keeps proposals.
type ProposalTx interface {
	Tx
	Proposal(id string) (Proposal, error)
	InsertProposal(Proposal) error
	// ProposalWith finds an open proposal with these bytes; ok is false when there is none.
	ProposalWith(body []byte) (p Proposal, ok bool, err error)
	// MoveProposal replaces an open proposal.
	MoveProposal(Proposal) error
}

// Errors of proposals.
var (
	ErrSamePerson = errors.New("the same person cannot propose and confirm; ask somebody else")
	ErrDecided    = errors.New("the proposal was decided before, or is older than 30 days; propose it again")
	ErrStale      = errors.New("the directory has changed since; withdraw the proposal and make it again")
)

// step is a change with what stood there before, so that a confirmation changes what was looked at and
// nothing else.
type step struct {
	Was *stored `json:"was,omitempty"` // nil for an addition
	Is  stored  `json:"is"`
}

// stored is a change as bytes keep it. A card's references print as nothing that could be read back, so they
// stand beside it.
type stored struct {
	Change
	Credential *storedCard `json:",omitempty"`
}

type storedCard struct {
	Credential
	Ref, PIN, Duress []byte
}

func toStored(c *Change) *stored {
	out := &stored{Change: *c}
	if x := c.Credential; x != nil {
		out.Credential = &storedCard{Credential: *x, Ref: x.Ref[:], PIN: x.PIN[:], Duress: x.Duress[:]}
	}
	return out
}

func (s *stored) change() *Change {
	c := s.Change
	if x := s.Credential; x != nil {
		card := x.Credential
		copy(card.Ref[:], x.Ref)
		copy(card.PIN[:], x.PIN)
		copy(card.Duress[:], x.Duress)
		c.Credential = &card
	}
	return &c
}

// Outcome is what became of a change.
type Outcome struct {
	Applied  []Change // in force with the commit
	Waiting  []Change // waits for a second person, as Proposal
	Proposal string   // "" when nothing waits
	Warnings []Warning
}

// ChangeOrPropose changes the directory as Update does, as far as one person may (D27): what only takes
// rights away, or concerns zones of level 1, is in force at once; what adds rights at level 2 or 3 becomes a
// proposal. alone says that no second person exists yet (set-up): then all of it is in force at once. Asking
// again for what is already proposed gives the same proposal. id names a new one, 32 hex digits; day is today.
func ChangeOrPropose(tx ProposalTx, actor Actor, reason string, nowMS int64, day Date, alone bool, id string, edit func(*Snapshot) error) (Outcome, error) {
	base, next, changes, err := plan(tx, reason, nowMS, edit)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Warnings: next.Warnings(changes, false, day)}
	now, wait := changes, []Change(nil)
	if !alone {
		now, wait = Split(&base, &next, changes)
	}
	if len(now) > 0 {
		out.Applied, err = Update(tx, actor, reason, nowMS, func(s *Snapshot) error {
			s.Put(now)
			s.sort()
			return nil
		})
		if err != nil {
			return Outcome{}, err
		}
	}
	if len(wait) == 0 {
		return out, nil
	}
	mid, err := tx.Directory()
	if err != nil {
		return Outcome{}, fmt.Errorf("load directory: %w", err)
	}
	p, err := Propose(tx, actor, reason, nowMS, id, &mid, wait)
	if err != nil {
		return Outcome{}, err
	}
	out.Waiting, out.Proposal = wait, p.ID
	return out, nil
}

// Propose notes changes for a second person and writes one leaf; what is proposed already is given back as it
// is. base is the directory they were made on; id is made by the caller, 32 hex digits.
func Propose(tx ProposalTx, actor Actor, reason string, nowMS int64, id string, base *Snapshot, changes []Change) (Proposal, error) {
	if why := reasonFault(reason); why != nil {
		return Proposal{}, why
	}
	was := rowsOf(base)
	steps := make([]step, 0, len(changes))
	for _, c := range changes {
		s := step{Is: *toStored(&c)}
		if old, ok := was[c.Noun()+" "+c.ID()]; ok {
			s.Was = toStored(&old)
		}
		steps = append(steps, s)
	}
	body, err := json.Marshal(steps)
	if err != nil {
		return Proposal{}, fmt.Errorf("propose: %w", err)
	}
	if p, there, err := tx.ProposalWith(body); err != nil || there {
		return p, err
	}
	p := Proposal{ID: id, State: ProposalOpen, Proposer: actor.Account, ProposedMS: nowMS, Reason: reason, Body: body}
	if p.Idx, err = proposalLeaf(tx, "proposal_made", actor, reason, nowMS, id, changes); err != nil {
		return Proposal{}, err
	}
	return p, tx.InsertProposal(p)
}

// ProposedChanges gives what an open proposal would change, in writing order.
func (p *Proposal) ProposedChanges() ([]Change, error) {
	steps, err := p.steps()
	if err != nil {
		return nil, err
	}
	out := make([]Change, 0, len(steps))
	for _, s := range steps {
		out = append(out, *s.Is.change())
	}
	return out, nil
}

func (p *Proposal) steps() (out []step, err error) {
	if err := json.Unmarshal(p.Body, &out); err != nil {
		return nil, fmt.Errorf("proposal %s: %w", p.ID, err)
	}
	return out, nil
}

// Stands reports whether every row that an open proposal would change still stands in s as it stood when it was made: only then it can
// be confirmed. One that cannot be read does not.
func (p *Proposal) Stands(s *Snapshot) bool {
	steps, err := p.steps()
	if err != nil {
		return false
	}
	now := rowsOf(s)
	for i := range steps {
		if !steps[i].stands(now) {
			return false
		}
	}
	return true
}

// Apply puts the rows of an open proposal into s, whatever stands there: to try it, or after Stands. What s shares with
// another directory is not changed.
func (p *Proposal) Apply(s *Snapshot) error {
	steps, err := p.steps()
	if err != nil {
		return err
	}
	*s = s.clone()
	changes := make([]Change, len(steps))
	for i := range steps {
		changes[i] = *steps[i].Is.change()
	}
	s.Put(changes)
	s.sort()
	return nil
}

// Confirm puts an open proposal into force. The caller has made sure that actor is another person than the
// proposer beyond the account (RA-2); here the account is compared. The rows must stand as they stood when
// it was made.
func Confirm(tx ProposalTx, actor Actor, nowMS int64, id string) ([]Change, error) {
	p, err := openProposal(tx, nowMS, id)
	if err != nil {
		return nil, err
	}
	if actor.Account == "" || actor.Account == p.Proposer {
		return nil, ErrSamePerson
	}
	note := "\n" + "proposed by " + orWord(p.Proposer, "the command line") + ", proposal " + id
	changes, err := writeNoted(tx, actor, p.Reason, note, nowMS, func(s *Snapshot) error {
		if !p.Stands(s) {
			return ErrStale
		}
		return p.Apply(s)
	})
	if err != nil {
		return nil, err
	}
	return changes, decide(tx, "proposal_confirmed", ProposalConfirmed, actor, p.Reason, nowMS, p)
}

// Withdraw ends an open proposal without effect: by its proposer, or by whoever does not agree, with why.
func Withdraw(tx ProposalTx, actor Actor, reason string, nowMS int64, id string) error {
	if why := reasonFault(reason); why != nil {
		return why
	}
	p, err := tx.Proposal(id)
	if err != nil {
		return err
	}
	if p.State != ProposalOpen {
		return ErrDecided
	}
	return decide(tx, "proposal_withdrawn", ProposalWithdrawn, actor, reason, nowMS, p)
}

func openProposal(tx ProposalTx, nowMS int64, id string) (Proposal, error) {
	p, err := tx.Proposal(id)
	if err != nil {
		return p, err
	}
	if p.State != ProposalOpen || nowMS-p.ProposedMS > proposalLife {
		return p, ErrDecided
	}
	return p, nil
}

func decide(tx ProposalTx, verb, state string, actor Actor, reason string, nowMS int64, p Proposal) error {
	idx, err := proposalLeaf(tx, verb, actor, reason, nowMS, p.ID, nil)
	if err != nil {
		return err
	}
	p.State, p.Decider, p.DecidedMS, p.Idx, p.Reason, p.Body = state, actor.Account, nowMS, idx, "", nil
	return tx.MoveProposal(p)
}

// proposalLeaf writes the leaf of a step. The changes stand in the opening, since they name people (PR-2).
func proposalLeaf(tx Tx, verb string, actor Actor, reason string, nowMS int64, id string, changes []Change) (int64, error) {
	lines := []string{reason}
	for i := range changes {
		lines = append(lines, changes[i].String())
	}
	leaf := entrylog.Action{Account: actor.Account, Verb: verb, Target: "proposal", ID: id, From: actor.From, Result: "ok", Reason: true, AtMS: nowMS}
	return tx.AppendAction(leaf, &entrylog.Opening{Text: clipText(strings.Join(lines, "\n"))})
}

// stands reports whether the row is as it was when the step was made.
func (s *step) stands(now map[string]Change) bool {
	is := s.Is.change()
	row, there := now[is.Noun()+" "+is.ID()]
	if s.Was == nil || !there {
		return s.Was == nil && !there
	}
	a, errA := json.Marshal(toStored(&row))
	b, errB := json.Marshal(s.Was)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// rowsOf gives every row of a directory by noun and identifier.
func rowsOf(s *Snapshot) map[string]Change {
	rows := Diff(Snapshot{}, *s)
	out := make(map[string]Change, len(rows))
	for _, c := range rows {
		c.Op, c.Fields = "", nil
		out[c.Noun()+" "+c.ID()] = c
	}
	return out
}

// sort puts the rows into the order in which a store returns them.
func (s *Snapshot) sort() {
	for _, rows := range []func(){
		func() { slices.SortFunc(s.People, func(a, b Person) int { return cmp.Compare(a.ID, b.ID) }) },
		func() { slices.SortFunc(s.Credentials, func(a, b Credential) int { return cmp.Compare(a.ID, b.ID) }) },
		func() { slices.SortFunc(s.Zones, func(a, b Zone) int { return cmp.Compare(a.ID, b.ID) }) },
		func() { slices.SortFunc(s.Doors, func(a, b Door) int { return cmp.Compare(a.ID, b.ID) }) },
		func() { slices.SortFunc(s.Grants, func(a, b Grant) int { return cmp.Compare(a.ID, b.ID) }) },
		func() { slices.SortFunc(s.Groups, func(a, b Group) int { return cmp.Compare(a.ID, b.ID) }) },
	} {
		rows()
	}
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
