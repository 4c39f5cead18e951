package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/gateway/alarm"
	"monban/gateway/config"
	"monban/gateway/hal"
)

// bellLook is how often the outputs are looked after; they go on at once.
const bellLook = time.Second

// bell drives the outputs of the alarm rule. A failure of it changes nothing at any door: the record is made and told all the same.
type bell struct {
	rule   alarm.Rule
	now    func() mono.Time
	log    *slog.Logger
	out    map[string]hal.Output // lamp, buzzer, contact; what is not fitted is missing
	wake   chan struct{}
	mu     sync.Mutex
	state  alarm.State // mu
	failed bool        // of run's goroutine: the last Set did
}

// newBell takes the outputs that are fitted.
func newBell(cfg config.Alarm, fitted func(name string) hal.Output, now func() mono.Time, log *slog.Logger) *bell {
	b := &bell{rule: alarm.Rule{Hold: cfg.Hold.Std(), Buzz: cfg.Buzz.Std()}, now: now, log: log, out: map[string]hal.Output{}, wake: make(chan struct{}, 1)}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(cfg.Outputs))) {
		b.out[name] = fitted(name)
	}
	return b
}

// openBell makes the gateway's bell. A configuration that counts on a relay which the board profile does not have is refused: people
// would sleep beside a lamp that never goes on.
func (a *App) openBell() (*bell, error) {
	cfg := a.opt.Config.Alarm
	fitted := func(string) hal.Output { return nil }
	if has, ok := a.hardware.(interface{ Output(name string) hal.Output }); ok {
		fitted = has.Output
	}
	for _, name := range cfg.Outputs {
		if fitted(name) == nil {
			return nil, fmt.Errorf("alarm.outputs: the board profile has no [[output]] %q: add it with its pin, or take it out of the configuration", name)
		}
	}
	return newBell(cfg, fitted, a.anchor.now, a.opt.Log), nil
}

// see takes an event of a door; it never blocks.
func (b *bell) see(e door.Event) {
	b.move(func(s alarm.State) alarm.State { return s.See(e, b.now()) })
}

// fork takes that the server's log contradicts what this gateway holds of it; it never blocks. No door moves for it.
func (b *bell) fork() {
	b.move(func(s alarm.State) alarm.State { return s.Fork(b.now()) })
}

func (b *bell) move(step func(alarm.State) alarm.State) {
	b.mu.Lock()
	b.state = step(b.state)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run keeps the outputs as the rule says until ctx ends; then they are off.
func (b *bell) run(ctx context.Context) {
	if len(b.out) == 0 {
		return
	}
	t := time.NewTicker(bellLook)
	defer t.Stop()
	for {
		b.mu.Lock()
		o := b.state.At(b.rule, b.now())
		b.mu.Unlock()
		b.set(ctx, o)
		select {
		case <-ctx.Done():
			b.set(ctx, alarm.Outputs{})
			return
		case <-b.wake:
		case <-t.C:
		}
	}
}

// set drives the outputs. One that fails is tried again every second and said once.
func (b *bell) set(ctx context.Context, o alarm.Outputs) {
	var errs []error
	for name, on := range map[string]bool{"lamp": o.Lamp, "buzzer": o.Buzzer, "contact": o.Contact} {
		if out := b.out[name]; out != nil {
			errs = append(errs, out.Set(on))
		}
	}
	err := errors.Join(errs...)
	if err != nil && !b.failed {
		b.log.LogAttrs(ctx, slog.LevelError, "alarm output", slog.Any("err", err))
	}
	b.failed = err != nil
}
