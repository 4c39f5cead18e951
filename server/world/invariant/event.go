// Package invariant holds the oracles of the promises I1–I10: pure checkers over a trace of what
// happened at doors, on disks, on the wire and in the log. The simulator feeds it after every step;
// any other test that can name its events may feed it too, so that each rule is written once.
//
// It sees effects only (edges, durable records, rows, acks), never why a program thought it might:
// a checker that asked the program would believe its mistakes.
package invariant

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// Kind is a kind of Event.
type Kind uint8

// Kinds of events. Beside Kind, At and WallMS an event fills the fields its line names.
const (
	KindNone      Kind = iota
	Badge              // a card was presented: Gateway, Door, Attempt, Side, Card, Known
	Edge               // the strike was released: Gateway, Door, Attempt or Command, By, Side, Reason, Card, Linked, MaxAge, Trusted, Rules
	Secured            // the strike was driven secure: Gateway, Door
	Decided            // the server's decision is committed: Gateway, Door, Attempt, Granted
	Durable            // a gateway's record is on its disk: Gateway, Door, Epoch, Seq, Prev, Hash, Attempt, By, Event, Side, Reason, Granted
	Row                // the server committed a record: Gateway, Epoch, Seq, Hash, Body
	Gap                // the server logged that records up to Seq are lost: Gateway, Epoch, Seq, Hash
	Ack                // the server signed an ack or a welcome's watermark: Gateway, Epoch, Seq, Hash
	Restored           // the server's store was put back to an older state, whose leaves, rows and gaps are told next: Seq (leaves), From (when it was taken)
	RolledBack         // a gateway's disk was put back to before records the server has: Gateway
	Finding            // the server logged a finding: Gateway, Word
	Revoked            // a card was withdrawn at the server, committed: Card
	Reinstated         // and given back: Card
	Transport          // link, process or broker changed: Gateway, Word
	CommandIssued      // Gateway, Command, Boot, Until
	Boot               // a gateway's process began: Gateway, Boot
	Leaf               // the log grew: Seq (index), Hash (leaf hash), Body
	Checkpoint         // a checkpoint was signed: Seq (size), Hash (root), Word (name of the log)
	Heard              // the server took a heartbeat: Gateway
	Coverage           // the log states a silence: Gateway, From, Until
	Fire               // fire release at a door: Gateway, Door, On
	Rearmed            // a person has re-armed a door after a fire: Gateway, Door
	Drained            // faults have stopped and time enough has passed: Gateway, Kept
)

// Key names one gateway record.
type Key struct {
	Gateway access.GatewayID
	Epoch   wire.Epoch
	Seq     uint64
}

// KeptRecord is a record that a gateway still holds and means to send.
type KeptRecord struct {
	Key
	Hash wire.Hash
}

// Event is one thing that happened.
type Event struct {
	Kind   Kind
	At     time.Duration // true time since the trace began; never falls
	WallMS int64         // true wall time, UTC ms

	Gateway access.GatewayID
	Door    access.DoorID
	Side    access.Side
	Attempt door.Attempt
	Card    string // any name that is the same for the same card; never its number
	Known   bool   // the site knows the card
	By      access.DecidedBy
	Granted bool
	Linked  bool          // a lease was held at the edge
	MaxAge  time.Duration // how old a policy the door may use (D12)
	Trusted bool          // the gateway's clock was at least ClockRTC
	Rules   uint64        // rules version held, 0 = none
	On      bool

	Epoch  wire.Epoch
	Seq    uint64
	Prev   wire.Hash
	Hash   wire.Hash
	Body   []byte
	Event  door.Event
	Reason access.Reason

	Command wire.BootID // id of a command; zero = none
	Boot    wire.BootID
	From    time.Duration
	Until   time.Duration
	Word    string
	Kept    []KeptRecord
}
