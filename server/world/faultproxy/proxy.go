// Package faultproxy stands between gateways and a broker and does to their messages what a bad
// network, a bad broker or an attacker with the broker's key would do. It is for tests only.
//
// It holds both TLS identities: the broker's towards the gateways, and the gateway's own towards the
// broker. It reads MQTT 3.1.1 frames and drops, doubles, delays, reorders, truncates or flips whole
// PUBLISHes by their class, stops reading (half-open links), cuts connections, also in the middle of a
// frame, lies in SUBACKs, and says again what was said in an earlier session. What it does by chance is
// drawn from a seed, per gateway, session and direction. It holds no key that signs messages: what it
// invents, nobody should believe.
package faultproxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// handshakeTime bounds TLS on either side.
	handshakeTime = 10 * time.Second
	// writeTime: a peer that does not read for so long is cut off.
	writeTime = 10 * time.Second
	// keep is how many messages of one gateway and class are kept to be said again.
	keep = 256
)

// Config of a Proxy. All but Listen and Seed are required.
type Config struct {
	Listen string // host:port; empty = a free port of loopback
	Broker string // host:port
	// ServerTLS is the broker's, and requires client certificates.
	ServerTLS *tls.Config
	// ClientTLS gives the TLS identity of the gateway whose certificate bears name.
	ClientTLS func(name string) (*tls.Config, error)
	Seed      uint64
}

// Message is one PUBLISH on its way.
type Message struct {
	Gateway string // common name of the certificate
	Session uint64 // 1 = this gateway's first connection through the proxy
	Up      bool   // towards the broker
	Topic   string
	Class   string // last part of the topic
	Payload []byte
	Retain  bool
}

// Tap sees each message before the faults and returns what goes on in its place, in this direction;
// nil drops it. It is called on the connection's goroutine and may call Inject.
type Tap func(Message) []Message

// Proxy is a running proxy. Its methods may be called from any goroutine.
type Proxy struct {
	cfg      Config
	listener net.Listener
	ctx      context.Context
	stop     context.CancelFunc
	own      sync.WaitGroup

	mu       sync.Mutex // guards what follows
	faults   Faults
	tap      Tap
	refuse   bool
	lie      bool
	flow     chan struct{} // closed while bytes are let through
	links    map[*link]bool
	sessions map[string]uint64
	said     map[string][]Message // gateway/class → newest last

	stats struct {
		messages, dropped, truncated, flipped, doubled, held, delayed, sessions, cut, injected atomic.Uint64
	}
}

// link is one connection through the proxy.
type link struct {
	gateway string
	session uint64
	up      *sender // towards the broker
	down    *sender // towards the gateway
	half    atomic.Bool
}

func (l *link) close() {
	_ = l.up.conn.Close()
	_ = l.down.conn.Close()
}

// New listens; connections are served when it returns. Close ends it.
func New(cfg Config) (*Proxy, error) {
	if cfg.Broker == "" || cfg.ServerTLS == nil || cfg.ClientTLS == nil || cfg.ServerTLS.ClientAuth != tls.RequireAndVerifyClientCert {
		return nil, errors.New("fault proxy: broker, both TLS sides and required client certificates are needed")
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	ctx, stop := context.WithCancel(context.Background())
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		stop()
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p := &Proxy{
		cfg: cfg, listener: l, ctx: ctx, stop: stop, flow: make(chan struct{}), links: map[*link]bool{},
		sessions: map[string]uint64{}, said: map[string][]Message{},
	}
	close(p.flow)
	p.own.Go(p.accept)
	return p, nil
}

// Addr is host:port of the listener.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends every connection and returns when all goroutines have ended.
func (p *Proxy) Close() error {
	p.stop()
	err := p.listener.Close()
	p.Stall(false)
	p.Cut("")
	p.own.Wait()
	return err
}

// SetFaults puts other odds in force; nil lets everything pass.
func (p *Proxy) SetFaults(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = maps.Clone(f)
}

// SetTap puts a tap in force; nil takes it out.
func (p *Proxy) SetTap(t Tap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tap = t
}

// LieInSubacks makes every SUBACK say that all was granted, and hides the SUBSCRIBE from the broker.
func (p *Proxy) LieInSubacks(lie bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lie = lie
}

// Refuse ends new connections before TLS, as a broker that is not there would.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Stall stops (true) and resumes reading on all connections, which stay open: half-open links.
func (p *Proxy) Stall(stall bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow: // flowing
		if stall {
			p.flow = make(chan struct{})
		}
	default:
		if !stall {
			close(p.flow)
		}
	}
}

// Cut ends the gateway's connections at once ("" = everybody's) and returns how many there were.
func (p *Proxy) Cut(gateway string) int {
	n := 0
	for _, l := range p.find(gateway) {
		l.close()
		n++
	}
	p.stats.cut.Add(uint64(n))
	return n
}

// CutInFrame ends the gateway's connections ("" = everybody's) in the middle of their next frame.
func (p *Proxy) CutInFrame(gateway string) {
	for _, l := range p.find(gateway) {
		l.half.Store(true)
	}
}

func (p *Proxy) find(gateway string) []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*link
	for l := range p.links {
		if gateway == "" || l.gateway == gateway {
			out = append(out, l)
		}
	}
	return out
}

// Linked reports how many connections stand.
func (p *Proxy) Linked() int { return len(p.find("")) }

// Inject says m on the newest connection of m.Gateway, in the direction m.Up; false when there is none.
func (p *Proxy) Inject(m Message) bool {
	var newest *link
	for _, l := range p.find(m.Gateway) {
		if newest == nil || l.session > newest.session {
			newest = l
		}
	}
	if newest == nil {
		return false
	}
	p.stats.injected.Add(1)
	to := newest.down
	if m.Up {
		to = newest.up
	}
	return to.send(publish(m)) == nil
}

// Said is what was said by or to the gateway in this class, oldest first, the last 256 of it.
func (p *Proxy) Said(gateway, class string) []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said[gateway+"/"+class])
}

// Stats is what was done so far.
func (p *Proxy) Stats() Stats {
	s := &p.stats
	return Stats{
		Messages: s.messages.Load(), Dropped: s.dropped.Load(), Truncated: s.truncated.Load(), Flipped: s.flipped.Load(),
		Doubled: s.doubled.Load(), Held: s.held.Load(), Delayed: s.delayed.Load(), Sessions: s.sessions.Load(), Cut: s.cut.Load(),
		Injected: s.injected.Load(),
	}
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		if refuse {
			_ = c.Close()
			continue
		}
		p.own.Go(func() { p.serve(c) })
	}
}

// serve carries one connection until either side ends it.
func (p *Proxy) serve(raw net.Conn) {
	defer raw.Close()
	ctx, cancel := context.WithTimeout(p.ctx, handshakeTime)
	defer cancel()
	down := tls.Server(raw, p.cfg.ServerTLS)
	if down.HandshakeContext(ctx) != nil {
		return
	}
	name := down.ConnectionState().PeerCertificates[0].Subject.CommonName
	cfg, err := p.cfg.ClientTLS(name)
	if err != nil {
		return
	}
	up, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", p.cfg.Broker)
	if err != nil {
		return
	}
	defer up.Close()
	l := &link{gateway: name, up: &sender{conn: up}, down: &sender{conn: down}}
	p.mu.Lock()
	p.sessions[name]++
	l.session = p.sessions[name]
	p.links[l] = true
	p.mu.Unlock()
	p.stats.sessions.Add(1)
	if p.ctx.Err() != nil {
		l.close() // Close has not seen it
	}
	var both sync.WaitGroup
	for _, isUp := range []bool{true, false} {
		both.Go(func() {
			defer l.close() // the end of one direction is the end of both
			p.pump(l, isUp)
		})
	}
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// stream seeds the draws of one direction of one session.
func (p *Proxy) stream(l *link, up bool) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.gateway))
	n := l.session << 1
	if up {
		n |= 1
	}
	return rand.New(rand.NewPCG(p.cfg.Seed^h.Sum64(), n))
}

// pump carries one direction.
func (p *Proxy) pump(l *link, up bool) {
	from, to := l.down, l.up
	if !up {
		from, to = to, from
	}
	r, rnd := bufio.NewReader(from.conn), p.stream(l, up)
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		p.mu.Lock()
		flow, faults, tap, lie := p.flow, p.faults, p.tap, p.lie
		p.mu.Unlock()
		<-flow // a stalled link keeps what it has read, and reads no more
		if l.half.Load() {
			b := f.bytes()
			_ = to.write(b[:(len(b)+1)/2])
			p.stats.cut.Add(1)
			return
		}
		topic, head, payload, err := f.split()
		switch {
		case err != nil && f.first == 0x82 && up && lie && len(f.body) > 2:
			err = from.send(suback(f))
		case err != nil:
			err = to.send(f)
		default:
			m := Message{l.gateway, l.session, up, topic, class(topic), payload, f.first&1 == 1}
			p.keep(m)
			p.stats.messages.Add(1)
			out := []Message{m}
			if tap != nil {
				out = tap(m)
			}
			err = nil
			for i, m := range out {
				g := frame{f.first, slices.Concat(head, m.Payload)}
				if i > 0 || m.Topic != topic || m.Retain != (f.first&1 == 1) {
					g = publish(m)
				}
				err = errors.Join(err, p.inflict(faults, rnd, to, m.Class, g))
			}
		}
		if err != nil {
			return
		}
	}
}

// suback answers a SUBSCRIBE as a broker that grants everything does.
func suback(f frame) frame {
	body := []byte{f.body[0], f.body[1]}
	for rest := f.body[2:]; len(rest) >= 3; {
		n := int(rest[0])<<8 | int(rest[1])
		if n+3 > len(rest) {
			break
		}
		rest, body = rest[n+3:], append(body, 0)
	}
	return frame{typeSuback, body}
}

func (p *Proxy) keep(m Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := m.Gateway + "/" + m.Class
	list := append(p.said[key], m)
	p.said[key] = list[max(0, len(list)-keep):]
}

// inflict sends one message on, with what fate has for it.
func (p *Proxy) inflict(faults Faults, rnd *rand.Rand, to *sender, class string, f frame) error {
	odds, ok := faults[class]
	if !ok {
		odds = faults[""]
	}
	s, d := &p.stats, odds.draw(rnd)
	if d.drop {
		s.dropped.Add(1)
		return nil
	}
	if d.truncate || d.flip {
		_, head, payload, err := f.split()
		if err != nil {
			return err
		}
		f.body = slices.Concat(head, d.spoil(payload))
		count(&s.truncated, d.truncate)
		count(&s.flipped, d.flip)
	}
	var err error
	if d.double {
		s.doubled.Add(1)
		err = to.send(f)
	}
	switch {
	case d.hold:
		s.held.Add(1)
		to.hold(f)
	case d.delay:
		s.delayed.Add(1)
		time.AfterFunc(d.wait, func() { _ = to.send(f) }) // a connection that ended meanwhile loses it
	default:
		err = errors.Join(err, to.send(f))
	}
	return err
}

func count(n *atomic.Uint64, b bool) {
	if b {
		n.Add(1)
	}
}

// sender is one side of a link: whole frames, one at a time.
type sender struct {
	mu   sync.Mutex
	conn net.Conn
	held []frame
}

// send sends a frame, and after it what was held back.
func (s *sender) send(f frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.writeLocked(f.bytes())
	return errors.Join(err, s.flushLocked())
}

// hold keeps f until the next frame has gone out.
func (s *sender) hold(f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, f)
	time.AfterFunc(MaxHold, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = s.flushLocked() // nothing came; a connection that ended loses it
	})
}

func (s *sender) flushLocked() error {
	var err error
	for _, f := range s.held {
		err = errors.Join(err, s.writeLocked(f.bytes()))
	}
	s.held = nil
	return err
}

func (s *sender) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeLocked(b)
}

func (s *sender) writeLocked(b []byte) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := s.conn.Write(b)
	return err
}
