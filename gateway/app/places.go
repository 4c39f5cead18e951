package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/gateway/outbox"
)

// replayBack is how many records before the first that counts are read too: an entry may follow the record
// that says whose card it was by that many.
const replayBack = 256

// history is what the places are rebuilt from; the outbox implements it.
type history interface {
	Stat() outbox.Stat
	Load(epoch wire.Epoch, first uint64, max int) (wire.Events, error)
	PINFailed(k access.Key) uint8
	PINReset() int64
}

// applyState puts the server's word on who is inside in force, with what this gateway has recorded since
// (D7). lost: a newer word was held before and is gone. With anything wrong nobody's place is known, and
// the zones' offline rules count; leaving never depends on it.
func (a *App) applyState(b []byte, lost bool) {
	if err := a.liftPINs(b); err != nil {
		// The cards stay locked here; linked, the server passes by this gateway's count until it has taken the reset.
		a.opt.Log.LogAttrs(context.Background(), slog.LevelWarn, "PIN reset is not taken yet", slog.Any("err", err))
	}
	st, err := rebuild(b, a.current.Load(), a.ask, a.outbox)
	if err != nil {
		a.opt.Log.LogAttrs(context.Background(), slog.LevelWarn, "who is inside is not known here until the server tells again", slog.Any("err", err))
	}
	if err != nil || lost {
		st = access.NewState(0)
	}
	a.places.Rebuilt(st, a.anchor.wall(a.anchor.now()))
}

func rebuild(b []byte, p *access.Policy, ask wire.AskKey, records history) (*access.State, error) {
	part, err := access.DecodeState(b)
	if err != nil {
		return nil, err
	}
	st := part.State()
	if part.Version <= 1 || p == nil {
		return access.NewState(0), nil
	}
	have := records.Stat()
	if have.Epoch != have.Current { // two runs of records at once: rare, and over when the older one is acknowledged
		return nil, errors.New("an older run of records is still being sent")
	}
	replay := controller.Replay{State: st, Policy: p, Ask: ask}
	if part.Epoch == fmt.Sprintf("%x", have.Epoch[:]) {
		replay.After = part.Through
	}
	first := max(have.Tail, 1)
	if replay.After > replayBack {
		first = max(first, replay.After-replayBack)
	}
	if first > replay.After+1 {
		return nil, fmt.Errorf("records %d to %d are gone from the outbox", replay.After+1, first-1)
	}
	for next := first; next <= have.Head; {
		ev, err := records.Load(have.Epoch, next, wire.MaxBatchRecords)
		if errors.Is(err, outbox.ErrUnknown) && next > replay.After { // trimmed meanwhile
			return nil, err
		}
		if err != nil {
			return nil, err
		}
		for i := range ev.Records {
			replay.Add(ev.Records[i])
		}
		next += uint64(len(ev.Records))
	}
	return st, nil
}
