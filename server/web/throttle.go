package web

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Throttle limits login tries by token buckets.
type Throttle struct {
	AccountBurst int           // tries of one account name before waiting
	AccountEvery time.Duration // one more each
	AddressBurst int           // tries from one address
	AddressEvery time.Duration
}

// DefaultThrottle: five typing mistakes are ordinary, then one try a minute makes guessing hopeless
// (1,440 a day against 12 characters) without shutting anybody out for good. A counter with several
// clerks behind one address gets twenty, then one each six seconds.
var DefaultThrottle = Throttle{AccountBurst: 5, AccountEvery: time.Minute, AddressBurst: 20, AddressEvery: 6 * time.Second}

// maxBuckets bounds the memory an attacker can fill with made-up names.
const maxBuckets = 10_000

// buckets are token buckets by key.
type buckets struct {
	burst int
	every rate.Limit

	mu   sync.Mutex
	by   map[string]*rate.Limiter
	rest *rate.Limiter // shared by keys that no longer fit
}

func newBuckets(burst int, every time.Duration) *buckets {
	b := &buckets{burst: burst, every: rate.Every(every), by: make(map[string]*rate.Limiter)}
	b.rest = rate.NewLimiter(b.every, burst)
	return b
}

// take takes one token; 0 = taken, otherwise how long until there is one. A refused try takes none.
func (b *buckets) take(key string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.by[key]
	if l == nil {
		if len(b.by) >= maxBuckets {
			b.sweep(now)
		}
		if len(b.by) >= maxBuckets {
			l = b.rest
		} else {
			l = rate.NewLimiter(b.every, b.burst)
			b.by[key] = l
		}
	}
	if l.AllowN(now, 1) {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	return time.Duration(math.Ceil(missing / float64(b.every) * float64(time.Second)))
}

// forget fills the key's bucket again, after a success.
func (b *buckets) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.by, key)
}

// sweep drops full buckets: they say nothing.
func (b *buckets) sweep(now time.Time) {
	for k, l := range b.by {
		if l.TokensAt(now) >= float64(b.burst) {
			delete(b.by, k)
		}
	}
}
