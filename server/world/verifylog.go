package world

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/app"
	"monban/server/authority"
	"monban/server/config"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/signer"
	"monban/server/store"
)

// verify measures (f): the whole check of a log against the reading of its bytes.
func (b *bench) verify(ctx context.Context) error {
	cfg, err := makeSite(ctx, b.dir, "verify", 3, b.log)
	if err != nil {
		return err
	}
	if err := b.writeLog(ctx, cfg); err != nil {
		return err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one thread, for all three arms alike
	path := cfg.Path("monban.db")
	var plain, opened, read []float64
	var leaves int64
	for range b.verifyPairs {
		start := time.Now()
		if leaves, err = store.ReadHashed(ctx, path); err != nil {
			return err
		}
		floor := time.Since(start)
		read = append(read, float64(floor)/1e6)
		for _, x := range []struct {
			openings bool
			to       *[]float64
		}{{false, &plain}, {true, &opened}} {
			start := time.Now()
			findings, err := app.Verify(ctx, app.VerifyOptions{Database: path, Openings: x.openings, Out: io.Discard})
			if err != nil {
				return err
			}
			if findings > 0 {
				return fmt.Errorf("%d findings in a log that the product wrote", findings)
			}
			*x.to = append(*x.to, float64(time.Since(start))/float64(floor))
		}
	}
	n := fmt.Sprintf("%d leaves, one thread, %d pairs", leaves, len(plain))
	b.add(
		Row{Name: "f verify / read and hash", Value: quantile(plain, 0.5), Unit: "x", Goal: 4, Note: n + ", " + span(plain)},
		Row{Name: "f verify --openings / read and hash", Value: quantile(opened, 0.5), Unit: "x", Goal: 8, Note: n + ", " + span(opened)},
		Row{Name: "f read and hash", Value: quantile(read, 0.5), Unit: "ms", Note: "the floor of f"},
	)
	return nil
}

// writeLog fills a site's log as a running server would: a decision of the authority and then the
// gateway's records of the passage, both through the product's own code.
func (b *bench) writeLog(ctx context.Context, cfg *config.Config) (err error) {
	now := time.Now()
	s, err := app.OpenSite(cfg, now, b.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var sign note.Signer
	if sign, err = s.Signer.NoteSigner(signer.RolePolicy); err != nil {
		return err
	}
	pub := policypub.New(policypub.Config{Store: s.Store, Signer: sign, Site: cfg.Site, Keys: s.Keys, Now: time.Now})
	if err := pub.Reload(ctx); err != nil {
		return err
	}
	cards, err := cardRefs(cfg)
	if err != nil {
		return err
	}
	w := logWriter{authority: authority.New(pub), pipeline: ingest.New(pub, cfg.Location()), keys: s.Keys, cards: cards}
	for i := range w.outboxes {
		_, _ = rand.Read(w.outboxes[i].epoch[:]) // crypto/rand never fails
	}
	const together = 50
	for first := 0; first < b.attempts; first += together {
		before := w.outboxes
		err := s.Store.Write(ctx, func(tx *store.Tx) error {
			w.outboxes = before // the store may run this again
			for i := first; i < min(first+together, b.attempts); i++ {
				if err := w.pass(tx, i, now.UnixMilli()+int64(i)*10); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

type logWriter struct {
	authority *authority.Authority
	pipeline  *ingest.Pipeline
	keys      policypub.Keys
	cards     []card.Ref
	outboxes  [3]struct {
		epoch wire.Epoch
		seq   uint64
		hash  wire.Hash
	}
}

// leavesOfPass is how many leaves pass makes: the decision and three records.
const leavesOfPass = 4

// pass logs attempt i: asked, answered, entered, closed.
func (w *logWriter) pass(tx *store.Tx, i int, atMS int64) error {
	gw := i % len(w.outboxes)
	o := &w.outboxes[gw]
	key := w.keys.Gateways[gatewayName(gw)].Ask
	sum := sha256.Sum256(binary.AppendUvarint([]byte("attempt "), uint64(i)))
	stamp := wire.Stamp{Boot: wire.BootID(o.epoch), BoottimeNS: int64(i+1) * 1e7, WallMS: atMS - 5, Quality: access.ClockServer}
	ask := wire.Ask{
		Gateway: gatewayName(gw), Door: doorName(gw), Side: access.SideEnter, Assurance: card.UIDOnly.String(), Stamp: stamp, Rules: 1,
		ID: wire.AskID(sum[:16]), Attempt: door.Attempt(sum[16:]), Card: wire.SealCard(key, wire.Nonce(sum[:12]), w.cards[i%len(w.cards)]),
	}
	answer, err := w.authority.Answer(tx, &ask, atMS)
	if err != nil {
		return err
	}
	if answer.Outcome != access.Granted {
		return fmt.Errorf("attempt %d: %s", i, answer.Reason)
	}
	private := wire.SealPrivate(key, wire.Nonce(sum[20:]), wire.Private{Card: ask.Card})
	events := wire.Events{Gateway: ask.Gateway, Epoch: o.epoch, First: o.seq + 1, Prev: o.hash}
	for _, e := range []door.Event{door.EventGranted, door.EventEntry, door.EventClosed} {
		o.seq++
		stamp.BoottimeNS += 1e6
		r := wire.Record{
			Gateway: ask.Gateway, Epoch: o.epoch, Seq: o.seq, Door: ask.Door, Side: ask.Side, Event: e, Attempt: ask.Attempt, Stamp: stamp,
			By: access.ByServer, Reason: access.ReasonGranted, Policy: answer.Rules, Assurance: ask.Assurance, Link: "clear",
		}
		c := wire.Carried{}
		if e == door.EventGranted {
			c.Private, c.Salt = private, sum[:]
			r.GCommit = wire.Commit(sum, private)
		}
		c.Body = wire.AppendRecord(nil, &r)
		o.hash = wire.ChainHash(o.hash, c.Body)
		events.Records = append(events.Records, c)
	}
	events.Head = o.hash
	_, err = w.pipeline.Handle(tx, ask.Gateway, &events, atMS+5)
	return err
}
