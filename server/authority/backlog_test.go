package authority_test

import (
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
)

// D7: while a gateway of the zone holds records that are not here, what the rules of the zone need is not known, and its
// offline rule counts; the records in, it is as before. Leaving and zones without such rules do not change.
func TestBacklogIsMissingKnowledge(t *testing.T) {
	for name, c := range map[string]struct {
		flag bool
		want access.Outcome
		also access.Reason
	}{
		"deny":           {false, access.Denied, access.ReasonKnowledgeMissing},
		"grant and flag": {true, access.Granted, access.ReasonGranted},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			if a := h.enter(4567); a.Outcome != access.Granted {
				t.Fatalf("without rules: %+v", a)
			}
			h.Places().Backlog("gw-1", true)
			if a := h.enter(4567); a.Outcome != access.Granted {
				t.Errorf("a zone without rules about who is inside: %+v", a)
			}
			h.zone(func(z *directory.Zone) { z.MaxInside, z.OfflineGrantAndFlag = 1, c.flag })
			a := h.enter(4567)
			if a.Outcome != c.want || a.Reason != c.also {
				t.Errorf("with a backlog: %v %v %v, want %v %v", a.Outcome, a.Reason, a.Failed, c.want, c.also)
			}
			h.Places().Backlog("gw-2", true)
			h.Places().Backlog("gw-1", false)
			if a := h.enter(4567); a.Outcome != access.Granted {
				t.Errorf("the backlog of a gateway with other doors: %+v", a)
			}
		})
	}
}
