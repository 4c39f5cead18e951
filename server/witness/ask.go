package witness

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Log is the log that is cosigned.
type Log interface {
	// ProveFrom gives the newest published checkpoint, its size, and the proof that it extends the tree of old leaves. ErrBehind
	// when it has fewer leaves than those.
	ProveFrom(ctx context.Context, old int64) (signed string, size int64, proof tlog.TreeProof, err error)
}

// ErrBehind says that a witness has seen more leaves than this log has: the database was taken back (EV-3).
var ErrBehind = errors.New("the witness has seen more leaves than this log has")

// Ask has the newest checkpoint cosigned. from is the size that the witness cosigned last as far as is known; it corrects that, at
// most once, so that one who answers nonsense is not asked for ever.
func (c *Client) Ask(ctx context.Context, log Log, from int64) (string, error) {
	for try := 0; ; try++ {
		signed, size, proof, err := log.ProveFrom(ctx, from)
		if err != nil {
			return "", err
		}
		got, err := c.Add(ctx, from, proof, signed)
		var held *Conflict
		if !errors.As(err, &held) {
			return got, err
		}
		if held.Size > size {
			return "", fmt.Errorf("%w: %d, and this log %d", ErrBehind, held.Size, size)
		}
		if try == 2 { // another asked for this log in between, twice: next time
			return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		from = held.Size
	}
}
