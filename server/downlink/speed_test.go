package downlink_test

import (
	"testing"

	"monban/firmware/wire"
)

// BenchmarkAsk is one ask at a time: seal, TLS, broker, open, decide at once, seal, TLS, open.
func BenchmarkAsk(b *testing.B) {
	h := newBench(b, nil)
	g := h.device("gw-1")
	for b.Loop() {
		ask := g.ask()
		g.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
		g.next(wire.KindAnswer)
	}
}

// BenchmarkAsks is many asks under way, of two gateways, clients on the same cores.
func BenchmarkAsks(b *testing.B) {
	h := newBench(b, nil)
	gs := []*device{h.device("gw-1"), h.device("gw-2")}
	const window = 32
	for range b.N {

		for _, g := range gs {
			for range window {
				ask := g.ask()
				g.raw(wire.KindAsk, g.sealed(wire.KindAsk, wire.AppendAsk(nil, &ask)), false)
			}
		}
		for _, g := range gs {
			for range window {
				g.next(wire.KindAnswer)
			}
		}
	}
	b.ReportMetric(float64(b.N*2*window)/b.Elapsed().Seconds(), "asks/s")
}
