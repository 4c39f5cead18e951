package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

// D12: a process that ends and starts again in the same boot knows the time as if it had run on. After a boot, from a
// damaged file, or when the last trusted time is later, nothing is taken over and entries are refused.
func TestClockOverARestartOfTheProcess(t *testing.T) {
	const second = int64(time.Second)
	fresh := func(boottime, wallMS int64, q access.ClockQuality) *anchor {
		a := &anchor{start: time.UnixMilli(wallMS), boottime: boottime}
		a.quality.Store(uint32(q))
		return a
	}
	first := fresh(100*second, 1000, access.ClockFloor) // a machine without battery clock
	if _, ok := first.keep("b1"); ok {
		t.Error("a clock that nobody trusts is kept")
	}
	first.serverTime(noonMS, 0, mono.Time(0))
	path := filepath.Join(t.TempDir(), "clock")
	k, ok := first.keep("b1")
	if !ok || saveClock(path, k) != nil {
		t.Fatal("the server's time is not kept")
	}
	if k, err := loadClock(path); err != nil || k.wallMS != noonMS || k.quality != access.ClockServer {
		t.Fatalf("read again: %+v, %v", k, err)
	}
	for _, c := range []struct {
		what      string
		boot      string
		boottime  int64
		trustedMS int64
		kernel    access.ClockQuality
		want      access.ClockQuality
		wallMS    int64
	}{
		{"the same boot, an hour later", "b1", 3700 * second, noonMS, access.ClockFloor, access.ClockServer, noonMS + hourMS},
		{"the same boot, the network's time", "b1", 3700 * second, noonMS, access.ClockNTP, access.ClockServer, noonMS + hourMS},
		{"another boot", "b2", 3700 * second, noonMS, access.ClockFloor, access.ClockFloor, noonMS},
		{"no boot id", "", 3700 * second, noonMS, access.ClockFloor, access.ClockFloor, noonMS},
		{"a boot clock that went back", "b1", 99 * second, noonMS, access.ClockFloor, access.ClockFloor, noonMS},
		{"trusted later than that", "b1", 101 * second, noonMS + hourMS, access.ClockFloor, access.ClockFloor, noonMS + hourMS},
	} {
		a := fresh(c.boottime, 2000, c.kernel)
		a.notBefore(c.trustedMS)
		if c.kernel == access.ClockNTP {
			a.quality.Store(uint32(c.kernel))
		}
		k, err := loadClock(path)
		if err != nil {
			t.Fatal(err)
		}
		a.continued(k, c.boot)
		if a.clock() != c.want || a.wall(0) != c.wallMS {
			t.Errorf("%s: quality %v at %d, want %v at %d", c.what, a.clock(), a.wall(0), c.want, c.wallMS)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bad := append([]byte(nil), b...)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := loadClock(path); err == nil || k != (keptClock{}) {
			t.Errorf("byte %d changed: %+v is taken", i, k)
		}
	}
}
