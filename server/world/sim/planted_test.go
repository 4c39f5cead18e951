package sim

import (
	"strings"
	"testing"
	"time"

	"monban/server/world/invariant"
)

// Every checker finds the mistakes it is there for: each hook breaks the world in one way, and the
// checker of that promise, alone, must say so within a few days. The true world passes (TestDays).
func TestPlantedFaults(t *testing.T) {
	t.Parallel()
	checker := map[string]func() invariant.Checker{
		"I1": invariant.I1, "I2": invariant.I2, "I3": invariant.I3, "I4": invariant.I4, "I5": invariant.I5,
		"I6": invariant.I6, "I7": invariant.I7, "I8": invariant.I8, "I9": invariant.I9, "I10": invariant.I10,
	}
	found := map[string]bool{}
	for _, c := range []struct {
		promise, name string
		hooks         Hooks
	}{
		{"I1", "act before the record", Hooks{ActBeforeRecord: true}},
		{"I2", "ingest twice", Hooks{IngestTwice: true}},
		{"I2", "records forgotten at a restart", Hooks{ForgetOnRestart: true}},
		{"I3", "a gap skipped", Hooks{SkipChain: true}},
		{"I3", "rollback not told", Hooks{NoRollbackCheck: true}},
		{"I4", "ack before commit", Hooks{AckEarly: true}},
		{"I5", "revocation not pushed", Hooks{NoPolicyPush: true}},
		{"I5", "age of the policy frozen", Hooks{FrozenAge: true}},
		{"I6", "unlock on link return", Hooks{UnlockOnLink: true}},
		{"I7", "command acts twice", Hooks{CommandTwice: true}},
		{"I7", "command acts late", Hooks{CommandLate: true}},
		{"I8", "a leaf edited", Hooks{EditLeaf: true}},
		{"I9", "no policy grants", Hooks{NoPolicyGrants: true}},
		{"I9", "locked in a fire", Hooks{LockInFire: true}},
		{"I9", "exit blocked", Hooks{BlockExit: true}},
		{"I10", "silence not stated", Hooks{SilentServer: true}},
		{"I8", "a restored log signs on with the old key", Hooks{NoSuccession: true}},
		{"I5", "a restored server publishes old versions", Hooks{NoVersionJump: true}},
		{"I4", "a restored server claims what it lost", Hooks{OldWatermarks: true}},
	} {
		t.Run(c.promise+" "+c.name, func(t *testing.T) {
			for seed := range uint64(20) {
				zone := tokyo(t)
				w, err := New(Options{
					Seed: 1000 + seed, Start: SiteStart(zone), Zone: zone, Site: "sim", Files: SiteFiles(4, 12),
					Hooks: c.hooks, Checkers: []invariant.Checker{checker[c.promise]()},
				})
				if err == nil {
					plan := Plan{Length: 6 * time.Hour, Badges: 250, Faults: 120, Revocations: 15}
					if h := c.hooks; h.NoSuccession || h.NoVersionJump || h.OldWatermarks {
						plan.Restores, plan.Revocations = 1, 60
					}
					err = w.Day(plan)
				}
				if err != nil && strings.HasPrefix(err.Error(), c.promise+" ") {
					found[c.promise] = true
					t.Logf("seed %d: %v", 1000+seed, err)
					return
				}
			}
			t.Errorf("the checker of %s never found it", c.promise)
		})
	}
	for p := range checker {
		if !found[p] {
			t.Errorf("no planted fault was found by %s", p)
		}
	}
}
