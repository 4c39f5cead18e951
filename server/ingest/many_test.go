package ingest_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/authority"
	"monban/server/review"
	"monban/server/store"
)

// yard is a site to whose gateway something happens again and again. What a reviewer has to be shown of it is said beside it, by who makes it
// happen.
type yard struct {
	*harness
	*box
	auth *authority.Authority
	dice *rand.Rand
	sent int   // records of the box that the server has
	n    int   // what has happened so far
	atMS int64 // the server's clock
	seen int64 // newest finding that was looked at
}

func newYard(t *testing.T, gw access.GatewayID) *yard {
	h := newHarness(t)
	y := &yard{harness: h, auth: authority.New(h.Publisher), dice: rand.New(rand.NewPCG(1, uint64(len(gw)))), atMS: nowMS, seen: -1}
	y.box = newBox(h.Site, gw, 1)
	y.event(door.EventBoot, 0)
	y.flush()
	return y
}

// wait lets time pass, at the gateway too.
func (y *yard) wait(ms int64) {
	y.atMS += ms
	y.stamp.WallMS += ms
	y.stamp.BoottimeNS += ms * 1_000_000
}

// chatter is what a door has to say on any day.
func (y *yard) chatter() {
	for range 1 + y.dice.IntN(4) {
		y.event(door.EventClosed, 0)
	}
}

// deliver hands a batch to the server, which acknowledges up to want records.
func (y *yard) deliver(ev *wire.Events, want int) ingestResult {
	y.harness.t.Helper()
	out, err := y.try(ev, y.atMS, nil)
	if err != nil {
		y.harness.t.Fatal(err)
	}
	if out.Seq != uint64(want) {
		y.harness.t.Fatalf("acknowledged %d, want %d", out.Seq, want)
	}
	return ingestResult{out.Forked}
}

type ingestResult struct{ forked bool }

// flush sends everything.
func (y *yard) flush() {
	y.harness.t.Helper()
	y.deliver(y.batch(y.sent+1, len(y.records)), len(y.records))
	y.sent = len(y.records)
}

// anew begins another epoch; its first record says why, if the gateway knows.
func (y *yard) anew(why string) {
	y.n++
	stamp := y.stamp
	y.box = newBox(y.Site, y.gw, uint16(100+y.n))
	y.stamp.WallMS, y.stamp.BoottimeNS = stamp.WallMS, stamp.BoottimeNS
	if y.sent = 0; why == "" {
		y.event(door.EventBoot, 0)
	} else {
		y.add(wire.Record{Event: door.EventEpoch, Detail: why + ".5c846ccb8b9e783068ff1fb18cf4ba537ac66e54"})
	}
	y.flush()
}

// mine is a number of an attempt.
func (y *yard) mine() byte { y.n++; return byte(1 + y.n%250) }

func (y *yard) write(f func(tx *store.Tx) error) {
	y.harness.t.Helper()
	if err := y.Store.Write(y.harness.t.Context(), f); err != nil {
		y.harness.t.Fatal(err)
	}
}

func (y *yard) greet(tail, head int) {
	y.Read(func(r *store.ReadTx) error {
		_, err := y.Greet(r, &wire.Hello{Gateway: y.gw, Epoch: y.epoch, Tail: uint64(tail), Head: uint64(head), HeadHash: y.hashes[head]})
		return err
	})
}

// asks lets the server answer a question of the gateway.
func (y *yard) asks(a byte) {
	ask := wire.Ask{
		Gateway: y.gw, ID: wire.AskID{a, byte(y.n >> 8), byte(y.n)}, Attempt: door.Attempt{a, y.epoch[0], y.epoch[1]}, Door: "media-store-1", Side: access.SideEnter,
		Card: y.Sealed(y.gw, 4567), Assurance: "uid_only",
	}
	y.write(func(tx *store.Tx) error { _, err := y.auth.Answer(tx, &ask, y.atMS); return err })
}

// shown are the kinds of the findings since it was last called, sorted; they are closed, as a reviewer does.
func (y *yard) shown() (kinds []string) {
	y.harness.t.Helper()
	y.write(func(tx *store.Tx) error {
		list, err := tx.FindingsAfter(y.seen, 1000)
		kinds = nil
		for _, f := range list {
			kinds = append(kinds, f.Kind)
			if f.Status == attempt.StatusOpen {
				if _, err := tx.AppendFindingAct(store.FindingAct{Finding: f.Idx, Kind: "finding_mistake", Account: "a", AtMS: y.atMS, Text: "x"}, "lan", ""); err != nil {
					return err
				}
			}
		}
		if len(list) > 0 {
			y.seen = slices.MaxFunc(list, func(a, b attempt.Finding) int { return cmp.Compare(a.Idx, b.Idx) }).Idx
		}
		return err
	})
	slices.Sort(kinds)
	return kinds
}

// VR-1: of what happens to gateways and their records, twenty cases and five near misses each, in a random order: each is shown once, and
// nothing else is.
func TestManyAtGateways(t *testing.T) {
	const between, late = 11 * 60_000, 6 * 60_000
	for _, x := range []struct {
		kind    review.Kind
		gw      access.GatewayID
		besides []string // what else it has to show
		yes, no func(y *yard)
	}{
		{review.EpochChanged, "gw-2", nil,
			func(y *yard) { y.anew([]string{"", "damaged", "new"}[y.dice.IntN(3)]) },
			func(y *yard) { y.event(door.EventBoot, 0); y.chatter(); y.flush() }}, // starts again on the same memory
		{review.GatewayRolledBack, "gw-2", nil,
			func(y *yard) {
				if y.dice.IntN(2) == 0 { // its memory was put back, and it says so itself
					y.anew([]string{"rollback", "fork"}[y.dice.IntN(2)])
					return
				}
				y.chatter()
				y.flush()
				y.write(func(tx *store.Tx) error {
					return y.Report(tx, y.gw, link.FindingRollback, y.epoch, uint64(len(y.records)), y.atMS)
				})
			},
			func(y *yard) { // sends again what the server has, because the answer was lost
				y.chatter()
				y.flush()
				y.deliver(y.batch(1+y.dice.IntN(y.sent), y.sent), y.sent)
			}},
		{review.GatewayCloned, "gw-2", nil,
			func(y *yard) {
				y.chatter()
				y.flush()
				y.write(func(tx *store.Tx) error {
					return y.Report(tx, y.gw, link.FindingClone, y.epoch, uint64(len(y.records)), y.atMS)
				})
			},
			func(y *yard) { // was started again, and a message of before comes late
				y.event(door.EventBoot, 0)
				y.chatter()
				y.flush()
				y.greet(1, y.sent-1)
			}},
		{review.SequenceGap, "gw-2", nil,
			func(y *yard) { // some records are gone, and it says so
				first := len(y.records) + 1
				y.chatter()
				lost := len(y.records)
				y.chatter()
				y.greet(lost+1, len(y.records))
				y.deliver(y.batch(lost+1, len(y.records)), len(y.records))
				y.sent = len(y.records)
				if lost < first {
					panic("BUG: nothing was lost")
				}
			},
			func(y *yard) { // a batch overtakes another
				y.chatter()
				first := len(y.records)
				y.chatter()
				y.deliver(y.batch(first+1, len(y.records)), y.sent)
				y.wait(int64(y.dice.IntN(50_000)))
				y.flush()
			}},
		{review.ChainFork, "gw-2", []string{"gateway_rolled_back"}, // the outbox that is stopped begins anew, and says why
			func(y *yard) { // a copy of its memory is at work too
				y.chatter()
				y.flush()
				other := newBox(y.Site, y.gw, 0)
				other.epoch, other.stamp = y.epoch, y.stamp
				at := y.dice.IntN(y.sent)
				other.records, other.hashes = slices.Clone(y.records[:at]), slices.Clone(y.hashes[:at+1])
				other.event(door.EventHeldOpen, 0)
				if out := y.deliver(other.batch(at+1, at+1), y.sent); !out.forked {
					y.harness.t.Error("an epoch that forked goes on")
				}
				y.anew("fork")
			},
			func(y *yard) { // the same records, cut in another way
				y.chatter()
				y.chatter()
				last := len(y.records)
				y.deliver(y.batch(y.sent+1, last-1), last-1)
				y.deliver(y.batch(1+y.dice.IntN(y.sent), last), last)
				y.sent = last
			}},
		{review.PrivateUnreadable, "gw-2", []string{"decision_mismatch"}, // without the card nothing can be judged again
			func(y *yard) {
				y.granted("media-store-1", 4567, y.mine())
				last := &y.records[len(y.records)-1]
				last.Salt = slices.Clone(last.Salt)
				last.Salt[y.dice.IntN(len(last.Salt))] ^= byte(1 << y.dice.IntN(8))
				y.flush()
			},
			func(y *yard) { y.granted("media-store-1", 4567, y.mine()); y.flush() }},
		{review.UnknownDoor, "gw-2", nil,
			func(y *yard) { // a cable leads to another gateway's door, or to one that nobody has named
				y.add(wire.Record{Door: []access.DoorID{"server-room-1", "nowhere"}[y.dice.IntN(2)], Event: door.EventClosed, Link: "clear"})
				y.flush()
			},
			func(y *yard) { // its own door, and a record that is of none
				y.chatter()
				y.add(wire.Record{Event: door.EventPolicyApplied, Detail: "rules-1"})
				y.flush()
			}},
		{review.RecoveryUsed, "gw-1", nil,
			func(y *yard) {
				failed := access.ReasonSet(0).With(access.ReasonPolicyExpired).With(access.ReasonClockUntrusted).With(access.ReasonRecoveryCard)
				y.alone("server-room-1", 4567, y.mine(), 1, failed, func(q *access.Request) { q.AgeMS, q.Clock = math.MaxInt64, access.ClockNone })
				y.flush()
			},
			func(y *yard) { y.granted("server-room-1", 4567, y.mine()); y.flush() }}, // the same person on the same card while all is well
		{review.DecisionWithoutRecord, "gw-2", nil,
			func(y *yard) { // the power fails before the record is written
				y.asks(y.mine())
				y.wait(late)
				y.event(door.EventBoot, 0)
				y.flush()
			},
			func(y *yard) { // the door stands open for a while, others are recorded meanwhile, and then the record comes
				a := y.mine()
				y.asks(a)
				y.wait(int64(60_000 + y.dice.IntN(3*60_000)))
				y.chatter()
				y.flush()
				y.write(func(tx *store.Tx) error { return y.Sweep(tx, y.atMS+late) })
				y.event(door.EventEntry, a)
				y.flush()
				y.wait(late)
				y.event(door.EventBoot, 0)
				y.flush()
			}},
	} {
		t.Run(string(x.kind), func(t *testing.T) {
			t.Parallel()
			y := newYard(t, x.gw)
			if got := y.shown(); len(got) != 0 {
				t.Fatalf("shown before anything happened: %q", got)
			}
			order := slices.Concat(slices.Repeat([]bool{true}, 20), slices.Repeat([]bool{false}, 5))
			y.dice.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for i, yes := range order {
				y.wait(between)
				var want []string
				if yes {
					x.yes(y)
					want = append([]string{string(x.kind)}, x.besides...)
					slices.Sort(want)
				} else {
					x.no(y)
				}
				for range 2 {
					y.write(func(tx *store.Tx) error { return y.Sweep(tx, y.atMS) })
				}
				if diff := gocmp.Diff(want, y.shown()); diff != "" {
					t.Errorf("number %d, case %v: %s", i, yes, diff)
				}
			}
		})
	}
}
