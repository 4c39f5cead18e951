package sim

import (
	"container/heap"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/world/invariant"
)

// Plan is how much happens in a simulated day.
type Plan struct {
	Length      time.Duration // wall time; 0 = 24 h
	Badges      int
	Faults      int
	Revocations int
	Restores    int // the server is lost and restored from a backup of hours before; one for each such part of the day
}

// Day lets a plan happen in a random order at random times of the day, then lets faults stop and
// everything drain, and asks the checkers for their last word.
func (w *World) Day(p Plan) error {
	if p.Length == 0 {
		p.Length = 24 * time.Hour
	}
	var plan queue
	at := func(do func() time.Duration) {
		t := w.between(0, p.Length)
		w.seq++
		heap.Push(&plan, task{t, w.seq, func() { w.settle(do()) }})
	}
	later := func(wall time.Duration, do func()) { // e.g. the end of an outage; wall counts from now
		w.seq++
		heap.Push(&plan, task{w.now + w.leap + wall, w.seq, func() { do(); w.settle(4 * time.Second) }})
	}
	for range 8 { // the first comers stand there before the gateways hold a policy
		w.after(w.between(0, 2*time.Second), func() { w.anyDoor().badge(access.SideEnter, w.anyCard(), "") })
	}
	for range p.Badges {
		at(w.visit)
	}
	for range p.Faults {
		at(func() time.Duration { return w.fault(later) })
	}
	for range p.Revocations {
		at(func() time.Duration { return w.revocation(later) })
	}
	for n := range p.Restores {
		part := p.Length / time.Duration(p.Restores)
		within := func(from, to time.Duration, do func() time.Duration) {
			t := part*time.Duration(n) + w.between(part*from/100, part*to/100)
			w.seq++
			heap.Push(&plan, task{t, w.seq, func() { w.settle(do()) }})
		}
		within(1, 15, w.takeBackup)
		within(50, 85, w.loseServer)
	}
	for len(plan) > 0 && w.err == nil {
		next := heap.Pop(&plan).(task)
		if quiet := next.at - w.now - w.leap; quiet > 0 {
			w.Leap(quiet)
		}
		next.do()
	}
	return w.drain()
}

// settle lets things run their course for a while before time may leap.
func (w *World) settle(d time.Duration) { _ = w.Run(d) } // Day looks at w.err

// drain ends all faults, waits, and tells the checkers what must be there now (L1–L3).
func (w *World) drain() error {
	if w.err != nil {
		return w.err
	}
	w.net.loss, w.net.dup, w.net.late = 0, 0, 0
	w.server.failing, w.server.slowDisk = commitOK, 0
	if !w.server.up {
		w.server.boot()
	}
	for _, g := range w.gateways {
		g.cut, g.failing, g.slowDisk = false, commitOK, 0
		if !g.up {
			g.start()
		}
		for _, d := range g.doors {
			d.broken = false
		}
	}
	if err := w.Run(2 * time.Minute); err != nil {
		return err
	}
	due := make([][]invariant.KeptRecord, len(w.gateways)) // what is younger may be under way
	for i, g := range w.gateways {
		due[i] = g.keptRecords()
	}
	if err := w.Run(time.Minute); err != nil {
		return err
	}
	w.server.checkpoint()
	for i, g := range w.gateways {
		if !g.linked() {
			w.err = violationL(g, "holds no lease 3 minutes after faults have stopped")
			return w.err
		}
		if n := g.disk.state().Pending; n > 64 {
			w.err = violationL(g, "has records waiting 3 minutes after faults have stopped")
			return w.err
		}
		w.emit(invariant.Event{Kind: invariant.Drained, Gateway: g.id, Kept: due[i]})
	}
	return w.err
}

type liveness struct {
	g    *gateway
	what string
}

func (l liveness) Error() string { return "L1: gateway " + string(l.g.id) + " " + l.what }

func violationL(g *gateway, what string) error { return liveness{g, what} }

// keptRecords are those that must have rows: all but the ones of disks that were put back.
func (g *gateway) keptRecords() []invariant.KeptRecord {
	var out []invariant.KeptRecord
	for i := range g.disk.epochs {
		e := &g.disk.epochs[i]
		if g.excused[e.epoch] {
			continue
		}
		for n := range e.head() {
			out = append(out, invariant.KeptRecord{Key: invariant.Key{Gateway: g.id, Epoch: e.epoch, Seq: n + 1}, Hash: e.hashes[n]})
		}
	}
	return out
}

// visit is somebody with a card at a door.
func (w *World) visit() time.Duration {
	d := w.anyDoor()
	c := w.anyCard()
	if len(w.lost) > 0 && w.chance(6) {
		c = w.lost[w.rng.IntN(len(w.lost))]
	}
	side := access.SideEnter
	if d.cfg.Exit == door.ExitReader && w.chance(30) {
		side = access.SideExit
	}
	digits := ""
	if c.PIN != "" && w.chance(60) {
		digits = c.PIN
		if w.chance(10) {
			digits = "0000"
		}
	}
	d.badge(side, c, digits)
	w.after(w.between(500*time.Millisecond, 1500*time.Millisecond), func() {
		if d.machine.StateName() == door.Unlocked.String() && w.chance(80) || w.chance(1) { // or the door is forced
			d.setOpen(true)
			stay := w.between(500*time.Millisecond, 3*time.Second)
			if w.chance(1) {
				stay = 40 * time.Second
			}
			w.after(stay, func() { d.setOpen(false) })
		}
	})
	return w.between(1200*time.Millisecond, 2500*time.Millisecond)
}

func (w *World) anyGateway() *gateway { return w.gateways[w.rng.IntN(len(w.gateways))] }

func (w *World) anyDoor() *doorNode {
	g := w.anyGateway()
	return g.doors[w.rng.IntN(len(g.doors))]
}

func (w *World) anyCard() Card {
	c := w.server.dir.Credentials[w.rng.IntN(len(w.server.dir.Credentials))]
	return w.cards[string(c.ID)]
}

// revocation withdraws a card and somebody tries it at once at several doors, again and again; later
// the card is given back.
func (w *World) revocation(later func(wall time.Duration, do func())) time.Duration {
	c := w.anyCard()
	if !w.server.up {
		return 0
	}
	status := []access.CredentialStatus{access.CredentialSuspended, access.CredentialLost}[w.rng.IntN(2)]
	for range 3 {
		d := w.anyDoor()
		for k := range 4 {
			at := time.Duration(k) * w.between(200*time.Millisecond, 1900*time.Millisecond)
			w.after(at, func() { d.badge(access.SideEnter, c, c.PIN) })
		}
	}
	if err := w.server.setCard(directory.CardID(c.ID), status); err != nil {
		w.count("revocation failed")
	}
	w.count("revocation")
	w.lost = append(w.lost[max(0, len(w.lost)-3):], c)
	giveBack := func() {
		if w.server.up {
			_ = w.server.setCard(directory.CardID(c.ID), access.CredentialActive) // else it stays withdrawn
		}
	}
	if w.chance(50) {
		w.after(w.between(6*time.Second, 60*time.Second), giveBack)
	} else {
		later(w.between(10*time.Minute, 5*time.Hour), giveBack)
	}
	return w.between(5500*time.Millisecond, 6*time.Second)
}

// fault lets something go wrong; later plans its end.
func (w *World) fault(later func(wall time.Duration, do func())) time.Duration {
	g, s := w.anyGateway(), w.server
	w.count("fault")
	switch w.rng.IntN(20) {
	case 0, 1: // the cable
		if !g.cut {
			g.cut = true
			if w.chance(50) {
				w.disconnect(g, "cut")
			} else {
				w.hang(g)
			}
			later(w.between(10*time.Second, 3*time.Hour), func() { g.cut = false })
		}
		return 5 * time.Second
	case 2:
		w.hang(g)
	case 3:
		w.disconnect(g, "disconnected")
	case 4: // the broker forgets everything
		for _, x := range w.gateways {
			w.disconnect(x, "broker restarted")
		}
	case 5: // a crash of the gateway, back soon
		w.restart(g, "crash", w.between(time.Second, 10*time.Second))
	case 6: // a power cut, back some time later, perhaps with a wrong clock
		if g.up {
			g.stop("power cut")
			w.wrongClock(g)
			later(w.between(10*time.Second, 2*time.Hour), func() {
				if !g.up {
					g.start()
				}
			})
		}
	case 7: // the card is put back to an older image
		w.rollback(g)
	case 8: // an image is taken for later
		g.image = g.disk.clone()
		g.imageAt = w.now + w.leap
	case 9:
		if s.up {
			s.crash(w.between(500*time.Millisecond, 8*time.Second))
		}
	case 10:
		if s.up {
			s.stop("power cut")
			life := s.life
			w.after(w.between(2*time.Second, 20*time.Second), func() {
				if s.life == life && !s.up {
					s.boot()
				}
			})
		}
	case 11:
		g.failing = []commitFault{commitLost, commitUntold}[w.rng.IntN(2)]
		w.anyDoorOf(g).badge(access.SideEnter, w.anyCard(), "")
	case 12:
		s.failing = []commitFault{commitLost, commitUntold}[w.rng.IntN(2)]
		w.anyDoorOf(g).badge(access.SideEnter, w.anyCard(), "")
	case 13:
		g.slowDisk = 1 + w.rng.IntN(5)
		s.slowDisk = w.rng.IntN(5)
		w.anyDoorOf(g).badge(access.SideEnter, w.anyCard(), "")
	case 14, 15: // a bad network for a while
		w.net.loss, w.net.dup, w.net.late = w.rng.IntN(40), w.rng.IntN(30), w.rng.IntN(20)
		w.after(w.between(5*time.Second, 40*time.Second), func() { w.net.loss, w.net.dup, w.net.late = 0, 0, 0 })
	case 16: // the policy is pushed
		if s.up {
			dir := s.dir
			dir.People = append([]directory.Person(nil), dir.People...)
			dir.People[0].Active = !dir.People[0].Active
			_ = s.publish(dir, s.failing, nil) // a failed change changes nothing
		}
	case 17: // clocks
		s.wallOff = w.between(-2*time.Second, 2*time.Second)
		w.wrongClock(g)
		w.restart(g, "restart", w.between(time.Second, 3*time.Second))
	case 18:
		w.unlock(w.anyDoor())
		for range 3 {
			w.after(w.between(0, 12*time.Second), w.replay)
		}
	case 19:
		d := w.anyDoor()
		if !d.fire && w.chance(50) {
			d.setFire(true)
			w.after(w.between(2*time.Second, 30*time.Second), func() {
				d.setFire(false)
				w.after(2*time.Second, d.rearm)
			})
		} else {
			d.broken = true
			d.badge(access.SideEnter, w.anyCard(), "")
			w.after(5*time.Second, func() { d.broken = false })
		}
	}
	return w.between(3*time.Second, 6*time.Second)
}

func (w *World) anyDoorOf(g *gateway) *doorNode { return g.doors[w.rng.IntN(len(g.doors))] }

// wrongClock makes the next boot begin with a clock that is off: unknown by how much, or by what a
// battery clock may drift.
func (w *World) wrongClock(g *gateway) {
	switch w.rng.IntN(3) {
	case 0:
		g.badClock = true
		g.wallOff = -time.Duration(w.wallMS()) * time.Millisecond // 1970
	case 1:
		g.badClock = true
		g.wallOff = w.between(-48*time.Hour, 48*time.Hour)
	case 2:
		g.wallOff = w.between(-8*time.Second, 8*time.Second)
	}
}

func (w *World) restart(g *gateway, why string, back time.Duration) {
	if !g.up {
		return
	}
	g.stop(why)
	life := g.life
	w.after(back, func() {
		if g.life == life && !g.up {
			g.start()
		}
	})
}

// rollback puts an older image of the disk back. Only what the server can know of has to be found: an
// image that ends where the server's rows end is the same outbox.
func (w *World) rollback(g *gateway) {
	if g.image == nil {
		return
	}
	g.stop("rolled back")
	old := g.disk
	g.disk = g.image.clone()
	for i := range old.epochs {
		g.excuse(&old.epochs[i])
	}
	for i := range g.disk.epochs {
		g.excuse(&g.disk.epochs[i])
	}
	w.owedRollback(g)
	life := g.life
	w.after(w.between(time.Second, 5*time.Second), func() {
		if g.life == life && !g.up {
			g.start()
		}
	})
}

// owedRollback tells the checkers when a gateway's disk is behind what the server has.
func (w *World) owedRollback(g *gateway) {
	e := g.disk.sending()
	have := w.server.store.chains[chainKey{string(g.id), e.epoch}].watermark
	place := string(g.id) + " " + review.Place(e.epoch, have)
	if have > e.head() && !w.rolled[place] { // while nobody has closed the finding, the same is not told twice
		w.rolled[place] = true
		w.emit(invariant.Event{Kind: invariant.RolledBack, Gateway: g.id})
		w.count("rollback to be found")
	}
}

func (g *gateway) excuse(e *epochRows) { g.excused[e.epoch] = true }
