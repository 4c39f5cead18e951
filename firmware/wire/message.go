// Package wire is what crosses the network between a gateway and the server: the kinds of message,
// their exact bytes, the topics they travel on and the signed envelope around them (C2SP
// signed-note). It never sends anything; firmware/link decides what is sent when.
//
// Every message is one struct with a hand-written encoder in fixed field order. Decoders are
// strict: unknown, missing, repeated or re-ordered fields are refused, because a decoder re-encodes
// what it read and compares the bytes.
package wire

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// Identifiers and digests on the wire; lower-case hex in JSON.
type (
	// Epoch is minted at random with a gateway's outbox; a new outbox has a new epoch.
	Epoch [16]byte
	// BootID is random per boot of the gateway process's machine (per process in the simulator).
	BootID [16]byte
	// AskID identifies one question to the server; random.
	AskID [16]byte
	// Challenge is random per heartbeat and echoed in the lease.
	Challenge [16]byte
	// Hash is a SHA-256.
	Hash [32]byte
)

// Stamp is a moment as the gateway knew it (D4). Nothing in it is rewritten by the server.
type Stamp struct {
	Boot       BootID
	BoottimeNS int64 // CLOCK_BOOTTIME, ns since boot, ≥ 0
	WallMS     int64 // UTC ms by the gateway's wall clock, whatever it is worth
	Quality    access.ClockQuality
	OffsetMS   int64 // estimated server time − gateway wall time, 0 when unknown
}

// Record is the body of one gateway record: what happened at a door or to the gateway itself. It
// names no person and no card: who it was lies in the private part, to which GCommit commits (D16).
// Canonical bytes: AppendRecord. Set by the gateway only.
type Record struct {
	Gateway   access.GatewayID
	Epoch     Epoch
	Seq       uint64        // from 1, gap-free inside an epoch
	Door      access.DoorID // "" for events of the gateway itself
	Side      access.Side
	Event     door.Event
	Attempt   door.Attempt // zero when no read or opening is meant
	Stamp     Stamp
	By        access.DecidedBy
	Reason    access.Reason
	Failed    access.ReasonSet
	Policy    uint64 // rules version decided on, 0 = none
	PolicyAge int64  // ms
	Assurance string // card.Assurance text, "" when no card
	Link      string // reader link: "clear" or "secure", "" when no reader is meant
	Detail    string // machine word for the event, e.g. a fault name, a mode; ≤ 64 bytes of [a-z0-9_.-]
	GCommit   Hash   // commitment to the sealed private part; zero when there is none
}

// Carried is a record on its way: the exact body bytes, and beside them the private part and salt
// that GCommit commits to. Private and Salt are empty when GCommit is zero.
type Carried struct {
	Body    []byte
	Private []byte // sealed under the gateway's ask key (PrivateSeal); ≤ 1 KiB
	Salt    []byte // 32 bytes
}

// Private is the clear content of a record's private part, before it is sealed.
type Private struct {
	Card   []byte          // card_ref sealed by the reader goroutine (CardSeal); empty when unreadable
	PIN    access.PINState // same length for every state
	Inputs []byte          // access.AppendInputs of the gateway's decision; empty when none
	// Purpose is the code that was keyed in after the card, 1–MaxPurpose; 0 = none (RR-7).
	Purpose uint8
}

// MaxPurpose is the largest purpose code: one key.
const MaxPurpose = 9

// Hello opens a session: where this gateway's outbox and policy stand. up/hello.
type Hello struct {
	Gateway  access.GatewayID
	Epoch    Epoch
	Tail     uint64 // first seq still kept
	Head     uint64 // last seq written, 0 = none
	HeadHash Hash   // chain hash at Head
	Acked    uint64 // last seq the server acknowledged, as the gateway knows
	Stamp    Stamp
	Rules    uint64 // policy versions held
	Modes    uint64
	State    uint64
	Software string // version string, ≤ 64 bytes
}

// Welcome answers a hello: how far the server's rows of this gateway reach. down/welcome, role link.
type Welcome struct {
	Gateway   access.GatewayID
	Boot      BootID // of the hello it answers
	Epoch     Epoch
	Watermark uint64 // last committed seq of this epoch
	Hash      Hash   // chain hash at Watermark
	ServerMS  int64
	Keys      string // the signed `keys` note (KeysNote), whole
}

// Heartbeat is sent each second. up/heartbeat.
type Heartbeat struct {
	Gateway   access.GatewayID
	Challenge Challenge
	Stamp     Stamp
	Epoch     Epoch
	Head      uint64
	Acked     uint64
	Rules     uint64
	Modes     uint64
	State     uint64
	Doors     []DoorStatus
	Pending   uint64 // records waiting for an ack
	// Keys is the newest keys note that this gateway could go on with alone: the note is on its disk, and so is a
	// certificate of the newest root in it. 0 = the first one.
	Keys uint64
	// Power is what the gateway senses of its supply; the zero value says that it senses none.
	Power Power
}

// Power is the supply of a gateway (OP-1). Mains "" = nothing is sensed, and Battery is "" then too.
type Power struct {
	Mains   string // "yes", "no" (it runs on its battery), "none" (not sensed), "unknown" (the line is faulty)
	Battery string // "ok", "low", "none" (not sensed), "unknown" (the line is faulty)
}

// DoorStatus is a door's state as shown on the live page.
type DoorStatus struct {
	Door    access.DoorID
	State   string // door.StateName text
	Contact string // "open", "closed", "unknown"
	Reader  string // "ok", "lost"
	Mode    access.DoorMode
}

// Lease answers a heartbeat: while it lasts (from when the heartbeat was SENT), the gateway is
// linked. down/lease, role link.
type Lease struct {
	Gateway   access.GatewayID
	Challenge Challenge
	TTLMS     int64  // ≤ 3000
	Rules     uint64 // versions in force
	Modes     uint64
	State     uint64
	ServerMS  int64
}

// Ask asks the server to decide one read. up/ask.
type Ask struct {
	Gateway   access.GatewayID
	ID        AskID
	Attempt   door.Attempt
	Door      access.DoorID
	Side      access.Side
	Card      []byte // card_ref sealed under the ask key; empty when unreadable
	Assurance string
	PINGiven  bool
	PIN       Hash  // HMAC(ask key, pin token ‖ ask id); random bytes of the same length when !PINGiven
	PINFailed uint8 // this card's wrong PINs in a row as the gateway counts them
	Stamp     Stamp
	Rules     uint64 // snapshot version held
	// PINReset is the newest PIN reset of the state part that this gateway has taken, UTC ms; 0 = none. What PINFailed
	// counted before a later one does not count.
	PINReset int64
}

// Answer is the server's decision, committed before it is signed. down/answer, role link.
type Answer struct {
	Gateway  access.GatewayID
	ID       AskID
	Attempt  door.Attempt
	Outcome  access.Outcome
	Reason   access.Reason
	Failed   access.ReasonSet
	Rules    uint64 // policy version decided on
	Leaf     uint64 // index of the decision leaf in the log
	ServerMS int64
}

// Events is a batch of consecutive records. up/events. ≤ 64 records and ≤ 40 KiB.
type Events struct {
	Gateway access.GatewayID
	Epoch   Epoch
	First   uint64 // seq of Records[0]
	Prev    Hash   // chain hash at First-1
	Head    Hash   // chain hash at the last record of the batch
	Records []Carried
}

// Ack says that everything up to Seq is committed. Cumulative. down/ack, role link.
type Ack struct {
	Gateway    access.GatewayID
	Epoch      Epoch
	Seq        uint64
	Hash       Hash   // chain hash at Seq
	Checkpoint string // newest signed checkpoint note, whole; "" when none is signed yet

	// Proof, when Proves, is an RFC 6962 consistency proof from the tree of Old leaves to the checkpoint's: the answer to
	// a Witness that asked.
	Proves bool
	Old    uint64
	Proof  []Hash
}

// MaxProof is how many hashes a consistency proof has at most.
const MaxProof = 64

// Witness is what a gateway, as a witness of the entry log, holds. up/witness, role gateway.
type Witness struct {
	Gateway access.GatewayID
	Epoch   Epoch
	Key     string // the cosigning key's verifier key
	Held    string // newest checkpoint note it took, with its own cosignature; "" = none
	Refused string // first checkpoint note that contradicted Held; "" = none
	Ask     bool   // send a newer checkpoint with the proof that it extends the held one
}

// Manifest names a policy snapshot: one entry per part. down/policy, role policy.
type Manifest struct {
	Gateway     access.GatewayID
	Version     uint64 // of the manifest; never falls
	Prev        Hash   // hash of the manifest before, zero for the first
	NotBeforeMS int64
	MinVersion  uint64 // the gateway raises its floor to this
	Parts       []Part // rules, modes, state, in that order
}

// Part is one part of a snapshot.
type Part struct {
	Name    string // "rules", "modes", "state"
	Version uint64
	Bytes   uint64 // total length
	Sum     Hash   // SHA-256 of the whole part
	Chunks  []Hash // SHA-256 of each ≤ 32 KiB chunk
	Delta   Delta  // a shorter way for who holds the part before; zero = none
}

// Delta is how a part can be made from another one (access.ApplyDelta). It is optional for both ends;
// the part's Sum tells whether it worked.
type Delta struct {
	From   Hash   // Sum of the part that it starts from
	Bytes  uint64 // length, 0 = there is no delta
	Chunks []Hash // SHA-256 of each ≤ 32 KiB chunk of the delta
}

// Want pulls chunks by their hashes, or, with no hashes, the current manifest. up/want.
type Want struct {
	Gateway access.GatewayID
	Rules   uint64 // versions held
	Modes   uint64
	State   uint64
	Chunks  []Hash // ≤ 16
}
