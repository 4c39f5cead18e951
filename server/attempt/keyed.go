package attempt

import (
	"fmt"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
)

// Leaves reads an attempt's leaves from the log.
type Leaves interface {
	AttemptLeaves(first int64) ([]int64, error)
	Leaf(idx int64) (entrylog.Leaf, error)
}

// KeyedLeaf is the leaf whose opening says what was keyed in at the reader, NoIndex when nothing was (RR-7). Who keys twice means the last.
func KeyedLeaf(r Leaves, row *Row) (int64, error) {
	if row.Flags&FlagPurpose == 0 {
		return NoIndex, nil
	}
	leaves, err := r.AttemptLeaves(row.First)
	if err != nil {
		return NoIndex, err
	}
	for i := len(leaves) - 1; i >= 0; i-- {
		leaf, err := r.Leaf(leaves[i])
		if err != nil {
			return NoIndex, err
		}
		if leaf.Kind != entrylog.KindRecord {
			continue
		}
		rec, err := entrylog.ParseRecord(leaf.Body)
		if err != nil {
			return NoIndex, fmt.Errorf("leaf %d: %w", leaves[i], err)
		}
		if body, err := wire.ParseRecord(rec.Body); err == nil && body.Event == door.EventPurposeKeyed {
			return leaves[i], nil
		}
	}
	return NoIndex, nil
}
