package web

import (
	"context"

	"monban/server/review"
)

// ThresholdState is what the rules over time count by, and what is wanted.
type ThresholdState struct {
	Running review.Settings // since the server's start
	Agreed  review.Settings // from its next start on
	Asked   review.Settings // by the configuration
}

// Thresholds keeps the numbers of the rules over time (VR-1). The configuration asks for them; what finds less than was agreed counts only after
// the CISO office's word.
type Thresholds interface {
	Thresholds(ctx context.Context) (ThresholdState, error)
	// AgreeThresholds makes asked what is agreed; ErrState when the configuration asks for something else, or for nothing new. It returns after COMMIT.
	AgreeThresholds(ctx context.Context, asked review.Settings, act Action) error
}
