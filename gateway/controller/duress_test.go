package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// AD-13, D10: a PIN under duress makes the door do, show, time and record what the right one makes it, linked and alone; the
// one difference lies sealed in the private part, and that is as long.
func TestDuressAtTheDoor(t *testing.T) {
	duress := [32]byte{8}
	for _, linked := range []bool{true, false} {
		run := func(pin [32]byte) (effects []Effect, sealed [][]byte) {
			m := machine(t, policy(t, access.OfflineCachedPIN, true, func(r *access.Rules) { r.Credentials[0].Duress = access.Key(duress) }))
			at := moment(time.Second)
			if linked {
				m.SetLease(Lease{Until: at.At.Add(time.Hour), Rules: 5})
			}
			r := read(1, access.SideEnter, goodKey)
			r.HasPIN, r.PIN = true, pin
			effects = settle(m, m.OnRead(r, at), at)
			if linked {
				answer := wire.Answer{Attempt: door.Attempt{1}, Outcome: access.Granted, Reason: access.ReasonGranted, Rules: 5}
				effects = append(effects, settle(m, m.OnAnswer(1, answer, false, at), at)...)
			}
			for _, in := range []door.InputKind{door.InContactOpen, door.InContactClosed} {
				at = moment(at.At.Sub(0) + time.Second)
				effects = append(effects, settle(m, m.On(door.Input{Kind: in, At: at.At}, at), at)...)
			}
			for i, e := range effects {
				switch e := e.(type) {
				case Ask:
					e.PIN = [32]byte{} // becomes a proof of one length, bound to the question
					effects[i] = e
				case Record:
					if e.Private != nil {
						sealed = append(sealed, wire.SealPrivate(wire.AskKey{}, wire.Nonce{}, *e.Private))
						e.Private = nil
						effects[i] = e
					}
				}
			}
			return effects, sealed
		}
		right, one := run(thePIN)
		forced, other := run(duress)
		if diff := cmp.Diff(right, forced); diff != "" || count[Release](right) != 1 {
			t.Errorf("linked %v: %d edges\n%s", linked, count[Release](right), diff)
		}
		if len(one) != len(other) || len(one) == 0 {
			t.Fatalf("linked %v: %d and %d private parts", linked, len(one), len(other))
		}
		for i := range one {
			if len(one[i]) != len(other[i]) || cmp.Equal(one[i], other[i]) {
				t.Errorf("linked %v: private parts of %d and %d bytes, equal %v", linked, len(one[i]), len(other[i]), cmp.Equal(one[i], other[i]))
			}
		}
	}
}
