package ingest_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/store"
)

var _ ingest.Tx = (*store.Tx)(nil)

// I2, I3, I4: however a gateway cuts its records into batches, and whichever come twice, out of order
// or not at all, what is logged is a prefix, each record once, and the ack never goes back.
func TestRandomBatches(t *testing.T) {
	h := newHarness(t)
	epoch := uint16(0)
	rapid.Check(t, func(rt *rapid.T) {
		epoch++
		b := newBox(h.Site, "gw-2", epoch)
		n := rapid.IntRange(1, 20).Draw(rt, "records")
		for i := range n {
			switch i % 3 {
			case 0:
				b.granted("media-store-1", 4567, byte(i+1))
			case 1:
				b.event(door.EventEntry, byte(i))
			default:
				b.event(door.EventBoot, 0)
			}
		}
		acked := uint64(0)
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			first := rapid.IntRange(1, n).Draw(rt, "first")
			last := rapid.IntRange(first, n).Draw(rt, "last")
			out := h.take(b.batch(first, last))
			if out.Seq < acked || out.Forked || out.Hash != b.hashes[out.Seq] {
				rt.Fatalf("after %d–%d: %+v, acknowledged before %d", first, last, out, acked)
			}
			want := acked
			if uint64(first) <= acked+1 {
				want = max(acked, uint64(last))
			}
			if out.Seq != want || out.New != int(want-acked) {
				rt.Fatalf("after %d–%d: %+v, want seq %d", first, last, out, want)
			}
			acked = out.Seq
			h.check(b, acked)
		}
		if out := h.take(b.all()); out.Seq != uint64(n) {
			rt.Fatalf("whole: %+v", out)
		}
		h.check(b, uint64(n))
	})
}

// EV-6, I2: a repeated batch changes nothing at all.
func TestDuplicates(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1).granted("media-store-1", 4567, 1).event(door.EventEntry, 1).event(door.EventForcedOpen, 2)
	h.take(b.all())
	size := h.Store.Size()
	for range 3 {
		if out := h.take(b.all()); out.Seq != 3 || out.New != 0 {
			t.Errorf("%+v", out)
		}
		h.Pipeline = ingest.New(h.Publisher, h.Zone) // also after a restart
	}
	if h.Store.Size() != size {
		t.Errorf("%d new leaves", h.Store.Size()-size)
	}
	h.wantFindings("forced_open high")
}

// D16, PR-2: the opening says who it was, with the private part and its salt; the leaf does not.
func TestOpening(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1).granted("media-store-1", 4567, 1).granted("media-store-1", 9999, 2)
	h.take(b.all())
	h.Read(func(r *store.ReadTx) error {
		for n, want := range []string{"髙橋 健一", ""} {
			_, idx, err := r.RecordHash("gw-2", b.epoch, uint64(n+1))
			if err != nil {
				return err
			}
			o, err := r.Opening(idx)
			if err != nil {
				return err
			}
			if o.Name != want || (o.Masked == "") != (want == "") || len(o.Inputs) != access.InputsSize {
				t.Errorf("record %d: %q %q", n+1, o.Name, o.Masked)
			}
			c := wire.Carried{Private: o.Private, Salt: o.PrivateSalt}
			body, err := wire.ParseRecord(b.records[n].Body)
			if err != nil || !c.Committed(body.GCommit) {
				t.Errorf("record %d: the opening does not open gcommit, err %v", n+1, err)
			}
		}
		row, err := r.AttemptRow(door.Attempt{1, 1})
		if err != nil || row.Outcome != "granted" || row.DecidedBy != "gateway" || row.PersonRef == nil {
			t.Errorf("attempt %+v, err %v", row, err)
		}
		return nil
	})
	h.wantFindings("decision_mismatch high") // the unknown card
}

// A gateway that granted alone on old rules is judged by the rules of now.
func TestDecisionMismatch(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1).granted("media-store-1", 4567, 1)
	h.take(b.batch(1, 1))
	h.wantFindings()
	if err := h.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "lost", "C-001", access.CredentialLost); err != nil {
		t.Fatal(err)
	}
	b.granted("media-store-1", 4567, 2)
	h.take(b.all())
	h.wantFindings("decision_mismatch high")
	h.Read(func(r *store.ReadTx) error {
		row, err := r.AttemptRow(door.Attempt{2, 1})
		if err == nil && row.Flags&(attempt.FlagMismatch|attempt.FlagFinding) != attempt.FlagMismatch|attempt.FlagFinding {
			t.Errorf("flags %b", row.Flags)
		}
		return err
	})
}

// EV-6, D20, I3: the same number with another record is kept apart, found, and ends the acks of its epoch,
// also after a restart and after somebody has closed the finding.
func TestFork(t *testing.T) {
	for name, cut := range map[string]int{"inside a batch": 2, "at its first record": 1, "beyond the watermark": 4} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			b := newBox(h.Site, "gw-2", 1)
			other := newBox(h.Site, "gw-2", 1)
			for i := 1; i <= 6; i++ {
				b.event(door.EventClosed, byte(i))
				if i >= cut && i == cut {
					other.event(door.EventHeldOpen, byte(i)) // a copied card wrote this
				} else {
					other.event(door.EventClosed, byte(i))
				}
			}
			h.take(b.batch(1, 3))
			first := 1
			if cut == 4 {
				first = 4
				other.hashes[3][0] ^= 1 // it follows on another record 3
				other.records = other.records[:4]
				other.hashes = append(other.hashes[:4], wire.ChainHash(other.hashes[3], other.records[3].Body))
			}
			last := len(other.records)
			if out := h.take(other.batch(first, last)); !out.Forked || out.Seq != 3 {
				t.Fatalf("%+v", out)
			}
			h.check(b, 3) // nothing was overwritten
			h.wantFindings("chain_fork high")
			size := h.Store.Size()
			if out := h.take(other.batch(first, last)); !out.Forked || h.Store.Size() != size {
				t.Errorf("again: %+v, %d new leaves", out, h.Store.Size()-size)
			}
			h.Pipeline = ingest.New(h.Publisher, h.Zone)
			if out := h.take(b.all()); !out.Forked || out.Seq != 6 {
				t.Errorf("the true outbox after a restart: %+v", out)
			}
			h.check(b, 6)
		})
	}
}

// EV-6, I3: a batch from beyond the watermark is mostly one that overtook another: nothing is logged or
// acknowledged and nobody is alarmed. If it stays so, it is found; if the gateway says that the
// missing records are gone, the chain goes on after a leaf that says so.
func TestGap(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	for i := range 6 {
		b.event(door.EventClosed, byte(i+1))
	}
	h.take(b.batch(1, 2))
	if out := h.take(b.batch(4, 6)); out.Seq != 2 || out.New != 0 {
		t.Fatalf("%+v", out)
	}
	h.wantFindings()
	if out, err := h.try(b.batch(4, 6), nowMS+60_000, nil); err != nil || out.Seq != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	h.wantFindings("sequence_gap high")

	h.Read(func(r *store.ReadTx) error {
		out, err := h.Greet(r, &wire.Hello{Gateway: "gw-2", Epoch: b.epoch, Tail: 4, Head: 6, HeadHash: b.hashes[6]})
		if err == nil && (out.Seq != 2 || out.Hash != b.hashes[2]) {
			t.Errorf("welcome %+v", out)
		}
		return err
	})
	if out := h.take(b.batch(4, 6)); out.Seq != 6 || out.Hash != b.hashes[6] || out.New != 3 {
		t.Fatalf("%+v", out)
	}
	h.wantFindings("sequence_gap high") // the same one
	// What was given up and comes after all is kept, in quarantine.
	if out := h.take(b.all()); out.Seq != 6 || out.New != 0 || out.Forked {
		t.Errorf("%+v", out)
	}
	h.Read(func(r *store.ReadTx) error {
		kept, err := r.Quarantined("gw-2", b.epoch, 3, b.records[2].Body)
		if err == nil && !kept {
			t.Error("record 3 is not kept")
		}
		return err
	})
}

// A new outbox is found once; the first one of a gateway is not.
func TestNewEpoch(t *testing.T) {
	h := newHarness(t)
	h.take(newBox(h.Site, "gw-2", 1).event(door.EventEpoch, 0).all())
	h.take(newBox(h.Site, "gw-1", 2).event(door.EventEpoch, 0).all())
	h.wantFindings()
	b := newBox(h.Site, "gw-2", 3).event(door.EventEpoch, 0).event(door.EventBoot, 0)
	h.take(b.batch(1, 1))
	h.take(b.all())
	h.wantFindings("epoch_changed medium")
	for range 2 {
		for _, kind := range []link.FindingKind{link.FindingRollback, link.FindingClone} {
			err := h.Store.Write(t.Context(), func(tx *store.Tx) error { return h.Report(tx, "gw-2", kind, b.epoch, 2, nowMS) })
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	h.wantFindings("epoch_changed medium", "gateway_rolled_back high", "gateway_cloned high")
}

// I3: a gateway that was put back and wrote on before it was linked again says so itself, in the first record of
// its new epoch: that is a rollback, not an ordinary new beginning. Found by the simulator.
func TestEpochAfterRollbackIsFound(t *testing.T) {
	for why, want := range map[string]string{
		"fork": "gateway_rolled_back high", "rollback": "gateway_rolled_back high", "damaged": "epoch_changed medium",
	} {
		t.Run(why, func(t *testing.T) {
			h := newHarness(t)
			h.take(newBox(h.Site, "gw-1", 1).event(door.EventBoot, 0).all())
			next := newBox(h.Site, "gw-1", 2).add(wire.Record{Event: door.EventEpoch, Detail: why + ".5c846ccb8b9e783068ff1fb18cf4ba537ac66e54"})
			h.take(next.all())
			h.wantFindings(want)
		})
	}
}

// A batch that is not what its gateway may send leaves nothing behind.
func TestBadBatches(t *testing.T) {
	h := newHarness(t)
	good := func() *wire.Events {
		e := *newBox(h.Site, "gw-2", 1).event(door.EventBoot, 0).event(door.EventBoot, 0).all()
		e.Records = append([]wire.Carried(nil), e.Records...)
		return &e
	}
	size := h.Store.Size()
	for name, spoil := range map[string]func(*wire.Events){
		"head":          func(e *wire.Events) { e.Head[0] ^= 1 },
		"no records":    func(e *wire.Events) { e.Records = nil; e.Head = e.Prev },
		"from 0":        func(e *wire.Events) { e.First = 0 },
		"shifted":       func(e *wire.Events) { e.First = 2 },
		"other epoch":   func(e *wire.Events) { e.Epoch[0] ^= 1 },
		"other gateway": func(e *wire.Events) { e.Gateway = "gw-1" },
		"body": func(e *wire.Events) {
			e.Records[1].Body = []byte(`{"x":1}`)
			e.Head = wire.ChainHash(wire.ChainHash(e.Prev, e.Records[0].Body), e.Records[1].Body)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			spoil(e)
			if _, err := h.try(e, nowMS, nil); !errors.Is(err, ingest.ErrBatch) {
				t.Errorf("err %v", err)
			}
		})
	}
	if h.Store.Size() != size {
		t.Errorf("%d new leaves", h.Store.Size()-size)
	}
}

// A private part that is not what the chain commits to, or that does not open, is found; the record
// is logged all the same.
func TestPrivateUnreadable(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1).granted("media-store-1", 4567, 1)
	b.records[0].Salt = append([]byte(nil), b.records[0].Salt...)
	b.records[0].Salt[0] ^= 1
	if out := h.take(b.all()); out.Seq != 1 {
		t.Errorf("%+v", out)
	}
	h.wantFindings("decision_mismatch high", "private_unreadable medium") // without the card nothing can be judged again
}

// A late record is marked; its interval is when it happened, not when it came.
func TestLateRecord(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	b.stamp.WallMS -= 2 * 3600_000
	b.granted("media-store-1", 4567, 1)
	b.stamp.WallMS += 2 * 3600_000
	b.stamp.BoottimeNS += 2 * 3600 * 1_000_000_000
	b.stamp.Quality = access.ClockNone
	b.granted("media-store-1", 4567, 2)
	h.take(b.all())
	h.Read(func(r *store.ReadTx) error {
		for n, want := range []struct {
			late     bool
			from, to int64
		}{{true, nowMS - 7200_200, nowMS - 7200_001}, {false, nowMS, nowMS}} {
			_, idx, err := r.RecordHash("gw-2", b.epoch, uint64(n+1))
			if err != nil {
				return err
			}
			leaf, err := r.Leaf(idx)
			if err != nil {
				return err
			}
			rec, err := entrylog.ParseRecord(leaf.Body)
			if err != nil || rec.Late != want.late || rec.FromMS != want.from || rec.ToMS != want.to {
				t.Errorf("record %d: late %v, %d…%d before now, err %v", n+1, rec.Late, nowMS-rec.FromMS, nowMS-rec.ToMS, err)
			}
		}
		return nil
	})
}

// Three unknown cards at one door within ten minutes are one finding.
func TestUnknownCards(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	for i := range 5 {
		b.add(wire.Record{Door: "media-store-1", Side: access.SideEnter, Event: door.EventDenied, Attempt: door.Attempt{byte(i + 1)},
			By: access.ByGateway, Reason: access.ReasonUnknownCredential, Failed: access.ReasonSet(0).With(access.ReasonUnknownCredential)})
	}
	h.take(b.batch(1, 2))
	h.wantFindings()
	h.take(b.all())
	h.wantFindings("unknown_card_repeated medium")
}

// D15: an answer that no record follows, although later records came, is found once.
func TestDecisionWithoutRecord(t *testing.T) {
	h := newHarness(t)
	auth := authority.New(h.Publisher)
	ask := wire.Ask{Gateway: "gw-2", ID: wire.AskID{1}, Attempt: door.Attempt{9}, Door: "media-store-1", Side: access.SideEnter, Card: h.Sealed("gw-2", 4567), Assurance: "uid_only"}
	err := h.Store.Write(t.Context(), func(tx *store.Tx) error {
		_, err := auth.Answer(tx, &ask, nowMS)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sweep := func(atMS int64) {
		t.Helper()
		if err := h.Store.Write(t.Context(), func(tx *store.Tx) error { return h.Sweep(tx, atMS) }); err != nil {
			t.Fatal(err)
		}
	}
	later := nowMS + 20*60_000
	sweep(later) // nothing was heard since: it may still come
	h.wantFindings()
	b := newBox(h.Site, "gw-2", 1)
	b.stamp.WallMS = later - 1000
	b.event(door.EventBoot, 0)
	if _, err := h.try(b.all(), later, nil); err != nil {
		t.Fatal(err)
	}
	sweep(later)
	sweep(later + 60_000)
	h.wantFindings("decision_without_record medium")
	// With a record there is nothing to find.
	ask.ID, ask.Attempt = wire.AskID{2}, door.Attempt{10, 1}
	err = h.Store.Write(t.Context(), func(tx *store.Tx) error {
		_, err := auth.Answer(tx, &ask, later)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.event(door.EventEntry, 10)
	b.stamp.WallMS = later + 20*60_000
	b.event(door.EventBoot, 0)
	if _, err := h.try(b.all(), later+20*60_000, nil); err != nil {
		t.Fatal(err)
	}
	sweep(later + 20*60_000)
	h.wantFindings("decision_without_record medium", "late_record low")
}

// Nothing is acknowledged before a policy is loaded: every grant would look wrong.
func TestNoPolicy(t *testing.T) {
	h := newHarness(t)
	none := ingest.New(noPolicy{}, h.Zone)
	h.Pipeline = none
	if _, err := h.try(newBox(h.Site, "gw-2", 1).event(door.EventBoot, 0).all(), nowMS, nil); !errors.Is(err, ingest.ErrNoPolicy) {
		t.Errorf("err %v", err)
	}
}

type noPolicy struct{}

func (noPolicy) Site() *policypub.Current { return nil }
