package app

import (
	"context"
	"errors"
	"log/slog"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/outbox"
)

// recountLimit bounds the records that are read to count wrong PINs after a reset.
const recountLimit = 1 << 16

// liftPINs takes the PIN resets of a state part that were not taken yet (AD-13). A wrong PIN after the officer's act still
// counts, so the counts are made again from this gateway's own records. With an error nothing is taken: it
// is tried again with the next part and at the next start, and until then the cards stay locked here.
func (a *App) liftPINs(b []byte) error {
	part, err := access.DecodeState(b)
	if err != nil {
		return err
	}
	counts, number, err := recount(part.Lifted, a.outbox, a.ask, a.anchor.occurred)
	if err != nil || number == 0 {
		return err
	}
	a.outbox.ResetPINs(number, counts, func(err error) {
		if err != nil {
			a.opt.Log.LogAttrs(context.Background(), slog.LevelError, "PIN reset is not stored", slog.Any("err", err))
		}
	})
	return nil
}

// recount gives what is left of the counts by the resets that were not taken yet, and the number of the newest of
// them, 0 = there is none. when is the time of a record, UTC ms.
func recount(lifted []access.Lifted, records history, ask wire.AskKey, when func(wire.Stamp) int64) (out []outbox.PINUpdate, number int64, err error) {
	taken := records.PINReset()
	since, from := map[access.Key]int64{}, int64(0)
	for _, x := range lifted {
		if x.AtMS <= taken {
			continue
		}
		number = max(number, x.AtMS)
		if records.PINFailed(x.Key) == 0 {
			continue
		}
		since[x.Key] = x.AtMS
		if from == 0 || x.AtMS < from {
			from = x.AtMS
		}
	}
	if len(since) == 0 {
		return nil, number, nil
	}
	wrong, err := wrongPINs(since, from, records, ask, when)
	if err != nil {
		return nil, 0, err
	}
	for k := range since {
		out = append(out, outbox.PINUpdate{Set: true, Key: k, Failed: uint8(min(wrong[k], 255))})
	}
	return out, number, nil
}

// wrongPINs counts the wrong PINs in a row of each card of since after its time, by the records, the newest first.
// from is the earliest of the times.
func wrongPINs(since map[access.Key]int64, from int64, records history, ask wire.AskKey, when func(wire.Stamp) int64) (map[access.Key]int, error) {
	wrong, done := map[access.Key]int{}, map[access.Key]bool{}
	have := records.Stat()
	if have.Epoch != have.Current {
		return nil, errors.New("an older run of records is still being sent")
	}
	for next, read := have.Head, 0; next >= max(have.Tail, 1); {
		first := max(have.Tail, 1)
		if next >= wire.MaxBatchRecords {
			first = max(first, next-wire.MaxBatchRecords+1)
		}
		window, err := between(records, have.Epoch, first, next)
		if err != nil {
			return nil, err
		}
		if read += len(window); read > recountLimit {
			return nil, errors.New("too many records since the reset")
		}
		newest := int64(0)
		for i := len(window) - 1; i >= 0; i-- {
			body, err := wire.ParseRecord(window[i].Body)
			if err != nil {
				return nil, err
			}
			at := when(body.Stamp)
			newest = max(newest, at)
			key, pin := keyedPIN(ask, &window[i])
			if t, ours := since[key]; !ours || done[key] || at <= t {
				continue
			}
			switch {
			case body.Failed.Has(access.ReasonPINBad): // not one while the card was locked: that counts nothing
				wrong[key]++
			case body.Side == access.SideEnter && body.Event == door.EventGranted && (pin == access.PINOK || pin == access.PINDuress):
				done[key] = true
			}
		}
		if newest < from || first == max(have.Tail, 1) {
			return wrong, nil
		}
		next = first - 1
	}
	return wrong, nil
}

// between gives the records from first to last; a batch holds no more than may be sent at once.
func between(records history, epoch wire.Epoch, first, last uint64) (out []wire.Carried, err error) {
	for first <= last {
		ev, err := records.Load(epoch, first, int(last-first+1))
		if err != nil {
			return nil, err
		}
		out = append(out, ev.Records...)
		first += uint64(len(ev.Records))
	}
	return out, nil
}

// keyedPIN is whose PIN the private part of a record tells of, and what it was; PINNone when it tells of none.
func keyedPIN(ask wire.AskKey, c *wire.Carried) (access.Key, access.PINState) {
	if len(c.Private) == 0 {
		return access.Key{}, access.PINNone
	}
	private, err := wire.OpenPrivate(ask, c.Private)
	if err != nil {
		return access.Key{}, access.PINNone
	}
	_, req, err := access.ParseInputs(private.Inputs)
	if err != nil || !req.HasCard {
		return access.Key{}, access.PINNone
	}
	return req.Key, private.PIN
}
