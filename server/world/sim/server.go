package sim

import (
	"bytes"
	"maps"
	"time"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/world/invariant"
)

// server is the machine in the rack: its store and directory outlive its process.
type server struct {
	w     *World
	store *model
	dir   directory.Snapshot // committed with the store

	up        bool
	life      int
	bootAt    time.Duration
	wallOff   time.Duration // how wrong its wall clock is
	current   *policypub.Current
	authority *authority.Authority
	pipeline  *ingest.Pipeline
	machines  map[access.GatewayID]*link.Server
	manifests map[access.GatewayID][]byte
	heard     map[access.GatewayID]time.Duration
	silences  map[access.GatewayID]silence
	done      directory.Date                     // whose work this process has done
	published directory.Date                     // when the policy in force was published
	saved     map[access.GatewayID]time.Duration // durable, each minute: when each gateway was last heard

	origin string              // name of the log that signs now
	logs   int                 // how many have ended
	lost   *model              // what the newest restore has replaced, for the hook OldWatermarks
	known  entrylog.Checkpoint // signed last

	failing  commitFault // of the next transaction
	slowDisk int
}

func newServer(w *World, dir directory.Snapshot) *server {
	return &server{w: w, store: newModel(w), dir: dir, saved: map[access.GatewayID]time.Duration{}, origin: logName(0)}
}

// Site implements authority.Policies and ingest.Policies.
func (s *server) Site() *policypub.Current { return s.current }

func (s *server) mono() mono.Time { return mono.Time(s.w.now - s.bootAt) }
func (s *server) wallMS() int64   { return s.w.wallMS() + s.wallOff.Milliseconds() }

// boot begins a process over the store as it is.
func (s *server) boot() {
	w := s.w
	s.life++
	s.up, s.bootAt, s.done = true, w.now, directory.Date{}
	s.machines, s.manifests = map[access.GatewayID]*link.Server{}, map[access.GatewayID][]byte{}
	s.silences = map[access.GatewayID]silence{}
	s.heard = maps.Clone(s.saved) // what a gateway did while nobody listened, nobody knows
	s.authority, s.pipeline = authority.New(s), ingest.New(s, w.opt.Zone)
	s.pipeline.Follow(s.authority.Places())
	for i := range s.dir.Gateways {
		id := s.dir.Gateways[i].ID
		s.machines[id] = link.NewServer(link.ServerConfig{Site: w.opt.Site, Gateway: id, Signer: w.roleKey(wire.RoleLink), Command: w.roleKey(wire.RoleCommand), Key: w.gatewayKey(id)})
	}
	if err := s.publish(s.dir, commitOK, nil); err != nil {
		w.err = err
		return
	}
	if err := s.authority.Places().Load(s.store, s.wallMS(), w.opt.Zone); err != nil {
		w.err = err
		return
	}
	s.pipeline.Configure(w.opt.review(), s.silent)
	if err := s.pipeline.Load(s.store, s.wallMS(), w.opt.Start.UnixMilli()); err != nil {
		w.err = err
		return
	}
	s.housekeeping(s.life)
	s.watchPlaces(s.life)
}

// watchPlaces logs what the watch over the people inside finds, as the server does each second.
func (s *server) watchPlaces(life int) {
	s.w.after(time.Second, func() {
		if s.life != life || !s.up {
			return
		}
		for _, n := range s.authority.Places().Due(s.wallMS()) {
			_ = s.write(func(m *model) error { return s.pipeline.Notice(m, n, s.wallMS()) }) // what a disk fault swallows, a story does not wait for
		}
		s.tellOffline()
		for i := range s.dir.Gateways {
			gw := s.dir.Gateways[i].ID
			if w, ok := s.authority.Places().Whereabouts(gw); ok {
				_ = s.write(func(m *model) error { // what a disk fault swallows is published the next second
					next, err := policypub.PublishState(m, s.current, gw, w, s.wallMS())
					if err == nil && next != nil {
						m.AfterCommit(func() { s.current = next })
					}
					return err
				})
			}
		}
		s.watchPlaces(life)
	})
}

// stop ends the process without warning; what has committed stays.
func (s *server) stop(why string) {
	if !s.up {
		return
	}
	s.up, s.current = false, nil
	s.life++
	s.w.count("server " + why)
	for _, g := range s.w.gateways {
		if why == "power cut" { // nobody says goodbye
			s.w.hang(g)
		} else {
			s.w.disconnect(g, "server gone")
		}
	}
}

// write runs a transaction with the fault that is due. When a commit happened and nobody was told, the
// process is gone.
func (s *server) write(fn func(m *model) error) error {
	fault := s.failing
	s.failing = commitOK
	err := s.store.write(fault, fn)
	if fault == commitUntold && s.up {
		s.w.count("server died after a commit")
		s.crash(3 * time.Second)
	}
	return err
}

// crash stops the server and lets it come back.
func (s *server) crash(back time.Duration) {
	s.stop("crash")
	life := s.life
	s.w.after(back, func() {
		if s.life == life && !s.up {
			s.boot()
		}
	})
}

// publish puts a directory in force. done is run with the commit.
func (s *server) publish(dir directory.Snapshot, fault commitFault, done func()) error {
	var then func(*policypub.Current)
	if done != nil {
		then = func(*policypub.Current) { done() }
	}
	return s.change(func(*model) (directory.Snapshot, error) { return dir, nil }, fault, then)
}

// change runs a change and puts what follows from it in force, in one transaction. done is run with the commit.
func (s *server) change(do func(m *model) (directory.Snapshot, error), fault commitFault, done func(next *policypub.Current)) error {
	s.failing = fault
	var dir directory.Snapshot
	var next *policypub.Current
	err := s.write(func(m *model) error {
		var err error
		if dir, err = do(m); err != nil {
			return err
		}
		over := s.overlaid(m, dir)
		if next, err = policypub.Publish(m, &over, &s.w.keys, s.w.opt.Site, s.w.opt.Zone, s.wallMS()); err != nil {
			return err
		}
		if done != nil {
			m.AfterCommit(func() { done(next) })
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.dir = dir
	s.current, s.published = next, dayOf(s.wallMS(), s.w.opt.Zone)
	if s.w.opt.Hooks.NoPolicyPush && done != nil {
		return nil
	}
	for _, g := range s.w.gateways { // PolicyChanged
		s.act(g, s.refresh(g))
	}
	return nil
}

// setCard changes a card's status: one call, a new version at once.
func (s *server) setCard(id directory.CardID, status access.CredentialStatus) error {
	dir := s.dir
	dir.Credentials = append([]directory.Credential(nil), dir.Credentials...)
	for i := range dir.Credentials {
		if dir.Credentials[i].ID == id {
			dir.Credentials[i].Status = status
		}
	}
	kind := invariant.Revoked
	if status == access.CredentialActive {
		kind = invariant.Reinstated
	}
	before := s.current
	err := s.publish(dir, s.failing, func() { s.w.emit(invariant.Event{Kind: kind, Card: string(id)}) })
	if s.w.opt.Hooks.NoPolicyPush && err == nil {
		s.current = before
	}
	return err
}

// refresh tells a gateway's machine what is in force, as the downlink does before each heartbeat.
func (s *server) refresh(g *gateway) []link.ServerAction {
	v, _ := s.current.VersionsOf(g.id)
	m := s.machines[g.id]
	out := m.Step(s.mono(), s.wallMS(), link.Versions{Rules: v.Rules, Modes: v.Modes, State: v.State})
	note, err := s.current.Manifest(g.id, s.w.roleKey(wire.RolePolicy), s.w.opt.Site)
	if err == nil && !bytes.Equal(note, s.manifests[g.id]) {
		s.manifests[g.id] = note
		out = append(out, m.Step(s.mono(), s.wallMS(), link.Policy{Note: note, Chunks: chunks{s, g.id}})...)
	}
	return out
}

type chunks struct {
	s  *server
	gw access.GatewayID
}

// Chunk implements link.ChunkSource.
func (c chunks) Chunk(h wire.Hash) ([]byte, bool) { return c.s.current.Chunk(c.gw, h) }

func (s *server) step(g *gateway, in link.ServerInput) {
	if s.up {
		s.act(g, s.machines[g.id].Step(s.mono(), s.wallMS(), in))
	}
}

// message takes what arrived from a gateway.
func (s *server) message(g *gateway, m link.Message) {
	if m.Kind != wire.KindAsk && m.Kind != wire.KindEvents {
		s.act(g, s.refresh(g))
	}
	s.step(g, m)
}

func (s *server) act(g *gateway, actions []link.ServerAction) {
	for _, a := range actions {
		switch a := a.(type) {
		case link.Publish:
			if _, _, kind, err := wire.ParseTopic(a.Topic); err == nil {
				s.w.down(g, kind, a.Payload)
			}
		case link.Heartbeat:
			s.heartbeat(g)
		case link.Backlog:
			s.authority.Places().Backlog(g.id, a.Outstanding)
		case link.Finding:
			if s.w.opt.Hooks.NoRollbackCheck {
				continue
			}
			s.later(func() {
				_ = s.write(func(m *model) error { return s.pipeline.Report(m, g.id, a.Kind, a.Epoch, a.Seq, s.wallMS()) }) // told again at the next hello
			})
		case link.Rejected:
			s.w.count("server rejected " + a.Kind + " " + a.Why)
		case link.Lookup:
			r, err := s.pipeline.Greet(s.store, &a.Hello)
			if s.lost != nil && s.w.opt.Hooks.OldWatermarks {
				was := s.lost.chains[chainKey{string(g.id), a.Hello.Epoch}]
				r.Seq, r.Hash = was.watermark, wire.Hash(was.hash)
			}
			if err == nil {
				s.later(func() { s.step(g, link.Watermark{Hello: a.Hello, Seq: r.Seq, Hash: r.Hash}) })
			}
		case link.Decide:
			s.decide(g, a.Ask)
		case link.Ingest:
			s.ingest(g, a.Events)
		}
	}
}

// later runs something after the disk's time, if the process still lives then.
func (s *server) later(f func()) {
	life := s.life
	d := s.w.between(500*time.Microsecond, 4*time.Millisecond)
	if s.slowDisk > 0 {
		s.slowDisk--
		d = s.w.between(100*time.Millisecond, 900*time.Millisecond)
	}
	s.w.after(d, func() {
		if s.life == life && s.up {
			f()
		}
	})
}

// decide commits a decision and only then answers: crash point between the two.
func (s *server) decide(g *gateway, ask wire.Ask) {
	arrived := s.w.now
	s.later(func() {
		if s.w.now-arrived >= link.AskTimeout {
			s.step(g, link.Undecided{ID: ask.ID})
			return
		}
		var answer wire.Answer
		err := s.write(func(m *model) error {
			var err error
			answer, err = s.authority.Answer(m, &ask, s.wallMS())
			return err
		})
		if err != nil {
			s.step(g, link.Undecided{ID: ask.ID})
			return
		}
		s.w.count("answer " + answer.Outcome.String())
		s.soon(func() { s.step(g, link.Decided{Answer: answer}) })
	})
}

// soon is the moment between a commit and its consequence, in which a process can die.
func (s *server) soon(f func()) {
	life := s.life
	s.w.after(time.Duration(s.w.rng.IntN(1000))*time.Microsecond, func() {
		if s.life == life && s.up {
			f()
		}
	})
}

// ingest commits a batch and only then acknowledges it (I4).
func (s *server) ingest(g *gateway, ev wire.Events) {
	if s.w.opt.Hooks.AckEarly {
		s.step(g, link.Committed{Epoch: ev.Epoch, Seq: ev.First + uint64(len(ev.Records)) - 1, Hash: ev.Head})
	}
	s.later(func() {
		var done ingest.Result
		err := s.write(func(m *model) error {
			if s.w.opt.Hooks.SkipChain && len(ev.Records) > 1 {
				k := chainKey{string(g.id), ev.Epoch}
				if m.chains[k].watermark+1 == ev.First {
					m.setChain(k, chainState{ev.First, wireHash(wire.ChainHash(ev.Prev, ev.Records[0].Body)), 0})
				}
			}
			var err error
			done, err = s.pipeline.Handle(m, g.id, &ev, s.wallMS())
			return err
		})
		if err != nil {
			s.w.count("batch refused")
			return
		}
		if s.w.opt.Hooks.EditLeaf && len(s.store.leaves) > 40 {
			s.edit()
		}
		s.soon(func() {
			if done.Forked {
				s.step(g, link.Refused{Epoch: done.Epoch, Fork: true})
				return
			}
			s.step(g, link.Committed{Epoch: done.Epoch, Seq: done.Seq, Hash: done.Hash})
		})
	})
}

// told is what the server signs towards a gateway about its records.
func (s *server) told(g *gateway, kind string, payload []byte) {
	body, err := wire.Open(wire.Verifiers{}.With(wire.RoleLink, s.w.roleKey(wire.RoleLink)), s.w.opt.Site, g.id, kind, payload)
	if err != nil {
		return
	}
	e := invariant.Event{Kind: invariant.Ack, Gateway: g.id, Word: kind}
	if kind == wire.KindAck {
		if a, err := wire.ParseAck(body); err == nil {
			e.Epoch, e.Seq, e.Hash = a.Epoch, a.Seq, a.Hash
			s.w.emit(e)
		}
		return
	}
	if a, err := wire.ParseWelcome(body); err == nil {
		e.Epoch, e.Seq, e.Hash = a.Epoch, a.Watermark, a.Hash
		s.w.emit(e)
	}
}

// heartbeat notes that a gateway lives, and states the silence that this ends (I10).
func (s *server) heartbeat(g *gateway) {
	w := s.w
	from := s.heard[g.id]
	w.emit(invariant.Event{Kind: invariant.Heard, Gateway: g.id})
	if w.now-from <= invariant.MaxSilence || w.opt.Hooks.SilentServer {
		s.heard[g.id] = w.now
		return
	}
	c := attempt.Coverage{Gateway: string(g.id), FromMS: s.wallMS() - (w.now - from).Milliseconds(), ToMS: s.wallMS(), State: "dead"}
	w.count("silence stated")
	if s.write(func(m *model) error { return m.appendCoverage(c, from, w.now, s.wallMS()) }) == nil {
		s.heard[g.id] = w.now // else it is stated with the next heartbeat
	}
}

// housekeeping signs checkpoints each 10 s and sweeps each minute.
func (s *server) housekeeping(life int) {
	s.w.after(10*time.Second, func() {
		if s.life != life || !s.up {
			return
		}
		s.checkpoint()
		if int(s.w.now/(10*time.Second))%6 == 0 {
			_ = s.write(func(m *model) error { // swept again in a minute
				if err := s.pipeline.Sweep(m, s.wallMS()); err != nil {
					return err
				}
				return s.pipeline.Tick(m, s.wallMS())
			})
			maps.Copy(s.saved, s.heard)
			if s.up {
				s.daily()
			}
			if s.up {
				s.jobs()
			}
		}
		s.housekeeping(life)
	})
}

func (s *server) checkpoint() {
	s.known = entrylog.Checkpoint{Origin: s.origin, Size: s.store.tree.Size(), Root: s.store.tree.Root()}
	s.w.emit(invariant.Event{Kind: invariant.Checkpoint, Seq: uint64(s.known.Size), Hash: wire.Hash(s.known.Root), Word: s.origin})
}
