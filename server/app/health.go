package app

import (
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
)

// linkedFor is how long after its last heartbeat a gateway is shown as linked: the life of a lease.
const linkedFor = 3 * time.Second

// health is what the gateways last told of themselves. It is kept in memory only: after a restart a
// gateway is "not heard yet" until its next heartbeat, a second later.
type health struct {
	mu    sync.Mutex
	beats map[access.GatewayID]beat
}

type beat struct {
	wire.Heartbeat
	at       time.Time // server time
	boot     wire.BootID
	bootAt   time.Time
	software string
}

func newHealth() *health { return &health{beats: map[access.GatewayID]beat{}} }

// heard takes a verified heartbeat.
func (h *health) heard(gw access.GatewayID, hb wire.Heartbeat, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.beats[gw]
	if b.boot != hb.Stamp.Boot {
		b.boot = hb.Stamp.Boot
		b.bootAt = at.Add(-time.Duration(hb.Stamp.BoottimeNS))
	}
	b.Heartbeat, b.at = hb, at
	h.beats[gw] = b
}

// said takes a verified hello.
func (h *health) said(gw access.GatewayID, hello wire.Hello) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.beats[gw]
	b.software = hello.Software
	h.beats[gw] = b
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
