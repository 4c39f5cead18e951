package ingest_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// nowMS is the server's clock in these tests.
var nowMS = sitetest.Now().UnixMilli()

// box is a gateway's outbox: records and chain hashes; hashes[i] is that after record i.
type box struct {
	view    access.View // what the gateway knew
	site    *sitetest.Site
	gw      access.GatewayID
	epoch   wire.Epoch
	records []wire.Carried
	hashes  []wire.Hash
	stamp   wire.Stamp
}

func newBox(s *sitetest.Site, gw access.GatewayID, epoch uint16) *box {
	id := [16]byte{byte(epoch), byte(epoch >> 8)}
	return &box{view: access.View{PIN: access.PINView{Known: true}}, site: s, gw: gw, epoch: id, hashes: []wire.Hash{{}}, stamp: wire.Stamp{
		Boot: id, BoottimeNS: 400_000_000_000_000, WallMS: nowMS - 100, Quality: access.ClockServer,
	}}
}

// add appends a record as the gateway would write it.
func (b *box) add(r wire.Record) *box {
	r.Gateway, r.Epoch, r.Seq = b.gw, b.epoch, uint64(len(b.records)+1)
	r.Stamp = b.stamp
	b.stamp.BoottimeNS += 1_000_000
	b.push(wire.Carried{Body: wire.AppendRecord(nil, &r)})
	return b
}

func (b *box) push(c wire.Carried) {
	b.records = append(b.records, c)
	b.hashes = append(b.hashes, wire.ChainHash(b.hashes[len(b.hashes)-1], c.Body))
}

// granted appends a grant that the gateway gave alone to a sample card; private part and inputs as
// the gateway makes them.
func (b *box) granted(d access.DoorID, number uint64, a byte) *box {
	return b.alone(d, number, a, 1, 0, func(*access.Request) {})
}

// alone is granted by the rules of a version, with failed checks and other inputs.
func (b *box) alone(d access.DoorID, number uint64, a byte, rules uint64, failed access.ReasonSet, edit func(*access.Request)) *box {
	keys := b.site.Keys.Gateways[b.gw]
	request := access.Request{
		Door: d, Side: access.SideEnter, Key: access.Key(b.site.Ref(number).Token(keys.Token[:])), HasCard: true,
		Assurance: card.UIDOnly, PIN: access.PINOK, WallMS: b.stamp.WallMS, Clock: access.ClockNTP, Link: access.LinkOffline,
	}
	edit(&request)
	inputs := access.AppendInputs(nil, b.view, request)
	sealed := wire.SealPrivate(keys.Ask, sitetest.Nonce(), wire.Private{Card: b.site.Sealed(b.gw, number), PIN: request.PIN, Inputs: inputs})
	var salt [32]byte
	_, _ = rand.Read(salt[:]) // crypto/rand never fails
	r := wire.Record{
		Gateway: b.gw, Epoch: b.epoch, Seq: uint64(len(b.records) + 1), Door: d, Side: access.SideEnter, Event: door.EventGranted,
		Attempt: door.Attempt{a, b.epoch[0], b.epoch[1]}, Stamp: b.stamp, By: access.ByGateway, Reason: access.ReasonGranted,
		Policy: rules, Failed: failed, Assurance: "uid_only", Link: "clear", GCommit: wire.Commit(salt, sealed),
	}
	b.stamp.BoottimeNS += 1_000_000
	b.push(wire.Carried{Body: wire.AppendRecord(nil, &r), Private: sealed, Salt: salt[:]})
	return b
}

func (b *box) event(e door.Event, a byte) *box {
	r := wire.Record{Door: "media-store-1", Side: access.SideEnter, Event: e, By: access.ByServer, Link: "clear"}
	if b.gw == "gw-1" {
		r.Door = "server-room-1"
	}
	if a != 0 {
		r.Attempt = door.Attempt{a, b.epoch[0], b.epoch[1]}
	}
	return b.add(r)
}

// batch is records first … last, counted from 1.
func (b *box) batch(first, last int) *wire.Events {
	return &wire.Events{Gateway: b.gw, Epoch: b.epoch, First: uint64(first), Prev: b.hashes[first-1], Head: b.hashes[last], Records: b.records[first-1 : last]}
}

func (b *box) all() *wire.Events { return b.batch(1, len(b.records)) }

type harness struct {
	*sitetest.Site
	*ingest.Pipeline
	t testing.TB
}

func newHarness(t testing.TB) *harness {
	s := sitetest.New(t)
	return &harness{Site: s, Pipeline: ingest.New(s.Publisher, s.Zone), t: t}
}

func (h *harness) try(ev *wire.Events, atMS int64, fault func(ingest.Tx) ingest.Tx) (out ingest.Result, err error) {
	err = h.Store.Write(context.Background(), func(tx *store.Tx) error {
		var t ingest.Tx = tx
		if fault != nil {
			t = fault(tx)
		}
		var err error
		out, err = h.Handle(t, ev.Gateway, ev, atMS)
		return err
	})
	return out, err
}

func (h *harness) take(ev *wire.Events) ingest.Result {
	h.t.Helper()
	out, err := h.try(ev, nowMS, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// findings lists kind, severity and detail of every finding, oldest first.
func (h *harness) findings() []string {
	h.t.Helper()
	var out []string
	h.Read(func(r *store.ReadTx) error {
		list, _, err := r.Findings(true, 0, 1000)
		slices.SortFunc(list, func(a, b attempt.Finding) int { return cmp.Compare(a.Idx, b.Idx) })
		for _, f := range list {
			out = append(out, f.Kind+" "+f.Severity)
		}
		return err
	})
	return out
}

func (h *harness) wantFindings(want ...string) {
	h.t.Helper()
	if diff := gocmp.Diff(want, h.findings()); diff != "" {
		h.t.Error(diff)
	}
}

// check is I2, I3, I4 for one outbox: exactly one row for each record up to the watermark, chained as
// the gateway chained them, none beyond, and every leaf holds the very bytes of its record.
func (h *harness) check(b *box, watermark uint64) {
	h.t.Helper()
	h.Read(func(r *store.ReadTx) error {
		seq, hash, err := r.Chain(string(b.gw), b.epoch)
		if err != nil {
			return err
		}
		if seq != watermark || wire.Hash(hash) != b.hashes[seq] {
			return fmt.Errorf("watermark %d, want %d, or another hash", seq, watermark)
		}
		for n := 1; n <= len(b.records); n++ {
			hash, idx, err := r.RecordHash(string(b.gw), b.epoch, uint64(n))
			if uint64(n) > watermark {
				if !errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("record %d is beyond the watermark and logged", n)
				}
				continue
			}
			if err != nil {
				return fmt.Errorf("record %d: %w", n, err)
			}
			leaf, err := r.Leaf(idx)
			if err != nil {
				return err
			}
			rec, err := entrylog.ParseRecord(leaf.Body)
			if err != nil || wire.Hash(hash) != b.hashes[n] || string(rec.Body) != string(b.records[n-1].Body) {
				return fmt.Errorf("record %d is not logged as it was sent: %w", n, err)
			}
		}
		return nil
	})
}
