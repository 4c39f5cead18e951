package app

import (
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/gateway/controller"
)

// clockStepMS is how far the server's time may move the gateway's idea of the time without an event.
const clockStepMS = 2000

// listener passes what the link found out to the doors. It runs on the uplink's goroutine.
type listener struct{ a *App }

// Leased implements uplink.Listener.
func (l listener) Leased(lease link.Lease) {
	held := l.a.policies.Held().Parts[0].Version
	for _, d := range l.a.doors {
		d.SetLease(controller.Lease{Until: lease.Until, Rules: lease.Rules})
		if held == lease.Rules {
			d.Confirm(l.a.policies.wall()) // the server says that what we hold is in force now
		}
	}
	if held == lease.Rules {
		l.a.policies.confirmed()
	}
}

// LinkUp implements uplink.Listener.
func (l listener) LinkUp() {
	l.a.linkedAt.Store(int64(l.a.anchor.now()))
	l.a.linked.Store(true)
	l.a.note(door.EventLinkUp, "")
}

// LinkLost implements uplink.Listener. No door moves (I6).
func (l listener) LinkLost() {
	l.a.linkedAt.Store(int64(l.a.anchor.now()))
	l.a.linked.Store(false)
	for _, d := range l.a.doors {
		d.SetLease(controller.Lease{})
	}
	l.a.note(door.EventLinkLost, "")
}

// ServerTime implements uplink.Listener.
func (l listener) ServerTime(t link.ServerTime) {
	before := l.a.anchor.clock()
	step := l.a.anchor.serverTime(t.ServerMS, t.Sent, t.At)
	l.a.time.moved(step, before)
}

// KeysChanged implements uplink.Listener: the newer list replaces the one in the identity directory.
func (l listener) KeysChanged(note string) { l.a.trust.learned(note) }
