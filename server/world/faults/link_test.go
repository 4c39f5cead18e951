package faults

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/outbox"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/store"
)

// The two sides of the link as writers (D32): the product's outbox or store with the product's protocol machine.
// Messages go over the standard streams, one line each, and the test carries them between the two. Lines:
//
//	m KIND BASE64   a message
//	up, lost        the connection to the other side stands, or is gone
//	stop            (to the gateway) no more new records

const linkedGateway = access.GatewayID("gw-1")

type noteKey struct {
	signer   note.Signer
	verifier note.Verifier
}

// keyOf makes the key of a name from a fixed seed: a restarted writer needs the same.
func keyOf(seed byte, name string) noteKey {
	skey, vkey, err := note.GenerateKey(fixedRand(seed), name)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	s, err1 := note.NewSigner(skey)
	v, err2 := note.NewVerifier(vkey)
	if err := errors.Join(err1, err2); err != nil {
		panic("BUG: " + err.Error())
	}
	return noteKey{s, v}
}

func linkKeys() (gateway, server noteKey) {
	return keyOf(8, wire.GatewayKeyName(siteName, linkedGateway)), keyOf(9, wire.KeyName(siteName, wire.RoleLink))
}

// lines reads standard input; the channel closes with it.
func lines() <-chan string {
	out := make(chan string, 256)
	go func() { // ends with standard input
		defer close(out)
		r := bufio.NewReader(os.Stdin)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			out <- strings.TrimSpace(line)
		}
	}()
	return out
}

func messageOf(line string) (link.Message, error) {
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != "m" {
		return link.Message{}, fmt.Errorf("line %q is no message", line)
	}
	payload, err := base64.StdEncoding.DecodeString(f[2])
	return link.Message{Kind: f[1], Payload: payload}, err
}

func sendMessage(p link.Publish) error {
	_, _, kind, err := wire.ParseTopic(p.Topic)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("m %s %s\n", kind, base64.StdEncoding.EncodeToString(p.Payload))
	return err
}

// gatewaySide is the outbox and the gateway's machine.
type gatewaySide struct {
	box    *outbox.Outbox
	m      *link.Gateway
	start  time.Time
	boot   wire.BootID
	wake   *time.Timer
	queued []link.GatewayInput
}

func writeGatewaySide(folder string) error {
	g := &gatewaySide{start: time.Now(), wake: time.NewTimer(time.Hour)}
	if _, err := rand.Read(g.boot[:]); err != nil {
		return err
	}
	cfg := outboxConfig(folder)
	cfg.Stamp = g.stamp
	var err error
	if g.box, err = outbox.Open(cfg); err != nil {
		return err
	}
	go g.box.Run(context.Background()) // ends with the process
	mine, theirs := linkKeys()
	_, policyVerifier := policyKeys()
	g.m = link.NewGateway(link.GatewayConfig{
		Site: siteName, ID: linkedGateway, Signer: mine.signer, Rand: rand.Reader, Boot: g.boot, Software: "faults",
		Verifiers: wire.Verifiers{}.With(wire.RoleLink, theirs.verifier).With(wire.RolePolicy, policyVerifier),
	})
	fmt.Println("ready")
	return g.run()
}

func (g *gatewaySide) stamp() wire.Stamp {
	return wire.Stamp{Boot: g.boot, BoottimeNS: int64(g.now()), WallMS: time.Now().UnixMilli(), Quality: access.ClockServer}
}

func (g *gatewaySide) now() mono.Time { return mono.Time(time.Second + time.Since(g.start)) }

func (g *gatewaySide) run() error {
	in := lines()
	appended := make(chan outbox.Result, 64)
	waiting, n, stopped := 0, 0, false
	g.queued = append(g.queued, link.PolicyHeld{}, g.state())
	for {
		for len(g.queued) > 0 {
			next := g.queued[0]
			g.queued = g.queued[1:]
			if err := g.step(next); err != nil {
				return err
			}
		}
		if s := g.box.Stat(); !stopped && waiting == 0 && s.Pending < 300 { // several doors at once
			for waiting < 1+n%4 {
				word := fmt.Sprintf("g%d-%d-%d", os.Getpid(), n, waiting)
				waiting++
				g.box.Append(outbox.Entry{
					Record: wire.Record{Door: "server-room-1", Side: access.SideEnter, Event: door.EventClosed, Link: "clear", Detail: word, Stamp: g.stamp()},
					Done: func(r outbox.Result) {
						if r.Err == nil {
							fmt.Printf("record %x %d %s\n", r.Epoch[:], r.Seq, word)
						}
						appended <- r
					},
				})
			}
			n++
		} else if stopped && waiting == 0 && s.Pending == 0 {
			fmt.Printf("drained %x %d %x\n", s.Epoch[:], s.Head, s.HeadHash[:])
		}
		select {
		case line, ok := <-in:
			switch {
			case !ok:
				return nil
			case line == "up":
				g.queued = append(g.queued, link.Connected{})
			case line == "lost":
				g.queued = append(g.queued, link.Disconnected{})
			case line == "stop":
				stopped = true
			default:
				m, err := messageOf(line)
				if err != nil {
					return err
				}
				g.queued = append(g.queued, m)
			}
		case r := <-appended:
			waiting--
			if r.Err != nil {
				return r.Err
			}
		case <-g.box.Changed():
			g.queued = append(g.queued, g.state())
		case <-g.wake.C:
			g.queued = append(g.queued, link.Tick{})
		}
	}
}

func (g *gatewaySide) state() link.OutboxState {
	s := g.box.Stat()
	return link.OutboxState{Epoch: s.Epoch, Tail: s.Tail, Head: s.Head, HeadHash: s.HeadHash, Acked: s.Acked, Pending: s.Pending}
}

func (g *gatewaySide) step(in link.GatewayInput) error {
	for _, a := range g.m.Step(g.now(), g.stamp(), in) {
		switch a := a.(type) {
		case link.Publish:
			if err := sendMessage(a); err != nil {
				return err
			}
		case link.Load:
			ev, err := g.box.Load(a.Epoch, a.First, a.Max)
			if err != nil {
				return err
			}
			g.queued = append(g.queued, link.Batch{Events: ev})
		case link.Acked:
			fmt.Printf("acked %x %d\n", a.Epoch[:], a.Seq)
			done := make(chan error, 1)
			g.box.Acked(a.Epoch, a.Seq, a.Hash, func(err error) { done <- err })
			if err := <-done; err != nil {
				return fmt.Errorf("I4: the server acknowledged what this outbox does not hold: %w", err)
			}
		case link.NewEpoch:
			return fmt.Errorf("an honest gateway is told to begin a new epoch: %s", a.Why)
		case link.Wake:
			g.wake.Reset(time.Duration(a.At.Sub(g.now())))
		}
	}
	return nil
}

// serverSide is the store, ingest and the server's machine of one gateway.
type serverSide struct {
	site   *serverSite
	pipe   *ingest.Pipeline
	m      *link.Server
	start  time.Time
	queued []link.ServerInput
}

func writeServerSide(folder string) error {
	site, err := openSite(folder) // the test has set it up
	if err != nil {
		return err
	}
	theirs, mine := linkKeys()
	s := &serverSide{site: site, pipe: ingest.New(site.policies, site.store.Zone()), start: time.Now()}
	s.m = link.NewServer(link.ServerConfig{Site: siteName, Gateway: linkedGateway, Signer: mine.signer, Key: theirs.verifier})
	v, _ := site.policies.Versions(linkedGateway)
	s.queued = append(s.queued, link.Versions{Rules: v.Rules, Modes: v.Modes, State: v.State})
	fmt.Println("ready")
	in := lines()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		for len(s.queued) > 0 {
			next := s.queued[0]
			s.queued = s.queued[1:]
			if err := s.step(next); err != nil {
				return err
			}
		}
		select {
		case line, ok := <-in:
			if !ok {
				return nil
			}
			if line == "up" || line == "lost" {
				continue
			}
			m, err := messageOf(line)
			if err != nil {
				return err
			}
			s.queued = append(s.queued, m)
		case <-tick.C:
			s.queued = append(s.queued, link.Tick{})
		}
	}
}

func (s *serverSide) step(in link.ServerInput) error {
	ctx := context.Background()
	for _, a := range s.m.Step(mono.Time(time.Second+time.Since(s.start)), time.Now().UnixMilli(), in) {
		switch a := a.(type) {
		case link.Publish:
			if err := sendMessage(a); err != nil {
				return err
			}
		case link.Lookup:
			var seq uint64
			var hash entrylog.Hash
			if err := s.site.store.Read(ctx, func(r *store.ReadTx) (err error) {
				seq, hash, err = r.Chain(string(linkedGateway), a.Hello.Epoch)
				return err
			}); err != nil {
				return err
			}
			s.queued = append(s.queued, link.Watermark{Hello: a.Hello, Seq: seq, Hash: wire.Hash(hash)})
		case link.Ingest:
			var out ingest.Result
			if err := s.site.store.Write(ctx, func(tx *store.Tx) (err error) {
				out, err = s.pipe.Handle(tx, linkedGateway, &a.Events, time.Now().UnixMilli())
				return err
			}); err != nil {
				return err
			}
			if out.Forked {
				return errors.New("an honest gateway's chain is taken for a fork")
			}
			if s.site.store.SignErr() != nil {
				continue // while nothing is signed, nothing is acknowledged (EV-3)
			}
			fmt.Printf("ack %s %x %d %x\n", linkedGateway, out.Epoch[:], out.Seq, out.Hash[:])
			s.queued = append(s.queued, link.Committed{Epoch: out.Epoch, Seq: out.Seq, Hash: out.Hash, Checkpoint: s.site.store.Checkpoint()})
		case link.Finding:
			return fmt.Errorf("a finding about an honest gateway: %+v", a)
		}
	}
	return nil
}
