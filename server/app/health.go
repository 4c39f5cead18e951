package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/store"
	"monban/server/web"
)

// linkedFor is how long after its last heartbeat a gateway is shown as linked: the life of a lease.
const linkedFor = 3 * time.Second

// gapLeast is how long a gateway must have been silent before it is a gap in the log (I10). Shorter
// silences are restarts and bad moments of a network; the outbox keeps what happened in them too.
const gapLeast = time.Minute

// keepSlack is how late the storing of the last heartbeats, once in gapLeast, may be.
const keepSlack = 15 * time.Second

// health is what the gateways last told of themselves. After a restart a gateway is "not heard yet" until its next
// heartbeat, a second later; only when each was heard last is kept over it, once a minute, so that a silence that began
// before the restart is a gap from its beginning (I10).
type health struct {
	since time.Time // the last moment before which the server is known to have listened

	mu     sync.Mutex
	beats  map[access.GatewayID]beat
	before map[access.GatewayID]time.Time // when each was heard last, as a process before this one has kept it
	owed   []owedGap                      // gaps that could not be written yet
	open   map[access.GatewayID]int       // gaps, owed or being written, that are not in the log yet
	kept   map[access.GatewayID]time.Time // what is stored
}

// owedGap is a gap and the heartbeat that ended it.
type owedGap struct {
	web.Gap
	at time.Time
}

// heardSetting is where it is stored when a gateway was heard last, UTC ms.
const heardSetting = "heard:" // followed by its id

type beat struct {
	wire.Heartbeat
	at       time.Time // server time
	boot     wire.BootID
	bootAt   time.Time
	software string
	keys     uint64 // newest list of keys that it confirmed and that is written down
}

// newHealth begins to listen; since is the time of the newest entry, as nobody knows how long the
// server ran on after it.
func newHealth(since time.Time) *health {
	return &health{since: since, beats: map[access.GatewayID]beat{}, before: map[access.GatewayID]time.Time{},
		open: map[access.GatewayID]int{}, kept: map[access.GatewayID]time.Time{}}
}

// load reads when each gateway was heard last.
func (h *health) load(ctx context.Context, s *store.Store, gateways []directory.Gateway) error {
	return s.Read(ctx, func(r *store.ReadTx) error {
		for _, g := range gateways {
			text, err := r.Setting(heardSetting + string(g.ID))
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			ms, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return fmt.Errorf("setting %s%s is not a time: %w", heardSetting, g.ID, err)
			}
			h.before[g.ID] = time.UnixMilli(ms)
			h.kept[g.ID] = h.before[g.ID]
		}
		return nil
	})
}

// store writes the gaps that are owed and when each gateway was heard last. What fails is tried again the next time. A
// gateway with a gap that is not in the log keeps its older time: if the server ends now, the gap is found again.
func (h *health) store(ctx context.Context, s *store.Store) error {
	h.mu.Lock()
	owed, heard := h.owed, map[access.GatewayID]time.Time{}
	h.owed = nil
	for id, b := range h.beats {
		if !b.at.IsZero() && !b.at.Equal(h.kept[id]) && h.open[id] == 0 {
			heard[id] = b.at
		}
	}
	h.mu.Unlock()
	if len(owed) == 0 && len(heard) == 0 {
		return nil
	}
	err := s.Write(ctx, func(tx *store.Tx) error {
		for _, g := range owed {
			if err := g.append(tx); err != nil {
				return err
			}
		}
		for id, at := range heard {
			if err := tx.SetSetting(heardSetting+string(id), strconv.FormatInt(at.UnixMilli(), 10)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.owe(owed...)
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.Copy(h.kept, heard)
	for _, g := range owed {
		h.open[g.Gateway]--
	}
	return nil
}

// append states the gap in the log.
func (g owedGap) append(tx *store.Tx) error {
	_, err := tx.AppendCoverage(attempt.Coverage{
		Gateway: string(g.Gateway), FromMS: g.From.UnixMilli(), ToMS: g.To.UnixMilli(), State: "dead",
	}, g.at.UnixMilli())
	return err
}

// owe takes gaps that could not be written.
func (h *health) owe(list ...owedGap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owed = append(h.owed, list...)
}

// paid says that a gap is in the log.
func (h *health) paid(g owedGap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[g.Gateway]--
}

// heard takes a verified heartbeat. silent is the gap that it ends, zero when there was none; the caller says with
// paid or owe what became of it.
func (h *health) heard(gw access.GatewayID, hb wire.Heartbeat, at time.Time) (silent web.Gap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.beats[gw]
	if from := h.from(gw, b); at.Sub(from) > gapLeast {
		silent = web.Gap{Gateway: gw, From: from, To: at}
		h.open[gw]++
	}
	if b.boot != hb.Stamp.Boot {
		b.boot = hb.Stamp.Boot
		b.bootAt = at.Add(-time.Duration(hb.Stamp.BoottimeNS))
	}
	b.Heartbeat, b.at = hb, at
	h.beats[gw] = b
	return silent
}

// from is since when nothing is known of a gateway.
func (h *health) from(gw access.GatewayID, b beat) time.Time {
	if !b.at.IsZero() {
		return b.at
	}
	before, known := h.before[gw]
	switch {
	case !known:
		return h.since
	case h.since.Sub(before) > gapLeast+keepSlack: // it was silent while the server still listened
		return before
	case before.After(h.since):
		return before
	default: // what is stored may be a minute old: it is not known to have been silent before the server ended
		return h.since
	}
}

// silence is the gap that a gateway is in now; ok is false when it is in none.
func (h *health) silence(gw access.GatewayID, now time.Time) (g web.Gap, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := h.from(gw, h.beats[gw])
	return web.Gap{Gateway: gw, From: from}, now.Sub(from) > gapLeast
}

// silentSince is when a gateway was heard last; known is false for one that never was.
func (h *health) silentSince(gw access.GatewayID) (since time.Time, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.beats[gw]; !b.at.IsZero() {
		return b.at, true
	}
	since, known = h.before[gw]
	return since, known
}

// said takes a verified hello.
func (h *health) said(gw access.GatewayID, hello wire.Hello) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hello.Software == "" { // what a witness asks for is looked up by a hello that nobody sent
		return
	}
	b := h.beats[gw]
	b.software = hello.Software
	h.beats[gw] = b
}

// keys notes that a gateway has confirmed a list of keys; it reports whether that is news.
func (h *health) keys(gw access.GatewayID, version uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.beats[gw]
	news := b.keys != version
	b.keys = version
	h.beats[gw] = b
	return news
}

// last is what a gateway told last; ok is false when it was never heard.
func (h *health) last(gw access.GatewayID) (b beat, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b, ok = h.beats[gw]
	return b, ok && !b.at.IsZero()
}

// linked reports whether the gateway was heard within the life of a lease.
func (b beat) linked(now time.Time) bool { return !b.at.IsZero() && now.Sub(b.at) <= linkedFor }
