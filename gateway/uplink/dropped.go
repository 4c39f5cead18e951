package uplink

import (
	"context"
	"log/slog"
	"time"

	"monban/firmware/link"
	"monban/firmware/mono"
)

const (
	// droppedEvery is how often one kind of dropped message is told at most: an overloaded server answers late, and each such answer is one.
	droppedEvery = 10 * time.Second
	// droppedKinds bounds what is counted apart, since the kind is what a broker says; what is beyond is counted together.
	droppedKinds = 32
)

// dropped counts messages that were dropped, so that a flood of them is a line now and then. It is for Run's goroutine only.
type dropped struct {
	log   *slog.Logger
	kinds map[link.Rejected]*droppedKind
}

// droppedKind is one kind of message with one reason.
type droppedKind struct {
	told  mono.Time
	since int // dropped and not told
}

// add tells the first of its kind at once, and of the others how many there were, when it was quiet for long enough.
func (d *dropped) add(now mono.Time, r link.Rejected) {
	k := d.kinds[r]
	if k == nil && len(d.kinds) >= droppedKinds {
		r = link.Rejected{Kind: "others"}
		k = d.kinds[r]
	}
	if k == nil {
		if d.kinds == nil {
			d.kinds = map[link.Rejected]*droppedKind{}
		}
		d.kinds[r] = &droppedKind{told: now}
		d.tell(r, 1)
		return
	}
	k.since++
	d.due(now)
}

// due tells what has waited for long enough, and forgets what has not come again.
func (d *dropped) due(now mono.Time) {
	for r, k := range d.kinds {
		switch {
		case now.Sub(k.told) < droppedEvery:
		case k.since == 0:
			delete(d.kinds, r)
		default:
			d.tell(r, k.since)
			k.told, k.since = now, 0
		}
	}
}

// end tells what was not told.
func (d *dropped) end() {
	for r, k := range d.kinds {
		if k.since > 0 {
			d.tell(r, k.since)
		}
	}
	d.kinds = nil
}

func (d *dropped) tell(r link.Rejected, n int) {
	d.log.LogAttrs(context.Background(), slog.LevelWarn, "message dropped", slog.String("kind", r.Kind), slog.String("why", r.Why), slog.Int("count", n))
}
