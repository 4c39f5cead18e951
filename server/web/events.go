package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// maxStreams bounds live clients; each costs a goroutine and small reads of the log.
	maxStreams = 256
	// streamBatch is how many events are read and written at a time.
	streamBatch = 256
)

// hub wakes the live streams when the log grows. It keeps no events: a stream reads the log itself
// from where it stands, so replay is exact and a slow one costs nothing but itself.
type hub struct {
	mu     sync.Mutex
	wake   map[chan struct{}]bool
	closed chan struct{}
	once   sync.Once
}

func newHub() *hub {
	return &hub{wake: make(map[chan struct{}]bool), closed: make(chan struct{})}
}

func (h *hub) notify() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.wake {
		select {
		case c <- struct{}{}:
		default: // woken already
		}
	}
}

func (h *hub) join() (chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.wake) >= maxStreams {
		return nil, ErrBusy
	}
	c := make(chan struct{}, 1)
	h.wake[c] = true
	return c, nil
}

func (h *hub) leave(c chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.wake, c)
}

func (h *hub) streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.wake)
}

func (h *hub) close() { h.once.Do(func() { close(h.closed) }) }

// events streams the log's growth as server-sent events. The id of an event is its index in the
// log. A client that comes back with Last-Event-ID n gets n+1, n+2, … with none missing and none
// twice. Between events a `tick` says that the line is alive; `end` that the login is over. A client
// that does not take a write within Config.EventWrite is dropped.
func (h *Handler) events(w http.ResponseWriter, rq *request) error {
	if rq.Method != http.MethodGet {
		return errBadInput
	}
	ctx := rq.Context()
	size, err := h.src.Live.LogSize(ctx)
	if err != nil {
		return fmt.Errorf("size of the log: %w", err)
	}
	next, reset, err := startOfStream(rq, size)
	if err != nil {
		return err
	}
	wake, err := h.hub.join()
	if err != nil {
		return err
	}
	defer h.hub.leave(wake)
	control := lift(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not keep events back
	w.WriteHeader(http.StatusOK)

	var buf bytes.Buffer
	send := func() bool {
		// A deadline that cannot be set means a test recorder, which cannot hang.
		if err := control.SetWriteDeadline(time.Now().Add(h.cfg.EventWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		_, err := buf.WriteTo(w)
		return err == nil && control.Flush() == nil
	}
	buf.WriteString("retry: 3000\n\n")
	if reset {
		buf.WriteString("event: reset\ndata: {}\n\n")
	}
	tick := time.NewTicker(h.cfg.EventTick)
	defer tick.Stop()
	for {
		if next, err = h.fill(ctx, &buf, next); err != nil {
			return errAnswered // the client comes back and is told then
		}
		if buf.Len() > 0 {
			if !send() {
				return errAnswered // slow or gone: dropped, never waited for
			}
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return errAnswered
		case <-h.hub.closed:
			return errAnswered
		case <-wake:
		case <-tick.C:
			if !h.alive(ctx, rq) {
				buf.WriteString("event: end\ndata: {}\n\n")
				send()
				return errAnswered
			}
			fmt.Fprintf(&buf, "event: tick\ndata: {\"size\":%d}\n\n", next)
			if !send() {
				return errAnswered
			}
		}
	}
}

// fill appends the next batch of events.
func (h *Handler) fill(ctx context.Context, buf *bytes.Buffer, next uint64) (uint64, error) {
	batch, err := h.src.Live.LiveFrom(ctx, next, streamBatch)
	if err != nil {
		return next, err
	}
	for _, e := range batch {
		if e.Index != next {
			return next, fmt.Errorf("BUG: live event %d, want %d", e.Index, next)
		}
		fmt.Fprintf(buf, "id: %d\ndata: {\"kind\":%q}\n\n", e.Index, e.Kind)
		next++
	}
	return next, nil
}

// startOfStream reads where the client stands. reset: the log is shorter than what the client saw
// (another database), so it has to load the page anew.
func startOfStream(rq *request, size uint64) (next uint64, reset bool, err error) {
	if last := rq.Header.Get("Last-Event-ID"); last != "" {
		n, err := strconv.ParseUint(last, 10, 63)
		if err != nil {
			return 0, false, errBadInput
		}
		next = n + 1
	} else if from := rq.URL.Query().Get("from"); from != "" {
		if next, err = strconv.ParseUint(from, 10, 63); err != nil {
			return 0, false, errBadInput
		}
	} else {
		next = size
	}
	if next > size {
		return size, true, nil
	}
	return next, false, nil
}

// alive looks again whether this login is still good. Watching is no activity: the idle limit ends
// an unattended live page too.
func (h *Handler) alive(ctx context.Context, rq *request) bool {
	s, err := h.src.Sessions.FindSession(ctx, tokenHash(rq.token))
	if err != nil || s.Account != rq.account.ID {
		return false
	}
	a, err := h.src.Accounts.AccountByID(ctx, s.Account)
	return err == nil && !a.Suspended && a.rolesAt(time.Now())&desk != 0
}
