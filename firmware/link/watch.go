package link

import (
	"time"

	"monban/firmware/mono"
	"monban/firmware/wire"
)

// watch is what the server's machine remembers to find rolled back and cloned gateways. Old messages
// of an honest gateway may arrive at any time, so one message alone never raises a finding that
// an old message could explain.
type watch struct {
	boots   []boot       // the last few that were heard, oldest first
	stops   []wire.Epoch // epochs whose records are no longer acknowledged
	suspect *suspect
	hello   wire.Stamp // of the newest hello that nothing newer of its boot had overtaken
	raised  []Finding  // each is raised once
}

// boot is one running of a gateway.
type boot struct {
	id     wire.BootID
	newest int64     // boottime of its newest hello or heartbeat
	beat   int64     // boottime of its newest heartbeat, -1 before the first
	since  mono.Time // when it was first heard
	after  int       // fresh messages heard since the boot after it appeared
}

// suspect is an epoch of which the gateway seems not to know all that we have.
type suspect struct {
	epoch wire.Epoch
	boot  wire.BootID
	stamp int64 // boottime of the hello
	seq   uint64
	head  uint64
	since mono.Time
	beats int // later heartbeats that still know less
}

const (
	bootsKept = 4
	stopsKept = 8
	// cloneAfter: an old boot that still speaks so long after a new one appeared is no late message.
	cloneAfter = 5 * time.Second
	// A suspicion becomes a finding after so many later heartbeats and so much time.
	suspectBeats = 3
	suspectAfter = 3 * time.Second
)

func (w *watch) stopped(e wire.Epoch) bool {
	for _, s := range w.stops {
		if s == e {
			return true
		}
	}
	return false
}

func (w *watch) stop(e wire.Epoch) {
	if w.stopped(e) {
		return
	}
	if len(w.stops) == stopsKept {
		w.stops = append(w.stops[:0], w.stops[1:]...)
	}
	w.stops = append(w.stops, e)
}

func (s *Server) find(f Finding) {
	for _, old := range s.watch.raised {
		if old.Kind == f.Kind && old.Epoch == f.Epoch && old.Boots == f.Boots {
			return
		}
	}
	if len(s.watch.raised) == 2*stopsKept {
		s.watch.raised = append(s.watch.raised[:0], s.watch.raised[1:]...)
	}
	s.watch.raised = append(s.watch.raised, f)
	s.do(f)
}

// hear notes a stamped message of a boot. An older boot that is heard after a newer one is ordinary
// for a few late messages; one that goes on while the newer goes on too is a second gateway.
func (s *Server) hear(stamp *wire.Stamp) *boot {
	w := &s.watch
	i := 0
	for i < len(w.boots) && w.boots[i].id != stamp.Boot {
		i++
	}
	if i == len(w.boots) {
		if len(w.boots) == bootsKept {
			w.boots = append(w.boots[:0], w.boots[1:]...)
		}
		w.boots = append(w.boots, boot{id: stamp.Boot, newest: stamp.BoottimeNS, beat: -1, since: s.now})
		return &w.boots[len(w.boots)-1]
	}
	b := &w.boots[i]
	if stamp.BoottimeNS <= b.newest {
		return b
	}
	b.newest = stamp.BoottimeNS
	last := &w.boots[len(w.boots)-1]
	if b == last || s.now.Sub(last.since) >= cloneAfter {
		b.after++
	} else {
		b.after = 0
	}
	if b != last && b.after >= suspectBeats && last.after >= suspectBeats {
		s.find(Finding{Kind: FindingClone, Boots: [2]wire.BootID{b.id, last.id}, Detail: "two boots at once"})
	}
	return b
}

// watchHello remembers the newest hello: only that one can begin a suspicion.
func (s *Server) watchHello(h *wire.Hello) {
	if b := s.hear(&h.Stamp); h.Stamp.BoottimeNS >= b.newest {
		s.watch.hello = h.Stamp
	}
}

// watchWatermark compares what we have with what the gateway said it has.
func (s *Server) watchWatermark(w *Watermark) {
	h := &w.Hello
	sus := s.watch.suspect
	switch {
	case w.Seq == 0:
		if sus != nil && h.Epoch != sus.epoch && h.Stamp == s.watch.hello { // the gateway has seen it too
			s.rolledBack(sus, "the gateway began another epoch")
		}
	case w.Seq == h.Head && w.Hash != h.HeadHash && h.HeadHash != (wire.Hash{}): // true of an old hello too: the hash at a seq never changes
		s.watch.stop(h.Epoch)
		s.find(Finding{Kind: FindingFork, Epoch: h.Epoch, Seq: w.Seq, Head: h.Head, Detail: "another hash at the same record"})
	case w.Seq > h.Head && h.Stamp == s.watch.hello && (sus == nil || sus.epoch != h.Epoch):
		// Perhaps an old hello, replayed after we were restarted: wait for heartbeats.
		s.watch.suspect = &suspect{
			epoch: h.Epoch, boot: h.Stamp.Boot, stamp: h.Stamp.BoottimeNS, seq: w.Seq, head: h.Head, since: s.now,
		}
	}
}

func (s *Server) rolledBack(sus *suspect, detail string) {
	s.watch.stop(sus.epoch)
	s.watch.suspect = nil
	s.find(Finding{Kind: FindingRollback, Epoch: sus.epoch, Seq: sus.seq, Head: sus.head, Detail: detail})
}

// watchHeartbeat reports whether h is fresh, and settles a suspicion.
func (s *Server) watchHeartbeat(h *wire.Heartbeat) bool {
	b := s.hear(&h.Stamp)
	if h.Stamp.BoottimeNS <= b.beat {
		return false
	}
	b.beat = h.Stamp.BoottimeNS
	sus := s.watch.suspect
	if sus == nil {
		return true
	}
	switch {
	case h.Epoch == sus.epoch && h.Head >= sus.seq:
		s.watch.suspect = nil // it was an old hello
	case h.Epoch != sus.epoch || h.Stamp.Boot != sus.boot || h.Stamp.BoottimeNS <= sus.stamp:
	default:
		if sus.beats++; sus.beats >= suspectBeats && s.now.Sub(sus.since) >= suspectAfter {
			s.rolledBack(sus, "the gateway goes on below what it once sent")
		}
	}
	return true
}
