package world

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	gatewayapp "monban/gateway/app"
	"monban/gateway/outbox"
	"monban/gateway/uplink"
	"monban/server/app"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/world/faultproxy"
)

// member is one gateway of a site without its doors: the product's outbox and uplink.
type member struct {
	*gatewayHalf
	id    access.GatewayID
	door  access.DoorID
	box   *outbox.Outbox // nil: it keeps no records
	up    *uplink.Uplink
	key   wire.AskKey
	boot  wire.BootID
	start time.Time
	stop  func()

	isUp           atomic.Bool
	ups            atomic.Uint64
	leased         atomic.Int64  // ns after start, of the newest lease
	sent           atomic.Uint64 // records given to the link, repeats too
	answered, late atomic.Uint64
	unanswered     atomic.Uint64
}

// newMember starts gateway i of the site, connected to broker (host:port).
func newMember(t testing.TB, cfg *config.Config, dir, name string, i int, broker string, records bool) *member {
	t.Helper()
	id, err := gatewayapp.LoadIdentity(identityDir(dir, name, i))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := wire.OpenKeys(id.Root, cfg.Site, string(id.KeysNote))
	if err != nil {
		t.Fatal(err)
	}
	verifiers, err := keys.Verifiers()
	if err != nil {
		t.Fatal(err)
	}
	m := &member{id: gatewayName(i), door: doorName(i), start: time.Now()}
	copy(m.key[:], id.Keys.AskKey)
	_, _ = rand.Read(m.boot[:]) // crypto/rand never fails
	m.gatewayHalf = &gatewayHalf{linked: func() {}, applied: func() {}, boot: m.boot}
	if records {
		m.box, err = outbox.Open(outbox.Config{
			Path: filepath.Join(queueDir(t), "outbox.db"), Gateway: m.id, Stamp: func() wire.Stamp { return m.stamp(m.now()) },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	m.up = uplink.New(uplink.Config{
		Server: "tls://" + broker, TLS: id.TLS, Site: cfg.Site, Gateway: m.id, Signer: id.Note, Verifiers: verifiers,
		Root: id.Root, KeysVersion: keys.Version, AskKey: m.key, Rand: rand.Reader, Boot: m.boot, Software: "test",
		AskTimeout: link.AskTimeout, Now: m.now, Stamp: m.stamp, Outbox: m, Policies: m, Listener: m, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{}, 2)
	go func() { m.up.Run(ctx); ended <- struct{}{} }()
	go func() {
		if m.box != nil {
			m.box.Run(ctx)
		}
		ended <- struct{}{}
	}()
	m.stop = func() {
		cancel()
		<-ended
		<-ended
		m.stop = func() {}
	}
	t.Cleanup(func() {
		m.stop()
		if m.box != nil {
			if err := m.box.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return m
}

// queueDir is where a gateway of the test keeps its queue: MONBAN_FLOOD_QUEUES, which `make flood` sets to a file system in memory. Each gateway
// has a disk of its own, and twenty queues on the server's would be what a door waits for.
func queueDir(t testing.TB) string {
	t.Helper()
	base := os.Getenv("MONBAN_FLOOD_QUEUES")
	if base == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(base, "monban-queue-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (m *member) now() mono.Time { return mono.Time(time.Since(m.start)) }

func (m *member) stamp(t mono.Time) wire.Stamp {
	return wire.Stamp{Boot: m.boot, BoottimeNS: int64(t) + 1, WallMS: m.start.UnixMilli() + int64(t)/1e6, Quality: access.ClockNTP}
}

// State implements uplink.Outbox.
func (m *member) State() link.OutboxState {
	if m.box == nil {
		return m.gatewayHalf.State()
	}
	s := m.box.Stat()
	return link.OutboxState{Epoch: s.Epoch, Tail: s.Tail, Head: s.Head, HeadHash: s.HeadHash, Acked: s.Acked, Pending: s.Pending}
}

// Changed implements uplink.Outbox.
func (m *member) Changed() <-chan struct{} {
	if m.box == nil {
		return nil
	}
	return m.box.Changed()
}

// Load implements uplink.Outbox.
func (m *member) Load(epoch wire.Epoch, first uint64, most int) (wire.Events, error) {
	if m.box == nil {
		return m.gatewayHalf.Load(epoch, first, most)
	}
	e, err := m.box.Load(epoch, first, most)
	m.sent.Add(uint64(len(e.Records)))
	return e, err
}

// Acked implements uplink.Outbox.
func (m *member) Acked(a link.Acked) {
	if m.box != nil {
		m.box.Acked(a.Epoch, a.Seq, a.Hash, func(error) {})
	}
}

// NewEpoch implements uplink.Outbox.
func (m *member) NewEpoch(why string) {
	if m.box != nil {
		m.box.NewEpoch(why, func(error) {})
	}
}

// Leased implements uplink.Listener.
func (m *member) Leased(link.Lease) { m.leased.Store(int64(time.Since(m.start))) }

// LinkUp implements uplink.Listener.
func (m *member) LinkUp() { m.isUp.Store(true); m.ups.Add(1) }

// LinkLost implements uplink.Listener.
func (m *member) LinkLost() { m.isUp.Store(false) }

// record appends one record; done is called when it is durable.
func (m *member) record(detail string, done func(error)) {
	m.box.Append(outbox.Entry{
		Record: wire.Record{Event: door.EventLinkUp, Detail: detail, Stamp: m.stamp(m.now())},
		Done:   func(r outbox.Result) { done(r.Err) },
	})
}

// ask asks about a card and tells done how long the answer took; false when none counted.
func (m *member) ask(ref card.Ref, done func(took time.Duration, answered bool)) {
	start := time.Now()
	var nonce wire.Nonce
	_, _ = rand.Read(nonce[:]) // crypto/rand never fails
	ask := wire.Ask{
		Attempt: newAttempt(), Door: m.door, Side: access.SideEnter, Card: wire.SealCard(m.key, nonce, ref), Assurance: card.UIDOnly.String(),
		Stamp: m.stamp(m.now()), Rules: 1,
	}
	m.up.Ask(ask, [32]byte{}, func(_ wire.Answer, late bool) {
		if late {
			m.late.Add(1)
			return
		}
		m.answered.Add(1)
		done(time.Since(start), true)
	}, func() {
		m.unanswered.Add(1)
		done(time.Since(start), false)
	})
}

// newProxy is a fault proxy before the site's broker, which is not asked before somebody connects.
func newProxy(t testing.TB, cfg *config.Config, dir, name string, gateways int, seed uint64) *faultproxy.Proxy {
	t.Helper()
	authority, err := ca.Open(cfg.Path("ca"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*tls.Config{}
	for i := range gateways {
		id, err := gatewayapp.LoadIdentity(identityDir(dir, name, i))
		if err != nil {
			t.Fatal(err)
		}
		byName[string(gatewayName(i))] = id.TLS
	}
	p, err := faultproxy.New(faultproxy.Config{
		Broker: cfg.MQTT.Listen, ServerTLS: authority.ServerTLS(), Seed: seed,
		ClientTLS: func(name string) (*tls.Config, error) {
			if byName[name] == nil {
				return nil, fmt.Errorf("no identity of %s", name)
			}
			return byName[name], nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// rows are the record bodies of each gateway in the order of the log.
func rows(t testing.TB, cfg *config.Config) map[access.GatewayID][]wire.Record {
	t.Helper()
	out := map[access.GatewayID][]wire.Record{}
	eachRow(t, cfg, func(r *wire.Record) { out[r.Gateway] = append(out[r.Gateway], *r) })
	return out
}

// eachRow reads the records in the order of the log.
func eachRow(t testing.TB, cfg *config.Config, f func(*wire.Record)) {
	t.Helper()
	s, err := app.OpenSite(cfg, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Store.Read(t.Context(), func(r *store.ReadTx) error {
		for from := int64(0); ; from += 500 {
			leaves, err := r.Leaves(from, 500)
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
				if !bytes.Equal(wire.AppendRecord(nil, &rec), leaf.Body) {
					t.Errorf("row %d is not as its gateway wrote it", l.Idx)
				}
				f(&rec)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seedOf is MONBAN_SEED or random, and is printed.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	var b [8]byte
	_, _ = rand.Read(b[:4]) // crypto/rand never fails
	seed := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	if v := envInt(t, "MONBAN_SEED", 0); v != 0 {
		seed = uint64(v)
	}
	t.Logf("SEED=%d", seed)
	return seed
}
