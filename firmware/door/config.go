package door

import (
	"errors"
	"fmt"
	"time"

	"monban/firmware/access"
)

// MaxDebounce is the longest debounce: a pulse of 400 ms must always register (DS-2), so nothing
// longer than this may be taken for a bounce.
const MaxDebounce = 399 * time.Millisecond

// feedbackTime is how long a refusal is shown: three tones and a blink can be taken in, and the
// next person does not take it for an answer to their own card.
const feedbackTime = 3 * time.Second

// DefaultConfig gives the usual times for a door.
func DefaultConfig(door access.DoorID, kind Kind, exit ExitSensing) Config {
	return Config{
		Door:        door,
		Kind:        kind,
		Exit:        exit,
		ReleaseTime: 5 * time.Second,       // reach the handle with a box in the other arm
		OpenTime:    30 * time.Second,      // carry one box through
		Debounce:    50 * time.Millisecond, // reed contacts settle within 10 ms, doors rattle longer
		DurableWait: 2 * time.Second,       // D19
		PINWait:     access.PINTime,
	}
}

// Validate reports every fault of c.
func (c Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("door %q: "+format, append([]any{c.Door}, args...)...))
	}
	if c.Door == "" {
		fault("no id")
	}
	if c.Kind > KindControlled {
		fault("kind %d is unknown", c.Kind)
	}
	if c.Exit > ExitHandle {
		fault("exit sensing %d is unknown", c.Exit)
	}
	for _, t := range []struct {
		what               string
		got, atLeast, most time.Duration
	}{
		{"release time", c.ReleaseTime, time.Second, time.Minute},
		{"open time", c.OpenTime, 5 * time.Second, 10 * time.Minute},
		{"debounce", c.Debounce, 0, MaxDebounce},
		{"durable wait", c.DurableWait, 100 * time.Millisecond, 10 * time.Second},
		{"PIN wait", c.PINWait, time.Second, time.Minute},
	} {
		if t.got < t.atLeast || t.got > t.most {
			fault("%s %v is not %v–%v", t.what, t.got, t.atLeast, t.most)
		}
	}
	return errors.Join(errs...)
}
