package outbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"monban/firmware/access"
	"monban/firmware/wire"
)

// Bucket names and keys of the file; DESIGN.md "Layout".
const (
	bucketEpochs  = "epochs"
	bucketState   = "state"
	bucketRecords = "r:" // followed by the 16 bytes of the epoch
	keyTrusted    = "trusted"
	keyPIN        = "pin:" // followed by 32 bytes
	rowVersion    = 1
)

// errRow says that a stored row is not what was written.
var errRow = errors.New("damaged row")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// row is one stored record.
type row struct {
	seq     uint64
	wallMS  int64     // of the append; 0 when the clock was not trustworthy then
	prev    wire.Hash // chain hash before
	hash    wire.Hash // chain hash at this record
	body    []byte
	private []byte
	salt    []byte // 32 bytes when private is not empty, else none
}

const rowFixed = 1 + 8 + 8 + 32 + 32 + 2 + 2

// appendRow appends the canonical bytes of r: version, seq, wall, prev, hash, lengths, body,
// private, salt, CRC-32C over everything before it.
func appendRow(dst []byte, r row) []byte {
	start := len(dst)
	dst = append(dst, rowVersion)
	dst = binary.BigEndian.AppendUint64(dst, r.seq)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.wallMS))
	dst = append(dst, r.prev[:]...)
	dst = append(dst, r.hash[:]...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.body)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(r.private)))
	dst = append(dst, r.body...)
	dst = append(dst, r.private...)
	if len(r.private) > 0 {
		dst = append(dst, r.salt...)
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseRow is the strict inverse of appendRow; the slices of the row share b's memory. It does not
// check the chain.
func parseRow(b []byte) (row, error) {
	if len(b) < rowFixed+4 || b[0] != rowVersion || !sumOK(b) {
		return row{}, errRow
	}
	var r row
	r.seq = binary.BigEndian.Uint64(b[1:])
	r.wallMS = int64(binary.BigEndian.Uint64(b[9:]))
	copy(r.prev[:], b[17:])
	copy(r.hash[:], b[49:])
	nBody, nPrivate := int(binary.BigEndian.Uint16(b[81:])), int(binary.BigEndian.Uint16(b[83:]))
	rest := b[rowFixed : len(b)-4]
	salt := 0
	if nPrivate > 0 {
		salt = 32
	}
	if len(rest) != nBody+nPrivate+salt || nBody == 0 {
		return row{}, errRow
	}
	r.body = rest[:nBody]
	r.private = rest[nBody : nBody+nPrivate]
	r.salt = rest[nBody+nPrivate:]
	if salt == 0 {
		r.private, r.salt = nil, nil
	}
	return r, nil
}

// epochRow is what is kept about one epoch beside its records. It is written in the transaction of
// every append, so that a lost end of the chain is noticed.
type epochRow struct {
	epoch     wire.Epoch
	tail      uint64    // first seq still kept, ≥ 1
	tailPrev  wire.Hash // chain hash at tail-1
	head      uint64    // last seq, 0 = none
	headHash  wire.Hash
	acked     uint64
	ackedHash wire.Hash
	aside     bool   // not sent any more (NewEpoch)
	index     uint32 // key of this row; not part of its bytes
}

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
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func parseEpochRow(b []byte) (epochRow, error) {
	if len(b) != epochRowLen || b[0] != rowVersion || b[epochRowLen-5] > 1 || !sumOK(b) {
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
	if r.seq != c.next || r.prev != c.prev || r.hash != wire.ChainHash(c.prev, r.body) {
		return errRow
	}
	c.next, c.prev = r.seq+1, r.hash
	return nil
}
