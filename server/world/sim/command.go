package sim

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/world/invariant"
)

// command is a remote unlock (D13) as this world models it: made for one life of one gateway, valid
// for a few seconds, carried by a network that may lose, double and delay it. The gate in front of the
// door's machine is a model; what the door does with an accepted command is real.
type command struct {
	id    wire.BootID
	boot  wire.BootID
	until time.Duration
}

// commandFor is how long a command is good for.
const commandFor = 10 * time.Second

// unlock sends a command to a door.
func (w *World) unlock(d *doorNode) {
	g := d.g
	if !g.up || !w.server.up {
		return
	}
	c := command{boot: g.boot, until: w.now + commandFor}
	w.fill(c.id[:])
	w.emit(invariant.Event{Kind: invariant.CommandIssued, Gateway: g.id, Door: d.cfg.Door, Command: c.id, Boot: c.boot, Until: c.until})
	w.issued = append(w.issued, c)
	w.send(d, c)
	w.after(w.between(5500*time.Millisecond, 9*time.Second), func() { w.send(d, c) }) // the broker doubles it, when the door is shut again
}

// replay sends an old command again, as a hostile broker would.
func (w *World) replay(d *doorNode) {
	if len(w.issued) > 0 {
		w.send(d, w.issued[w.rng.IntN(len(w.issued))])
	}
}

func (w *World) send(d *doorNode, c command) {
	if d.g.connected && !d.g.half && !d.g.cut {
		w.carry(func() { d.command(c) })
	}
}

// command takes one that arrived: at most once, in the life it was made for, not after it expired.
func (d *doorNode) command(c command) {
	g := d.g
	if !g.up || c.boot != g.boot && !g.w.opt.Hooks.CommandLate || g.commands[c.id] && !g.w.opt.Hooks.CommandTwice ||
		g.w.now > c.until && !g.w.opt.Hooks.CommandLate {
		g.w.count("command refused") // the door stays as it is
		return
	}
	g.commands[c.id] = true
	d.cause = cause{attempt: door.Attempt(c.id), by: access.ByServer, command: c.id}
	d.on(door.Input{Kind: door.InCommand, Command: door.CommandUnlock, By: access.ByServer, Attempt: door.Attempt(c.id), Durable: true})
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
