package ingest

import (
	"fmt"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/review"
)

// sweepAfter is how much later a gateway must have recorded something before a decision without a
// record is found, ms: the record of a granted attempt may wait for the door to close.
const sweepAfter = 5 * 60_000

// Sweep finds decisions of the server which no record has followed although the gateway's later
// records have come (D15): the gateway acted on an answer and does not say so, or never got it. It is
// run now and then, for example once a minute; what was found is not found again. nowMS is the
// server's clock, UTC ms.
func (p *Pipeline) Sweep(tx Tx, nowMS int64) error {
	before := nowMS - sweepAfter
	days := [2]string{entrylog.Day(before-24*3600_000, p.zone), entrylog.Day(before, p.zone)}
	rows, err := tx.Unrecorded(days, before)
	if err != nil {
		return err
	}
	heard := map[string]int64{} // gateway → when its last record happened
	for i := range rows {
		at, known := heard[rows[i].Gateway]
		if !known {
			if at, err = lastHeard(tx, rows[i].Gateway); err != nil {
				return err
			}
			heard[rows[i].Gateway] = at
		}
		if at < rows[i].Received+sweepAfter {
			continue // its record may still be on the way
		}
		if err := appendFinding(tx, unrecorded(&rows[i], nowMS)); err != nil {
			return err
		}
	}
	return nil
}

func unrecorded(row *attempt.Row, nowMS int64) review.Finding {
	f := review.New(review.DecisionWithoutRecord, row.Decision)
	f.Gateway, f.Door, f.Attempt = access.GatewayID(row.Gateway), access.DoorID(row.Door), row.ID
	f.AtMS, f.Detail = nowMS, row.Reason
	return f
}

// lastHeard is when the newest logged record of a gateway happened at the earliest, UTC ms; 0 when it
// has none.
func lastHeard(tx Tx, gateway string) (int64, error) {
	idx, err := tx.LastRecord(gateway)
	if isNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	leaf, err := tx.Leaf(idx)
	if err != nil {
		return 0, err
	}
	if leaf.Kind != entrylog.KindRecord {
		return 0, nil // a gap: the records after it will say
	}
	r, err := entrylog.ParseRecord(leaf.Body)
	if err != nil {
		return 0, fmt.Errorf("leaf %d: %w", idx, err)
	}
	return r.FromMS, nil
}
