package link

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

const (
	testSite = "tagajo-demo"
	testGW   = access.GatewayID("gw-1")
)

// hashKey is a note key that signs with a hash: it keeps the tests quick and is worthless otherwise.
type hashKey struct{ name string }

func (k hashKey) Name() string    { return k.name }
func (k hashKey) KeyHash() uint32 { return binary.BigEndian.Uint32(k.sum(nil)) }
func (k hashKey) sum(msg []byte) []byte {
	h := sha256.Sum256(append([]byte(k.name+"\x00"), msg...))
	return h[:8]
}
func (k hashKey) Sign(msg []byte) ([]byte, error) { return k.sum(msg), nil }
func (k hashKey) Verify(msg, sig []byte) bool     { return bytes.Equal(k.sum(msg), sig) }

var (
	_ note.Signer   = hashKey{}
	_ note.Verifier = hashKey{}
)

func gatewayKey() hashKey { return hashKey{wire.GatewayKeyName(testSite, testGW)} }
func roleKey(r wire.Role) hashKey {
	return hashKey{wire.KeyName(testSite, r)}
}

// seedReader is a source of randomness that replays.
func seedReader(seed uint64) io.Reader {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

func newTestGateway(boot byte, seed uint64) *Gateway {
	return NewGateway(GatewayConfig{
		Site: testSite, ID: testGW, Signer: gatewayKey(),
		Verifiers: wire.Verifiers{}.With(wire.RoleLink, roleKey(wire.RoleLink)).With(wire.RolePolicy, roleKey(wire.RolePolicy)).
			With(wire.RoleCommand, roleKey(wire.RoleCommand)),
		Rand: seedReader(seed), Boot: wire.BootID{boot}, Software: "test",
	})
}

func newTestServer() *Server {
	return NewServer(ServerConfig{Site: testSite, Gateway: testGW, Signer: roleKey(wire.RoleLink), Key: gatewayKey(), Keys: "", Command: roleKey(wire.RoleCommand)})
}

// outbox is the model of a gateway's durable queue.
type outbox struct {
	epoch  wire.Epoch
	rows   []wire.Carried // of the epoch, seq = index+1
	hashes []wire.Hash
	acked  uint64
}

func (o *outbox) append(stamp wire.Stamp) {
	r := wire.Record{
		Gateway: testGW, Epoch: o.epoch, Seq: uint64(len(o.rows) + 1), Door: "server-room-1", Side: access.SideEnter,
		Event: door.EventDenied, Attempt: door.Attempt{byte(len(o.rows))}, Stamp: stamp, By: access.ByGateway, Reason: access.ReasonNoGrant,
	}
	body := wire.AppendRecord(nil, &r)
	o.hashes = append(o.hashes, wire.ChainHash(o.hashAt(uint64(len(o.rows))), body))
	o.rows = append(o.rows, wire.Carried{Body: body})
}

func (o *outbox) hashAt(seq uint64) wire.Hash {
	if seq == 0 {
		return wire.Hash{}
	}
	return o.hashes[seq-1]
}

func (o *outbox) state() OutboxState {
	head := uint64(len(o.rows))
	return OutboxState{Epoch: o.epoch, Tail: 1, Head: head, HeadHash: o.hashAt(head), Acked: o.acked, Pending: head - o.acked}
}

func (o *outbox) load(l Load) Batch {
	if l.Epoch != o.epoch || l.First < 1 || l.First > uint64(len(o.rows)) || l.Max < 1 {
		return Batch{}
	}
	end := min(l.First-1+uint64(l.Max), uint64(len(o.rows)))
	return Batch{Events: wire.Events{
		Epoch: o.epoch, First: l.First, Prev: o.hashAt(l.First - 1), Head: o.hashAt(end),
		Records: append([]wire.Carried(nil), o.rows[l.First-1:end]...),
	}}
}

// store is the model of the server's committed rows.
type store struct {
	rows  map[wire.Epoch][]wire.Carried
	heads map[wire.Epoch][]wire.Hash
}

func newStore() *store {
	return &store{rows: map[wire.Epoch][]wire.Carried{}, heads: map[wire.Epoch][]wire.Hash{}}
}

func (s *store) watermark(e wire.Epoch) (uint64, wire.Hash) {
	n := len(s.rows[e])
	if n == 0 {
		return 0, wire.Hash{}
	}
	return uint64(n), s.heads[e][n-1]
}

// ingest does what the server's ingest does: dedupe, chain, commit.
func (s *store) ingest(m wire.Events) ServerInput {
	hashes, err := m.Chain()
	if err != nil {
		return Refused{Epoch: m.Epoch, Fork: true}
	}
	for i, c := range m.Records {
		seq := m.First + uint64(i)
		at, head := s.watermark(m.Epoch)
		switch {
		case seq <= at:
			if s.heads[m.Epoch][seq-1] != hashes[i] {
				return Refused{Epoch: m.Epoch, Fork: true}
			}
		case seq > at+1:
			return Refused{Epoch: m.Epoch}
		case wire.ChainHash(head, c.Body) != hashes[i]:
			return Refused{Epoch: m.Epoch, Fork: true}
		default:
			s.rows[m.Epoch] = append(s.rows[m.Epoch], c)
			s.heads[m.Epoch] = append(s.heads[m.Epoch], hashes[i])
		}
	}
	seq, hash := s.watermark(m.Epoch)
	return Committed{Epoch: m.Epoch, Seq: seq, Hash: hash}
}

// clone is a backup of the store.
func (s *store) clone() *store {
	c := newStore()
	for e := range s.rows {
		c.rows[e] = append([]wire.Carried(nil), s.rows[e]...)
		c.heads[e] = append([]wire.Hash(nil), s.heads[e]...)
	}
	return c
}

// chunkMap is a ChunkSource.
type chunkMap map[wire.Hash][]byte

func (m chunkMap) Chunk(h wire.Hash) ([]byte, bool) { b, ok := m[h]; return b, ok }

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// policyOf makes a signed manifest; the content of each part depends on its version.
func policyOf(t failer, version uint64, parts [3]uint64, size int) (Policy, [3][]byte) {
	t.Helper()
	chunks := chunkMap{}
	m := wire.Manifest{Gateway: testGW, Version: version}
	var data [3][]byte
	for i, name := range wire.PartNames() {
		data[i] = partData(i, parts[i], size)
		p, list, err := wire.PartOf(name, parts[i], data[i])
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, c := range list {
			chunks[sha256.Sum256(c)] = c
		}
		m.Parts = append(m.Parts, p)
	}
	msg, err := wire.Seal(roleKey(wire.RolePolicy), testSite, testGW, wire.KindPolicy, wire.AppendManifest(nil, &m))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return Policy{Note: msg, Chunks: chunks}, data
}

func partData(part int, version uint64, size int) []byte {
	if version == 0 {
		return nil
	}
	if part > 0 {
		size = 100
	}
	b := make([]byte, size)
	_, _ = seedReader(version*10 + uint64(part)).Read(b)
	return b
}

func stampAt(boot byte, now mono.Time) wire.Stamp {
	return wire.Stamp{Boot: wire.BootID{boot}, BoottimeNS: int64(now), WallMS: 1_770_000_000_000 + int64(now)/int64(time.Millisecond), Quality: access.ClockNTP}
}

// ofType gives the actions of one type.
func ofType[T, A any](actions []A) []T {
	var out []T
	for _, a := range actions {
		if v, ok := any(a).(T); ok {
			out = append(out, v)
		}
	}
	return out
}

// published gives the bodies of the published messages of one kind.
func published[A any](t testing.TB, actions []A, kind string) [][]byte {
	t.Helper()
	v := wire.Verifiers{}.With(wire.RoleGateway, gatewayKey()).With(wire.RoleLink, roleKey(wire.RoleLink)).
		With(wire.RolePolicy, roleKey(wire.RolePolicy)).With(wire.RoleCommand, roleKey(wire.RoleCommand))
	var out [][]byte
	for _, p := range ofType[Publish](actions) {
		_, _, k, err := wire.ParseTopic(p.Topic)
		if err != nil {
			t.Fatal(err)
		}
		if k != kind {
			continue
		}
		if kind == wire.KindChunk {
			out = append(out, p.Payload)
			continue
		}
		body, err := wire.Open(v, testSite, testGW, kind, p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, body)
	}
	return out
}
