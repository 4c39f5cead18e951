package world

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	gatewayapp "monban/gateway/app"
	"monban/server/config"
)

// asker is one gateway of the load of (d): one question at a time, signed with its own key.
type asker struct {
	site      string
	id        access.GatewayID
	door      access.DoorID
	identity  gatewayapp.Identity
	key       wire.AskKey
	card      card.Ref
	verifiers wire.Verifiers
	topic     []byte
	boot      wire.BootID
	n         uint64
}

// loadAskers reads the identities of all gateways.
func loadAskers(dir, name string, cfg *config.Config, n int, cards []card.Ref) ([]*asker, error) {
	var out []*asker
	for i := range n {
		id, err := gatewayapp.LoadIdentity(identityDir(dir, name, i))
		if err != nil {
			return nil, err
		}
		keys, err := wire.OpenKeys(id.Root, cfg.Site, string(id.KeysNote))
		if err != nil {
			return nil, err
		}
		a := &asker{site: cfg.Site, id: gatewayName(i), door: doorName(i), identity: id, card: cards[i%len(cards)]}
		if a.verifiers, err = keys.Verifiers(); err != nil {
			return nil, err
		}
		copy(a.key[:], id.Keys.AskKey)
		_, _ = rand.Read(a.boot[:]) // crypto/rand never fails
		a.topic = appendText(nil, wire.Topic(cfg.Site, a.id, wire.KindAsk))
		out = append(out, a)
	}
	return out, nil
}

// crowd is all gateways on one server.
type crowd struct {
	askers []*asker
	conns  []*packets
	done   atomic.Uint64 // answers
	lost   atomic.Uint64 // questions without an answer in time
}

// gather connects every gateway to the server at addr, a few at a time.
func gather(ctx context.Context, addr string, askers []*asker) (*crowd, error) {
	c := &crowd{askers: askers, conns: make([]*packets, len(askers))}
	errs := make([]error, len(askers))
	room := make(chan struct{}, 16)
	var all sync.WaitGroup
	for i, a := range askers {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			c.conns[i], errs[i] = dialMQTT(ctx, addr, string(a.id), wire.Topic(a.site, a.id, wire.KindAnswer), a.identity.TLS)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *crowd) close() {
	for _, p := range c.conns {
		if p != nil {
			_ = p.conn.Close() // nothing of it is needed any more
		}
	}
}

// window is what one arm did in one measured window.
type window struct {
	answers uint64
	cpu     time.Duration // of the server
	took    time.Duration
}

func (w window) perSecond() float64 { return float64(w.answers) / w.took.Seconds() }
func (w window) cpuEach() float64   { return float64(w.cpu) / float64(w.answers) }

// run has every gateway ask, one question at a time each, and measures the server after a warm-up.
func (c *crowd) run(server *child, warm, measured time.Duration) (window, error) {
	var stop atomic.Bool
	var all sync.WaitGroup
	errs := make([]error, len(c.askers))
	for i, a := range c.askers {
		all.Go(func() { errs[i] = c.ask(a, c.conns[i], &stop) })
	}
	time.Sleep(warm)
	n0, start := c.done.Load(), time.Now()
	cpu0, err0 := server.cpu()
	time.Sleep(measured)
	cpu1, err1 := server.cpu()
	w := window{answers: c.done.Load() - n0, cpu: cpu1 - cpu0, took: time.Since(start)}
	stop.Store(true)
	all.Wait()
	err := errors.Join(append(errs, err0, err1)...)
	if err == nil && w.answers == 0 {
		err = errors.New("load: no answers at all")
	}
	return w, err
}

// verifyEvery: the load's own work is not what is measured, so it opens the first and then every 64th
// answer; the rest is compared by the id of its question.
const verifyEvery = 64

// ask is one gateway's closed loop until stop.
func (c *crowd) ask(a *asker, p *packets, stop *atomic.Bool) error {
	for !stop.Load() {
		answered, err := a.once(p, 3*time.Second)
		if err != nil {
			return err
		}
		if answered {
			c.done.Add(1)
		} else {
			c.lost.Add(1)
		}
	}
	return nil
}

// await asks until the server answers: its broker takes connections before its link subscribes, and at
// QoS 0 what nobody has subscribed is gone.
func (c *crowd) await(ctx context.Context) error {
	for range 120 {
		answered, err := c.askers[0].once(c.conns[0], 250*time.Millisecond)
		if err != nil || answered {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.New("load: the server does not answer")
}

// once asks one question; false when no answer came in time.
func (a *asker) once(p *packets, limit time.Duration) (answered bool, err error) {
	body, want := a.next()
	msg, err := wire.Seal(a.identity.Note, a.site, a.id, wire.KindAsk, body)
	if err != nil {
		return false, err
	}
	if err := p.publish(a.topic, msg); err != nil {
		return false, fmt.Errorf("%s: %w", a.id, err)
	}
	if err := p.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return false, err
	}
	for {
		got, err := p.message()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("%s: no answer: %w", a.id, err)
		case !bytes.Contains(got, want):
			continue // an answer to an earlier question
		case !bytes.Contains(got, []byte(`"outcome":"granted"`)):
			return false, fmt.Errorf("%s: not granted: %s", a.id, got)
		}
		if a.n%verifyEvery == 1 {
			if _, err := wire.Open(a.verifiers, a.site, a.id, wire.KindAnswer, got); err != nil {
				return false, fmt.Errorf("%s: answer: %w", a.id, err)
			}
		}
		return true, nil
	}
}

// next is the next question and the text by which its answer is known.
func (a *asker) next() (body, answer []byte) {
	var nonce wire.Nonce
	ask := wire.Ask{Gateway: a.id, Attempt: newAttempt(), Door: a.door, Side: access.SideEnter, Assurance: card.UIDOnly.String(), Rules: 1}
	_, _ = rand.Read(nonce[:]) // crypto/rand never fails
	_, _ = rand.Read(ask.ID[:])
	ask.Card = wire.SealCard(a.key, nonce, a.card)
	a.n++
	ask.Stamp = wire.Stamp{Boot: a.boot, BoottimeNS: int64(a.n) * 1e6, WallMS: time.Now().UnixMilli(), Quality: access.ClockNTP}
	return wire.AppendAsk(nil, &ask), fmt.Appendf(nil, `"id":"%s"`, hex.EncodeToString(ask.ID[:]))
}

// newAttempt is an attempt as a gateway's reader makes it.
func newAttempt() door.Attempt {
	var random [10]byte
	_, _ = rand.Read(random[:]) // crypto/rand never fails
	return door.NewAttempt(time.Now().UnixMilli(), random)
}
