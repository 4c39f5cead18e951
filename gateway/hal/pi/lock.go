package pi

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"monban/gateway/hal"
	"monban/hardware/board"
)

// retryEvery is how often a lock that did not obey is told again to secure.
const retryEvery = 100 * time.Millisecond

// closeTries is how often Close tells a lock that does not obey, since nobody tends the line afterwards: 1 s.
const closeTries = 10

// Lock is one lock output: a level (fail-secure, fail-safe) or two pulses (bistable). In each case the line is low but
// while the lock is released or a pulse lasts, so boot, reset, a floating pin and a dead process mean "no current in the
// relay". The door: locked, by the relay contact that the profile demands.
type Lock struct {
	most  time.Duration
	pulse time.Duration // 0 = a level

	mu       sync.Mutex // guards what follows
	open     Output     // releases
	shut     Output     // bistable: locks
	released bool       // as far as we know; true when in doubt
	closed   bool
	limit    *time.Timer
	ends     *time.Timer // of the pulse that lasts
	turn     uint64      // numbers releases and pulses, so that an old timer cannot end a new one
}

var (
	_ hal.Lock   = (*Lock)(nil)
	_ hal.Tender = (*Lock)(nil)
)

// newLock takes the lines, low, and locks. When it returns without an error the lock is secured: a process that died in
// mid-release may have left it open.
func newLock(chip Chip, cfg *board.Lock) (*Lock, error) {
	l := &Lock{most: min(cfg.MaxRelease.Std(), hal.MaxRelease), pulse: cfg.Pulse.Std(), released: true}
	var err error
	if l.open, err = chip.Output(cfg.Pin); err != nil {
		return nil, err
	}
	if cfg.Type == board.Bistable {
		if l.shut, err = chip.Output(cfg.SecurePin); err != nil {
			return nil, errors.Join(err, l.open.Close())
		}
	}
	if err := l.Secure(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Release implements hal.Lock. The profile's longest release holds whatever is asked. On an error the lock is told to
// secure; the door: as the wires leave it.
func (l *Lock) Release(limit time.Duration) error {
	if limit <= 0 || limit > hal.MaxRelease {
		return hal.ErrRelease
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return hal.ErrClosed
	}
	l.stop()
	if l.shut != nil {
		if err := l.shut.Set(false); err != nil {
			l.released = true // the locking coil may be on, and its timer is gone: Secure has to end it
			return l.failed(err)
		}
	}
	l.released = true // before the edge: in doubt it is open
	if err := l.open.Set(true); err != nil {
		return l.failed(errors.Join(err, l.open.Set(false)))
	}
	turn := l.turn
	if l.pulse > 0 {
		l.ends = time.AfterFunc(min(l.pulse, limit, l.most), func() { l.endPulse(turn) })
	}
	// The lock secures itself even if nobody calls again.
	l.limit = time.AfterFunc(min(limit, l.most), func() { l.expire(turn) })
	return nil
}

// endPulse ends the opening pulse of a bistable lock, which stays released.
func (l *Lock) endPulse(turn uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn == turn && !l.closed && l.open.Set(false) != nil { // a coil that stays on is one that may burn: try until it is off
		l.ends = time.AfterFunc(retryEvery, func() { l.endPulse(turn) })
	}
}

// expire secures when the time is over, and goes on trying.
func (l *Lock) expire(turn uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn == turn && !l.closed {
		_ = l.secure() // on an error it has armed the next try; the door is as the wires leave it
	}
}

// Secure implements hal.Lock.
func (l *Lock) Secure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return hal.ErrClosed
	}
	return l.secure()
}

// secure is called with mu held. A level lock is driven low each time; a bistable one gets its pulse only when it may be
// open, since a coil that is pulsed all day burns.
func (l *Lock) secure() error {
	if l.shut != nil && !l.released {
		return nil
	}
	l.stop()
	err := l.open.Set(false)
	if err == nil && l.shut != nil {
		err = l.shut.Set(true)
		turn := l.turn
		l.ends = time.AfterFunc(l.pulse, func() { l.endShut(turn) })
	}
	if err != nil {
		return l.failed(err)
	}
	l.released = false
	return nil
}

// endShut ends the locking pulse.
func (l *Lock) endShut(turn uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn == turn && !l.closed && l.shut.Set(false) != nil {
		l.ends = time.AfterFunc(retryEvery, func() { l.endShut(turn) })
	}
}

// Tend implements hal.Tender: a driver that hangs in a timer's hands holds mu, and nothing would end the release.
func (l *Lock) Tend() {
	l.mu.Lock()
	defer l.mu.Unlock()
}

// failed arms the next try to secure and wraps the error. It is called with mu held.
func (l *Lock) failed(err error) error {
	turn := l.turn
	l.limit = time.AfterFunc(retryEvery, func() { l.expire(turn) })
	return fmt.Errorf("%w: %w", hal.ErrStrike, err)
}

// stop ends what a timer would do. It is called with mu held.
func (l *Lock) stop() {
	l.turn++
	for _, t := range []**time.Timer{&l.limit, &l.ends} {
		if *t != nil {
			(*t).Stop()
			*t = nil
		}
	}
}

// Close implements hal.Lock. It waits for the locking pulse of a bistable lock, at most 2 s, and for a lock that does not obey, at most
// 1 s a line. The door, on an error: as the wires leave it.
func (l *Lock) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true // nobody releases it any more
	err := insist(l.secure)
	l.stop()
	l.mu.Unlock()
	if l.shut != nil {
		time.Sleep(l.pulse)
		err = errors.Join(err, insist(func() error { return l.shut.Set(false) }), l.shut.Close())
	}
	return errors.Join(err, l.open.Close())
}

// insist does something until it succeeds, a bounded number of times.
func insist(do func() error) error {
	err := do()
	for n := 0; err != nil && n < closeTries; n++ {
		time.Sleep(retryEvery)
		err = do()
	}
	return err
}
