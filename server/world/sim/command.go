package sim

import (
	"bytes"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/world/invariant"
)

// ordered is a command as the broker saw it, for replays.
type ordered struct {
	g       *gateway
	payload []byte
}

// unlock orders a remote unlock, as an operator does on the server's page. Who ordered it is the page's
// business; the leaf index is made up.
func (w *World) unlock(d *doorNode) {
	if !w.server.up {
		return
	}
	c := wire.Command{Door: d.cfg.Door, Action: door.CommandUnlock, TTLMS: wire.MaxCommandMS, Order: 1}
	w.fill(c.ID[:])
	w.server.step(d.g, link.Order{Command: c})
}

// sentCommand is what the server has signed towards a gateway; a broker keeps it.
func (s *server) sentCommand(g *gateway, payload []byte) {
	body, err := wire.Open(wire.Verifiers{}.With(wire.RoleCommand, s.w.roleKey(wire.RoleCommand)), s.w.opt.Site, g.id, wire.KindCommand, payload)
	if err != nil {
		return
	}
	c, err := wire.ParseCommand(body)
	if err != nil {
		return
	}
	w := s.w
	w.count("command")
	w.emit(invariant.Event{
		Kind: invariant.CommandIssued, Gateway: g.id, Door: c.Door, Command: wire.BootID(c.ID), Boot: c.Boot,
		Until: w.now + time.Duration(c.TTLMS)*time.Millisecond,
	})
	w.issued = append(w.issued, ordered{g, bytes.Clone(payload)})
	if h := w.opt.Hooks; h.CommandTwice || h.CommandLate {
		w.ungated(g, c)
	}
}

// replay sends an old command once more, as a hostile broker would: to its gateway or to another, kept
// back or marked retained.
func (w *World) replay() {
	if len(w.issued) == 0 {
		return
	}
	o := w.issued[w.rng.IntN(len(w.issued))]
	g := o.g
	if w.chance(30) {
		g = w.anyGateway()
	}
	if g.up && g.connected && !g.half && !g.cut {
		w.count("command replayed")
		g.step(link.Message{Kind: wire.KindCommand, Payload: bytes.Clone(o.payload), Retained: w.chance(20)})
	}
}

// commanded passes a command that the link has verified to its door.
func (g *gateway) commanded(c wire.Command, until mono.Time) {
	for _, d := range g.doors {
		if d.cfg.Door == c.Door {
			d.post(func() { d.obey(c, until) })
		}
	}
}

func (d *doorNode) obey(c wire.Command, until mono.Time) {
	d.cause = cause{attempt: door.Attempt(c.ID), by: access.ByServer, command: wire.BootID(c.ID)}
	d.apply(d.machine.OnCommand(c, until, d.g.moment()))
}

// ungated is a gateway without the link's gate in front of its doors (hooks CommandTwice, CommandLate).
func (w *World) ungated(g *gateway, c wire.Command) {
	times := []time.Duration{time.Millisecond, 4500 * time.Millisecond}
	if w.opt.Hooks.CommandLate {
		times = []time.Duration{8 * time.Second}
	}
	for _, d := range g.doors {
		d.cfg.ReleaseTime = time.Second // shut again before the second one comes
		for _, at := range times {
			w.after(at, func() {
				if g.up {
					d.obey(c, g.mono().Add(5*time.Second))
				}
			})
		}
	}
}

func wireHash(h wire.Hash) entrylog.Hash { return entrylog.Hash(h) }

// edit changes a leaf behind the log's back (hook EditLeaf).
func (s *server) edit() {
	body := append([]byte(nil), s.store.leaves[20].Body...)
	body[len(body)/2] ^= 1
	s.store.leaves[20].Body = body
	s.store.tree = entrylog.Tree{}
	for i := range s.store.leaves {
		s.store.tree.Append(nil, entrylog.LeafHash(s.store.leaves[i].Body))
	}
}
