package downlink

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// step gives the machine one input and returns what is to be done. The lock is held for
// microseconds; whatever waits is done by the caller afterwards.
func (d *Downlink) step(gw *gateway, in link.ServerInput) []link.ServerAction {
	gw.mu.Lock()
	defer gw.mu.Unlock()
	return d.stepLocked(gw, in)
}

func (d *Downlink) stepLocked(gw *gateway, in link.ServerInput) []link.ServerAction {
	now := time.Now() // read under the lock: a machine's time never falls
	return gw.machine.Step(mono.Time(now.Sub(d.anchor)), now.UnixMilli(), in)
}

// open gives a message to the machine, which checks it, and carries out what needs no waiting.
// What is left is the caller's: Lookup, Decide, Ingest.
func (d *Downlink) open(gw *gateway, m message) []link.ServerAction {
	return d.act(gw, m.at, d.step(gw, link.Message{Kind: m.kind, Payload: m.payload}))
}

// act carries out actions in their order and returns those that wait for the store.
func (d *Downlink) act(gw *gateway, at time.Time, actions []link.ServerAction) []link.ServerAction {
	var later []link.ServerAction
	for _, a := range actions {
		switch a := a.(type) {
		case link.Publish:
			d.small.publish(a.Topic, a.Payload)
		case link.Heartbeat:
			d.count.heartbeats.Add(1)
			d.cfg.Health.Heartbeat(gw.id, a.Heartbeat, at)
		case link.Backlog:
			d.cfg.Health.Backlog(gw.id, a.Outstanding)
		case link.Finding:
			d.cfg.Health.Finding(gw.id, a, at)
		case link.Rejected:
			d.rejected.add(a.Kind, a.Why)
		case link.Ordered, link.NotOrdered: // Order tells its caller
		case link.Lookup, link.Decide, link.Ingest, link.Witnessed:
			later = append(later, a)
		default:
			panic(fmt.Sprintf("BUG: unknown action %T", a))
		}
	}
	return later
}

// onSmall works off a hello, heartbeat or want.
func (d *Downlink) onSmall(ctx context.Context, gw *gateway, m message) {
	defer d.guard(gw, m.kind)
	// Before the heartbeat is answered: its lease must name what is in force now, even if whoever
	// published forgot PolicyChanged (I5).
	d.act(gw, m.at, d.refresh(gw))
	for _, a := range d.open(gw, m) {
		switch a := a.(type) {
		case link.Lookup:
			d.lookup(ctx, gw, m.at, a)
		case link.Witnessed:
			d.witnessed(ctx, gw, m.at, a.Witness)
		}
	}
}

// lookup answers a hello with how far the committed rows reach. Without the answer there is no
// welcome, and the gateway says hello again.
func (d *Downlink) lookup(ctx context.Context, gw *gateway, at time.Time, l link.Lookup) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	c, err := d.cfg.Ingest.Watermark(ctx, gw.id, l.Hello)
	if err != nil {
		d.count.ingestErrors.Add(1)
		if gw.news(err) { // it says hello again each second, for as long as this lasts
			d.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "watermark not read", slog.String("gateway", string(gw.id)), slog.Any("error", err))
		}
		return
	}
	gw.news(nil)
	d.act(gw, at, d.step(gw, link.Watermark{Hello: l.Hello, Seq: c.Seq, Hash: c.Hash}))
}

// news reports whether err, why a hello is not answered, is another than the last one; nil = it is.
func (gw *gateway) news(err error) bool {
	now := ""
	if err != nil {
		now = err.Error()
	}
	gw.mu.Lock()
	defer gw.mu.Unlock()
	before := gw.unread
	gw.unread = now
	return now != before
}

// witnessed keeps what a gateway holds as a witness, and answers when it asks. What fails here is asked for again.
func (d *Downlink) witnessed(ctx context.Context, gw *gateway, at time.Time, w wire.Witness) {
	if d.cfg.Witnesses == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	p, ok, err := d.cfg.Witnesses.Witnessed(ctx, gw.id, w, at)
	if err == nil && ok {
		var c Committed
		if c, err = d.cfg.Ingest.Watermark(ctx, gw.id, wire.Hello{Gateway: gw.id, Epoch: w.Epoch}); err == nil {
			p.Epoch, p.Seq, p.Hash = w.Epoch, c.Seq, c.Hash
			d.act(gw, at, d.step(gw, p))
		}
	}
	if err != nil {
		d.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "witness not answered", slog.String("gateway", string(gw.id)), slog.Any("error", err))
	}
}

// refresh tells the machine of the policy in force, if it does not know it yet.
func (d *Downlink) refresh(gw *gateway) []link.ServerAction {
	v, ok := d.cfg.Policies.Versions(gw.id)
	if !ok {
		return nil // no lease is given, the gateway stays offline (I5)
	}
	note, ok := d.cfg.Policies.Manifest(gw.id)
	gw.mu.Lock()
	defer gw.mu.Unlock()
	out := d.stepLocked(gw, v)
	if ok && !bytes.Equal(note, gw.manifest) {
		gw.manifest = note
		out = append(out, d.stepLocked(gw, link.Policy{Note: note, Chunks: chunks{d.cfg.Policies, gw.id}})...)
	}
	return out
}

// chunks is the ChunkSource of one gateway.
type chunks struct {
	policies Policies
	gw       access.GatewayID
}

func (c chunks) Chunk(h wire.Hash) ([]byte, bool) { return c.policies.Chunk(c.gw, h) }

// PolicyChanged gives every machine the versions in force and pushes new manifests to the gateways
// that were heard of lately. Call it after the commit of a change. It takes about 0.1 ms a gateway
// that has something to be told, and never waits for a gateway.
func (d *Downlink) PolicyChanged() {
	at := time.Now()
	for _, gw := range d.all() {
		d.act(gw, at, d.refresh(gw))
	}
}

// KeysChanged puts a new keys note into every welcome from now on.
func (d *Downlink) KeysChanged(note string) {
	d.mu.Lock()
	d.keys = note
	d.mu.Unlock()
	at := time.Now()
	for _, gw := range d.all() {
		d.act(gw, at, d.step(gw, link.KeysNote{Note: note}))
	}
}

// tick moves the machines' time. Its owner is Run.
func (d *Downlink) tick(ctx context.Context) {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-t.C:
			for _, gw := range d.all() {
				d.act(gw, at, d.step(gw, link.Tick{}))
			}
		}
	}
}

// guard keeps one gateway's message from ending the server: a fault in a parser would otherwise be
// a way for one stolen gateway to stop them all. The message is dropped, as if it had been lost.
func (d *Downlink) guard(gw *gateway, kind string) {
	if r := recover(); r != nil {
		d.rejected.add(kind, WhyPanic)
		d.cfg.Log.Error("panic while working off a message", slog.String("gateway", string(gw.id)), slog.String("kind", kind),
			slog.String("stack", string(debug.Stack())))
	}
}
