package outbox

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"monban/firmware/access"
)

// scan is what walking a whole file has found.
type scan struct {
	fault  error      // the first damage; nil = the file is whole
	doubt  bool       // whole, but one meta page is spoilt: the last commit may be missing
	epochs []epochRow // oldest first, as far as readable; in a damaged file head is the last good record
	state  map[string]uint64
}

// keep receives each row of a good prefix, in order; its slices must be copied. nil = only check.
type keep func(e epochRow, r row) error

// errKeep marks an error of keep, which is not the file's fault.
var errKeep = errors.New("keep")

// scanFile walks the file at path: pages, chains of every epoch, and state. Damage is reported in
// scan.fault; the error is for a file that cannot be read at all. gw is whose records they are where no row of an
// epoch tells.
func scanFile(path string, gw access.GatewayID, keepRow keep) (scan, error) {
	f, err := os.Open(path)
	if err != nil {
		return scan{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return scan{}, err
	}
	s := scan{state: map[string]uint64{}}
	p, err := openPages(f, info.Size())
	if err != nil {
		s.fault = err
		return s, nil
	}
	s.doubt = p.spoilt
	buckets := map[string]element{}
	var names []string
	s.note(p.walk(p.root, nil, nil, 0, func(e element) error {
		buckets[string(e.key)] = e
		names = append(names, string(e.key))
		return nil
	}))
	if s.readEpochs(p, buckets); errors.Is(s.fault, errOld) {
		return s, fmt.Errorf("%s: %w: send its records with the program of before, then move the file away", path, errOld)
	}
	s.readState(p, buckets)
	if err := s.readRecords(p, gw, buckets, names, keepRow); err != nil {
		return s, err
	}
	return s, nil
}

func (s *scan) note(err error) {
	if err != nil && s.fault == nil {
		s.fault = err
	}
}

func (s *scan) readEpochs(p *pages, buckets map[string]element) {
	e, ok := buckets[bucketEpochs]
	if !ok {
		s.note(fmt.Errorf("%w: no epochs", errPage))
		return
	}
	s.note(p.bucket(e, func(key, value []byte) error {
		row, err := parseEpochRow(value)
		if err != nil || len(key) != 4 {
			return cmp.Or(err, errRow)
		}
		row.index = binary.BigEndian.Uint32(key)
		s.epochs = append(s.epochs, row)
		return nil
	}))
	if len(s.epochs) == 0 {
		s.note(fmt.Errorf("%w: no epochs", errPage))
	}
}

func (s *scan) readState(p *pages, buckets map[string]element) {
	e, ok := buckets[bucketState]
	if !ok {
		s.note(fmt.Errorf("%w: no state", errPage))
		return
	}
	s.note(p.bucket(e, func(key, value []byte) error {
		v, err := parseState(string(key), value)
		if err != nil {
			return err
		}
		s.state[string(key)] = v
		return nil
	}))
}

// readRecords walks the chain of every epoch and cuts each epoch's head back to its last good record.
func (s *scan) readRecords(p *pages, gw access.GatewayID, buckets map[string]element, names []string, keepRow keep) error {
	for i := range s.epochs {
		e := &s.epochs[i]
		name := string(recordsBucket(e.epoch))
		bucket, ok := buckets[name]
		if !ok {
			s.note(fmt.Errorf("%w: epoch without records", errPage))
			e.cut(chain{next: e.tail, prev: e.tailPrev})
			continue
		}
		delete(buckets, name)
		if err := s.readChain(p, bucket, e, keepRow); err != nil {
			return err
		}
	}
	// Records of an epoch whose row is lost: acknowledged up to where is unknown, so all are sent again.
	for _, name := range names {
		bucket, ok := buckets[name]
		raw, isRecords := strings.CutPrefix(name, bucketRecords)
		if !ok || !isRecords {
			continue
		}
		s.note(fmt.Errorf("%w: records without epoch", errPage))
		e := epochRow{origin: origin{gateway: gw}}
		if len(raw) != len(e.epoch) {
			continue
		}
		copy(e.epoch[:], raw)
		if err := s.readChain(p, bucket, &e, keepRow); err != nil {
			return err
		}
		if e.head > 0 {
			s.epochs = slices.Insert(s.epochs, 0, e)
		}
	}
	return nil
}

// readChain walks one epoch. An epoch row with tail 0 is unknown and takes its start from the first row.
func (s *scan) readChain(p *pages, bucket element, e *epochRow, keepRow keep) error {
	known := e.tail > 0
	c := chain{next: e.tail, prev: e.tailPrev}
	err := p.bucket(bucket, func(key, value []byte) error {
		r, err := parseRow(e.origin, key, value)
		if err != nil {
			return err
		}
		if !known && e.tail == 0 {
			if r.rec.Seq > 1 {
				// What lies before it was trimmed and its hash is lost with the epoch's row: nothing proves this row,
				// but it proves those after it. It stays in the damaged file, which is kept.
				e.tail, e.tailPrev, e.acked, e.ackedHash = r.rec.Seq+1, r.hash, r.rec.Seq, r.hash
				c = chain{next: r.rec.Seq + 1, prev: r.hash}
				return nil
			}
			e.tail, c = 1, chain{next: 1}
		}
		// A last record that was chained anew continues the chain, but not to the head that was written.
		if known && (r.rec.Seq > e.head || r.rec.Seq == e.head && r.hash != e.headHash || r.rec.Seq == e.acked && r.hash != e.ackedHash) {
			return errRow
		}
		if err := c.accept(r); err != nil {
			return err
		}
		if keepRow != nil {
			if err := keepRow(*e, r); err != nil {
				return fmt.Errorf("%w: %w", errKeep, err)
			}
		}
		return nil
	})
	if errors.Is(err, errKeep) {
		return err
	}
	if err != nil {
		s.note(fmt.Errorf("epoch %x after record %d: %w", e.epoch, c.next-1, err))
	}
	if !known {
		e.cut(c)
		return nil
	}
	if c.next != e.head+1 || c.prev != e.headHash {
		s.note(fmt.Errorf("%w: epoch %x ends at record %d instead of %d", errRow, e.epoch, c.next-1, e.head))
		e.cut(c)
	}
	return nil
}

// cut sets the head back to where c stands.
func (e *epochRow) cut(c chain) {
	if c.next == 0 {
		return
	}
	e.head, e.headHash = c.next-1, c.prev
	if cmp.Compare(e.acked, e.head) > 0 {
		e.acked, e.ackedHash = e.head, e.headHash
	}
}
