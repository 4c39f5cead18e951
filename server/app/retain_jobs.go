package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"monban/server/attempt"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// nightly carries out what two persons have wanted.
func (t *Retainer) nightly(ctx context.Context, _ time.Time) (note string, err error) {
	done, err := t.carryOut(ctx, nightTries, store.RunStarted, store.RunApproved)
	void, failed := t.voidRuns(ctx)
	err = errors.Join(err, failed, t.emptyErased(ctx, nightTries))
	var ids []string
	for _, d := range done {
		ids = append(ids, fmt.Sprintf("%s: %d rows", d.ID, d.Rows))
	}
	for _, id := range void { // no failure: nothing changes before somebody withdraws it
		ids = append(ids, id+": not carried out, "+web.ErrTyped.Error()+"; withdraw it")
	}
	return strings.Join(ids, ", "), err
}

// tellDue makes a finding of what is due for disposal and not asked for (EV-8): one for the fiscal year. What waits for open cases is due too: nobody else tells
// that they keep it.
func (t *Retainer) tellDue(ctx context.Context, due time.Time) (note string, err error) {
	p, err := t.Plan(ctx)
	if err != nil {
		return "", err
	}
	n, wait := 0, 0
	for _, x := range p.Items {
		if !x.Over() {
			continue
		}
		if n++; x.Open > 0 {
			wait++
		}
	}
	if n == 0 {
		return "nothing is due", nil
	}
	note = fmt.Sprintf("%d classes and years are due", n)
	if wait > 0 {
		note += fmt.Sprintf(", %d of them wait for open cases", wait)
	}
	f := review.New(review.DisposalDue, review.NoCause)
	detail := fmt.Sprintf("due:%d", p.Today.FiscalYear())
	return note, t.store.Write(ctx, func(tx *store.Tx) error {
		open, err := tx.OpenFinding(string(f.Kind), "", "", detail)
		if err != nil || open {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: detail, AtMS: t.now().UnixMilli()}, nil)
		return err
	})
}
