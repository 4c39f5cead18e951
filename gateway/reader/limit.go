package reader

import (
	"time"

	"monban/firmware/mono"
)

// The limit of one reader for reads that are no card known to the policy: at most 60 in any minute. A
// burst of limitBurst passes at once; after that one read each limitEvery, which trying all 65,536
// numbers of one facility code would need 20 hours for.
const (
	limitBurst = 5
	limitEvery = time.Minute / 55
	// limitCalm without a refused read ends a scan; the next one is told again.
	limitCalm = 10 * time.Second
)

// limiter is a bucket of reads that fills with time. The zero limiter is full.
type limiter struct {
	started  bool
	left     time.Duration // what is in the bucket, in units of time to fill it; at most limitBurst·limitEvery
	last     mono.Time
	refused  mono.Time // time of the last refused read
	scanning bool
}

// take reports whether a read at the time at may be evaluated, and whether it is the first refused
// one of a scan.
func (l *limiter) take(at mono.Time) (ok, first bool) {
	const full = limitBurst * limitEvery
	if !l.started {
		l.started, l.left, l.last = true, full, at
	}
	if at.After(l.last) {
		l.left = min(full, l.left+at.Sub(l.last))
		l.last = at
	}
	if l.scanning && at.Sub(l.refused) > limitCalm {
		l.scanning = false
	}
	if l.left >= limitEvery {
		l.left -= limitEvery
		return true, false
	}
	first = !l.scanning
	l.scanning, l.refused = true, at
	return false, first
}
