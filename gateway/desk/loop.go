package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/gateway/hal"
	"monban/gateway/reader"
)

// Config is what a Loop needs. All fields but Log and Turned are required.
type Config struct {
	Desk     access.DoorID
	Reader   hal.Reader // for its lights; the reads come through Reads
	Reads    <-chan reader.Read
	Wait     time.Duration // for each entry
	Recorder controller.Recorder
	Asker    controller.Asker
	Now      func() controller.Moment
	Stamp    func(controller.Moment) wire.Stamp
	AskKey   wire.AskKey
	Rand     io.Reader
	Log      *slog.Logger
	Turned   func() // after each turn, at least every second; must not block
}

// Loop runs one desk on one goroutine.
type Loop struct {
	cfg Config
	m   *Machine

	reset int64 // newest PIN reset when the count of wrong PINs in a question was read

	mu     sync.Mutex
	said   []func() effects // answers, from the link's goroutine
	signal chan struct{}
}

// New checks cfg.
func New(cfg Config) (*Loop, error) {
	if cfg.Desk == "" || cfg.Reader == nil || cfg.Reads == nil || cfg.Recorder == nil || cfg.Asker == nil || cfg.Now == nil || cfg.Stamp == nil || cfg.Rand == nil || cfg.Wait <= 0 {
		return nil, fmt.Errorf("desk %s: %w", cfg.Desk, errors.New("BUG: its configuration is incomplete"))
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Turned == nil {
		cfg.Turned = func() {}
	}
	return &Loop{cfg: cfg, m: NewMachine(cfg.Desk, cfg.Wait, cfg.Recorder.PINFailed), signal: make(chan struct{}, 1)}, nil
}

// Run serves until ctx ends.
func (l *Loop) Run(ctx context.Context) {
	shown := time.NewTimer(0) // the light begins idle
	defer shown.Stop()
	turn := time.NewTicker(time.Second)
	defer turn.Stop()
	for {
		l.cfg.Turned()
		var e effects
		select {
		case <-ctx.Done():
			return
		case r, ok := <-l.cfg.Reads:
			if !ok {
				return
			}
			e = l.read(r)
		case <-l.signal:
			for _, f := range l.take() {
				l.apply(f(), shown)
			}
		case <-shown.C:
			l.indicate(door.IndIdle)
		case <-turn.C:
		}
		l.apply(e, shown)
	}
}

func (l *Loop) read(r reader.Read) effects {
	at := l.cfg.Now()
	// Read before the count is: a reset in between makes the server pass by a count that is good, never heed an old one.
	l.reset = l.cfg.Recorder.PINReset()
	switch r.Kind {
	case reader.KindCard, reader.KindNoCard:
		return l.m.OnRead(Read{
			Attempt: r.Attempt, Key: r.Token, HasCard: r.Kind == reader.KindCard, Sealed: r.Sealed, Grade: r.Assurance,
			HasEntry: r.HasPIN, Entry: r.PINToken, Link: r.Link.String(), Fault: r.Fault,
		}, at)
	case reader.KindKey:
		return l.m.OnKey()
	case reader.KindFault:
		events := map[string][2]door.Event{
			hal.FaultLost.String():   {door.EventReaderBack, door.EventReaderLost},
			hal.FaultTamper.String(): {door.EventTamperEnd, door.EventTamper},
			hal.FaultLine.String():   {door.EventLineOK, door.EventLineFault},
		}
		if e, ok := events[r.Fault]; ok {
			on := 0
			if r.On {
				on = 1
			}
			return l.m.OnFault(e[on], at)
		}
	default: // KindPurpose is not set up at a desk
	}
	return effects{}
}

// apply carries effects out. Nothing of it moves anything but a light.
func (l *Loop) apply(e effects, shown *time.Timer) {
	for i, r := range e.records {
		var pin *controller.PINFailures
		if i == 0 {
			pin = e.pin
		}
		l.record(r, pin)
	}
	if e.ask != nil {
		l.ask(*e.ask)
	}
	if e.show != nil {
		l.indicate(e.show.what)
		shown.Reset(e.show.long)
	}
}

// record hands a record to the outbox. What cannot be made durable is in the journal of the outbox; a sign-in hangs on the
// server's own leaf, never on this.
func (l *Loop) record(r controller.Record, pin *controller.PINFailures) {
	d := r.Draft
	d.Stamp = l.cfg.Stamp(r.At)
	var private []byte
	if r.Private != nil {
		var nonce wire.Nonce
		if _, err := io.ReadFull(l.cfg.Rand, nonce[:]); err != nil {
			l.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "desk read is not recorded", slog.String("desk", string(l.cfg.Desk)), slog.Any("err", err))
			return
		}
		private = wire.SealPrivate(l.cfg.AskKey, nonce, *r.Private)
	}
	l.cfg.Recorder.Append(d, private, pin, func(err error) {
		if err != nil {
			l.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "desk read is not recorded", slog.String("desk", string(l.cfg.Desk)), slog.Any("err", err))
		}
	})
}

func (l *Loop) ask(a controller.Ask) {
	question := a.Question
	l.cfg.Asker.Ask(wire.Ask{
		Attempt: a.Attempt, Door: l.cfg.Desk, Side: a.Side, Card: a.Card, Assurance: a.Assurance,
		PINGiven: a.PINGiven, PINFailed: a.PINFailed, Stamp: l.cfg.Stamp(l.cfg.Now()), PINReset: l.reset,
	}, a.PIN,
		func(answer wire.Answer, late bool) {
			l.post(func() effects { return l.m.OnAnswer(question, answer, late, l.cfg.Now()) })
		},
		func() { l.post(func() effects { return l.m.OnNoAnswer(question) }) })
}

// post never blocks: the link must not wait for a desk. Each letter answers a question of the loop's own.
func (l *Loop) post(f func() effects) {
	l.mu.Lock()
	l.said = append(l.said, f)
	l.mu.Unlock()
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

func (l *Loop) take() []func() effects {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.said
	l.said = nil
	return out
}

func (l *Loop) indicate(i door.Indication) {
	if err := l.cfg.Reader.Indicate(controller.Indicate(i)); err != nil {
		l.cfg.Log.LogAttrs(context.Background(), slog.LevelDebug, "reader shows nothing", slog.String("desk", string(l.cfg.Desk)), slog.Any("err", err))
	}
}
