package ingest

import (
	"fmt"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/review"
)

// Offline logs that nothing was heard of a gateway since sinceMS, once for each silence, unless the last that it said is that it shuts
// down (OP-1). Times are UTC ms.
func (p *Pipeline) Offline(tx interface {
	Told
	Last
}, gw access.GatewayID, sinceMS, nowMS int64) error {
	told, err := tx.ToldAt(string(review.GatewayOffline), string(gw), "", sinceMS, nowMS, 1)
	if err != nil || told > 0 {
		return err
	}
	planned, err := shutDown(tx, gw)
	if err != nil || planned {
		return err
	}
	f := review.New(review.GatewayOffline, review.NoCause)
	f.AtMS, f.Gateway = nowMS, gw
	return appendFinding(tx, f)
}

// Last reads the newest record of a gateway.
type Last interface {
	LastRecord(gateway string) (idx int64, err error)
	Leaf(idx int64) (entrylog.Leaf, error)
}

// shutDown reports whether the newest record of a gateway says that it was stopped properly.
func shutDown(tx Last, gw access.GatewayID) (bool, error) {
	idx, err := tx.LastRecord(string(gw))
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	leaf, err := tx.Leaf(idx)
	if err != nil || leaf.Kind != entrylog.KindRecord {
		return false, err
	}
	l, err := entrylog.ParseRecord(leaf.Body)
	if err != nil {
		return false, fmt.Errorf("leaf %d: %w", idx, err)
	}
	body, err := wire.ParseRecord(l.Body)
	if err != nil {
		return false, fmt.Errorf("leaf %d: %w", idx, err)
	}
	return body.Event == door.EventShutdown, nil
}
