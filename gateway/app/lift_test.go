package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/gateway/outbox"
)

// AD-13, D7: a state part that comes in lifts a card's count in the outbox, whatever else it says, and only the first time.
func TestAStatePartLiftsACount(t *testing.T) {
	a := &App{opt: Options{Log: slog.New(slog.DiscardHandler)}, places: controller.NewPlaces()}
	var err error
	if a.anchor, err = newAnchor(access.ClockNTP); err != nil {
		t.Fatal(err)
	}
	a.outbox, err = outbox.Open(outbox.Config{
		Path: filepath.Join(t.TempDir(), "outbox.db"), Gateway: "gw-1", Stamp: func() wire.Stamp { return a.anchor.stamp(a.anchor.moment()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go func() { a.outbox.Run(ctx); close(ended) }()
	defer func() {
		stop()
		<-ended
		if err := a.outbox.Close(); err != nil {
			t.Error(err)
		}
	}()
	key := access.Key{7}
	wrong := func(n uint8) {
		done := make(chan error, 1)
		a.outbox.Append(outbox.Entry{
			Record: wire.Record{Event: door.EventDenied, Door: "d", Side: access.SideEnter, By: access.ByGateway, Reason: access.ReasonPINBad, Link: "clear", Attempt: door.Attempt{n}, Stamp: a.anchor.stamp(a.anchor.moment())},
			PIN:    outbox.PINUpdate{Set: true, Key: key, Failed: n}, Done: func(r outbox.Result) { done <- r.Err },
		})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	reset := time.Now().Add(time.Minute).UnixMilli()
	part, err := access.EncodeState(access.StatePart{Version: 9, Untold: true, Lifted: []access.Lifted{{Key: key, AtMS: reset}}})
	if err != nil {
		t.Fatal(err)
	}
	wrong(5)
	a.applyState(part, false)
	for limit := time.Now().Add(time.Minute); a.outbox.PINReset() != reset || a.outbox.PINFailed(key) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d wrong PINs, reset %d taken", a.outbox.PINFailed(key), a.outbox.PINReset())
		}
	}
	wrong(4)
	a.applyState(part, false) // again, as at each start
	wrong(5)                  // comes after it in the outbox
	if got := a.outbox.PINFailed(key); got != 5 {
		t.Errorf("%d wrong PINs after the same reset again, want 5", got)
	}
}
