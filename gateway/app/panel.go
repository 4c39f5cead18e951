package app

import (
	"context"
	"errors"
	"log/slog"

	"monban/gateway/hal/sim"
)

// page is the demo's panel.
type page interface {
	Run(ctx context.Context) error
	URL() string
}

func newPanel(*sim.HAL, string, string, *slog.Logger) (page, error) {
	return nil, errors.New("no panel yet")
}
