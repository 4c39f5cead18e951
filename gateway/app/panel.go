package app

import (
	"context"
	"log/slog"
	"net"

	"monban/gateway/hal/sim"
	"monban/gateway/hal/sim/panel"
)

// demoPanel is the simulator's page with the port it holds.
type demoPanel struct {
	*panel.Panel
	listener net.Listener
}

// newPanel takes the panel's port; an address beyond loopback is refused.
func newPanel(h *sim.HAL, address string, log *slog.Logger) (*demoPanel, error) {
	p, err := panel.New(h, log)
	if err != nil {
		return nil, err
	}
	l, err := panel.Listen(context.Background(), address)
	if err != nil {
		return nil, err
	}
	return &demoPanel{p, l}, nil
}

func (p *demoPanel) run(ctx context.Context) error { return p.Serve(ctx, p.listener) }

func (p *demoPanel) url() string { return p.URL(p.listener) }
