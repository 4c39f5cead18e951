package app

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
)

// zoneBegins remembers since when zones are there, so that a page need not read every act since the first leaf.
type zoneBegins struct {
	mu     sync.Mutex
	next   int64                   // leaves below it were read
	madeMS map[access.ZoneID]int64 // when a zone was put into the directory; 0 = it stood there before the acts that are left
	doors  map[string]int64        // leaf with which a door was put there; 0 as above
	line   map[string]string       // by zone and doors: the day of the first line before that, "" = none
}

func newZoneBegins() *zoneBegins {
	return &zoneBegins{madeMS: map[access.ZoneID]int64{}, doors: map[string]int64{}, line: map[string]string{}}
}

// read reads the acts that were not read yet.
func (z *zoneBegins) read(r store.Reader) error {
	const page = 1000
	for {
		leaves, err := r.ActionLeaves(z.next, page)
		if err != nil {
			return err
		}
		for i := range leaves {
			l := &leaves[i]
			act, err := entrylog.ParseAction(l.Body)
			if err != nil {
				return fmt.Errorf("leaf %d: %w", l.Idx, err)
			}
			if act.Result == "ok" {
				z.take(l.Idx, &act)
			}
			z.next = l.Idx + 1
		}
		if len(leaves) < page {
			return nil
		}
	}
}

// take takes the oldest change of a zone or door. Where that does not put it into the directory, the act that did is disposed of; acts that only look at
// one, or do something there, tell nothing.
func (z *zoneBegins) take(leaf int64, act *entrylog.Action) {
	var madeMS, from int64
	switch op, _ := strings.CutPrefix(act.Verb, act.Target+"_"); directory.Op(op) {
	case directory.OpAdd:
		madeMS, from = act.AtMS, leaf
	case directory.OpChange, directory.OpRemove:
	default:
		return
	}
	switch act.Target {
	case "zone":
		if _, there := z.madeMS[access.ZoneID(act.ID)]; !there {
			z.madeMS[access.ZoneID(act.ID)] = madeMS
		}
	case "door":
		if _, there := z.doors[act.ID]; !there {
			z.doors[act.ID] = from
		}
	}
}

// doorFrom is the leaf from which on there may be lines of a door; 0 = from the first, when no act tells or it recorded before it stood in the directory.
func (z *zoneBegins) doorFrom(r store.Reader, id string) (int64, error) {
	from := z.doors[id]
	before, err := r.UnknownDoorBefore(id, from)
	if before {
		from = 0
	}
	return from, err
}

// zoneBegan is the day from which on a zone's days are signed: that on which it first stood in the directory, or of its first line, whichever is
// earlier (VR-11). A room that comes later owes nothing for the years before it.
func (p *pages) zoneBegan(r store.Reader, zone access.ZoneID, doors []string) (string, error) {
	z := p.begins
	if z == nil {
		z = newZoneBegins()
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if err := z.read(r); err != nil {
		return "", fmt.Errorf("begin of zone %s: %w", zone, err)
	}
	made := z.madeMS[zone]
	if made == 0 { // no act tells, so its days are those of the log
		return p.logBegan(r)
	}
	day := directory.DateOf(time.UnixMilli(made).In(p.store.Zone())).String()
	doors = slices.Sorted(slices.Values(doors))
	key := string(zone) + " " + strings.Join(doors, " ")
	line, known := z.line[key]
	if !known {
		from := int64(math.MaxInt64)
		for _, d := range doors {
			since, err := z.doorFrom(r, d)
			if err != nil {
				return "", fmt.Errorf("begin of zone %s: %w", zone, err)
			}
			from = min(from, since)
		}
		var err error
		if line, err = r.FirstDayAt(doors, day, from); err != nil {
			return "", fmt.Errorf("begin of zone %s: %w", zone, err)
		}
		z.line[key] = line
	}
	return cmp.Or(line, day), nil
}

// logBegan is the day on which the log begins.
func (p *pages) logBegan(r store.Reader) (string, error) {
	first, err := r.Leaf(0)
	if err != nil {
		return "", fmt.Errorf("begin of the log: %w", err)
	}
	genesis, err := entrylog.Parse(first.Body)
	if err != nil {
		return "", fmt.Errorf("begin of the log: %w", err)
	}
	day := directory.DateOf(time.UnixMilli(genesis.System.AtMS).In(p.store.Zone())).String()
	line, err := r.FirstDay() // a gateway may have recorded before there was a server
	if line != "" {
		day = min(day, line)
	}
	return day, err
}
