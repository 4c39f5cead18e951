package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
)

// Scope is what a run will take: every leaf of a class and fiscal year, and where each gateway's chain goes on after the records among them.
type Scope struct {
	Spans    entrylog.Spans
	Openings int64
	Chains   []ChainPiece
	Open     int64 // matters that are still open and whose newest step is among the leaves
}

// ChainPiece is a stretch of records without a gap that one run takes from a gateway's chain.
type ChainPiece struct {
	Gateway  string
	Epoch    [16]byte
	From, To uint64
	Hash     entrylog.Hash // at To
	Idx      int64         // leaf of To
}

// scopePage is how many leaves are looked at in one read.
const scopePage = 4096

// DisposalScope walks the log and finds what a run of a class and fiscal year takes. The leaves of a year that is over do not change, so it may
// be found before the transaction that begins the run.
func (s *Store) DisposalScope(ctx context.Context, class entrylog.Class, year int) (sc Scope, err error) {
	if class == entrylog.ClassSystem {
		return sc, errors.New("disposal: what the log says about itself is never disposed of")
	}
	pieces := map[logcheck.ChainKey]*ChainPiece{}
	flush := func(p *ChainPiece) { sc.Chains = append(sc.Chains, *p) }
	for from, size := int64(0), s.Size(); from < size; from += scopePage {
		if err := ctx.Err(); err != nil {
			return sc, err
		}
		err := s.Read(ctx, func(r *ReadTx) error {
			rows, err := r.query(`SELECT l.idx, l.body, o.idx IS NOT NULL, EXISTS (SELECT 1 FROM matter m WHERE m.idx = l.idx AND m.open = 1)
				FROM log_leaf l LEFT JOIN opening o ON o.idx = l.idx WHERE l.idx >= ? AND l.idx < ? ORDER BY l.idx`, from, from+scopePage)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var idx int64
				var body []byte
				var opening, open bool
				if err := rows.Scan(&idx, &body, &opening, &open); err != nil {
					return err
				}
				if _, gone := entrylog.DroppedBy(body); gone {
					continue
				}
				p, err := entrylog.Parse(body)
				if err != nil {
					return fmt.Errorf("leaf %d: %w: run monban-server verify", idx, err)
				}
				if p.Class() != class || entrylog.FiscalYear(p.AtMS(), s.opt.Zone) != year {
					continue
				}
				sc.Spans = sc.Spans.Add(idx)
				if opening {
					sc.Openings++
				}
				if open {
					sc.Open++
				}
				if p.Kind != entrylog.KindRecord {
					continue
				}
				b, err := wire.ParseRecord(p.Record.Body)
				if err != nil {
					return fmt.Errorf("leaf %d: %w: run monban-server verify", idx, err)
				}
				k := logcheck.ChainKey{Gateway: string(b.Gateway), Epoch: b.Epoch}
				if c := pieces[k]; c != nil && c.To+1 == b.Seq {
					c.To, c.Hash, c.Idx = b.Seq, p.Record.Chain, idx
					continue
				} else if c != nil {
					flush(c)
				}
				pieces[k] = &ChainPiece{Gateway: k.Gateway, Epoch: k.Epoch, From: b.Seq, To: b.Seq, Hash: p.Record.Chain, Idx: idx}
			}
			return rows.Err()
		})
		if err != nil {
			return sc, fmt.Errorf("disposal: %w", err)
		}
	}
	for _, p := range pieces {
		flush(p)
	}
	slices.SortFunc(sc.Chains, func(a, b ChainPiece) int { return int(min(max(a.Idx-b.Idx, -1), 1)) })
	return sc, nil
}

// ErrHeld says that a legal hold names what should be destroyed.
var ErrHeld = errors.New("is under a legal hold")

// ErrNoWord says that the log does not have what a run needs: that one account asked for it and another approved. A row alone says nothing.
var ErrNoWord = errors.New("is not what two persons wanted, by the log")

// word is an error unless leaves say that a run was asked for and approved, in this fiscal year or the one before: as long as that its word cannot have been
// disposed of, and whoever checks the log later finds it beside the run.
func (r Reader) word(d *DisposalRun, zone *time.Location, nowMS int64) error {
	fail := func(why string) error { return fmt.Errorf("disposal run %s: %w: %s", d.ID, ErrNoWord, why) }
	words := logcheck.RunWords{}
	rows, err := r.query(`SELECT idx, body FROM log_leaf WHERE kind = 'action' AND idx >= ? AND instr(body, CAST('"verb":"disposal_' AS BLOB)) > 0 ORDER BY idx`, max(d.AskedIdx, 0))
	if err != nil {
		return fmt.Errorf("disposal run %s: %w", d.ID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var idx int64
		var body []byte
		if err := rows.Scan(&idx, &body); err != nil {
			return err
		}
		p, err := entrylog.Parse(body)
		if err != nil {
			return fmt.Errorf("leaf %d: %w: run monban-server verify", idx, err)
		}
		words.Take(idx, &p.Action)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if what, _ := words.Lacks(d.ID, d.Class, uint64(d.Year), d.AskedBy, d.ApprovedBy); what != "" {
		return fail(what)
	}
	if w := words[d.ID]; entrylog.FiscalYear(min(w.Asked.AtMS, w.Approved.AtMS), zone) < entrylog.FiscalYear(nowMS, zone)-1 {
		return fail("it was asked for or approved too long ago: withdraw it and ask anew")
	}
	return nil
}

// StartDisposal writes the leaves that a run begins with, in one transaction: after it the log says for ever what was destroyed and on
// whose word, and only then may anything be. keyID names the key that dies. With again it was destroyed before a restore: neither a hold nor an open
// matter brings it back.
func (tx *Tx) StartDisposal(id string, sc Scope, keyID string, again bool, nowMS int64) (DisposalRun, error) {
	d, err := tx.DisposalRun(id)
	if err != nil {
		return d, fmt.Errorf("disposal run %s: %w", id, err)
	}
	if d.State != RunApproved || d.ApprovedBy == "" || d.ApprovedBy == d.AskedBy {
		return d, fmt.Errorf("disposal run %s: is not approved by a second person", id)
	}
	if !again {
		if entrylog.FiscalYear(nowMS, tx.s.opt.Zone) < d.Year+2 { // the shortest period is a full fiscal year
			return d, fmt.Errorf("disposal run %s: %s of fiscal year %d is before its time", id, d.Class, d.Year)
		}
		if err := tx.word(&d, tx.s.opt.Zone, nowMS); err != nil {
			return d, err
		}
	}
	if hold, err := tx.held(d.Class, d.Year); err != nil || hold != "" && !again {
		return d, errors.Join(err, fmt.Errorf("disposal run %s: %s of fiscal year %d %w (%s)", id, d.Class, d.Year, ErrHeld, hold))
	}
	if d.Class == classDirectory && !again {
		if _, ok, err := tx.noted(id); err != nil || !ok {
			return d, errors.Join(err, fmt.Errorf("disposal run %s: it is not noted who had left when it was asked for: withdraw it and ask anew", id))
		}
	}
	if sc.Open > 0 && !again {
		return d, fmt.Errorf("disposal run %s: %d matters whose newest step would go are still open: close them first", id, sc.Open)
	}
	system := func(name string, values ...string) (int64, error) {
		return tx.AppendSystem(entrylog.System{Name: name, Values: values, AtMS: nowMS}, nil)
	}
	d.Started, err = system(entrylog.SystemDisposalStarted, id, string(d.Class), fmt.Sprint(d.Year), fmt.Sprint(sc.Spans.Count()), fmt.Sprint(sc.Openings), keyID,
		"key_destroyed_and_bodies_dropped", d.AskedBy, d.ApprovedBy)
	if err != nil {
		return d, err
	}
	started := fmt.Sprint(d.Started)
	for _, text := range sc.Spans.Texts(entrylog.MaxSpanText) {
		if _, err := system(entrylog.SystemDisposalRange, started, text); err != nil {
			return d, err
		}
	}
	for _, c := range sc.Chains {
		_, err := system(entrylog.SystemDisposalChain, started, c.Gateway, entrylog.HexText(c.Epoch[:]), fmt.Sprint(c.From), fmt.Sprint(c.To), entrylog.HexText(c.Hash[:]), fmt.Sprint(c.Idx))
		if err != nil {
			return d, err
		}
	}
	for _, x := range sc.Spans {
		if _, err := tx.exec(`INSERT INTO disposal_range (run, from_idx, to_idx) VALUES (?, ?, ?)`, id, x.From, x.To); err != nil {
			return d, fmt.Errorf("disposal run %s: %w", id, err)
		}
	}
	d.State = RunStarted
	return d, tx.PutDisposalRun(d)
}

// DropBatch takes up to limit leaves of a run that has begun: bodies, openings and the rows that follow from them, one batch a transaction, after
// each of which the log verifies. done says that nothing is left of them.
func (tx *Tx) DropBatch(id string, limit int) (done bool, err error) {
	d, err := tx.DisposalRun(id)
	if err != nil {
		return false, fmt.Errorf("disposal run %s: %w", id, err)
	}
	if d.State != RunStarted {
		return false, fmt.Errorf("disposal run %s: has not begun", id)
	}
	batch, err := tx.nextOfRun(&d, limit)
	if err != nil {
		return false, err
	}
	if len(batch) == 0 {
		return true, tx.dropRequests(&d)
	}
	touched := map[[16]byte]bool{}
	for _, idx := range batch {
		if err := tx.dropLeaf(&d, idx, touched); err != nil {
			return false, fmt.Errorf("disposal run %s: leaf %d: %w", id, idx, err)
		}
	}
	for a := range touched {
		n, err := tx.refold(a)
		if err != nil {
			return false, fmt.Errorf("disposal run %s: attempt: %w", id, err)
		}
		d.Rows += n
	}
	d.At = batch[len(batch)-1] + 1
	// What is done need not be searched for the next batch.
	if _, err := tx.exec(`DELETE FROM disposal_range WHERE run = ? AND to_idx <= ?`, id, d.At); err != nil {
		return false, err
	}
	return false, tx.PutDisposalRun(d)
}

func (tx *Tx) nextOfRun(d *DisposalRun, limit int) (batch []int64, err error) {
	rows, err := tx.query(`SELECT from_idx, to_idx FROM disposal_range WHERE run = ? AND to_idx > ? ORDER BY from_idx`, d.ID, d.At)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() && len(batch) < limit {
		var from, to int64
		if err := rows.Scan(&from, &to); err != nil {
			return nil, err
		}
		for idx := max(from, d.At); idx < to && len(batch) < limit; idx++ {
			batch = append(batch, idx)
		}
	}
	return batch, rows.Err()
}

// dropLeaf takes one leaf's body and all that stands beside it; attempts that it was part of are noted.
func (tx *Tx) dropLeaf(d *DisposalRun, idx int64, touched map[[16]byte]bool) error {
	l, err := tx.Leaf(idx)
	if err != nil {
		return err
	}
	if _, gone := entrylog.DroppedBy(l.Body); gone {
		return nil
	}
	p, err := entrylog.Parse(l.Body)
	if err != nil {
		return err
	}
	gone := func(q string, args ...any) error {
		res, err := tx.exec(q, args...)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		d.Rows += n
		return err
	}
	if err := gone(`DELETE FROM opening WHERE idx = ?`, idx); err != nil {
		return err
	}
	switch p.Kind {
	case entrylog.KindDecision:
		touched[p.Decision.Attempt] = true
	case entrylog.KindRecord:
		b, err := wire.ParseRecord(p.Record.Body)
		if err != nil {
			return err
		}
		touched[b.Attempt] = true
		err = gone(`DELETE FROM record WHERE gateway = ? AND epoch = ? AND seq = ? AND idx = ?`, string(b.Gateway), b.Epoch[:], int64(b.Seq), idx)
		if err != nil {
			return err
		}
	case entrylog.KindAction:
		for _, q := range []string{`DELETE FROM day_act WHERE idx = ?`, `DELETE FROM finding_act WHERE idx = ?`, `DELETE FROM zone_act WHERE idx = ?`, `DELETE FROM matter WHERE idx = ?`,
			`DELETE FROM alert_silence WHERE idx = ?`, `DELETE FROM paper_compared WHERE idx = ?`} {
			if err := gone(q, idx); err != nil {
				return err
			}
		}
	case entrylog.KindSystem:
		if f, ok := tx.s.fold.ParseFinding(idx, &p.System); ok && p.System.Name == entrylog.SystemFinding {
			touched[f.Attempt] = true
		}
		for _, q := range []string{`DELETE FROM finding WHERE idx = ?`, `DELETE FROM quarantine WHERE idx = ?`, `DELETE FROM alert_delivery WHERE alert = ?`, `DELETE FROM alert WHERE id = ?`} {
			if err := gone(q, idx); err != nil {
				return err
			}
		}
	}
	delete(touched, [16]byte{})
	return gone(`UPDATE log_leaf SET kind = 'system', body = ? WHERE idx = ?`, entrylog.DroppedBody(d.Started), idx)
}

// refold makes an attempt's line anew from the leaves of it that are left; none may be. It gives the rows that went.
func (tx *Tx) refold(id [16]byte) (rows int64, err error) {
	old, err := tx.AttemptRow(id)
	if err == ErrNotFound { //nolint:errorlint // AttemptRow returns the sentinel bare
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	leaves, err := tx.AttemptLeaves(old.First)
	if err != nil {
		return 0, err
	}
	row, following, err := tx.foldLeft(leaves)
	if err != nil {
		return 0, err
	}
	for _, q := range []string{`DELETE FROM attempt_leaf WHERE first_idx = ?`, `DELETE FROM attempt WHERE first_idx = ?`} {
		if _, err := tx.exec(q, old.First); err != nil {
			return 0, err
		}
	}
	if row == nil {
		return int64(len(leaves)), nil
	}
	if inserted, err := tx.insertAttempt(row); err != nil || !inserted {
		return 0, errors.Join(err, errors.New("its line is still there"))
	}
	for _, idx := range following {
		if _, err := tx.exec(`INSERT INTO attempt_leaf (first_idx, idx) VALUES (?, ?)`, row.First, idx); err != nil {
			return 0, err
		}
	}
	return int64(len(leaves) - len(following) - 1), nil
}

// foldLeft folds those of an attempt's leaves that have their bodies; row is nil when none of them begins a line.
func (tx *Tx) foldLeft(leaves []int64) (row *attempt.Row, following []int64, err error) {
	for _, idx := range leaves {
		l, err := tx.Leaf(idx)
		if err != nil {
			return nil, nil, err
		}
		if _, gone := entrylog.DroppedBy(l.Body); gone {
			continue
		}
		p, err := entrylog.Parse(l.Body)
		if err != nil {
			return nil, nil, err
		}
		ref, err := tx.openingRef(idx)
		if err != nil {
			return nil, nil, err
		}
		fresh := row == nil
		switch p.Kind {
		case entrylog.KindDecision:
			if fresh {
				row = &attempt.Row{}
			}
			tx.s.fold.Decision(row, fresh, idx, &p.Decision, ref)
		case entrylog.KindRecord:
			b, err := wire.ParseRecord(p.Record.Body)
			if err != nil {
				return nil, nil, err
			}
			if fresh {
				row = &attempt.Row{}
			}
			tx.s.fold.Record(row, fresh, idx, &p.Record, &b, ref)
		default: // a finding; without a line it stands alone
			if fresh {
				continue
			}
			tx.s.fold.Finding(row, idx)
		}
		if !fresh {
			following = append(following, idx)
		}
	}
	return row, following, nil
}

// openingRef is what a line takes from a leaf's opening.
func (tx *Tx) openingRef(idx int64) (attempt.Ref, error) {
	var ref []byte
	err := found(tx.row(`SELECT person_ref FROM opening WHERE idx = ?`, idx).Scan(&ref))
	if errors.Is(err, ErrNotFound) {
		return attempt.Ref{}, nil
	}
	return attempt.Ref{Has: true, Person: ref}, err
}

// FinishDisposal writes the leaf that nothing of a run's data is left, destroyed in so many copies of the key store.
func (tx *Tx) FinishDisposal(id string, copies int, nowMS int64) (DisposalRun, error) {
	d, err := tx.DisposalRun(id)
	if err != nil {
		return d, fmt.Errorf("disposal run %s: %w", id, err)
	}
	var left bool
	if err := tx.row(`SELECT EXISTS (SELECT 1 FROM disposal_range WHERE run = ? AND to_idx > ?)`, id, d.At).Scan(&left); err != nil {
		return d, err
	}
	if d.State != RunStarted || left {
		return d, fmt.Errorf("disposal run %s: is not at its end", id)
	}
	d.Done, err = tx.AppendSystem(entrylog.System{Name: entrylog.SystemDisposalDone, AtMS: nowMS,
		Values: []string{fmt.Sprint(d.Started), string(d.Class), fmt.Sprint(d.Year), fmt.Sprint(d.Rows), fmt.Sprint(copies)}}, nil)
	if err != nil {
		return d, err
	}
	d.State, d.DoneMS = RunDone, nowMS
	return d, tx.PutDisposalRun(d)
}

// EraseOpening destroys the opening of one leaf on a decision (利用停止): the leaf that says so, then the row. The line it was part of is made anew
// without it. With again it was erased before a restore: no hold brings it back.
func (tx *Tx) EraseOpening(idx int64, decision string, again bool, nowMS int64) (leaf int64, err error) {
	if leaf, err = tx.eraseOpening(idx, decision, again, nowMS); err != nil {
		return 0, fmt.Errorf("erase leaf %d: %w", idx, err)
	}
	return leaf, nil
}

func (tx *Tx) eraseOpening(idx int64, decision string, again bool, nowMS int64) (leaf int64, err error) {
	l, err := tx.Leaf(idx)
	if err != nil {
		return 0, err
	}
	if _, err := tx.openingOnly(idx); err != nil {
		return 0, err
	}
	p, err := entrylog.Parse(l.Body)
	if err != nil {
		return 0, err
	}
	hold, err := tx.held(p.Class(), entrylog.FiscalYear(p.AtMS(), tx.s.opt.Zone))
	switch {
	case err != nil:
		return 0, err
	case hold != "" && !again:
		return 0, fmt.Errorf("%w (%s)", ErrHeld, hold)
	case p.Kind == entrylog.KindAction && p.Action.Target == MatterTarget:
		return 0, errors.New("is a step of a matter: close the matter, its steps go with their year")
	}
	leaf, err = tx.AppendSystem(entrylog.System{Name: entrylog.SystemErased, AtMS: nowMS, Values: []string{fmt.Sprint(idx), decision}}, nil)
	if err != nil {
		return 0, err
	}
	if _, err := tx.exec(`INSERT INTO erased (idx, leaf, decision) VALUES (?, ?, ?)`, idx, leaf, decision); err != nil {
		return 0, err
	}
	if _, err := tx.exec(`DELETE FROM opening WHERE idx = ?`, idx); err != nil {
		return 0, err
	}
	return leaf, tx.lineWithout(&p)
}

// HasOpening reports whether the leaf idx has this hash, in hex, and an opening.
func (r Reader) HasOpening(idx int64, hash string) (bool, error) {
	h, err := r.hashes(idx)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil || len(h) < 32 || entrylog.HexText(h[:32]) != hash {
		return false, err
	}
	var n int
	err = r.row(`SELECT count(*) FROM opening WHERE idx = ?`, idx).Scan(&n)
	return n == 1, err
}

// Erasures lists the leaves whose openings were erased, as the key store's list has them.
func (r Reader) Erasures() (out []keystore.Erasure, err error) {
	rows, err := r.query(`SELECT e.idx, e.decision, substr(l.hashes, 1, 32) FROM erased e JOIN log_leaf l ON l.idx = e.idx ORDER BY e.idx`)
	if err != nil {
		return nil, fmt.Errorf("read erasures: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e keystore.Erasure
		var h []byte
		if err := rows.Scan(&e.Index, &e.Decision, &h); err != nil {
			return nil, fmt.Errorf("read erasures: %w", err)
		}
		e.Leaf = entrylog.HexText(h)
		out = append(out, e)
	}
	return out, rows.Err()
}

func (tx *Tx) openingOnly(idx int64) (class string, err error) {
	err = tx.row(`SELECT class FROM opening WHERE idx = ?`, idx).Scan(&class)
	return class, found(err)
}

// lineWithout makes the line of a leaf's attempt anew after its opening has gone. Its leaves are the same, so the row stays where it is.
func (tx *Tx) lineWithout(p *entrylog.Parsed) error {
	var id [16]byte
	switch p.Kind {
	case entrylog.KindDecision:
		id = p.Decision.Attempt
	case entrylog.KindRecord:
		b, err := wire.ParseRecord(p.Record.Body)
		if err != nil {
			return err
		}
		id = b.Attempt
	}
	old, err := tx.AttemptRow(id)
	if err == ErrNotFound { //nolint:errorlint // AttemptRow returns the sentinel bare
		return nil
	}
	if err != nil {
		return err
	}
	leaves, err := tx.AttemptLeaves(old.First)
	if err != nil {
		return err
	}
	row, _, err := tx.foldLeft(leaves)
	if err != nil || row == nil || row.First != old.First {
		return errors.Join(err, errors.New("its line cannot be made anew"))
	}
	_, err = tx.exec(`UPDATE attempt SET opening_idx = ?, person_ref = ? WHERE first_idx = ?`, nullIndex(row.Opening), nullBytes(row.PersonRef), row.First)
	return err
}
