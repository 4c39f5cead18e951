package link

import (
	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// ServerConfig is what the server's machine of one gateway needs.
type ServerConfig struct {
	Site    string
	Gateway access.GatewayID
	Signer  note.Signer   // role link
	Key     note.Verifier // the gateway's note key
	Keys    string        // the signed keys note, for welcomes
	Command note.Signer   // role command; nil = this server sends no commands
}

// ServerInput is one of Message, Tick, Watermark, Decided, Undecided, Committed, Refused, Versions,
// Policy, KeysNote, Order, Proof.
type ServerInput interface{ isServerInput() }

// ServerAction is one of Publish, Lookup, Decide, Ingest, Heartbeat, Backlog, Finding, Ordered, NotOrdered,
// Witnessed, Rejected.
type ServerAction interface{ isServerAction() }

// Inputs of the server's machine.
type (
	// Watermark answers a Lookup: how far the COMMITTED rows of the hello's epoch reach; zero for an
	// epoch that is not known.
	Watermark struct {
		Hello wire.Hello // the one of the Lookup
		Seq   uint64
		Hash  wire.Hash
	}
	// Decided answers a Decide, after the decision was COMMITTED (I1).
	Decided struct{ Answer wire.Answer }
	// Undecided: a Decide came to nothing. The gateway decides by D8; a repeated ask is tried again.
	Undecided struct{ ID wire.AskID }
	// Committed answers an Ingest, after COMMIT and only then (I4): everything of the epoch up to
	// Seq is there. Also when the batch held nothing new.
	Committed struct {
		Epoch      wire.Epoch
		Seq        uint64
		Hash       wire.Hash // chain hash at Seq
		Checkpoint string    // newest signed checkpoint, "" when none
	}
	// Refused answers an Ingest whose records contradict what is committed. Fork stops the acks of
	// the epoch; a gap does not, for the gateway goes back by itself. Ingest raises its own finding.
	Refused struct {
		Epoch wire.Epoch
		Fork  bool
	}
	// Versions are the policy versions in force. They must come after the commit of a change, before
	// anything else that depends on it; an older version is never named again (I5).
	Versions struct{ Rules, Modes, State uint64 }
	// Policy is the newest signed manifest and where its chunks are.
	Policy struct {
		Note   []byte
		Chunks ChunkSource
	}
	// Proof answers a Witnessed whose Ask is set: a checkpoint newer than the held one, the proof that it extends the
	// tree of Old leaves, and how far the COMMITTED rows of the epoch reach. Nothing is answered when there is none.
	Proof struct {
		Epoch      wire.Epoch
		Seq        uint64
		Hash       wire.Hash
		Checkpoint string
		Old        uint64
		Proof      []wire.Hash
	}
	// KeysNote replaces the keys note of welcomes.
	KeysNote struct{ Note string }
)

// ChunkSource gives the chunks of a policy by their hashes. It is only read.
type ChunkSource interface {
	Chunk(h wire.Hash) ([]byte, bool)
}

// Actions of the server's machine.
type (
	// Lookup asks how far the rows of the hello's epoch reach; comes back with Watermark. The hello may
	// be made up from a heartbeat; then it has no hash.
	Lookup struct{ Hello wire.Hello }
	// Decide asks for a decision; comes back with Decided or Undecided. The same ask is asked once
	// while the machine remembers it; over a restart the authority must recognise its id.
	Decide struct{ Ask wire.Ask }
	// Ingest hands over a batch whose signature and form are good; comes back with Committed or
	// Refused.
	Ingest struct{ Events wire.Events }
	// Heartbeat is a fresh heartbeat: health, doors, coverage (I10).
	Heartbeat struct{ Heartbeat wire.Heartbeat }
	// Witnessed is what the gateway holds as a witness of the log: its signature as a gateway is good, its cosignature
	// is the shell's to check. Comes back with Proof when it asks and there is something newer.
	Witnessed struct{ Witness wire.Witness }
	// Finding is something a person has to look at.
	Finding struct {
		Kind   FindingKind
		Epoch  wire.Epoch
		Seq    uint64 // of the server's rows
		Head   uint64 // as the gateway says
		Boots  [2]wire.BootID
		Detail string
	}
)

// FindingKind is the kind of a Finding.
type FindingKind string

// Findings of the protocol.
const (
	// FindingRollback: the gateway does not know records that it once sent: its card was put back.
	FindingRollback FindingKind = "rollback"
	// FindingFork: the gateway has another record under the same number.
	FindingFork FindingKind = "fork"
	// FindingClone: two running gateways sign with one key.
	FindingClone FindingKind = "clone"
)

func (Message) isServerInput()   {}
func (Tick) isServerInput()      {}
func (Watermark) isServerInput() {}
func (Decided) isServerInput()   {}
func (Undecided) isServerInput() {}
func (Committed) isServerInput() {}
func (Refused) isServerInput()   {}
func (Versions) isServerInput()  {}
func (Policy) isServerInput()    {}
func (KeysNote) isServerInput()  {}
func (Proof) isServerInput()     {}

func (Publish) isServerAction()   {}
func (Lookup) isServerAction()    {}
func (Decide) isServerAction()    {}
func (Ingest) isServerAction()    {}
func (Heartbeat) isServerAction() {}
func (Finding) isServerAction()   {}
func (Rejected) isServerAction()  {}
func (Witnessed) isServerAction() {}

// Server is the server's side of the protocol towards one gateway. One goroutine owns it. It keeps
// nothing that a restart may not lose: heartbeats, asks and events are answered without a greeting.
type Server struct {
	cfg       ServerConfig
	verifiers wire.Verifiers

	// This Step's.
	now    mono.Time
	wallMS int64
	out    []ServerAction

	versions *Versions // nil: not known yet, no lease is given
	note     []byte
	chunks   ChunkSource
	heard    mono.Time // when the gateway was last heard of, valid if alive
	alive    bool

	// mark is what we know of the committed rows of the gateway's present epoch.
	mark struct {
		known bool
		epoch wire.Epoch
		seq   uint64
	}

	orders  orders
	asks    answers
	watch   watch
	backlog backlog
}

// NewServer makes the machine.
func NewServer(cfg ServerConfig) *Server {
	return &Server{cfg: cfg, orders: orders{signer: cfg.Command}, verifiers: wire.Verifiers{}.With(wire.RoleGateway, cfg.Key)}
}

// Step takes one input at now, which never falls, with the server's UTC time in ms, and gives what is
// to be done.
func (s *Server) Step(now mono.Time, wallMS int64, in ServerInput) []ServerAction {
	s.now, s.wallMS, s.out = now, wallMS, nil
	switch in := in.(type) {
	case Message:
		s.message(in)
	case Watermark:
		s.watermark(in)
	case Decided:
		s.decided(in.Answer)
	case Undecided:
		s.asks.forget(in.ID)
	case Committed:
		s.committed(in)
	case Refused:
		if in.Fork {
			s.watch.stop(in.Epoch)
		}
	case Versions:
		s.setVersions(in)
	case Policy:
		s.note, s.chunks = in.Note, in.Chunks
		if s.alive && s.now.Sub(s.heard) <= LeaseTime { // pushed at once; lost, the lease names it anyway
			s.pushPolicy()
		}
	case KeysNote:
		s.cfg.Keys = in.Note
	case Order:
		s.order(in)
	case Proof:
		s.prove(in)
	case Tick:
	}
	s.settleBacklog()
	out := s.out
	s.out = nil
	return out
}

func (s *Server) do(a ServerAction) { s.out = append(s.out, a) }

func (s *Server) publish(kind string, body []byte) ([]byte, bool) {
	msg, err := wire.Seal(s.cfg.Signer, s.cfg.Site, s.cfg.Gateway, kind, body)
	if err != nil {
		s.do(Rejected{Kind: kind, Why: WhySeal})
		return nil, false
	}
	s.send(kind, msg)
	return msg, true
}

func (s *Server) send(kind string, payload []byte) {
	s.do(Publish{Topic: wire.Topic(s.cfg.Site, s.cfg.Gateway, kind), Payload: payload})
}

func (s *Server) message(m Message) {
	if m.Retained {
		s.do(Rejected{Kind: m.Kind, Why: WhyRetained})
		return
	}
	switch m.Kind {
	case wire.KindHello, wire.KindHeartbeat, wire.KindAsk, wire.KindEvents, wire.KindWant, wire.KindWitness:
	default:
		s.do(Rejected{Kind: m.Kind, Why: WhyUnknownKind})
		return
	}
	body, err := wire.Open(s.verifiers, s.cfg.Site, s.cfg.Gateway, m.Kind, m.Payload)
	if err != nil {
		s.do(rejected(m.Kind, err))
		return
	}
	s.listened()
	s.heard, s.alive = s.now, true
	switch m.Kind {
	case wire.KindHello:
		take(s, m.Kind, body, wire.ParseHello, func(h *wire.Hello) access.GatewayID { return h.Gateway }, s.hello)
	case wire.KindHeartbeat:
		take(s, m.Kind, body, wire.ParseHeartbeat, func(h *wire.Heartbeat) access.GatewayID { return h.Gateway }, s.heartbeat)
	case wire.KindAsk:
		take(s, m.Kind, body, wire.ParseAsk, func(a *wire.Ask) access.GatewayID { return a.Gateway }, s.ask)
	case wire.KindEvents:
		take(s, m.Kind, body, wire.ParseEvents, func(e *wire.Events) access.GatewayID { return e.Gateway }, s.events)
	case wire.KindWant:
		take(s, m.Kind, body, wire.ParseWant, func(w *wire.Want) access.GatewayID { return w.Gateway }, s.want)
	case wire.KindWitness:
		take(s, m.Kind, body, wire.ParseWitness, func(w *wire.Witness) access.GatewayID { return w.Gateway }, s.witnessed)
	}
}

// take parses a body, checks that it is about this gateway and passes it on.
func take[T any](s *Server, kind string, body []byte, parse func([]byte) (T, error), of func(*T) access.GatewayID, then func(*T)) {
	m, err := parse(body)
	if err != nil {
		s.do(rejected(kind, err))
		return
	}
	if of(&m) != s.cfg.Gateway {
		s.do(Rejected{Kind: kind, Why: WhyOtherGateway})
		return
	}
	then(&m)
}

func (s *Server) hello(h *wire.Hello) {
	s.watchHello(h)
	s.do(Lookup{Hello: *h})
}

// watermark greets back. What the gateway has then to do it finds out itself; what a person has to
// know is found here.
func (s *Server) watermark(w Watermark) {
	s.marked(w.Hello.Epoch, w.Seq)
	s.watchWatermark(&w)
	m := wire.Welcome{
		Gateway: s.cfg.Gateway, Boot: w.Hello.Stamp.Boot, Epoch: w.Hello.Epoch, Watermark: w.Seq, Hash: w.Hash,
		ServerMS: s.wallMS, Keys: s.cfg.Keys,
	}
	s.publish(wire.KindWelcome, wire.AppendWelcome(nil, &m))
}

// heartbeat answers each fresh heartbeat with a lease that names the versions in force now.
func (s *Server) heartbeat(h *wire.Heartbeat) {
	if !s.watchHeartbeat(h) {
		s.do(Rejected{Kind: wire.KindHeartbeat, Why: WhyStale})
		return
	}
	s.orders.beat(s.now, h)
	s.backlogBeat(h)
	s.do(Heartbeat{Heartbeat: *h})
	if !s.mark.known || s.mark.epoch != h.Epoch || s.mark.seq < h.Acked {
		// We were restarted, perhaps from a backup, and the gateway has not noticed: greet unasked.
		s.do(Lookup{Hello: wire.Hello{Gateway: h.Gateway, Epoch: h.Epoch, Head: h.Head, Acked: h.Acked, Stamp: h.Stamp}})
	}
	if s.versions == nil { // a lease that names no version would be one for any version (I5)
		return
	}
	m := wire.Lease{
		Gateway: s.cfg.Gateway, Challenge: h.Challenge, TTLMS: LeaseTime.Milliseconds(),
		Rules: s.versions.Rules, Modes: s.versions.Modes, State: s.versions.State, ServerMS: s.wallMS,
	}
	s.publish(wire.KindLease, wire.AppendLease(nil, &m))
}

func (s *Server) marked(epoch wire.Epoch, seq uint64) {
	if s.mark.known && s.mark.epoch == epoch {
		seq = max(seq, s.mark.seq)
	}
	s.mark.known, s.mark.epoch, s.mark.seq = true, epoch, seq
}

func (s *Server) setVersions(v Versions) {
	if s.versions != nil {
		v.Rules = max(v.Rules, s.versions.Rules)
		v.Modes = max(v.Modes, s.versions.Modes)
		v.State = max(v.State, s.versions.State)
	}
	s.versions = &v
}

func (s *Server) events(e *wire.Events) {
	if s.watch.stopped(e.Epoch) {
		s.do(Rejected{Kind: wire.KindEvents, Why: string(FindingFork)})
		return
	}
	s.do(Ingest{Events: *e})
}

// committed acknowledges. It is the only place that does (I4).
func (s *Server) committed(c Committed) {
	if s.watch.stopped(c.Epoch) {
		return
	}
	s.marked(c.Epoch, c.Seq)
	m := wire.Ack{Gateway: s.cfg.Gateway, Epoch: c.Epoch, Seq: c.Seq, Hash: c.Hash, Checkpoint: c.Checkpoint}
	s.publish(wire.KindAck, wire.AppendAck(nil, &m))
}

// want answers with the manifest, or with the chunks. Who asks for a chunk of an older policy gets
// the newest manifest.
func (s *Server) want(w *wire.Want) {
	if s.note == nil || s.chunks == nil {
		return // nothing is published yet; the gateway asks again
	}
	missing := len(w.Chunks) == 0
	for _, h := range w.Chunks {
		b, ok := s.chunks.Chunk(h)
		if !ok || len(b) > wire.MaxChunk {
			missing = true
			continue
		}
		s.send(wire.KindChunk, b)
	}
	if missing {
		s.pushPolicy()
	}
}

func (s *Server) pushPolicy() {
	if s.note != nil {
		s.send(wire.KindPolicy, s.note)
	}
}
