package app

import (
	"monban/server/attempt"
	"monban/server/store"
)

// keyed reads what was keyed in at the reader for an attempt, "" when nothing was, nobody had named the code, or the personal data are
// gone or suspended (RR-7, PR-3).
func keyed(r store.Reader, row *attempt.Row) (string, error) {
	idx, err := attempt.KeyedLeaf(r, row)
	if err != nil || idx == attempt.NoIndex {
		return "", err
	}
	o, err := usable(r, idx)
	if nobodyReads(err) {
		return "", nil
	}
	return o.Purpose, err
}
