package downlink_test

import (
	"errors"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/downlink"
)

// D13: an order reaches exactly its gateway, once, bound to the newest heartbeat; without one it is refused and
// nothing of it comes later.
func TestOrder(t *testing.T) {
	t.Parallel()
	sign, verify := newKey(t, wire.KeyName(site, wire.RoleCommand))
	b := newBench(t, func(c *downlink.Config) { c.Command = sign })
	b.verify = b.verify.With(wire.RoleCommand, verify)
	g, other := b.device("gw-1"), b.device("gw-2")
	order := func(n byte) error {
		return b.d.Order("gw-1", wire.Command{ID: wire.CommandID{n}, Door: "server-room-1", Action: door.CommandUnlock, TTLMS: 5000, Order: 3})
	}
	refused := func(what string, err error, why string) {
		t.Helper()
		var n *downlink.NotOrderedError
		if !errors.As(err, &n) || n.Why != why {
			t.Errorf("%s: %v, want %s", what, err, why)
		}
	}
	refused("never heard of", order(1), link.WhyNotFresh)
	hb := g.heartbeat()
	g.send(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &hb))
	b.until("the heartbeat is taken", func() bool { return b.d.Stats().Heartbeats == 1 })
	if err := order(2); err != nil {
		t.Fatal(err)
	}
	c, err := wire.ParseCommand(g.next(wire.KindCommand))
	if err != nil || c.ID != (wire.CommandID{2}) || c.Boot != hb.Stamp.Boot || c.Challenge != hb.Challenge || c.Gateway != "gw-1" || c.Order != 3 {
		t.Errorf("command %+v, %v", c, err)
	}
	refused("the same again", order(2), link.WhyRepeated)
	refused("unknown gateway", b.d.Order(access.GatewayID("nowhere"), wire.Command{}), downlink.WhyUnknownGateway)
	for _, d := range []*device{g, other} {
		for _, kind := range d.kinds() {
			if kind == wire.KindCommand {
				t.Error("a command came that was not ordered for this gateway, or twice")
			}
		}
	}
}
