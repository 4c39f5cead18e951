package pi

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/gateway/hal"
	"monban/hardware/board"
)

// The lock-output trace: a process of this test's own binary opens a whole board on fake pins that write every step to a
// pipe, is killed, stopped or left to end at a random moment, and is started again, 10,000 times. The pins keep their
// levels across a crash, as they did on the kernel that was tried. Nobody ever asks for a release but in the "released"
// form, in which the process is killed with the lock open and the next start must lock it before anything else.

const tracedProcess = "MONBAN_TRACED_PROCESS"

func TestMain(m *testing.M) {
	if mode := os.Getenv(tracedProcess); mode != "" {
		tracedMain(mode)
		return
	}
	os.Exit(m.Run())
}

// pipeChip writes each step to a file at once.
type pipeChip struct {
	*fakeChip
	out io.Writer
}

type pipeOutput struct {
	pin int
	out io.Writer
}

func (c pipeChip) Output(pin int) (Output, error) {
	_, err := fmt.Fprintf(c.out, "%d take\n", pin)
	return pipeOutput{pin, c.out}, err
}

func (o pipeOutput) Set(high bool) error {
	_, err := fmt.Fprintf(o.out, "%d %t\n", o.pin, high)
	return err
}

func (o pipeOutput) Close() error {
	_, err := fmt.Fprintf(o.out, "%d close\n", o.pin)
	return err
}

// tracedMain opens the board, says so, and waits to be stopped (its input ends) or killed.
func tracedMain(mode string) {
	text, err := board.Text("one-door-wiegand")
	if err != nil {
		panic(err)
	}
	p, err := board.Parse("trace", text)
	if err != nil {
		panic(err)
	}
	if mode == "bistable" {
		p.Doors[0].Lock.Type, p.Doors[0].Lock.SecurePin, p.Doors[0].Lock.Pulse = board.Bistable, 24, board.D(50*time.Millisecond)
	}
	h, err := New(Config{Profile: p, Chip: func() (Chip, error) { return pipeChip{newFakeChip(), os.Stdout}, nil }, Now: fromAnchor()})
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	if mode == "released" {
		d, _ := h.Door("door-1")
		if err := d.Lock.Release(hal.MaxRelease); err != nil {
			panic(err)
		}
		fmt.Println("released")
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := h.Close(); err != nil {
		panic(err)
	}
}

// cycle runs one process and gives its steps. It ends it after wait, by a kill or by the end of its input.
func cycle(mode string, kill bool, wait time.Duration) (steps []string, err error) {
	cmd := exec.Command(os.Args[0])
	// The race detector sleeps for a second at each end of a process, unless it is told not to.
	cmd.Env = append(os.Environ(), tracedProcess+"="+mode, "GORACE=atexit_sleep_ms=0")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	timer := time.AfterFunc(wait, func() {
		if kill {
			_ = cmd.Process.Kill()
		} else {
			_ = in.Close()
		}
	})
	defer timer.Stop()
	for sc := bufio.NewScanner(out); sc.Scan(); {
		steps = append(steps, sc.Text())
	}
	if err := cmd.Wait(); err != nil && !kill {
		return steps, err
	}
	return steps, nil
}

// I6, I9: over all starts, stops and crashes no line of a lock has a rising edge that releases.
func TestLockTrace(t *testing.T) {
	t.Parallel()
	cycles := 100
	if v := os.Getenv("MONBAN_TRACE_CYCLES"); v != "" {
		var err error
		if cycles, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() {
		cycles = 20
	}
	rng := rand.New(rand.NewPCG(6, uint64(cycles)))
	high := map[int]bool{} // what a crash leaves
	unlocks, taken, shut, crashes, open := 0, 0, 0, 0, 0
	for i := range cycles {
		mode := []string{"plain", "plain", "bistable", "released"}[rng.IntN(4)]
		kill := mode == "released" || rng.IntN(2) == 0
		wait := time.Duration(rng.IntN(20_000)) * time.Microsecond // before, within and after the start
		if mode == "released" {
			wait += 10 * time.Millisecond
		}
		steps, err := cycle(mode, kill, wait)
		if err != nil {
			t.Fatalf("cycle %d (%s, kill %t): %v\n%q", i, mode, kill, err, steps)
		}
		if kill {
			crashes++
		}
		ready, asked := false, false
		for _, s := range steps {
			f := strings.Fields(s)
			if len(f) == 1 {
				if f[0] == "ready" {
					if ready = true; high[23] {
						t.Fatalf("cycle %d: the start is over and the lock is open: %q", i, steps)
					}
				}
				continue
			}
			if len(f) != 2 || f[0] != "23" && f[0] != "24" {
				continue
			}
			pin := 23
			if f[0] == "24" {
				pin = 24
			}
			switch f[1] {
			case "take": // periph's request: low
				taken++
				high[pin] = false
			case "true":
				if pin == 23 && !high[23] {
					if mode != "released" || !ready || asked {
						unlocks++
					}
					asked, open = true, open+1
				}
				if pin == 24 {
					shut++
				}
				high[pin] = true
			case "false":
				high[pin] = false
			}
		}
		if !kill && (high[23] || mode == "bistable" && high[24]) {
			t.Fatalf("cycle %d: a stop leaves current in the relay: %q", i, steps)
		}
	}
	if unlocks > 0 {
		t.Errorf("%d unlock edges that nobody asked for", unlocks)
	}
	if taken == 0 || crashes == 0 || cycles >= 100 && (shut == 0 || open == 0) {
		t.Errorf("the test saw nothing: %d lines taken, %d locking pulses, %d releases, %d crashes", taken, shut, open, crashes)
	}
	t.Logf("%d cycles, %d of them crashes (%d with the lock open), %d locking pulses: %d unlock edges that nobody asked for", cycles, crashes, open, shut, unlocks)
}

// I9: every state of a lock × every input, for both drivers: what the line is afterwards.
func TestLockTable(t *testing.T) {
	t.Parallel()
	states := map[string]func(*fakeChip, *Lock) error{
		"secured":  func(_ *fakeChip, l *Lock) error { return l.Secure() },
		"released": func(_ *fakeChip, l *Lock) error { return l.Release(time.Minute) },
		"failed": func(c *fakeChip, l *Lock) error {
			err := l.Release(time.Minute)
			c.with(func() { c.fail[23], c.fail[24] = true, true })
			return err
		},
		"closed": func(_ *fakeChip, l *Lock) error { return l.Close() },
	}
	inputs := map[string]func(*Lock) error{
		"release":          func(l *Lock) error { return l.Release(time.Minute) },
		"release too long": func(l *Lock) error { return l.Release(time.Hour) },
		"secure":           (*Lock).Secure,
		"close":            (*Lock).Close,
	}
	type result struct {
		err  error
		open bool
	}
	table := map[string]map[string]result{
		"secured":  {"release": {nil, true}, "release too long": {hal.ErrRelease, false}, "secure": {nil, false}, "close": {nil, false}},
		"released": {"release": {nil, true}, "release too long": {hal.ErrRelease, true}, "secure": {nil, false}, "close": {nil, false}},
		// A strike that does not obey stays where it is; it is told.
		"failed": {"release": {hal.ErrStrike, true}, "release too long": {hal.ErrRelease, true}, "secure": {hal.ErrStrike, true}, "close": {hal.ErrStrike, true}},
		"closed": {"release": {hal.ErrClosed, false}, "release too long": {hal.ErrRelease, false}, "secure": {hal.ErrClosed, false}, "close": {nil, false}},
	}
	for _, kind := range []string{board.FailSecure, board.FailSafe, board.Bistable} {
		for state, enter := range states {
			for input, do := range inputs {
				want, ok := table[state][input]
				if !ok {
					t.Errorf("no row for %s × %s", state, input)
					continue
				}
				c := newFakeChip()
				cfg := &board.Lock{Pin: 23, Type: kind, MaxRelease: board.D(time.Minute)}
				if kind == board.Bistable {
					cfg.SecurePin, cfg.Pulse = 24, board.D(50*time.Millisecond)
				}
				l, err := newLock(c, cfg)
				if err != nil {
					t.Fatal(err)
				}
				if err := enter(c, l); err != nil {
					t.Fatal(err)
				}
				if err := do(l); !errors.Is(err, want.err) || want.err == nil && err != nil {
					t.Errorf("%s: %s × %s: %v, want %v", kind, state, input, err, want.err)
				}
				if got := strike(c, kind); got != want.open {
					t.Errorf("%s: %s × %s: open %t, want %t", kind, state, input, got, want.open)
				}
				c.with(func() { c.fail[23], c.fail[24] = false, false })
				_ = l.Close()
			}
		}
	}
}
