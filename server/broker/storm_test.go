package broker_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"monban/server/broker"
	"monban/server/ca"
)

// All gateways return at once and each sends its whole window, twice, before the server reads a
// byte. The server's own connection survives and gets everything.
func TestReturnOfAllGatewaysDoesNotCutOffTheServer(t *testing.T) {
	t.Parallel()
	const gateways = 60
	b := newBench(t, func(c *broker.Config) { c.MaxGateways = gateways })
	server := b.connect(t, ca.ServerName)
	server.subscribe(topic("+", "up", "events"))
	clients := make([]*client, gateways)
	for i := range clients {
		clients[i] = b.connect(t, fmt.Sprintf("gw-%d", i))
	}
	payload := strings.Repeat("x", 48<<10-200)
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			body := append(str(topic(fmt.Sprintf("gw-%d", i), "up", "events")), payload...)
			for range 2 {
				if err := c.send(0x30, body); err != nil {
					t.Errorf("gw-%d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
	for n := range gateways * 2 {
		if kind, _, err := server.read(); err != nil || kind&0xf0 != 0x30 {
			t.Fatalf("after %d of %d messages: %x, %v", n, gateways*2, kind, err)
		}
	}
}
