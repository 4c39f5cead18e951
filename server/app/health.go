package app

import (
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/web"
)

// linkedFor is how long after its last heartbeat a gateway is shown as linked: the life of a lease.
const linkedFor = 3 * time.Second

// gapLeast is how long a gateway must have been silent before it is a gap in the log (I10). Shorter
// silences are restarts and bad moments of a network; the outbox keeps what happened in them too.
const gapLeast = time.Minute

// health is what the gateways last told of themselves. It is kept in memory only: after a restart a
// gateway is "not heard yet" until its next heartbeat, a second later.
type health struct {
	since time.Time // the last moment before which the server is known to have listened

	mu    sync.Mutex
	beats map[access.GatewayID]beat
}

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
	return &health{since: since, beats: map[access.GatewayID]beat{}}
}

// heard takes a verified heartbeat. silent is the gap that it ends, zero when there was none.
func (h *health) heard(gw access.GatewayID, hb wire.Heartbeat, at time.Time) (silent web.Gap) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.beats[gw]
	if from := h.from(b); at.Sub(from) > gapLeast {
		silent = web.Gap{Gateway: gw, From: from, To: at}
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
func (h *health) from(b beat) time.Time {
	if b.at.IsZero() {
		return h.since
	}
	return b.at
}

// silence is the gap that a gateway is in now; ok is false when it is in none.
func (h *health) silence(gw access.GatewayID, now time.Time) (g web.Gap, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := h.from(h.beats[gw])
	return web.Gap{Gateway: gw, From: from}, now.Sub(from) > gapLeast
}

// said takes a verified hello.
func (h *health) said(gw access.GatewayID, hello wire.Hello) {
	h.mu.Lock()
	defer h.mu.Unlock()
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
