package app

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/gateway/hal"
	"monban/gateway/reader"
)

// hanging is everything a door hangs on; the part named by part stands still once it is set.
type hanging struct {
	part    atomic.Pointer[string]
	once    sync.Once
	hung    chan struct{} // closed when it stands still
	release chan struct{}
}

func (h *hanging) at(part string) {
	if p := h.part.Load(); p != nil && *p == part {
		h.once.Do(func() { close(h.hung) })
		<-h.release
	}
}

type hangingLock struct{ *hanging }

func (l hangingLock) Release(time.Duration) error { return nil }
func (l hangingLock) Secure() error               { return nil }
func (l hangingLock) Close() error                { return nil }
func (l hangingLock) Tend()                       { l.at("lock a") }

type hangingInput struct{ *hanging }

func (i hangingInput) Changes() <-chan hal.Change { return nil }
func (i hangingInput) Level() (hal.Level, error) {
	i.at("inputs a")
	return hal.LevelRest, nil
}
func (i hangingInput) Close() error { return nil }

type hangingRecorder struct{ *hanging }

func (r hangingRecorder) Append(_ wire.Record, _ []byte, _ *controller.PINFailures, done func(error)) {
	done(nil)
}
func (r hangingRecorder) PINFailed(access.Key) uint8                              { return 0 }
func (r hangingRecorder) PINReset() int64                                         { r.at("decision a"); return 0 }
func (r hangingRecorder) Ask(wire.Ask, [32]byte, func(wire.Answer, bool), func()) {}

// DS-8: a real door's loop in which the decision, the inputs or the lock hangs starves the watchdog; with none of them
// hanging it is fed. A decision that hangs takes the inputs of its door with it, since one goroutine owns both.
func TestHangingLoopStarvesTheWatchdog(t *testing.T) {
	for part, want := range map[string][]string{
		"decision a": {"decision a", "inputs a"}, "inputs a": {"decision a", "inputs a"}, "lock a": {"lock a"},
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			h := &hanging{hung: make(chan struct{}), release: make(chan struct{})}
			var w watched
			reads := make(chan reader.Read)
			l, err := controller.New(controller.Config{
				Gateway: "gw", Door: door.DefaultConfig("a", door.KindControlled, door.ExitReader), Recorder: hangingRecorder{h}, Asker: hangingRecorder{h},
				Reads: reads, Rand: rand.Reader, HAL: hal.Door{Lock: hangingLock{h}, Contact: hangingInput{h}},
				Now:    func() controller.Moment { return controller.Moment{At: mono.Time(time.Second)} },
				Stamp:  func(controller.Moment) wire.Stamp { return wire.Stamp{} },
				Turned: w.Pulse("decision a", 0).Beat, Scanned: w.Pulse("inputs a", 0).Beat,
			})
			if err != nil {
				t.Fatal(err)
			}
			w.lock("a", hangingLock{h})
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() { defer close(ended); _ = l.Run(ctx) }()
			go w.locks[0].tend(ctx)
			defer func() { close(h.release); cancel(); <-ended }()

			// until holds short rounds until each loop but those of want has beaten turns times; those must not beat.
			until := func(what string, want []string, turns int) {
				t.Helper()
				w.Round() // what beat before does not count
				beats := map[string]int{"decision a": 0, "inputs a": 0, "lock a": 0}
				for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
					still, _ := w.Round()
					enough := true
					for name := range beats {
						if !slices.Contains(still, name) {
							beats[name]++
						}
						enough = enough && (slices.Contains(want, name) || beats[name] >= turns)
					}
					for _, name := range want {
						if beats[name] > 0 {
							t.Fatalf("%s: %v, and %s goes on", what, beats, name)
						}
					}
					if enough {
						return
					}
				}
				t.Fatalf("%s: %v beats, %v should stand still", what, beats, want)
			}
			until("all is well", nil, 1)
			h.part.Store(&part)
			if part == "decision a" {
				reads <- reader.Read{Kind: reader.KindNoCard, Side: access.SideEnter, Fault: "parity"}
			}
			select {
			case <-h.hung:
			case <-time.After(time.Minute):
				t.Fatal("nothing hangs")
			}
			until("one hangs", want, 3)
		})
	}
}
