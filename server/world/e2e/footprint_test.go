package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// procStatus gives one line of /proc/PID/status in KiB.
func procStatus(t *testing.T, pid int, key string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key+":" {
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("/proc/%d/status has no %s", pid, key)
	return 0
}

// cpuTime is what a process has used of its cores, from /proc/PID/stat (ticks of 10 ms on Linux).
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// What a gateway takes of a small machine: at most 40 MiB with 5,000 cards and 96 MiB with 100,000, resident once it has
// its policy and has answered a card; at most 5 % of one core while nothing happens at four readers (`make footprint`).
func TestFootprint(t *testing.T) {
	if os.Getenv("MONBAN_FOOTPRINT") == "" {
		t.Skip("takes a minute and more: MONBAN_FOOTPRINT=1")
	}
	for _, c := range []struct{ cards, mib int }{{5_000, 40}, {100_000, 96}} {
		t.Run(strconv.Itoa(c.cards), func(t *testing.T) {
			doors := []doorSpec{{"d1", "gw-1", "reader"}, {"d2", "gw-1", "reader"}}
			csv, _ := recoveryCSV(t, c.cards)
			for name, text := range officeCSV(t, 50, 123, 1, doors) {
				if name != "cards.csv" {
					csv[name] = text
				}
			}
			s := newSite(t, csv, gatewaysOf(doors))
			s.startServer()
			s.startGateway("gw-1")
			s.until(2*time.Minute, "gw-1 is linked", func() bool { up, _ := s.status("gw-1"); return up })
			if _, err := s.tell("gw-1", "badge d1 enter H10301 1 7"); err != nil {
				t.Fatal(err)
			}
			s.until(time.Minute, "the strike moves", func() bool { return s.released("gw-1", "d1") == 1 })
			time.Sleep(10 * time.Second) // what loading took is given back
			pid := s.gateways["gw-1"].cmd.Process.Pid
			before, idle := cpuTime(t, pid), 30*time.Second
			time.Sleep(idle)
			used := cpuTime(t, pid) - before
			share := float64(used) / float64(idle) * 100
			rss, peak := procStatus(t, pid, "VmRSS")/1024, procStatus(t, pid, "VmHWM")/1024
			t.Logf("%d cards: %d MiB resident, %d MiB at most since its start, %.1f %% of one core idle", c.cards, rss, peak, share)
			if rss > c.mib {
				t.Errorf("%d MiB resident with %d cards, want at most %d", rss, c.cards, c.mib)
			}
			if share > 5 {
				t.Errorf("%.1f %% of one core while idle, want at most 5", share)
			}
		})
	}
}
