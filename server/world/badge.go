package world

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	gatewayapp "monban/gateway/app"
	"monban/gateway/uplink"
	"monban/server/config"
)

// badge is the asking side of (c): the product's uplink with nothing behind it but a card.
type badge struct {
	up     *uplink.Uplink
	door   access.DoorID
	card   card.Ref
	key    wire.AskKey
	start  time.Time
	boot   wire.BootID
	stop   context.CancelFunc
	ended  chan struct{}
	linked chan struct{} // closed when the first lease is held
	ready  chan struct{} // closed when the policy is held
	answer chan wire.Answer
	failed chan struct{}
}

// newBadge connects gateway i of the site to its server and waits until it is linked and has the policy.
func newBadge(ctx context.Context, cfg *config.Config, identity string, i int, ref card.Ref) (*badge, error) {
	id, err := gatewayapp.LoadIdentity(identity)
	if err != nil {
		return nil, err
	}
	keys, err := wire.OpenKeys(id.Root, cfg.Site, string(id.KeysNote))
	if err != nil {
		return nil, err
	}
	verifiers, err := keys.Verifiers()
	if err != nil {
		return nil, err
	}
	b := &badge{
		door: doorName(i), card: ref, start: time.Now(), ended: make(chan struct{}), linked: make(chan struct{}), ready: make(chan struct{}),
		answer: make(chan wire.Answer, 1), failed: make(chan struct{}, 1),
	}
	copy(b.key[:], id.Keys.AskKey)
	_, _ = rand.Read(b.boot[:]) // crypto/rand never fails
	half := &gatewayHalf{linked: sync.OnceFunc(func() { close(b.linked) }), applied: sync.OnceFunc(func() { close(b.ready) }), boot: b.boot}
	b.up = uplink.New(uplink.Config{
		Server: "tls://" + cfg.MQTT.Listen, TLS: id.TLS, Site: cfg.Site, Gateway: gatewayName(i), Signer: id.Note, Verifiers: verifiers,
		Root: id.Root, KeysVersion: keys.Version, AskKey: b.key, Rand: rand.Reader, Boot: b.boot, Software: "bench",
		AskTimeout: time.Second, Now: b.now, Stamp: b.stamp, Outbox: half, Policies: half, Listener: half, Log: slog.New(slog.DiscardHandler),
	})
	ctx, b.stop = context.WithCancel(ctx)
	go func() { // ends with close
		defer close(b.ended)
		b.up.Run(ctx)
	}()
	limit := time.After(30 * time.Second)
	for _, wait := range []chan struct{}{b.linked, b.ready} {
		select {
		case <-wait:
		case <-limit:
			b.close()
			return nil, errors.New("no lease or no policy within 30 s")
		case <-ctx.Done():
			b.close()
			return nil, ctx.Err()
		}
	}
	return b, nil
}

func (b *badge) close() {
	b.stop()
	<-b.ended
}

func (b *badge) now() mono.Time { return mono.Time(time.Since(b.start)) }

func (b *badge) stamp(t mono.Time) wire.Stamp {
	return wire.Stamp{Boot: b.boot, BoottimeNS: int64(t) + 1, WallMS: b.start.UnixMilli() + int64(t)/1e6, Quality: access.ClockNTP}
}

// once measures one badge: from the read card to the server's answer, opened and verified.
func (b *badge) once() (time.Duration, error) {
	start := time.Now()
	var nonce wire.Nonce
	_, _ = rand.Read(nonce[:]) // crypto/rand never fails
	attempt := newAttempt()
	ask := wire.Ask{
		Attempt: attempt, Door: b.door, Side: access.SideEnter, Card: wire.SealCard(b.key, nonce, b.card), Assurance: card.UIDOnly.String(),
		Stamp: b.stamp(b.now()), Rules: 1,
	}
	b.up.Ask(ask, [32]byte{}, func(a wire.Answer, late bool) {
		if !late {
			b.answer <- a
		}
	}, func() { b.failed <- struct{}{} })
	select {
	case a := <-b.answer:
		took := time.Since(start)
		if a.Outcome != access.Granted || a.Leaf == 0 || a.Attempt != attempt {
			return 0, fmt.Errorf("badge: answered %s (%s) with leaf %d", a.Outcome, a.Reason, a.Leaf)
		}
		return took, nil
	case <-b.failed:
		return 0, errors.New("badge: no answer in time")
	}
}

// gatewayHalf is outbox, policies and listener of a gateway that only asks.
type gatewayHalf struct {
	linked, applied func()
	boot            wire.BootID

	mu   sync.Mutex
	held link.PolicyHeld
}

func (g *gatewayHalf) State() link.OutboxState {
	return link.OutboxState{Epoch: wire.Epoch(g.boot), Tail: 1}
}
func (g *gatewayHalf) Changed() <-chan struct{} { return nil }
func (g *gatewayHalf) Load(wire.Epoch, uint64, int) (wire.Events, error) {
	return wire.Events{}, errors.New("no records")
}
func (g *gatewayHalf) Acked(link.Acked)  {}
func (g *gatewayHalf) NewEpoch(string)   {}
func (g *gatewayHalf) Leased(link.Lease) {}
func (g *gatewayHalf) LinkUp()           { g.linked() }
func (g *gatewayHalf) LinkLost()         {}

func (g *gatewayHalf) ServerTime(link.ServerTime) {}
func (g *gatewayHalf) KeysChanged(string)         {}

func (g *gatewayHalf) Held() link.PolicyHeld {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held
}

func (g *gatewayHalf) Apply(p link.PolicyReady) link.PolicyHeld {
	parts, err := p.Assemble()
	if err != nil {
		return g.Held() // the whole policy is fetched then
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = link.PolicyHeld{Manifest: p.Manifest.Version}
	for i, part := range p.Manifest.Parts {
		g.held.Parts[i] = link.HeldPart{Version: part.Version, Sum: part.Sum, Data: parts[i]}
	}
	g.applied()
	return g.held
}

// pauseBetween is what (a), (b) and (c) rest before each operation: a hot loop hides the wake-ups that
// an idle door pays for.
const pauseBetween = 2 * time.Millisecond

// rounds are the samples of (a), (b) and (c), one of each per round.
type rounds struct{ trip, sync, badge []time.Duration }

// runRounds measures n rounds of a, b and c in turn.
func runRounds(ctx context.Context, n int, pause time.Duration, trip *roundTrip, disk *dataSync, b *badge) (rounds, error) {
	var r rounds
	for range n {
		for _, x := range []struct {
			once func() (time.Duration, error)
			to   *[]time.Duration
		}{{trip.once, &r.trip}, {disk.once, &r.sync}, {b.once, &r.badge}} {
			if pause > 0 {
				time.Sleep(pause)
			}
			took, err := x.once()
			if err != nil {
				return r, err
			}
			*x.to = append(*x.to, took)
		}
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
	}
	return r, nil
}

// floors is a + b of each round.
func (r rounds) floors() []time.Duration {
	out := make([]time.Duration, len(r.trip))
	for i := range out {
		out[i] = r.trip[i] + r.sync[i]
	}
	return out
}

// paired is the median of badge ÷ (a + b) of the same round.
func (r rounds) paired() float64 {
	var out []float64
	for i, f := range r.floors() {
		out = append(out, float64(r.badge[i])/float64(f))
	}
	return quantile(out, 0.5)
}

// tail is the 99 % quantile of the badges ÷ that of a + b.
func (r rounds) tail() float64 {
	return float64(quantile(r.badge, 0.99)) / float64(quantile(r.floors(), 0.99))
}
