package wire

import (
	"fmt"
	"math"

	"monban/firmware/access"
)

// Limits of one batch.
const (
	MaxBatchRecords = 64
	MaxBatchBytes   = 40 << 10 // of the body
)

// batchHead is what a batch takes beside its records, at most.
const batchHead = 320

// BatchRoom is how many bytes of CarriedSize fit into one batch.
const BatchRoom = MaxBatchBytes - batchHead

// CarriedSize is how many bytes a record takes in a batch, its comma included.
func CarriedSize(c *Carried) int {
	return len(c.Body) + (len(c.Private)+2)/3*4 + (len(c.Salt)+2)/3*4 + len(`,{"body":,"private":"","salt":""}`)
}

// AppendEvents appends the canonical body. The records' bodies stand in it verbatim, so that what
// the chain covers can be read in the message.
func AppendEvents(b []byte, m *Events) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"epoch":`, m.Epoch[:])
	b = putUint(b, `,"first":`, m.First)
	b = putHex(b, `,"prev":`, m.Prev[:])
	b = putHex(b, `,"head":`, m.Head[:])
	b = append(b, `,"records":[`...)
	for i := range m.Records {
		c := &m.Records[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"body":`...)
		b = append(b, c.Body...)
		b = putBase64(b, `,"private":`, c.Private)
		b = putBase64(b, `,"salt":`, c.Salt)
		b = append(b, '}')
	}
	return append(b, ']', '}')
}

// ParseEvents reads a canonical body. It parses every record too and demands that gateway, epoch
// and consecutive seqs agree with the batch, and that a private part stands exactly beside a record
// that commits to one. It does not check the chain (Chain does) nor the commitments (Carried.Committed).
// The bodies are parts of b.
func ParseEvents(b []byte) (m Events, err error) {
	s := scan(KindEvents, b)
	if len(b) > MaxBatchBytes {
		return Events{}, &Error{Fault: FaultTooLarge, Kind: KindEvents}
	}
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"epoch":`, m.Epoch[:])
	m.First = s.uint(`,"first":`)
	if m.First == 0 || m.First > math.MaxUint64-MaxBatchRecords {
		s.fail(`"first":`, "out of range")
	}
	s.hex(`,"prev":`, m.Prev[:])
	s.hex(`,"head":`, m.Head[:])
	s.list(`,"records":`, MaxBatchRecords, func() {
		m.Records = append(m.Records, s.carried(&m))
	})
	if len(m.Records) == 0 {
		s.fail(`"records":`, "empty")
	}
	if err := s.end(); err != nil {
		return Events{}, err
	}
	return m, nil
}

func (s *scanner) carried(m *Events) (c Carried) {
	s.lit(`{"body":`)
	from := s.i
	r := s.record()
	c.Body = s.b[from:s.i:s.i]
	if r.Gateway != m.Gateway || r.Epoch != m.Epoch || r.Seq != m.First+uint64(len(m.Records)) {
		s.fail(`"body":`, "gateway, epoch or seq is not the batch's")
	}
	c.Private = s.base64(`,"private":`, maxPrivate)
	c.Salt = s.base64(`,"salt":`, 32)
	private := r.GCommit != Hash{}
	if private != (len(c.Private) > 0) || private != (len(c.Salt) == 32) || !private && len(c.Salt) > 0 {
		s.fail(`"private":`, "private part and salt stand beside a commitment and only there")
	}
	s.lit("}")
	return c
}

// Chain checks that the batch's hashes follow from one another, from Prev to Head, and gives the
// chain hash after each record.
func (m *Events) Chain() ([]Hash, error) {
	hashes := make([]Hash, len(m.Records))
	h := m.Prev
	for i := range m.Records {
		h = ChainHash(h, m.Records[i].Body)
		hashes[i] = h
	}
	if h != m.Head {
		return nil, fmt.Errorf("chain of records %d to %d: the head does not follow", m.First, m.First+uint64(len(hashes))-1)
	}
	return hashes, nil
}

// Committed reports whether gcommit commits to the private part and salt that travel beside the
// record; also for a record that has neither.
func (c *Carried) Committed(gcommit Hash) bool {
	if len(c.Private) == 0 && len(c.Salt) == 0 {
		return gcommit == Hash{}
	}
	if len(c.Salt) != 32 {
		return false
	}
	return Commit([32]byte(c.Salt), c.Private) == gcommit
}

// AppendAck appends the canonical body.
func AppendAck(b []byte, m *Ack) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"epoch":`, m.Epoch[:])
	b = putUint(b, `,"seq":`, m.Seq)
	b = putHex(b, `,"hash":`, m.Hash[:])
	b = putString(b, `,"checkpoint":`, m.Checkpoint)
	if m.Proves { // only to a gateway that asked as a witness: one of before knows no such fields
		b = putUint(b, `,"old":`, m.Old)
		b = append(b, `,"proof":[`...)
		for i := range m.Proof {
			if i > 0 {
				b = append(b, ',')
			}
			b = putHex(b, "", m.Proof[i][:])
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// ParseAck reads a canonical body.
func ParseAck(b []byte) (m Ack, err error) {
	s := scan(KindAck, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"epoch":`, m.Epoch[:])
	m.Seq = s.uint(`,"seq":`)
	s.hex(`,"hash":`, m.Hash[:])
	m.Checkpoint = s.text(`,"checkpoint":`, maxNote)
	if s.peek(',') {
		m.Proves, m.Old = true, s.uint(`,"old":`)
		m.Proof = s.hashes(`,"proof":`, MaxProof)
	}
	if err := s.end(); err != nil {
		return Ack{}, err
	}
	return m, nil
}
