// Package mono is the time of the pure core: monotonic nanoseconds since one process's anchor.
//
// Nothing in firmware/** reads a clock. The shell captures one anchor at start and passes later
// readings in as a Time; simulators pass what they like. A Time is only comparable with a Time
// of the same process.
package mono

import "time"

// Time is a monotonic reading in nanoseconds since the process's anchor. The zero Time is the
// anchor itself; negative values lie before it (a kernel stamp taken before the process began).
type Time int64

// Add returns t moved by d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the duration from u to t; negative when u is later.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Before reports whether t is earlier than u.
func (t Time) Before(u Time) bool { return t < u }

// After reports whether t is later than u.
func (t Time) After(u Time) bool { return t > u }
