package ingest

import (
	"fmt"
	"slices"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/review"
)

// Of a gateway that was stopped properly: a service that was stopped to hide something says the same as one that is mended.
const (
	stoppedMost = 3_600_000 // how long it may be silent without anybody asking why, ms
	workAgain   = 60_000    // how often the end of approved work in its zones is looked for, ms
)

// Offline logs that nothing was heard of a gateway since sinceMS, once for each silence. When the last that it said is that it shuts
// down, that waits for an hour, and as long as approved work goes on in one of its zones (OP-1). againMS is when to ask again, 0 =
// not for this silence. Times are UTC ms.
func (p *Pipeline) Offline(tx interface {
	Told
	Last
}, gw access.GatewayID, sinceMS, nowMS int64) (againMS int64, err error) {
	told, err := tx.ToldAt(string(review.GatewayOffline), string(gw), "", sinceMS, nowMS, 1)
	if err != nil || told > 0 {
		return 0, err
	}
	stopped, err := shutDown(tx, gw)
	if err != nil {
		return 0, err
	}
	if stopped {
		if until := sinceMS + stoppedMost; nowMS < until {
			return until, nil
		}
		planned, err := tx.WorkPlanned(p.zonesOf(gw), nowMS)
		if err != nil {
			return 0, err
		}
		if planned {
			return nowMS + workAgain, nil
		}
	}
	f := review.New(review.GatewayOffline, review.NoCause)
	f.AtMS, f.Gateway = nowMS, gw
	return 0, p.tell(tx, f, nowMS) // a link that comes and goes is counted as every flood is
}

// zonesOf lists the zones at the doors of a gateway.
func (p *Pipeline) zonesOf(gw access.GatewayID) (out []access.ZoneID) {
	site := p.policies.Site()
	if site == nil {
		return nil
	}
	doors := site.Directory().Doors
	for i := range doors {
		if doors[i].Gateway == gw {
			out = append(out, doors[i].Enter, doors[i].Exit)
		}
	}
	return slices.DeleteFunc(out, func(z access.ZoneID) bool { return z == "" })
}

// Last reads the newest record of a gateway, and what is planned where it is.
type Last interface {
	LastRecord(gateway string) (idx int64, err error)
	Leaf(idx int64) (entrylog.Leaf, error)
	WorkPlanned(zones []access.ZoneID, atMS int64) (bool, error)
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
