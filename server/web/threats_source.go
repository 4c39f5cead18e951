package web

import (
	"context"

	"monban/server/review"
)

// Threats keeps what the site's rules call the threats (A10).
type Threats interface {
	// Threats gives the catalogue with all its versions; the zero value as long as nobody has changed it.
	Threats(ctx context.Context) (review.ThreatCatalogue, error)
	// SaveThreats makes a new version, with a reason; it is a leaf. Names that are in force already change nothing and leave none. It returns
	// after COMMIT. FormFault for what cannot be a name.
	SaveThreats(ctx context.Context, names map[review.Threat]review.ThreatName, act Action) error
}
