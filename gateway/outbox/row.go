package outbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// Bucket names and keys of the file; DESIGN.md "Layout".
const (
	bucketEpochs  = "epochs"
	bucketState   = "state"
	bucketRecords = "r:" // followed by the 16 bytes of the epoch
	keyTrusted    = "trusted"
	keyPIN        = "pin:" // followed by 32 bytes
	keyPINReset   = "pinreset"
	rowVersion    = 2
	rowVersionOld = 1
)

// errRow says that a stored row is not what was written.
var errRow = errors.New("damaged row")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errOld says that a file is whole and of the format before this one, which wrote a row as the text that is sent.
var errOld = errors.New("written by an older program, in a format that this one does not read")

// origin is what all rows of one epoch share and none of them stores.
type origin struct {
	gateway access.GatewayID
	epoch   wire.Epoch
}

// row is one stored record.
type row struct {
	rec     wire.Record
	hash    wire.Hash // chain hash at this record
	body    []byte    // wire.AppendRecord of rec: what the chain covers and what is sent
	private []byte
	salt    []byte // 32 bytes when private is not empty, else none
}

// wallMS is the wall time of the append; 0 when the clock was not trustworthy then.
func (r row) wallMS() int64 {
	if r.rec.Stamp.Quality >= access.ClockRTC {
		return r.rec.Stamp.WallMS
	}
	return 0
}

// Bits of a row's second byte: which parts follow.
const (
	hasPrivate = 1 << iota
	hasAttempt
	hasBoot
	flagsKnown = hasPrivate | hasAttempt | hasBoot
)

// appendRow appends the canonical bytes of r: version, flags, hash, the record's fields but for those that the
// epoch and the key tell and the commitment that the private part does, private part, salt, and CRC-32C over
// epoch, number and everything before it.
func appendRow(dst []byte, r row) []byte {
	start := len(dst)
	m := &r.rec
	var flags byte
	if len(r.private) > 0 {
		flags |= hasPrivate
	}
	if m.Attempt != (door.Attempt{}) {
		flags |= hasAttempt
	}
	if m.Stamp.Boot != (wire.BootID{}) {
		flags |= hasBoot
	}
	dst = append(dst, rowVersion, flags)
	dst = append(dst, r.hash[:]...)
	if flags&hasAttempt != 0 {
		dst = append(dst, m.Attempt[:]...)
	}
	if flags&hasBoot != 0 {
		dst = append(dst, m.Stamp.Boot[:]...)
	}
	dst = append(dst, byte(m.Side), byte(m.Stamp.Quality), byte(m.By), byte(m.Reason))
	for _, text := range []string{string(m.Door), string(m.Event), m.Assurance, m.Link, m.Detail} {
		dst = append(dst, byte(len(text)))
		dst = append(dst, text...)
	}
	dst = binary.AppendUvarint(dst, uint64(m.Failed))
	dst = binary.AppendUvarint(dst, m.Policy)
	for _, v := range []int64{m.PolicyAge, m.Stamp.BoottimeNS, m.Stamp.WallMS, m.Stamp.OffsetMS} {
		dst = binary.AppendVarint(dst, v)
	}
	if flags&hasPrivate != 0 {
		dst = append(dst, r.salt...)
		dst = append(dst, r.private...)
	}
	return binary.BigEndian.AppendUint32(dst, rowSum(m.Epoch, m.Seq, dst[start:]))
}

func rowSum(e wire.Epoch, seq uint64, b []byte) uint32 {
	sum := crc32.Update(crc32.Checksum(e[:], castagnoli), castagnoli, seqKey(seq))
	return crc32.Update(sum, castagnoli, b)
}

// parseRow is the strict inverse of appendRow, given the key under which the row lies; private part and salt share
// b's memory, the body is built anew. It does not check the chain.
func parseRow(of origin, key, b []byte) (row, error) {
	const fixed = 2 + 32 + 4 + 5 + 6
	if len(key) != 8 || len(b) < fixed+4 || b[0] != rowVersion || b[1]&^flagsKnown != 0 {
		return row{}, errRow
	}
	seq := binary.BigEndian.Uint64(key)
	if rowSum(of.epoch, seq, b[:len(b)-4]) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return row{}, errRow
	}
	var r row
	m := &r.rec
	m.Gateway, m.Epoch, m.Seq = of.gateway, of.epoch, seq
	c := cutter{rest: b[2 : len(b)-4]}
	copy(r.hash[:], c.take(32))
	if b[1]&hasAttempt != 0 {
		copy(m.Attempt[:], c.take(len(m.Attempt)))
	}
	if b[1]&hasBoot != 0 {
		copy(m.Stamp.Boot[:], c.take(len(m.Stamp.Boot)))
	}
	m.Side, m.Stamp.Quality = access.Side(c.byte()), access.ClockQuality(c.byte())
	m.By, m.Reason = access.DecidedBy(c.byte()), access.Reason(c.byte())
	m.Door, m.Event = access.DoorID(c.text()), door.Event(c.text())
	m.Assurance, m.Link, m.Detail = c.text(), c.text(), c.text()
	m.Failed, m.Policy = access.ReasonSet(c.uint()), c.uint()
	for _, v := range []*int64{&m.PolicyAge, &m.Stamp.BoottimeNS, &m.Stamp.WallMS, &m.Stamp.OffsetMS} {
		*v = c.int()
	}
	if b[1]&hasPrivate != 0 {
		var salt [32]byte
		r.salt = c.take(len(salt))
		r.private, c.rest = c.rest, nil
		if len(r.private) == 0 {
			return row{}, errRow
		}
		copy(salt[:], r.salt)
		m.GCommit = wire.Commit(salt, r.private)
	}
	// Only what is written in one way is read: flags that are not needed and numbers with padding are refused.
	if c.bad || len(c.rest) > 0 || !bytes.Equal(appendRow(nil, r), b) {
		return row{}, errRow
	}
	r.body = wire.AppendRecord(nil, m)
	return r, nil
}

// cutter takes a row apart; after the first thing that is missing all that follows is zero.
type cutter struct {
	rest []byte
	bad  bool
}

func (c *cutter) take(n int) []byte {
	if len(c.rest) < n {
		c.bad, c.rest = true, nil
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cutter) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cutter) text() string { return string(c.take(int(c.byte()))) }

func (c *cutter) uint() uint64 {
	v, n := binary.Uvarint(c.rest)
	c.bad = c.bad || n <= 0
	c.take(max(n, 0))
	return v
}

func (c *cutter) int() int64 {
	v, n := binary.Varint(c.rest)
	c.bad = c.bad || n <= 0
	c.take(max(n, 0))
	return v
}

// epochRow is what is kept about one epoch beside its records. It is written in the transaction of
// every append, so that a lost end of the chain is noticed.
type epochRow struct {
	origin
	tail      uint64    // first seq still kept, ≥ 1
	tailPrev  wire.Hash // chain hash at tail-1
	head      uint64    // last seq, 0 = none
	headHash  wire.Hash
	acked     uint64
	ackedHash wire.Hash
	aside     bool   // not sent any more (NewEpoch)
	index     uint32 // key of this row; not part of its bytes
}

// epochRowLen is the length without the gateway's name, which follows everything but the checksum.
const epochRowLen = 1 + 16 + 8 + 32 + 8 + 32 + 8 + 32 + 1 + 4

func appendEpochRow(dst []byte, e epochRow) []byte {
	start := len(dst)
	dst = append(dst, rowVersion)
	dst = append(dst, e.epoch[:]...)
	dst = binary.BigEndian.AppendUint64(dst, e.tail)
	dst = append(dst, e.tailPrev[:]...)
	dst = binary.BigEndian.AppendUint64(dst, e.head)
	dst = append(dst, e.headHash[:]...)
	dst = binary.BigEndian.AppendUint64(dst, e.acked)
	dst = append(dst, e.ackedHash[:]...)
	if e.aside {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	dst = append(dst, e.gateway...)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func parseEpochRow(b []byte) (epochRow, error) {
	if len(b) == epochRowLen && b[0] == rowVersionOld && sumOK(b) {
		return epochRow{}, errOld
	}
	if len(b) <= epochRowLen || b[0] != rowVersion || b[epochRowLen-5] > 1 || !sumOK(b) {
		return epochRow{}, errRow
	}
	var e epochRow
	copy(e.epoch[:], b[1:])
	e.tail = binary.BigEndian.Uint64(b[17:])
	copy(e.tailPrev[:], b[25:])
	e.head = binary.BigEndian.Uint64(b[57:])
	copy(e.headHash[:], b[65:])
	e.acked = binary.BigEndian.Uint64(b[97:])
	copy(e.ackedHash[:], b[105:])
	e.aside = b[epochRowLen-5] == 1
	e.gateway = access.GatewayID(b[epochRowLen-4 : len(b)-4])
	if e.tail == 0 || e.acked > e.head || e.tail > e.head+1 || e.tail > e.acked+1 {
		return epochRow{}, errRow
	}
	return e, nil
}

// stateValue is a value of the state bucket: eight bytes and a checksum over the key and them.
func stateValue(key string, v uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, v)
	sum := crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, b)
	return binary.BigEndian.AppendUint32(b, sum)
}

func parseState(key string, b []byte) (uint64, error) {
	if len(b) != 12 {
		return 0, errRow
	}
	v := binary.BigEndian.Uint64(b)
	if !bytes.Equal(b, stateValue(key, v)) {
		return 0, errRow
	}
	return v, nil
}

func sumOK(b []byte) bool {
	n := len(b) - 4
	return crc32.Checksum(b[:n], castagnoli) == binary.BigEndian.Uint32(b[n:])
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func recordsBucket(e wire.Epoch) []byte { return append([]byte(bucketRecords), e[:]...) }

// pinKey is the hash under which a card's count of wrong PINs is kept.
func pinKey(key access.Key) [32]byte { return sha256.Sum256(key[:]) }

// chain follows one epoch's records and refuses everything that does not continue it.
type chain struct {
	next uint64
	prev wire.Hash
}

func (c *chain) accept(r row) error {
	if r.rec.Seq != c.next || r.hash != wire.ChainHash(c.prev, r.body) {
		return errRow
	}
	c.next, c.prev = r.rec.Seq+1, r.hash
	return nil
}
