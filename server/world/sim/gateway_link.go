package sim

import (
	"fmt"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/gateway/controller"
)

// What a gateway does with its link: policies, leases, the server's time.

// loadPolicy puts what the disk holds in force.
func (g *gateway) loadPolicy() {
	g.policy, g.held, g.since = nil, link.PolicyHeld{}, 0
	s := g.disk.policy
	if s == nil {
		g.setPolicy(nil, 0, 0)
		return
	}
	p, err := compile(s.parts, g.w)
	if err != nil {
		g.setPolicy(nil, 0, 0) // fail secure
		return
	}
	saved := g.disk.trusted // 0: nobody knows how long it was off, and the policy is too old (D12)
	age := int64(0)
	if g.disk.age.version == s.manifest.Version {
		age = g.disk.age.ms
	}
	g.held, g.since = g.disk.held(), max(saved-age, 0)
	g.setPolicy(p, s.manifest.Parts[0].Version, g.since)
	g.rebuildPlaces()
}

// rebuildPlaces puts the state part on the disk in force, with the gateway's own later records (D7).
func (g *gateway) rebuildPlaces() {
	st := access.NewState(0)
	defer func() { g.places.Rebuilt(st, g.wall()) }()
	if g.policy == nil || g.disk.policy == nil || len(g.disk.epochs) != 1 {
		return
	}
	part, err := access.DecodeState(g.disk.policy.parts[2])
	if err != nil || part.Version <= 1 {
		return
	}
	e := g.disk.current()
	replay := controller.Replay{State: part.State(), Policy: g.policy, Ask: g.keys.Ask}
	if part.Epoch == fmt.Sprintf("%x", e.epoch[:]) {
		replay.After = part.Through
	}
	for i := range e.rows {
		replay.Add(e.rows[i])
	}
	st = replay.State
}

func compile(parts [3][]byte, w *World) (*access.Policy, error) {
	rules, err := access.DecodeRules(parts[0])
	if err != nil {
		return nil, err
	}
	p, err := access.Compile(*rules, w.opt.Zone)
	if err != nil {
		return nil, err
	}
	modes, err := access.DecodeModes(parts[1])
	if err != nil {
		return nil, err
	}
	return p.WithModes(modes), nil
}

func (g *gateway) setPolicy(p *access.Policy, rules uint64, since int64) {
	g.policy = p
	g.places.SetPolicy(p, g.wall())
	g.airlocks.SetPolicy(p)
	for _, d := range g.doors {
		d.apply(d.machine.SetPolicy(p, rules, since, g.moment()))
	}
	if p != nil {
		g.note(door.EventPolicyApplied, "rules-"+strconv.FormatUint(rules, 10))
	}
}

// note records an event of the gateway itself.
func (g *gateway) note(e door.Event, detail string) {
	g.push(queued{record: &wire.Record{Event: e, Detail: detail, Stamp: g.stamp(g.moment())}})
}

// step gives the link's machine one input and carries out what it wants; an input that comes of that
// waits its turn.
func (g *gateway) step(in link.GatewayInput) {
	if !g.up {
		return
	}
	g.next = append(g.next, in)
	if g.inStep {
		return
	}
	g.inStep = true
	defer func() { g.inStep = false }()
	for len(g.next) > 0 {
		in := g.next[0]
		g.next = g.next[1:]
		g.wake = g.mono().Add(time.Second)
		for _, a := range g.machine.Step(g.mono(), g.stamp(g.moment()), in) {
			g.do(a)
		}
	}
	g.woken++
	turn, life := g.woken, g.life
	g.w.after(g.wake.Sub(g.mono()), func() {
		if g.woken == turn && g.life == life {
			g.step(link.Tick{})
		}
	})
}

func (g *gateway) do(a link.GatewayAction) {
	switch a := a.(type) {
	case link.Publish:
		if _, _, kind, err := wire.ParseTopic(a.Topic); err == nil {
			g.w.up(g, kind, a.Payload)
		}
	case link.Load:
		g.next = append(g.next, link.Batch{Events: g.disk.load(a)})
	case link.Acked:
		g.push(queued{acked: &a})
	case link.NewEpoch:
		g.w.count("new epoch " + a.Why)
		g.push(queued{newEpoch: a.Why})
	case link.Answered:
		q, open := g.waiting[a.Tag]
		if !open {
			return
		}
		delete(g.waiting, a.Tag)
		q.door.answered(q.question, a.Answer, a.Late)
	case link.AskFailed:
		q, open := g.waiting[a.Tag]
		if !open || q.over {
			return
		}
		q.over = true
		g.waiting[a.Tag] = q
		q.door.local(func(m *controller.Machine) []controller.Effect { return m.OnNoAnswer(q.question, g.moment()) })
	case link.LinkUp:
		g.linkUp = true
		g.w.transport(g, "link up")
		g.note(door.EventLinkUp, "")
		if g.w.opt.Hooks.UnlockOnLink {
			g.doors[0].release(door.DefaultConfig("", 0, 0).ReleaseTime)
		}
	case link.LinkLost:
		g.linkUp, g.lease = false, 0
		for _, d := range g.doors {
			d.machine.SetLease(controller.Lease{})
		}
		g.w.transport(g, "link lost")
		g.note(door.EventLinkLost, "")
	case link.Lease:
		g.leased(a)
	case link.ServerTime:
		g.serverTime(a)
	case link.PolicyReady:
		g.applyPolicy(a)
	case link.Commanded:
		g.commanded(a.Command, a.Until)
	case link.KeysChanged:
	case link.Rejected:
		g.w.count("gateway rejected " + a.Kind + " " + a.Why)
	case link.Wake:
		g.wake = a.At
	}
}

func (g *gateway) leased(l link.Lease) {
	g.lease = l.Until
	held := g.held.Parts[0].Version
	for _, d := range g.doors {
		d.machine.SetLease(controller.Lease{Until: l.Until, Rules: l.Rules})
		if held == l.Rules {
			d.machine.Confirmed(g.wall())
		}
	}
	if held == l.Rules {
		g.since = g.wall()
	}
}

const clockStepMS = 2000 // as in gateway/app

func (g *gateway) serverTime(t link.ServerTime) {
	half := int64(t.At.Sub(t.Sent)/2) / int64(time.Millisecond)
	next := t.ServerMS + half - g.own()
	step, was := next-g.offset, g.quality
	g.offset, g.quality = next, access.ClockServer
	if step > clockStepMS || step < -clockStepMS || was != g.quality {
		g.saveNow()
	}
	if step > clockStepMS || step < -clockStepMS {
		g.note(door.EventClockStep, "ms."+strconv.FormatInt(step, 10))
	}
}

// applyPolicy compiles, makes durable and puts in force, off the link's way.
func (g *gateway) applyPolicy(p link.PolicyReady) {
	if g.applying {
		return
	}
	g.applying = true
	life := g.life
	g.w.after(g.diskTime(), func() {
		if g.life != life || !g.up {
			return // crash point: the policy before stays in force
		}
		g.applying = false
		parts, err := p.Assemble()
		var compiled *access.Policy
		if err == nil {
			compiled, err = compile(parts, g.w)
		}
		if err == nil && g.storePolicy(p, parts) == nil {
			g.held, g.since = g.disk.held(), g.wall()
			g.setPolicy(compiled, p.Manifest.Parts[0].Version, g.since)
			g.rebuildPlaces()
		}
		g.step(g.held)
	})
}

// linked reports whether a lease is held now.
func (g *gateway) linked() bool { return g.up && g.lease > g.mono() }
