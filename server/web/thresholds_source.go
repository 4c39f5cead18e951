package web

import (
	"context"
	"time"

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
	// PreviewThresholds begins to look what others would have found in the last PreviewDays and gives the look's id. It writes nothing.
	// ErrTooMany while another look goes on.
	PreviewThresholds(ctx context.Context, others review.Settings) (id string, err error)
	// ThresholdPreview is how far a look is, and what came of it: ErrNotFound for one that is not kept any more.
	ThresholdPreview(ctx context.Context, id string) (ThresholdPreview, error)
}

// PreviewDays is how far back a preview of other numbers looks.
const PreviewDays = 30

// ThresholdPreview is what other numbers would have found.
type ThresholdPreview struct {
	Others      review.Settings
	From, Until time.Time
	Over        bool
	Failed      bool  // Over, and nothing came of it
	Done, Of    int64 // leaves of the log
	Kinds       []PreviewedKind
}

// PreviewedKind compares findings of one kind.
type PreviewedKind struct {
	Kind          string
	Now, Others   int             // by the numbers in force, by the others
	Gone, Further []PreviewedItem // by one of the two only, oldest first; the first of many
}

// PreviewedItem is where and when.
type PreviewedItem struct {
	At            time.Time
	Gateway, Door string
}
