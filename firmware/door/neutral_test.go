package door

import (
	"testing"

	"monban/firmware/access"
)

// PR-6: who stands at a door learns from the reader that they are refused, and nothing of why: every reason looks and sounds the same. (What a
// reader is told holds no word at all: hal.Indication is a light and a tone.)
func TestRefusalsLookAlike(t *testing.T) {
	for offline, want := range map[bool]Indication{false: IndDenied, true: IndDeniedOffline} {
		tried := 0
		for _, reason := range access.Reasons() {
			if reason == access.ReasonGranted || reason == access.ReasonUndecided {
				continue
			}
			r := newRig(t, controlled())
			r.in(Input{Kind: InDenied, At: second, Attempt: attempt(1), Side: access.SideEnter, By: access.ByGateway, Reason: reason, Offline: offline})
			var shown []Indication
			for _, a := range r.actions {
				if a.Kind == ActIndicate {
					shown = append(shown, a.Show)
				}
			}
			if len(shown) != 1 || shown[0] != want {
				t.Errorf("%s, offline %v: shows %v, want %v", reason, offline, shown, want)
			}
			tried++
		}
		if tried < 20 {
			t.Errorf("only %d reasons", tried)
		}
	}
}
