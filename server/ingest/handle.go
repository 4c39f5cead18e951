// Package ingest takes gateways' records into the log: one transaction a batch, each record exactly
// once, in order, chained (I2, I3). It judges grants again that gateways gave alone, finds what a
// person has to look at, and says how far a gateway's records are committed: the caller
// acknowledges that, and only after the commit (I4).
//
// Everything is a function of a transaction, a message and the time, and may be run again from the
// start. A batch that comes twice changes nothing. DESIGN.md beside this file lists the cases.
package ingest

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// Tx is what ingest needs of the store's write transaction.
type Tx interface {
	Chain(gateway string, epoch [16]byte) (watermark uint64, hash entrylog.Hash, err error)
	RecordHash(gateway string, epoch [16]byte, seq uint64) (hash entrylog.Hash, idx int64, err error)
	AppendRecord(in store.RecordIn, o *entrylog.Opening) (idx int64, hash entrylog.Hash, err error)
	AppendGap(gateway string, epoch [16]byte, seq uint64, h entrylog.Hash, atMS int64) (int64, error)
	AppendQuarantine(gateway string, epoch [16]byte, seq uint64, body []byte, atMS int64, o *entrylog.Opening) (int64, error)
	AfterCommit(f func())
	AfterRollback(f func())
	Told
	Awaits
	Around
	Past
}

// Past is what ingest reads of what was logged before.
type Past interface {
	OpenFinding(kind, gateway, door, detail string) (bool, error)
	FoundAt(kind, detail string, atMS int64) (bool, error)
	ForkedAt(gateway string, epoch [16]byte) (bool, error)
	Quarantined(gateway string, epoch [16]byte, seq uint64, body []byte) (bool, error)
	OtherEpoch(gateway string, epoch [16]byte) (bool, error)
	Unrecorded(days [2]string, beforeMS int64) ([]attempt.Row, error)
	LastRecord(gateway string) (idx int64, err error)
	MatterAtDoor(kind, door string, atMS int64) (bool, error)
	LoanAt(ref card.Ref, atMS int64) (visit.Loan, bool, error)
	Leaf(idx int64) (entrylog.Leaf, error)
	Policy(gateway, part string, version uint64) (store.PolicyVersion, error)
	AttemptRow(id [16]byte) (attempt.Row, error)
	Opening(idx int64) (entrylog.Opening, error)
	Setting(key string) (string, error)
}

// Policies gives the policy in force, nil when there is none.
type Policies interface{ Site() *policypub.Current }

// Pipeline takes records in. Its methods may be called from several goroutines.
type Pipeline struct {
	policies Policies
	zone     *time.Location // the site's

	mu    sync.Mutex
	tails map[chain]uint64 // mu; first record a gateway still has, by its last hello
	holes map[chain]hole   // mu; where batches begin too late
	forks map[chain]bool   // mu; what ForkedAt said, true for good
	old   *access.Policy   // mu; rules of an earlier version, the last that were asked for

	follower Follower // nil = nobody
	desks    Desks    // nil = none

	set    review.Settings
	seed   maphash.Seed
	silent func(access.GatewayID) bool // nil = none is
	linked func(access.GatewayID) bool // nil = nobody knows

	// Of the transaction that is open: the store runs one at a time.
	watch    *review.Watch
	areas    *policypub.Current         // whose zones the watch knows
	waiting  []waiting                  // exits of which the entry may still come
	silentMS map[access.GatewayID]int64 // since when a gateway is silent, the server's clock, as ticks have seen it
	kept     map[access.GatewayID]silence
	met      map[access.GatewayID]bool // which have been linked since the start
	actsSeen int64                     // newest officer's act that the watch knows
}

// Follower is told every record that has committed, in order: who moves whom follows from them (D7). It
// must not block. person is whose card the record's private part names, "" when it names none.
type Follower interface {
	// Holds reports whether it knows whose an attempt is; else ingest reads it from the log.
	Holds(a door.Attempt) bool
	Follow(f review.Fact, person string, epoch wire.Epoch, seq uint64)
}

// Follow sets who is told of records. Call it before the first Handle.
func (p *Pipeline) Follow(f Follower) { p.follower = f }

// Desks are the site's desk readers: records of theirs are of no door, and no stranger's.
type Desks interface {
	Desk(id access.DoorID) (gateway access.GatewayID, ok bool)
}

// SetDesks tells which desk readers there are. Call it before the first Handle.
func (p *Pipeline) SetDesks(d Desks) { p.desks = d }

// ownDesk reports whether a name is that of a desk of this gateway.
func (b *batch) ownDesk(id access.DoorID) bool {
	if b.p.desks == nil {
		return false
	}
	gateway, ok := b.p.desks.Desk(id)
	return ok && gateway == b.key.gateway
}

type chain struct {
	gateway access.GatewayID
	epoch   wire.Epoch
}

// New makes a pipeline. zone is the site's time zone.
func New(policies Policies, zone *time.Location) *Pipeline {
	return &Pipeline{
		policies: policies, zone: zone, tails: map[chain]uint64{}, holes: map[chain]hole{}, forks: map[chain]bool{},
		set: review.DefaultSettings(), seed: maphash.MakeSeed(), kept: map[access.GatewayID]silence{}, met: map[access.GatewayID]bool{}, actsSeen: -1,
	}
}

// Errors of Handle that say that the batch itself is at fault: nothing of it is logged and nothing
// acknowledged.
var (
	ErrBatch    = errors.New("batch is not what its gateway may send")
	ErrNoPolicy = errors.New("no policy is loaded yet")
)

// Result is how far a gateway's records reach, to be acknowledged once the transaction has committed.
type Result struct {
	Gateway access.GatewayID
	Epoch   wire.Epoch
	Seq     uint64 // last record without a gap before it
	Hash    wire.Hash
	// Forked: this epoch must not be acknowledged any more. The gateway keeps its records until it
	// begins another epoch.
	Forked bool
	New    int // records logged now; the rest of the batch was known
}

// Handle takes one batch in. gw is who sent it, by topic, certificate and signature. nowMS is the
// server's clock at receipt, UTC ms. With an error the caller rolls back and does not acknowledge; the
// gateway sends again.
func (p *Pipeline) Handle(tx Tx, gw access.GatewayID, ev *wire.Events, nowMS int64) (Result, error) {
	site := p.policies.Site()
	if site == nil {
		return Result{}, ErrNoPolicy // judging without rules would call every grant wrong
	}
	records, err := parse(gw, ev)
	if err != nil {
		return Result{}, err
	}
	b := &batch{
		p: p, tx: tx, site: site, key: chain{gw, ev.Epoch}, gw: string(gw), ev: ev, records: records, nowMS: nowMS,
		named: map[door.Attempt]string{},
	}
	if err := b.run(); err != nil {
		return Result{}, err
	}
	out := Result{Gateway: gw, Epoch: ev.Epoch, New: b.added, Forked: b.forked}
	seq, hash, err := tx.Chain(b.gw, ev.Epoch)
	if err != nil {
		return Result{}, err
	}
	out.Seq, out.Hash = seq, wire.Hash(hash)
	return out, nil
}

// parsed is one record of a batch with its place in the gateway's chain.
type parsed struct {
	body  wire.Record
	hash  wire.Hash // chain hash at this record, as the gateway chains
	wired *wire.Carried
}

// parse checks that a batch is consecutive records of one gateway and epoch that chain.
func parse(gw access.GatewayID, ev *wire.Events) ([]parsed, error) {
	if ev.Gateway != gw || ev.First == 0 || len(ev.Records) == 0 {
		return nil, fmt.Errorf("%w: another gateway, no records, or counted from 0", ErrBatch)
	}
	hashes, err := ev.Chain()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	out := make([]parsed, len(ev.Records))
	for i := range ev.Records {
		body, err := wire.ParseRecord(ev.Records[i].Body)
		if err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", ErrBatch, ev.First+uint64(i), err)
		}
		if body.Gateway != gw || body.Epoch != ev.Epoch || body.Seq != ev.First+uint64(i) {
			return nil, fmt.Errorf("%w: record %d names another gateway, epoch or number", ErrBatch, ev.First+uint64(i))
		}
		out[i] = parsed{body: body, hash: hashes[i], wired: &ev.Records[i]}
	}
	return out, nil
}

// batch is one run of Handle.
type batch struct {
	p       *Pipeline
	tx      Tx
	site    *policypub.Current
	key     chain
	gw      string
	ev      *wire.Events
	records []parsed
	nowMS   int64

	forked bool
	added  int
	named  map[door.Attempt]string // whom records of this batch name, by attempt
}

func (b *batch) run() error {
	var err error
	if b.forked, err = b.p.forked(b.tx, b.key); err != nil {
		return err
	}
	seq, hash, err := b.tx.Chain(b.gw, b.key.epoch)
	if err != nil {
		return err
	}
	next := 0 // first record of the batch that is not logged
	for ; next < len(b.records) && b.records[next].body.Seq <= seq; next++ {
		same, err := b.known(&b.records[next])
		if err != nil {
			return err
		}
		if !same { // this record and all that build on it are of another chain than ours
			return b.fork(next)
		}
	}
	rest := b.records[next:]
	if len(rest) == 0 {
		return nil // all of it came before
	}
	if first := rest[0].body.Seq; first != seq+1 {
		missing, err := b.gap(seq)
		if err != nil || missing {
			return err
		}
	} else if next == 0 && b.ev.Prev != wire.Hash(hash) {
		return b.fork(0) // it follows on another record than ours
	}
	for i := range rest {
		if err := b.add(&rest[i]); err != nil {
			return fmt.Errorf("record %d: %w", rest[i].body.Seq, err)
		}
	}
	b.added = len(rest)
	return nil
}

// known reports whether a record that should be logged is logged with the same chain hash. One inside
// a declared gap is kept in quarantine: the chain has gone on without it.
func (b *batch) known(r *parsed) (same bool, err error) {
	hash, _, err := b.tx.RecordHash(b.gw, b.key.epoch, r.body.Seq)
	if errors.Is(err, store.ErrNotFound) {
		return true, b.quarantine(r)
	}
	if err != nil {
		return false, err
	}
	return wire.Hash(hash) == r.hash, nil
}

// find writes a finding about the chain, unless an open one says the same.
func (b *batch) find(kind review.Kind, cause int64, seq uint64) error {
	return findOnce(b.tx, review.New(kind, cause), b.key.gateway, review.Place(b.key.epoch, seq), b.nowMS)
}

func findOnce(tx Tx, f review.Finding, gw access.GatewayID, detail string, nowMS int64) error {
	open, err := tx.OpenFinding(string(f.Kind), string(gw), string(f.Door), detail)
	if err != nil || open {
		return err
	}
	f.Gateway, f.Detail, f.AtMS = gw, detail, nowMS
	return appendFinding(tx, f)
}

func appendFinding(tx interface {
	AppendFinding(f attempt.Finding, o *entrylog.Opening) (int64, error)
}, f review.Finding) error {
	_, err := tx.AppendFinding(attempt.Finding{
		Kind: string(f.Kind), Severity: f.Severity.String(), Gateway: string(f.Gateway), Door: string(f.Door),
		Attempt: f.Attempt, Cause: f.Cause, Detail: f.Detail, AtMS: f.AtMS,
	}, nil)
	if err != nil {
		return fmt.Errorf("log finding %s: %w", f.Kind, err)
	}
	return nil
}
