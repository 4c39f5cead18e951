package sim

import (
	"bytes"
	"time"

	"monban/firmware/link"
	"monban/firmware/wire"
)

// network is what lies between gateways and the server: TCP connections that break or hang, a broker
// that forgets, and beneath the protocol's feet messages that are lost, doubled and overtaken.
// (TCP would not lose or reorder; a broker that restarts, and two connections of one client, do.)
type network struct {
	delay     [2]time.Duration
	loss, dup int // percent
	late      int // percent of messages that come up to 4 s late
}

// carry gives a message its way through the network.
func (w *World) carry(deliver func()) {
	n := &w.net
	if n.loss > 0 && w.chance(n.loss) {
		w.count("net lost")
		return
	}
	times := 1
	if n.dup > 0 && w.chance(n.dup) {
		times = 2
		w.count("net doubled")
	}
	for range times {
		d := w.between(n.delay[0], n.delay[1])
		if n.late > 0 && w.chance(n.late) {
			d += w.between(0, 4*time.Second)
			w.count("net late")
		}
		w.after(d, deliver)
	}
}

// up takes a gateway's message to the server.
func (w *World) up(g *gateway, kind string, payload []byte) {
	if !g.connected || g.half || g.cut || !w.server.up || g.mute && kind == wire.KindEvents {
		return
	}
	conn := g.conn
	w.carry(func() {
		// What was under way when a connection broke may still arrive, or not.
		if w.server.up && (g.conn == conn || w.chance(50)) {
			w.server.message(g, link.Message{Kind: kind, Payload: bytes.Clone(payload)})
		}
	})
}

// down takes a message of the server to a gateway.
func (w *World) down(g *gateway, kind string, payload []byte) {
	if kind == wire.KindAck || kind == wire.KindWelcome {
		w.server.told(g, kind, payload)
	}
	if kind == wire.KindCommand {
		w.server.sentCommand(g, payload)
	}
	if !g.connected || g.half || g.cut {
		return
	}
	w.carry(func() {
		if g.up && g.connected && !g.half && !g.cut {
			g.step(link.Message{Kind: kind, Payload: bytes.Clone(payload)})
		}
	})
}

// connect keeps a gateway trying until it has a connection.
func (w *World) connect(g *gateway) {
	life := g.life
	w.after(w.between(100*time.Millisecond, 1500*time.Millisecond), func() {
		if !g.up || g.life != life || g.connected {
			return
		}
		if g.cut || !w.server.up {
			w.connect(g)
			return
		}
		g.connected, g.half = true, false
		g.conn++
		w.transport(g, "connected")
		g.step(link.Connected{})
	})
}

// disconnect ends a connection as the gateway sees it.
func (w *World) disconnect(g *gateway, why string) {
	if !g.up || !g.connected {
		return
	}
	g.connected, g.half = false, false
	g.conn++
	w.transport(g, why)
	g.step(link.Disconnected{})
	w.connect(g)
}

// hang makes a connection half-open: both sides believe in it and nothing arrives. The gateway's
// keep-alive notices in a while.
func (w *World) hang(g *gateway) {
	if !g.connected || g.half {
		return
	}
	g.half = true
	w.transport(g, "half-open")
	conn := g.conn
	w.after(w.between(5*time.Second, 20*time.Second), func() {
		if g.conn == conn {
			w.disconnect(g, "keep-alive")
		}
	})
}
