package store

import (
	"errors"
	"fmt"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/keystore"
)

// seal encrypts an opening for a leaf of this kind and server time. Without one, the leaf commits to
// nothing.
func (tx *Tx) seal(kind entrylog.Kind, name string, atMS int64, o *entrylog.Opening) (entrylog.Hash, *keystore.Sealed, error) {
	if o == nil {
		return entrylog.Hash{}, nil, nil
	}
	p := keystore.Period{FiscalYear: entrylog.FiscalYear(atMS, tx.s.opt.Zone), Class: entrylog.ClassOf(kind, name)}
	commit, sealed, err := tx.keys.Seal(p, o)
	if err != nil {
		return entrylog.Hash{}, nil, err
	}
	return commit, &sealed, nil
}

const (
	insertLeaf    = `INSERT INTO log_leaf (idx, kind, body, hashes) VALUES (?, ?, ?, ?)`
	insertOpening = `INSERT INTO opening (idx, fiscal_year, class, row_key, ciphertext, person_ref) VALUES (?, ?, ?, ?, ?, ?)`
)

// append adds a leaf and its opening to log and tree.
func (tx *Tx) append(kind entrylog.Kind, body []byte, sealed *keystore.Sealed) (int64, error) {
	if len(body) > entrylog.MaxLeafBytes {
		return 0, fmt.Errorf("append leaf: %d bytes, at most %d are allowed", len(body), entrylog.MaxLeafBytes)
	}
	var idx int64
	idx, tx.hashes = tx.tree.Append(tx.hashes[:0], entrylog.LeafHash(body))
	if _, err := tx.exec(insertLeaf, idx, string(kind), body, tx.hashes); err != nil {
		return 0, fmt.Errorf("append leaf %d: %w", idx, err)
	}
	if sealed == nil {
		return idx, nil
	}
	var ref any
	if sealed.PersonRef != nil {
		ref = sealed.PersonRef
	}
	_, err := tx.exec(insertOpening, idx, sealed.Period.FiscalYear, string(sealed.Period.Class), sealed.RowKey, sealed.Ciphertext, ref)
	if err != nil {
		return 0, fmt.Errorf("append opening %d: %w", idx, err)
	}
	return idx, nil
}

func refOf(sealed *keystore.Sealed) attempt.Ref {
	if sealed == nil {
		return attempt.Ref{}
	}
	return attempt.Ref{Has: true, Person: sealed.PersonRef}
}

// AppendDecision writes the server's decision: the leaf, its opening, and the attempt's line. d.Commit
// is set here. The answer may be sent when Write has returned nil, not before (I1).
func (tx *Tx) AppendDecision(d entrylog.Decision, o *entrylog.Opening) (int64, error) {
	sealed, err := tx.sealDecision(&d, o)
	if err != nil {
		return 0, err
	}
	idx, inserted, err := tx.firstDecision(&d, sealed)
	if err != nil || inserted {
		return idx, err
	}
	row, err := tx.AttemptRow(d.Attempt)
	if err != nil {
		return 0, err
	}
	if idx, err = tx.append(entrylog.KindDecision, tx.buf, sealed); err != nil {
		return 0, err
	}
	tx.s.fold.Decision(&row, false, idx, &d, refOf(sealed))
	return idx, tx.updateAttempt(&row, idx)
}

// AppendFirstDecision is AppendDecision for an attempt that the log does not know yet, which nearly
// every decision begins. When the log knows it, nothing is written and ok is false: the caller looks
// what is there. So the ordinary decision costs no look.
func (tx *Tx) AppendFirstDecision(d entrylog.Decision, o *entrylog.Opening) (idx int64, ok bool, err error) {
	sealed, err := tx.sealDecision(&d, o)
	if err != nil {
		return 0, false, err
	}
	return tx.firstDecision(&d, sealed)
}

// sealDecision encrypts the opening, sets d.Commit and leaves the leaf's bytes in tx.buf.
func (tx *Tx) sealDecision(d *entrylog.Decision, o *entrylog.Opening) (*keystore.Sealed, error) {
	if d.Attempt == [16]byte{} {
		return nil, errors.New("append decision: no attempt id")
	}
	commit, sealed, err := tx.seal(entrylog.KindDecision, "", d.AtMS, o)
	if err != nil {
		return nil, err
	}
	d.Commit = commit
	tx.buf, err = d.Append(tx.buf[:0])
	return sealed, err
}

// firstDecision writes the attempt's line before the leaf: a line that is there already says so, and
// then nothing has been written.
func (tx *Tx) firstDecision(d *entrylog.Decision, sealed *keystore.Sealed) (idx int64, inserted bool, err error) {
	row := attempt.Row{}
	tx.s.fold.Decision(&row, true, tx.tree.Size(), d, refOf(sealed))
	if inserted, err = tx.insertAttempt(&row); err != nil || !inserted {
		return 0, false, err
	}
	if idx, err = tx.append(entrylog.KindDecision, tx.buf, sealed); err == nil && idx != row.First {
		err = fmt.Errorf("BUG: leaf %d was announced as %d", idx, row.First)
	}
	return idx, true, err
}

// RecordIn is one gateway record to be logged. Leaf's Chain and Commit are set by AppendRecord.
type RecordIn struct {
	Leaf entrylog.Record // AtMS, FromMS, ToMS, Judged, Mismatch, Late, Body
	Body *wire.Record    // Leaf.Body parsed by wire.ParseRecord
}

// AppendRecord writes a gateway's record: the leaf with the next hash of the chain, its opening, the
// record row, the watermark and the attempt's line. The record must follow on the watermark of
// (gateway, epoch), else ErrNotNext: look with Chain and RecordHash first. It returns the leaf's
// index and the chain hash at the record.
func (tx *Tx) AppendRecord(in RecordIn, o *entrylog.Opening) (int64, entrylog.Hash, error) {
	b, l := in.Body, in.Leaf
	key := chainKey{gateway: string(b.Gateway), epoch: b.Epoch}
	c, err := tx.chain(key)
	if err != nil {
		return 0, entrylog.Hash{}, err
	}
	if b.Seq != uint64(c.watermark)+1 {
		return 0, entrylog.Hash{}, fmt.Errorf("append record %s %d after %d: %w", b.Gateway, b.Seq, c.watermark, ErrNotNext)
	}
	l.Chain = entrylog.Link(c.hash, l.Body)
	commit, sealed, err := tx.seal(entrylog.KindRecord, "", l.AtMS, o)
	if err != nil {
		return 0, entrylog.Hash{}, err
	}
	l.Commit = commit
	if tx.buf, err = l.Append(tx.buf[:0]); err != nil {
		return 0, entrylog.Hash{}, err
	}
	idx, err := tx.append(entrylog.KindRecord, tx.buf, sealed)
	if err != nil {
		return 0, entrylog.Hash{}, err
	}
	_, err = tx.exec(`INSERT INTO record (gateway, epoch, seq, idx, hash) VALUES (?, ?, ?, ?, ?)`,
		key.gateway, key.epoch[:], int64(b.Seq), idx, l.Chain[:])
	if err != nil {
		return 0, entrylog.Hash{}, fmt.Errorf("append record %s %d: %w", b.Gateway, b.Seq, err)
	}
	tx.chains[key] = chainState{watermark: int64(b.Seq), hash: l.Chain, idx: idx}
	if b.Attempt == (door.Attempt{}) {
		return idx, l.Chain, nil
	}
	return idx, l.Chain, tx.foldRecord(idx, &l, b, refOf(sealed))
}

func (tx *Tx) foldRecord(idx int64, l *entrylog.Record, b *wire.Record, ref attempt.Ref) error {
	row, err := tx.AttemptRow(b.Attempt)
	switch {
	case err == nil:
		tx.s.fold.Record(&row, false, idx, l, b, ref)
		return tx.updateAttempt(&row, idx)
	case err != ErrNotFound: //nolint:errorlint // AttemptRow returns the sentinel bare
		return err
	}
	tx.s.fold.Record(&row, true, idx, l, b, ref)
	_, err = tx.insertAttempt(&row)
	return err
}

// AppendGap states that a gateway's records up to seq are missing and will not come: the chain goes
// on after seq, whose hash is h. It is the only way a watermark moves without records.
func (tx *Tx) AppendGap(gateway string, epoch [16]byte, seq uint64, h entrylog.Hash, atMS int64) (int64, error) {
	key := chainKey{gateway: gateway, epoch: epoch}
	c, err := tx.chain(key)
	if err != nil {
		return 0, err
	}
	if seq <= uint64(c.watermark) {
		return 0, fmt.Errorf("append gap up to %d after %d: %w", seq, c.watermark, ErrNotNext)
	}
	idx, err := tx.AppendSystem(entrylog.System{Name: entrylog.SystemGap, AtMS: atMS, Values: []string{
		gateway, entrylog.HexText(epoch[:]), fmt.Sprint(seq), entrylog.HexText(h[:]),
	}}, nil)
	if err != nil {
		return 0, err
	}
	tx.chains[key] = chainState{watermark: int64(seq), hash: h, idx: idx}
	return idx, nil
}

// AppendAction writes what an operator did (RA-4). The id of a target that belongs to a person is
// moved from the leaf into the opening (PR-2). Actions on findings move their status.
func (tx *Tx) AppendAction(a entrylog.Action, o *entrylog.Opening) (int64, error) {
	if a.ID != "" && entrylog.PersonalTarget(a.Target) {
		moved := entrylog.Opening{}
		if o != nil {
			moved = *o
		}
		if moved.Target == "" {
			moved.Target = a.ID
		}
		a.ID, o = "", &moved
	}
	commit, sealed, err := tx.seal(entrylog.KindAction, "", a.AtMS, o)
	if err != nil {
		return 0, err
	}
	a.Commit = commit
	if tx.buf, err = a.Append(tx.buf[:0]); err != nil {
		return 0, err
	}
	idx, err := tx.append(entrylog.KindAction, tx.buf, sealed)
	if err != nil {
		return 0, err
	}
	if err := tx.insertFindingAct(idx, &a); err != nil {
		return 0, err
	}
	finding, status, ok := attempt.FindingStatus(&a)
	if !ok {
		return idx, nil
	}
	res, err := tx.exec(`UPDATE finding SET status = ?, status_idx = ? WHERE idx = ?`, status, idx, finding)
	if err != nil {
		return 0, fmt.Errorf("move finding %d: %w", finding, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return 0, fmt.Errorf("move finding %d: %w", finding, ErrNotFound)
	}
	return idx, nil
}

// AppendSystem writes what the server itself states. Leaves that have a table of their own are
// written by AppendFinding, AppendQuarantine, AppendCoverage, AppendPolicy and AppendGap instead.
func (tx *Tx) AppendSystem(y entrylog.System, o *entrylog.Opening) (int64, error) {
	commit, sealed, err := tx.seal(entrylog.KindSystem, y.Name, y.AtMS, o)
	if err != nil {
		return 0, err
	}
	y.Commit = commit
	if tx.buf, err = y.Append(tx.buf[:0]); err != nil {
		return 0, err
	}
	return tx.append(entrylog.KindSystem, tx.buf, sealed)
}

// AppendFinding writes something a person has to look at. f.Idx, Day and Status are set here.
func (tx *Tx) AppendFinding(f attempt.Finding, o *entrylog.Opening) (int64, error) {
	idx, err := tx.AppendSystem(f.Leaf(), o)
	if err != nil {
		return 0, err
	}
	f.Idx, f.StatusIdx, f.Status, f.Day = idx, idx, attempt.StatusOpen, entrylog.Day(f.AtMS, tx.s.opt.Zone)
	var id any
	if f.Attempt != [16]byte{} {
		id = f.Attempt[:]
	}
	_, err = tx.exec(`INSERT INTO finding (idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day, status, status_idx)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		idx, f.Kind, f.Severity, f.Gateway, f.Door, id, nullIndex(f.Cause), f.Detail, f.AtMS, f.Day, f.Status, f.StatusIdx)
	if err != nil {
		return 0, fmt.Errorf("append finding %s: %w", f.Kind, err)
	}
	if id == nil {
		return idx, nil
	}
	row, err := tx.AttemptRow(f.Attempt)
	if err == ErrNotFound { //nolint:errorlint // AttemptRow returns the sentinel bare
		return idx, nil // e.g. about a decision that was never logged: the finding stands alone
	}
	if err != nil {
		return 0, err
	}
	tx.s.fold.Finding(&row, idx)
	return idx, tx.updateAttempt(&row, idx)
}

// AppendQuarantine keeps a record whose key exists with other bytes (D20). The clear body goes into
// a row, the private part belongs into o.
func (tx *Tx) AppendQuarantine(gateway string, epoch [16]byte, seq uint64, body []byte, atMS int64, o *entrylog.Opening) (int64, error) {
	idx, err := tx.AppendSystem(attempt.QuarantineLeaf(gateway, epoch, seq, body, atMS), o)
	if err != nil {
		return 0, err
	}
	_, err = tx.exec(`INSERT INTO quarantine (idx, gateway, epoch, seq, body) VALUES (?, ?, ?, ?, ?)`, idx, gateway, epoch[:], int64(seq), body)
	if err != nil {
		return 0, fmt.Errorf("quarantine %s %d: %w", gateway, seq, err)
	}
	return idx, nil
}

// AppendCoverage states whether a gateway was heard over an interval (I10).
func (tx *Tx) AppendCoverage(c attempt.Coverage, atMS int64) (int64, error) {
	idx, err := tx.AppendSystem(c.Leaf(atMS), nil)
	if err != nil {
		return 0, err
	}
	_, err = tx.exec(`INSERT INTO coverage (idx, gateway, from_ms, to_ms, state, heard) VALUES (?, ?, ?, ?, ?, ?)`,
		idx, c.Gateway, c.FromMS, c.ToMS, c.State, int64(c.Heard))
	if err != nil {
		return 0, fmt.Errorf("append coverage of %s: %w", c.Gateway, err)
	}
	return idx, nil
}

// AppendPolicy keeps a compiled policy part and commits to it with a leaf (D16). gateway "" is the
// server's own site policy; part is "rules", "modes" or "state". Versions must rise.
func (tx *Tx) AppendPolicy(gateway, part string, version uint64, bytes []byte, atMS int64) (int64, error) {
	leaf, sum := attempt.PolicyLeaf(gateway, part, version, bytes, atMS)
	idx, err := tx.AppendSystem(leaf, nil)
	if err != nil {
		return 0, err
	}
	_, err = tx.exec(`INSERT INTO policy_version (idx, gateway, part, version, sum, bytes) VALUES (?, ?, ?, ?, ?, ?)`,
		idx, gateway, part, int64(version), sum[:], bytes)
	if err != nil {
		return 0, fmt.Errorf("append policy %s %s %d: %w", gateway, part, version, err)
	}
	return idx, nil
}
