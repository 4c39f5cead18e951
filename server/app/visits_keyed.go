package app

import (
	"errors"

	"monban/server/attempt"
	"monban/server/store"
)

// keyed reads what was keyed in at the reader for an attempt, "" when nothing was, nobody had named the code, or the personal data are
// gone (RR-7).
func keyed(r store.Reader, row *attempt.Row) (string, error) {
	idx, err := attempt.KeyedLeaf(r, row)
	if err != nil || idx == attempt.NoIndex {
		return "", err
	}
	o, err := r.Opening(idx)
	if errors.Is(err, store.ErrErased) || errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return o.Purpose, err
}
