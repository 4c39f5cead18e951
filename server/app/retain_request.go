package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"monban/server/datarequest"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// Restrict suspends the use of one record that a person has asked to have erased (利用停止): from now on no page shows whose it is. It destroys nothing.
func (t *Retainer) Restrict(ctx context.Context, attempt, reason string, by Operator) (id string, err error) {
	if err := by.checkPerson(reason); err != nil {
		return "", err
	}
	var key [16]byte
	if n, err := hex.Decode(key[:], []byte(attempt)); err != nil || n != len(key) {
		return "", fmt.Errorf("record %q: not the 32 hexadecimal digits of an entry: %w", attempt, web.ErrNotFound)
	}
	err = t.store.Write(ctx, func(tx *store.Tx) error {
		if err := t.notOwn(tx, key, by); err != nil {
			return err
		}
		id, err = t.restrict(tx, key, reason, by)
		return err
	})
	return id, err
}

// notOwn refuses who acts on an entry of their own, as the page of the person's request does.
func (t *Retainer) notOwn(tx *store.Tx, key [16]byte, by Operator) error {
	row, err := tx.AttemptRow(key)
	if errors.Is(err, store.ErrNotFound) { // gone with its year, or never there: nobody's
		return nil
	}
	if err != nil {
		return fmt.Errorf("record %x: %w", key, err)
	}
	a, err := tx.AccountByID(by.Account)
	if err != nil {
		return mapped(err)
	}
	own := func(ref []byte) bool { return bytes.Equal(ref, row.PersonRef) }
	if a.Person != "" && slices.ContainsFunc(t.keys.PersonRefs(a.Person, entrylog.ClassRegister, entrylog.ClassViolation), own) {
		return fmt.Errorf("record %x: %w", key, datarequest.ErrOwn)
	}
	return nil
}

// notOnPage refuses a suspension that was made for a person's request on the page: it is erased there, after a decision that grants it.
func notOnPage(tx *store.Tx, q *store.ErasureRequest) error {
	rows, err := tx.OpenMatters(datarequest.Kind)
	if err != nil {
		return err
	}
	then, err := tx.MattersAt(datarequest.Kind, q.AskedMS)
	all, err := list[datarequest.Record](tx.Reader, append(rows, then...), err)
	if err != nil {
		return err
	}
	for i := range all {
		if slices.Contains(all[i].Held, q.ID) {
			return fmt.Errorf("request %s belongs to %s: %w", q.ID, all[i].ID, web.ErrTerminalPage)
		}
	}
	return nil
}

// restrict is Restrict within a transaction.
func (t *Retainer) restrict(tx *store.Tx, key [16]byte, reason string, by Operator) (string, error) {
	if _, err := tx.AttemptRow(key); err != nil {
		return "", fmt.Errorf("record %x: %w", key, err)
	}
	all, err := tx.ErasureRequests()
	if err != nil {
		return "", err
	}
	id := fmt.Sprintf("request-%05d", len(all)+1)
	for _, q := range all {
		if q.Attempt != key || q.State == store.RequestLifted {
			continue
		}
		if q.State != store.RequestRestricted || !typed(q.AskedBy) {
			return "", web.ErrExists
		}
		id = q.ID // who typed a name did not ask: now somebody does
	}
	idx, err := by.leaf(tx, "record_restricted", "attempt", hex.EncodeToString(key[:]), reason, t.now())
	if err != nil {
		return "", err
	}
	return id, tx.PutErasureRequest(store.ErasureRequest{ID: id, Attempt: key, State: store.RequestRestricted, AskedBy: by.word(), AskedMS: t.now().UnixMilli(), AskedIdx: idx})
}

// Decide is another person's decision on a request, under its number: the record's openings are erased, or the restriction is lifted. The reason says why, for
// the answer to the person.
func (t *Retainer) Decide(ctx context.Context, id, decision string, erase bool, reason string, by Operator) error {
	if err := by.checkPerson(reason); err != nil {
		return err
	}
	err := t.store.Write(ctx, func(tx *store.Tx) error {
		q, err := tx.ErasureRequest(id)
		if err != nil {
			return fmt.Errorf("request %s: %w", id, err)
		}
		if q.State == store.RequestRestricted { // else it is too late for anybody
			if err := errors.Join(t.notOwn(tx, q.Attempt, by), notOnPage(tx, &q)); err != nil {
				return err
			}
		}
		return t.settle(tx, id, decision, erase, reason, by)
	})
	if err != nil {
		return err
	}
	return t.settled(ctx)
}

// settle is Decide within a transaction; settled has to follow its commit.
func (t *Retainer) settle(tx *store.Tx, id, decision string, erase bool, reason string, by Operator) error {
	q, err := tx.ErasureRequest(id)
	if err != nil {
		return fmt.Errorf("request %s: %w", id, err)
	}
	if q.State != store.RequestRestricted {
		return web.ErrTooLate
	}
	if err := by.second(tx, q.AskedBy); err != nil {
		return err
	}
	verb := "erasure_refused"
	q.State, q.Decision, q.DecidedBy, q.DecidedMS = store.RequestLifted, decision, by.word(), t.now().UnixMilli()
	if erase {
		verb, q.State = "erasure_decided", store.RequestErased
	}
	if _, err := by.leaf(tx, verb, "attempt", hex.EncodeToString(q.Attempt[:])+":"+decision, reason, t.now()); err != nil {
		return err
	}
	if erase {
		err := tx.EraseAttempt(q.Attempt, decision, t.now().UnixMilli())
		if errors.Is(err, store.ErrErased) && erasedAlready(tx, q.Attempt) { // a restored database asks again what was decided and carried out before
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return tx.PutErasureRequest(q)
}

// settled writes what was erased on the list beside the keys: a restored backup has to be told. Then nothing of it is left in the files: the key of its year lives, so
// what the write-ahead log, or the page that it will be written over, still holds could be read. Behind a reader of an old state it waits for the night.
func (t *Retainer) settled(ctx context.Context) error {
	if err := t.at("erased"); err != nil {
		return err
	}
	err := t.applyErased(ctx)
	if err == nil {
		err = t.emptyErased(ctx, 1)
	}
	if errors.Is(err, store.ErrStillRead) {
		return nil
	}
	return err
}

// emptyErased leaves no bytes in the files of records that were erased.
func (t *Retainer) emptyErased(ctx context.Context, tries int) error {
	if len(t.keys.Erased()) == 0 {
		return nil
	}
	return t.store.EmptyWAL(ctx, tries)
}

// erasedAlready reports whether a decision took the openings of a record.
func erasedAlready(tx *store.Tx, attempt [16]byte) bool {
	row, err := tx.AttemptRow(attempt)
	if err == nil {
		_, err = tx.AttemptErased(row.First)
	}
	return err == nil
}

// PrintRequests says of each request in a line how it stands.
func (t *Retainer) PrintRequests(ctx context.Context, say func(string)) error {
	return t.store.Read(ctx, func(r *store.ReadTx) error {
		all, err := r.ErasureRequests()
		for _, q := range all {
			say(fmt.Sprintf("%s  record %x  %s  decision %s  asked %s", q.ID, q.Attempt, q.State, q.Decision, time.UnixMilli(q.AskedMS).In(t.zone).Format(time.DateOnly)))
		}
		return err
	})
}

// errRestricted says that a record's person is not shown because a request about it is open.
var errRestricted = errors.New("use of the record is suspended")

// nobodyReads reports that an opening is gone or suspended: its line is shown without its person.
func nobodyReads(err error) bool {
	return errors.Is(err, store.ErrErased) || errors.Is(err, store.ErrNotFound) || errors.Is(err, errRestricted)
}

// usable reads an opening for a page, unless its use is suspended.
func usable(r store.Reader, idx int64) (entrylog.Opening, error) {
	if no, err := r.Restricted(idx); err != nil || no {
		return entrylog.Opening{}, errors.Join(err, errRestricted)
	}
	return r.Opening(idx)
}
