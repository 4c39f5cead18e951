package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/gateway/config"
	"monban/gateway/hal"
)

// relay remembers how it stands.
type relay struct {
	mu   sync.Mutex
	on   bool
	fail error
}

func (r *relay) Set(on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.on = on
	return nil
}

func (r *relay) Close() error { return nil }

func (r *relay) is() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.on
}

// AL-6: what is fitted goes on when a door is forced and off after a re-arm and at the end; what is not fitted is not asked for; one
// that fails keeps the others from nothing.
func TestBell(t *testing.T) {
	lamp, contact := &relay{}, &relay{}
	cfg := config.Alarm{Outputs: []string{"lamp", "contact", "lamp"}, Hold: config.D(time.Hour), Buzz: config.D(time.Minute)}
	b := newBell(cfg, func(name string) hal.Output {
		switch name {
		case "lamp":
			return lamp
		case "contact":
			return contact
		}
		t.Errorf("%s is asked for", name)
		return nil
	}, func() mono.Time { return 7 }, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.run(ctx) }()
	until := func(what string, ok func() bool) {
		t.Helper()
		for limit := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatal(what)
			}
		}
	}
	b.see(door.EventGranted)
	b.see(door.EventForcedOpen)
	until("the lamp stays off", func() bool { return lamp.is() && contact.is() })
	b.see(door.EventRearmed)
	until("the lamp stays on", func() bool { return !lamp.is() && !contact.is() })
	b.fork()
	until("a forked log rings nobody", func() bool { return lamp.is() && contact.is() })
	b.see(door.EventRearmed)
	until("the lamp stays on after a fork", func() bool { return !lamp.is() && !contact.is() })
	lamp.mu.Lock()
	lamp.fail = errors.New("no relay")
	lamp.mu.Unlock()
	b.see(door.EventFireRelease)
	until("the contact waits for the lamp", contact.is)
	cancel()
	<-done
	if contact.is() {
		t.Error("on after the end")
	}
}

// AL-6: a configuration that counts on a relay which the hardware does not have is refused; one that is there is taken.
func TestBellNeedsItsRelays(t *testing.T) {
	a := &App{opt: Options{Log: slog.New(slog.DiscardHandler)}, anchor: new(anchor), hardware: fittings{"lamp": &relay{}}}
	a.opt.Config.Alarm = config.Alarm{Outputs: []string{"lamp"}, Hold: config.D(time.Hour), Buzz: config.D(time.Minute)}
	if _, err := a.openBell(); err != nil {
		t.Error(err)
	}
	a.opt.Config.Alarm.Outputs = []string{"lamp", "buzzer"}
	if _, err := a.openBell(); err == nil {
		t.Error("a buzzer that is not there")
	}
}

// fittings is hardware with nothing but relays.
type fittings map[string]hal.Output

func (f fittings) Output(name string) hal.Output { return f[name] }
func (fittings) Door(string) (hal.Door, error)   { return hal.Door{}, nil }
func (fittings) Power() hal.Power                { return hal.Power{} }
func (fittings) Close() error                    { return nil }
