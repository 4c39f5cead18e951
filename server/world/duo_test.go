package world

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	gatewayapp "monban/gateway/app"
	"monban/gateway/outbox"
	"monban/server/app"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/signer"
	"monban/server/store"
)

// host is a server without sockets: the real site, ingest and protocol machines, stepped by hand.
type host struct {
	t        testing.TB
	site     *app.Site
	pipeline *ingest.Pipeline
}

func openHost(t testing.TB, cfg *config.Config) *host {
	t.Helper()
	s, err := app.OpenSite(cfg, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sign, err := s.Signer.NoteSigner(signer.RolePolicy)
	if err != nil {
		t.Fatal(err)
	}
	pub := policypub.New(policypub.Config{Store: s.Store, Signer: sign, Site: cfg.Site, Keys: s.Keys, Now: time.Now})
	if err := pub.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &host{t: t, site: s, pipeline: ingest.New(pub, cfg.Location())}
}

func (h *host) close() {
	h.t.Helper()
	if err := h.site.Close(); err != nil {
		h.t.Fatal(err)
	}
}

// machine is the server's machine of one gateway.
func (h *host) machine(id access.GatewayID) *link.Server {
	h.t.Helper()
	sign, err := h.site.Signer.NoteSigner(signer.RoleLink)
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := h.site.Verifier(id)
	if err != nil {
		h.t.Fatal(err)
	}
	return link.NewServer(link.ServerConfig{Site: h.site.Config.Site, Gateway: id, Signer: sign, Key: key})
}

// findings is how many findings the log has.
func (h *host) findings() (n int) {
	h.t.Helper()
	if err := h.site.Store.Read(h.t.Context(), func(r *store.ReadTx) (err error) {
		_, n, err = r.Findings(true, 0, 1)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// chain is how far the rows of an epoch reach.
func (h *host) chain(id access.GatewayID, epoch wire.Epoch) (seq uint64, hash wire.Hash) {
	h.t.Helper()
	if err := h.site.Store.Read(h.t.Context(), func(r *store.ReadTx) error {
		n, sum, err := r.Chain(string(id), epoch)
		seq, hash = n, wire.Hash(sum)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return seq, hash
}

// keeper is one gateway: its identity and its real outbox.
type keeper struct {
	t    testing.TB
	id   access.GatewayID
	iden gatewayapp.Identity
	keys wire.Verifiers
	path string
	box  *outbox.Outbox
	stop func()
	at   mono.Time // now; never falls
	wall int64
	boot wire.BootID
}

func newKeeper(t testing.TB, cfg *config.Config, dir, name string, i int, path string) *keeper {
	t.Helper()
	id, err := gatewayapp.LoadIdentity(identityDir(dir, name, i))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := wire.OpenKeys(id.Root, cfg.Site, string(id.KeysNote))
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{t: t, id: gatewayName(i), iden: id, path: path, wall: time.Now().UnixMilli()}
	if k.keys, err = keys.Verifiers(); err != nil {
		t.Fatal(err)
	}
	k.open()
	return k
}

// open starts the outbox, as a new boot of the gateway does.
func (k *keeper) open() {
	k.t.Helper()
	_, _ = rand.Read(k.boot[:]) // crypto/rand never fails
	var err error
	k.box, err = outbox.Open(outbox.Config{Path: k.path, Gateway: k.id, Stamp: k.stamp})
	if err != nil {
		k.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { k.box.Run(ctx); close(ended) }()
	k.stop = func() {
		k.t.Helper()
		cancel()
		<-ended
		if err := k.box.Close(); err != nil {
			k.t.Fatal(err)
		}
	}
}

// spoil damages one of the two meta pages of the closed file: the last commit, an ack here, may be lost, and
// the next start begins another epoch.
func (k *keeper) spoil(meta int64) {
	k.t.Helper()
	f, err := os.OpenFile(k.path, os.O_RDWR, 0)
	if err != nil {
		k.t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("spoilt"), meta*int64(os.Getpagesize())+20)
	if err := errors.Join(err, f.Close()); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keeper) stamp() wire.Stamp {
	return wire.Stamp{Boot: k.boot, BoottimeNS: int64(k.at) + 1, WallMS: k.wall + int64(k.at)/1e6, Quality: access.ClockNTP}
}

// record appends n records and waits until they are durable.
func (k *keeper) record(n int) {
	k.t.Helper()
	done := make(chan error, 1000)
	for left := n; left > 0; {
		batch := min(left, 1000)
		for range batch {
			k.at = k.at.Add(time.Millisecond)
			k.box.Append(outbox.Entry{
				Record: wire.Record{Event: door.EventLinkUp, Detail: "restored", Stamp: k.stamp()},
				Done:   func(r outbox.Result) { done <- r.Err },
			})
		}
		for range batch {
			if err := <-done; err != nil {
				k.t.Fatal(err)
			}
		}
		left -= batch
	}
}

func (k *keeper) state() link.OutboxState {
	s := k.box.Stat()
	return link.OutboxState{Epoch: s.Epoch, Tail: s.Tail, Head: s.Head, HeadHash: s.HeadHash, Acked: s.Acked, Pending: s.Pending}
}

// wait runs an operation of the outbox to its end.
func (k *keeper) wait(f func(done func(error))) error {
	done := make(chan error, 1)
	f(func(err error) { done <- err })
	return <-done
}

// session links one gateway with the server until all that it keeps is acknowledged and nothing more
// happens for a while, or for at most steps steps. It says whether the gateway was told to begin another epoch.
func (h *host) session(k *keeper, steps int) (again bool) {
	h.t.Helper()
	gw := link.NewGateway(link.GatewayConfig{
		Site: h.site.Config.Site, ID: k.id, Signer: k.iden.Note, Verifiers: k.keys, Root: k.iden.Root, KeysVersion: 1,
		Rand: rand.Reader, Boot: k.boot, Software: "test",
	})
	srv := h.machine(k.id)
	var up, down []link.Message
	var wake mono.Time
	tell := func(in link.GatewayInput) {
		ins := []link.GatewayInput{in}
		for len(ins) > 0 {
			in, ins = ins[0], ins[1:]
			for _, a := range gw.Step(k.at, k.stamp(), in) {
				switch a := a.(type) {
				case link.Publish:
					_, _, kind, err := wire.ParseTopic(a.Topic)
					if err != nil {
						h.t.Fatal(err)
					}
					up = append(up, link.Message{Kind: kind, Payload: a.Payload})
				case link.Load:
					ev, err := k.box.Load(a.Epoch, a.First, a.Max)
					if err != nil && !errors.Is(err, outbox.ErrUnknown) {
						h.t.Fatal(err)
					}
					ins = append(ins, link.Batch{Events: ev}, k.state())
				case link.Acked:
					if err := k.wait(func(done func(error)) { k.box.Acked(a.Epoch, a.Seq, a.Hash, done) }); err != nil {
						h.t.Fatalf("ack of %d: %v", a.Seq, err)
					}
					ins = append(ins, k.state())
				case link.NewEpoch:
					again = true
					if err := k.wait(func(done func(error)) { k.box.NewEpoch(a.Why, done) }); err != nil {
						h.t.Fatal(err)
					}
					ins = append(ins, k.state())
				case link.Wake:
					wake = a.At
				}
			}
		}
	}
	var ask func(in link.ServerInput)
	ask = func(in link.ServerInput) {
		for _, a := range srv.Step(k.at, k.wall+int64(k.at)/1e6, in) {
			switch a := a.(type) {
			case link.Publish:
				_, _, kind, err := wire.ParseTopic(a.Topic)
				if err != nil {
					h.t.Fatal(err)
				}
				down = append(down, link.Message{Kind: kind, Payload: a.Payload})
			case link.Lookup:
				var done ingest.Result
				if err := h.site.Store.Read(h.t.Context(), func(r *store.ReadTx) (err error) {
					done, err = h.pipeline.Greet(r, &a.Hello)
					return err
				}); err != nil {
					h.t.Fatal(err)
				}
				ask(link.Watermark{Hello: a.Hello, Seq: done.Seq, Hash: done.Hash})
			case link.Ingest:
				var done ingest.Result
				if err := h.site.Store.Write(h.t.Context(), func(tx *store.Tx) (err error) {
					done, err = h.pipeline.Handle(tx, k.id, &a.Events, k.wall+int64(k.at)/1e6)
					return err
				}); err != nil {
					h.t.Fatal(err)
				}
				if done.Forked {
					ask(link.Refused{Epoch: done.Epoch, Fork: true})
				} else {
					ask(link.Committed{Epoch: done.Epoch, Seq: done.Seq, Hash: done.Hash, Checkpoint: h.site.Store.Checkpoint()})
				}
			case link.Finding:
				if err := h.site.Store.Write(h.t.Context(), func(tx *store.Tx) error {
					return h.pipeline.Report(tx, k.id, a.Kind, a.Epoch, a.Seq, k.wall+int64(k.at)/1e6)
				}); err != nil {
					h.t.Fatal(err)
				}
			}
		}
	}
	tell(k.state())
	tell(link.Connected{})
	quiet := 0
	for range steps {
		if len(up) == 0 && len(down) == 0 {
			if k.box.Stat().Pending == 0 {
				if quiet++; quiet > 3 {
					return again
				}
			} else {
				quiet = 0
			}
			tell(k.state()) // as Changed does
			k.at = max(wake, k.at.Add(10*time.Millisecond))
			tell(link.Tick{})
			continue
		}
		k.at = k.at.Add(time.Microsecond)
		if len(up) > 0 {
			m := up[0]
			up = up[1:]
			ask(m)
		}
		if len(down) > 0 {
			m := down[0]
			down = down[1:]
			tell(m)
		}
	}
	h.t.Fatalf("%s: %d records are not acknowledged after %d steps", k.id, k.box.Stat().Pending, steps)
	return again
}

// complete checks I2 and I3 for an epoch: every record of the outbox, once and in order, has its row.
func (h *host) complete(k *keeper, epoch wire.Epoch, head uint64, hash wire.Hash) {
	h.t.Helper()
	if seq, got := h.chain(k.id, epoch); seq != head || got != hash {
		h.t.Errorf("I2: %s: %d rows of epoch %x, want %d, or another hash", k.id, seq, epoch[:3], head)
	}
	next := uint64(1)
	err := h.site.Store.Read(h.t.Context(), func(r *store.ReadTx) error {
		for from := int64(0); ; from += 1000 {
			leaves, err := r.Leaves(from, 1000)
			if err != nil || len(leaves) == 0 {
				return err
			}
			for _, l := range leaves {
				if l.Kind != entrylog.KindRecord {
					continue
				}
				leaf, err := entrylog.ParseRecord(l.Body)
				if err != nil {
					return err
				}
				rec, err := wire.ParseRecord(leaf.Body)
				if err != nil {
					return err
				}
				if rec.Gateway != k.id || rec.Epoch != epoch {
					continue
				}
				if rec.Seq != next {
					h.t.Errorf("I3: %s: record %d stands where %d belongs", k.id, rec.Seq, next)
				}
				next = rec.Seq + 1
			}
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if next != head+1 {
		h.t.Errorf("I2: %s: %d leaves, want %d", k.id, next-1, head)
	}
}
