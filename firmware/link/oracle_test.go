package link

import (
	"bytes"
	"time"

	"monban/firmware/wire"
)

// I5: a lease holds at most 3 s from when its heartbeat was sent, and after a change was committed no
// lease that names the version before outlasts it by more.
func (s *sim) checkLease(l Lease) {
	ok := false
	for _, sent := range s.beats {
		ok = ok || l.Until == sent.Add(LeaseTime)
	}
	if !ok || l.Until.Before(s.now) {
		s.fail("I5: lease until %v belongs to no heartbeat", time.Duration(l.Until))
	}
	if next, ok := s.rulesAt[l.Rules+1]; ok && l.Until.After(next.Add(LeaseTime)) {
		s.fail("I5: lease of version %d until %v, changed at %v", l.Rules, time.Duration(l.Until), time.Duration(next))
	}
	if l.Until.Before(s.lease.Until) {
		s.fail("a newer lease is shorter")
	}
	s.lease = l
}

func (s *sim) answered(a Answered) {
	st := s.asks[a.Tag]
	if st == nil || st.attempt != a.Attempt || a.Answer.Attempt != a.Attempt {
		s.fail("answer to an ask that was never made by this process")
	}
	if want, ok := s.decided[a.Answer.ID]; !ok || want.Leaf != a.Answer.Leaf {
		s.fail("I1: an answer that was not committed")
	}
	if a.Late {
		if st.late++; st.late > 1 || st.failed != 1 {
			s.fail("late answer %d times, failed %d", st.late, st.failed)
		}
		s.counts["late"]++
		return
	}
	if st.answered++; st.answered > 1 || st.failed > 0 || !s.now.Before(st.deadline) {
		s.fail("answer accepted %d times, failed %d, %v after its deadline", st.answered, st.failed, s.now.Sub(st.deadline))
	}
	s.counts["answered"]++
}

// I4.
func (s *sim) checkAck(payload []byte) {
	body, err := wire.Open(wire.Verifiers{}.With(wire.RoleLink, roleKey(wire.RoleLink)), testSite, testGW, wire.KindAck, payload)
	if err != nil {
		s.fail("%v", err)
	}
	m, err := wire.ParseAck(body)
	if err != nil {
		s.fail("%v", err)
	}
	if seq, _ := s.db.watermark(m.Epoch); m.Seq > seq || s.db.heads[m.Epoch][m.Seq-1] != m.Hash {
		s.fail("I4: ack of %d, committed %d", m.Seq, seq)
	}
}

// check holds after every step.
func (s *sim) check() {
	rows := s.db.rows[s.box.epoch]
	if len(rows) > len(s.box.rows) {
		s.fail("I2: %d rows of %d records", len(rows), len(s.box.rows))
	}
	for i := max(0, len(rows)-70); i < len(rows); i++ { // I3: same bytes, no gap
		if !bytes.Equal(rows[i].Body, s.box.rows[i].Body) {
			s.fail("I3: row %d is not the record", i+1)
		}
	}
	if s.gw.Linked(s.now) {
		fresh := false
		for _, sent := range s.beats {
			fresh = fresh || s.now.Before(sent.Add(LeaseTime))
		}
		if !fresh {
			s.fail("I5: linked without a heartbeat of the last 3 s")
		}
	}
	for c, sent := range s.beats {
		if s.now.Sub(sent) > 2*LeaseTime {
			delete(s.beats, c)
		}
	}
	p := &s.gw.pump
	if under := p.next - 1 - p.base; p.next > 0 && under > Window {
		s.fail("%d records under way", under)
	}
	if n := len(s.gw.asks.open); n > MaxAsks {
		s.fail("%d asks outstanding", n)
	}
}

// settle stops the faults and gives everything time to become right (L1).
func (s *sim) settle() {
	s.faults = false
	if s.half {
		s.disconnect()
	}
	for range 60 * 40 {
		s.now = s.now.Add(25 * time.Millisecond)
		if !s.connected {
			s.connect()
		}
		s.deliver()
		if !s.wake.After(s.now) {
			s.gateway(Tick{})
		}
		s.check()
	}
	head := uint64(len(s.box.rows))
	if seq, hash := s.db.watermark(s.box.epoch); seq != head || hash != s.box.hashAt(head) {
		s.fail("L1, I2: %d records, %d rows after the faults stopped", head, seq)
	}
	if s.box.acked != head {
		s.fail("L1: %d records, %d acked", head, s.box.acked)
	}
	if !s.gw.Linked(s.now) {
		s.fail("L1: not linked")
	}
	if s.held.Manifest != s.manifest {
		s.fail("L1: policy %d held, %d published", s.held.Manifest, s.manifest)
	}
	s.now = s.now.Add(time.Second)
	s.gateway(Tick{})
	for tag, a := range s.asks {
		if a.answered+a.failed != 1 {
			s.fail("ask %d has %d answers and %d failures", tag, a.answered, a.failed)
		}
	}
}
