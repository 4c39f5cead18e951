package controller

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/hal"
)

// Latch keeps for one door, over restarts, that the fire panel has released it and nobody has re-armed it
// (DS-6). Its methods are called on the Loop's goroutine.
type Latch interface {
	Unarmed() (bool, error)
	SetUnarmed(on bool) error
}

// Unarmed asks for the latch to be set or cleared.
type Unarmed struct{ On bool }

// SelfTest asks for the door's parts to be looked at; the answer is the record command_done.
type SelfTest struct {
	Attempt door.Attempt
	Side    access.Side
	By      access.DecidedBy
	At      Moment
}

func (Unarmed) isEffect()  {}
func (SelfTest) isEffect() {}

// ordered is a verified command on its way to the machine.
type ordered struct {
	c     wire.Command
	until mono.Time
}

func (ordered) isMessage() {}

// Command gives the door a command that the link has verified; until is when it ends, exclusive. Whether it
// acts, the door's state decides; the records say what came of it (D13, I7).
func (l *Loop) Command(c wire.Command, until mono.Time) { l.box.post(ordered{c, until}) }

// OnCommand takes a verified command from the server.
func (m *Machine) OnCommand(c wire.Command, until mono.Time, at Moment) []Effect {
	return m.door(nil, door.Input{
		Kind: door.InCommand, At: at.At, Attempt: door.Attempt(c.ID), By: access.ByServer, Command: c.Action, Until: until,
		For: time.Duration(c.PulseMS) * time.Millisecond,
	}, at)
}

// StartUnarmed brings the door up as it was when the process before ended: released by the fire panel.
func (m *Machine) StartUnarmed(contactOpen bool, at mono.Time) []Effect {
	state, actions := door.StartUnarmed(m.cfg, contactOpen, at)
	m.state = state
	return m.translate(nil, actions, Moment{At: at})
}

// unarmed reads the latch. A latch that cannot be read counts as set: the door stays locked until a person
// has looked and re-arms it.
func (l *Loop) unarmed() bool {
	if l.cfg.Latch == nil {
		return false
	}
	on, err := l.cfg.Latch.Unarmed()
	if err != nil {
		l.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "fire release of before the start not read, door counts as released", slog.String("door", string(l.cfg.Door.Door)), slog.Any("err", err))
		return true
	}
	return on
}

// latch keeps the fire release. When it cannot be set, a restart would forget it: the door then still starts locked.
func (l *Loop) latch(on bool) {
	if l.cfg.Latch == nil {
		return
	}
	if err := l.cfg.Latch.SetUnarmed(on); err != nil {
		l.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "fire release not kept over a restart", slog.String("door", string(l.cfg.Door.Door)), slog.Bool("released", on), slog.Any("err", err))
	}
}

// selfTest looks at every part and records what it found. It reads only: nothing moves, whoever stands at the door notices
// nothing.
func (l *Loop) selfTest(e SelfTest) {
	bad := l.faults()
	if l.cfg.SelfTest != nil {
		bad = append(bad, l.cfg.SelfTest()...)
	}
	l.record(Record{
		Draft: wire.Record{
			Door: l.cfg.Door.Door, Side: e.Side, Event: door.EventCommandDone, Attempt: e.Attempt, By: e.By, Detail: testDetail(bad),
		},
		At: e.At,
	})
}

// faults names the parts of this door that are not as they should be.
func (l *Loop) faults() (bad []string) {
	h := l.cfg.HAL
	for _, part := range []struct {
		name string
		in   hal.Input
	}{{"contact", h.Contact}, {"request", h.Request}, {"tamper", h.Tamper}, {"fire", h.Fire}} {
		if part.in == nil {
			continue
		}
		if level, err := part.in.Level(); err != nil || level.Faulty() {
			bad = append(bad, part.name)
		}
	}
	for side, name := range map[access.Side]string{access.SideEnter: "reader_enter", access.SideExit: "reader_exit"} {
		if l.lost[side] || l.faulty[side] {
			bad = append(bad, name)
		}
	}
	if l.m.State().Name() == door.Faulted && len(l.faulty) == 0 {
		bad = append(bad, "lock") // it did not obey, and nobody has re-armed since
	}
	return bad
}

// testDetail is the result of a self-test as a machine word of at most 64 characters: ok, or failed and the parts.
func testDetail(bad []string) string {
	if len(bad) == 0 {
		return "ok"
	}
	const most = 64
	out := "failed." + strings.Join(bad, ".")
	if len(out) > most {
		out = out[:most-5] + ".more"
	}
	return out
}
