package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"monban/server/store"
)

const (
	// sendTime bounds one try.
	sendTime = 30 * time.Second
	// firstRetry doubles with every try up to mostRetry: a receiver that restarts is met soon, one that is gone is not pestered.
	firstRetry = 5 * time.Second
	mostRetry  = store.MostDeliveryWait
	// giveUp: after three days the news is old; it stands on the page and in the digests.
	giveUp = 72 * time.Hour
	// mostTries ends what was made by a clock that was ahead, and so never grows old: a little more than fit into giveUp.
	mostTries = int(giveUp/mostRetry) + 16
	// mostError is how much of an error is kept.
	mostError = 300
)

// queue sends what waits for one channel, one message at a time: after a kill at most one of a channel may have arrived
// without that being noted, and is sent again under the same id.
type queue struct {
	n    *Notifier
	to   Named
	wake chan struct{}
}

func newQueue(n *Notifier, to Named) *queue { return &queue{n, to, make(chan struct{}, 1)} }

// poke says that there may be something new.
func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) run(ctx context.Context) {
	t := time.NewTicker(look)
	defer t.Stop()
	for ctx.Err() == nil {
		sent, err := q.next(ctx)
		if err != nil && ctx.Err() == nil {
			q.n.cfg.Log.LogAttrs(ctx, slog.LevelError, "alert not sent, trying again", slog.String("channel", q.to.Name), slog.Any("err", err))
		}
		if sent {
			continue
		}
		select {
		case <-ctx.Done():
		case <-q.wake:
		case <-t.C:
		}
	}
}

// next sends one message; false when nothing was due.
func (q *queue) next(ctx context.Context) (bool, error) {
	var d store.Delivery
	err := q.n.cfg.Store.Read(ctx, func(r *store.ReadTx) (err error) {
		d, err = r.NextDelivery(q.to.Name, q.n.cfg.Now())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	failed := q.try(ctx, &d)
	if ctx.Err() != nil {
		return false, nil // the try was cut off by the end of the server and counts for nothing
	}
	q.settle(&d, failed)
	// Past this line a kill sends the message once more, under the same id.
	if err := q.n.cfg.Store.Write(ctx, func(tx *store.Tx) error { return tx.MoveDelivery(d) }); err != nil {
		return false, fmt.Errorf("note delivery %s: %w", d.Key, err)
	}
	if d.State == store.DeliverySent {
		if failed != nil {
			q.n.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "alert arrived, but not everywhere", slog.String("channel", q.to.Name), slog.String("key", d.Key), slog.Any("err", failed))
		}
		return true, nil
	}
	return true, fmt.Errorf("%s: %w", d.Key, failed)
}

func (q *queue) try(ctx context.Context, d *store.Delivery) error {
	var m Message
	if err := json.Unmarshal([]byte(d.Body), &m); err != nil {
		return fmt.Errorf("message cannot be read: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	return q.to.Send(ctx, d.Key+"."+q.to.Name, &m)
}

// settle notes how a try came out and when the next one is.
func (q *queue) settle(d *store.Delivery, failed error) {
	d.Tries++
	d.Last = q.n.cfg.Now()
	if failed == nil {
		d.State, d.Error = store.DeliverySent, ""
		return
	}
	d.Error = oneLine(failed.Error())
	if p := (*Partly)(nil); errors.As(failed, &p) {
		d.State = store.DeliverySent
		return
	}
	if d.Last.Sub(d.Made) >= giveUp || d.Tries >= mostTries {
		d.State = store.DeliveryGivenUp
		return
	}
	d.Due = d.Last.Add(backOff(d.Tries))
}

// backOff is the wait after a number of failed tries.
func backOff(tries int) time.Duration {
	wait := firstRetry
	for ; tries > 1 && wait < mostRetry; tries-- {
		wait *= 2
	}
	return min(wait, mostRetry)
}

// oneLine makes an error of another program fit for a page.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	for len(s) > mostError {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
