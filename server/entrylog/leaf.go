package entrylog

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256: a leaf hash, a node of the tree, a commitment, a link of a gateway's chain.
type Hash = tlog.Hash

// Kind is a kind of leaf (D15). The names are in the bytes of every leaf and never change.
type Kind string

// The kinds.
const (
	KindRecord   Kind = "record"   // from a gateway; key gateway, epoch, seq
	KindDecision Kind = "decision" // the server's answer to an ask; key ask id
	KindAction   Kind = "action"   // what an operator did
	KindSystem   Kind = "system"   // what the server itself states
)

// Leaf is one leaf of the tree: Body is what is hashed, as tlog.RecordHash(Body).
type Leaf struct {
	Kind Kind
	Body []byte
}

// MaxLeafBytes bounds a leaf body: a record body (≤ 2 KiB) with its frame, or a system leaf that
// carries a whole note.
const MaxLeafBytes = 16 << 10

// Record is a `record` leaf: one gateway record, verbatim, and what the server adds to it.
type Record struct {
	AtMS     int64  // server's clock when the batch was received, UTC ms
	FromMS   int64  // occurred interval in server time, UTC ms, FromMS ≤ ToMS (D21: the server
	ToMS     int64  // adds an interval and rewrites nothing)
	Chain    Hash   // h of this record: SHA-256(0x00 ‖ previous h ‖ Body)
	Judged   string // the server's own reason when it re-judged a decision made by the gateway, else ""
	Mismatch bool   // the server would have decided otherwise: decision_mismatch
	Late     bool   // received long after it happened (kept for the reader; the bound is ingest's)
	Commit   Hash   // commitment to the opening, zero when there is none
	Body     []byte // the gateway's record body, exactly as it was hashed into the chain; a JSON object
}

// Decision is a `decision` leaf: an answer of the server, written before it was sent (I1).
type Decision struct {
	Ask       [16]byte
	Attempt   [16]byte
	Gateway   string
	Door      string
	Side      string // "enter" or "exit"
	Outcome   string // access.Outcome in words
	Reason    string // access.Reason, snake_case
	Failed    []string
	Policy    uint64 // rules version decided on, 0 = none
	AtMS      int64  // server's clock, UTC ms
	Assurance string // card.Assurance in words, "" when no card
	Commit    Hash
}

// Action is an `action` leaf: who did what to what. Names, addresses and free text are in the
// opening. TargetID is empty for targets that are a person or belong to one (PR-2).
type Action struct {
	Account string // id of the acting account, not its login name; "" before sign-in and for the command line
	Verb    string // e.g. "grant_add", "login_failed", "day_signed"
	Target  string // kind of the target: "grant", "zone", "person", …; "" for none
	ID      string // the target's id
	From    string // class of the origin: "local", "lan", "remote", "cli", "api"
	Result  string // "ok" or "refused"
	Reason  bool   // a reason was given; its text is in the opening
	AtMS    int64
	Commit  Hash
}

// PersonalTarget reports whether the id of a target of this kind would link leaves to one person
// (PR-2); such an id stands in the opening only.
func PersonalTarget(kind string) bool {
	switch kind {
	case "person", "credential", "card", "grant", "visit", "matter":
		return true
	}
	return false
}

const (
	headRecord   = `{"leaf":1,"kind":"record","at":`
	headDecision = `{"leaf":1,"kind":"decision","at":`
	headAction   = `{"leaf":1,"kind":"action","at":`
	headSystem   = `{"leaf":1,"kind":"system","at":`
)

// KindOf reads the kind out of a leaf body without parsing the rest.
func KindOf(body []byte) (Kind, error) {
	switch {
	case bytes.HasPrefix(body, []byte(headRecord)):
		return KindRecord, nil
	case bytes.HasPrefix(body, []byte(headDecision)):
		return KindDecision, nil
	case bytes.HasPrefix(body, []byte(headAction)):
		return KindAction, nil
	case bytes.HasPrefix(body, []byte(headSystem)):
		return KindSystem, nil
	}
	return "", fmt.Errorf("leaf of unknown version or kind: %w", errSyntax)
}

// Append appends the canonical bytes of r. The record body is copied as it is: whoever received it
// has checked that it is canonical (wire.ParseRecord).
func (r *Record) Append(dst []byte) ([]byte, error) {
	if r.FromMS > r.ToMS {
		return nil, fmt.Errorf("record leaf: interval %d…%d runs backwards", r.FromMS, r.ToMS)
	}
	if err := checkWord("judged", r.Judged, 64); err != nil {
		return nil, fmt.Errorf("record leaf: %w", err)
	}
	if len(r.Body) < 2 || r.Body[0] != '{' || r.Body[len(r.Body)-1] != '}' || bytes.IndexByte(r.Body, '\n') >= 0 {
		return nil, fmt.Errorf("record leaf: the body is not a JSON object on one line")
	}
	dst = append(dst, headRecord...)
	dst = strconv.AppendInt(dst, r.AtMS, 10)
	dst = append(dst, `,"from":`...)
	dst = strconv.AppendInt(dst, r.FromMS, 10)
	dst = append(dst, `,"to":`...)
	dst = strconv.AppendInt(dst, r.ToMS, 10)
	dst = append(dst, `,"h":`...)
	dst = appendHex(dst, r.Chain[:])
	dst = append(dst, `,"judged":`...)
	dst = appendString(dst, r.Judged)
	dst = append(dst, `,"mismatch":`...)
	dst = strconv.AppendBool(dst, r.Mismatch)
	dst = append(dst, `,"late":`...)
	dst = strconv.AppendBool(dst, r.Late)
	dst = append(dst, `,"commit":`...)
	dst = appendHash(dst, r.Commit)
	dst = append(dst, `,"body":`...)
	dst = append(dst, r.Body...)
	return append(dst, '}'), nil
}

// ParseRecord is the inverse of Append. Body is a part of the input, not a copy, and is not looked
// into: the caller's checker does that.
func ParseRecord(b []byte) (r Record, err error) {
	s := scan{b: b}
	s.lit(headRecord)
	r.AtMS = s.int()
	s.lit(`,"from":`)
	r.FromMS = s.int()
	s.lit(`,"to":`)
	r.ToMS = s.int()
	s.lit(`,"h":`)
	s.hex(r.Chain[:])
	s.lit(`,"judged":`)
	r.Judged = s.word(64)
	s.lit(`,"mismatch":`)
	r.Mismatch = s.bool()
	s.lit(`,"late":`)
	r.Late = s.bool()
	s.lit(`,"commit":`)
	r.Commit = s.hash()
	s.lit(`,"body":`)
	if s.err != nil {
		return Record{}, fmt.Errorf("record leaf: %w", s.err)
	}
	if r.FromMS > r.ToMS {
		return Record{}, fmt.Errorf("record leaf: interval runs backwards: %w", errSyntax)
	}
	rest := b[s.i:]
	if len(rest) < 3 || rest[0] != '{' || rest[len(rest)-2] != '}' || rest[len(rest)-1] != '}' || bytes.IndexByte(rest, '\n') >= 0 {
		s.fail("a JSON object and the closing brace")
		return Record{}, fmt.Errorf("record leaf: %w", s.err)
	}
	r.Body = rest[: len(rest)-1 : len(rest)-1]
	return r, nil
}

// Append appends the canonical bytes of d.
func (d *Decision) Append(dst []byte) ([]byte, error) {
	for _, w := range [...]struct{ field, value string }{
		{"gateway", d.Gateway}, {"door", d.Door}, {"side", d.Side}, {"outcome", d.Outcome},
		{"reason", d.Reason}, {"assurance", d.Assurance},
	} {
		if err := checkWord(w.field, w.value, 64); err != nil {
			return nil, fmt.Errorf("decision leaf: %w", err)
		}
	}
	dst = append(dst, headDecision...)
	dst = strconv.AppendInt(dst, d.AtMS, 10)
	dst = append(dst, `,"ask":`...)
	dst = appendHex(dst, d.Ask[:])
	dst = append(dst, `,"attempt":`...)
	dst = appendHex(dst, d.Attempt[:])
	dst = append(dst, `,"gateway":`...)
	dst = appendString(dst, d.Gateway)
	dst = append(dst, `,"door":`...)
	dst = appendString(dst, d.Door)
	dst = append(dst, `,"side":`...)
	dst = appendString(dst, d.Side)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, d.Outcome)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, d.Reason)
	dst = append(dst, `,"failed":[`...)
	for i, f := range d.Failed {
		if err := checkWord("failed", f, 64); err != nil {
			return nil, fmt.Errorf("decision leaf: %w", err)
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, f)
	}
	dst = append(dst, `],"policy":`...)
	dst = strconv.AppendUint(dst, d.Policy, 10)
	dst = append(dst, `,"assurance":`...)
	dst = appendString(dst, d.Assurance)
	dst = append(dst, `,"commit":`...)
	dst = appendHash(dst, d.Commit)
	return append(dst, '}'), nil
}

// ParseDecision is the inverse of Append.
func ParseDecision(b []byte) (d Decision, err error) {
	s := scan{b: b}
	s.lit(headDecision)
	d.AtMS = s.int()
	s.lit(`,"ask":`)
	s.hex(d.Ask[:])
	s.lit(`,"attempt":`)
	s.hex(d.Attempt[:])
	s.lit(`,"gateway":`)
	d.Gateway = s.word(64)
	s.lit(`,"door":`)
	d.Door = s.word(64)
	s.lit(`,"side":`)
	d.Side = s.word(64)
	s.lit(`,"outcome":`)
	d.Outcome = s.word(64)
	s.lit(`,"reason":`)
	d.Reason = s.word(64)
	s.lit(`,"failed":[`)
	for i := 0; s.err == nil && !s.peek("]"); i++ {
		if i > 0 {
			s.lit(",")
		}
		d.Failed = append(d.Failed, s.word(64))
	}
	s.lit(`],"policy":`)
	d.Policy = s.uint()
	s.lit(`,"assurance":`)
	d.Assurance = s.word(64)
	s.lit(`,"commit":`)
	d.Commit = s.hash()
	s.lit("}")
	if err := s.end(); err != nil {
		return Decision{}, fmt.Errorf("decision leaf: %w", err)
	}
	return d, nil
}

func (a *Action) check() error {
	for _, w := range [...]struct {
		field, value string
		max          int
	}{
		{"account", a.Account, 64}, {"verb", a.Verb, 64}, {"target", a.Target, 64}, {"id", a.ID, 128},
		{"from", a.From, 16}, {"result", a.Result, 16},
	} {
		if err := checkWord(w.field, w.value, w.max); err != nil {
			return fmt.Errorf("action leaf: %w", err)
		}
	}
	if a.Verb == "" {
		return fmt.Errorf("action leaf: no verb")
	}
	if a.ID != "" && PersonalTarget(a.Target) { // PR-2: the id goes into the opening
		return fmt.Errorf("action leaf: the id of a %s belongs into the opening", a.Target)
	}
	return nil
}

// Append appends the canonical bytes of a.
func (a *Action) Append(dst []byte) ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	dst = append(dst, headAction...)
	dst = strconv.AppendInt(dst, a.AtMS, 10)
	dst = append(dst, `,"account":`...)
	dst = appendString(dst, a.Account)
	dst = append(dst, `,"verb":`...)
	dst = appendString(dst, a.Verb)
	dst = append(dst, `,"target":`...)
	dst = appendString(dst, a.Target)
	dst = append(dst, `,"id":`...)
	dst = appendString(dst, a.ID)
	dst = append(dst, `,"from":`...)
	dst = appendString(dst, a.From)
	dst = append(dst, `,"result":`...)
	dst = appendString(dst, a.Result)
	dst = append(dst, `,"reason":`...)
	dst = strconv.AppendBool(dst, a.Reason)
	dst = append(dst, `,"commit":`...)
	dst = appendHash(dst, a.Commit)
	return append(dst, '}'), nil
}

// ParseAction is the inverse of Append.
func ParseAction(b []byte) (a Action, err error) {
	s := scan{b: b}
	s.lit(headAction)
	a.AtMS = s.int()
	s.lit(`,"account":`)
	a.Account = s.word(64)
	s.lit(`,"verb":`)
	a.Verb = s.word(64)
	s.lit(`,"target":`)
	a.Target = s.word(64)
	s.lit(`,"id":`)
	a.ID = s.word(128)
	s.lit(`,"from":`)
	a.From = s.word(16)
	s.lit(`,"result":`)
	a.Result = s.word(16)
	s.lit(`,"reason":`)
	a.Reason = s.bool()
	s.lit(`,"commit":`)
	a.Commit = s.hash()
	s.lit("}")
	if err := s.end(); err != nil {
		return Action{}, fmt.Errorf("action leaf: %w", err)
	}
	if err := a.check(); err != nil {
		return Action{}, err
	}
	return a, nil
}
