package app

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
)

// lookEvery is how often the kernel's clock is looked at while it is not trusted.
const lookEvery = 5 * time.Second

// trustedStore keeps the last trusted time over restarts; the outbox does.
type trustedStore interface {
	SaveTrusted(wallMS int64, done func(error))
	CorrectTrusted(wallMS int64, done func(error))
}

// timekeeper keeps what this gateway knows of the time: in the anchor, in the policy's age and on disk.
type timekeeper struct {
	anchor   *anchor
	policies *policies
	store    trustedStore
	confirm  func(since int64) // tells every door since when the policy is known to be in force
	note     func(e door.Event, detail string)
	keep     func() // keeps a trusted clock for the next process of this boot; nil = nobody does
	log      *slog.Logger
}

// run keeps the policy's age and the last trusted time durable, so that a restart makes no policy young
// again (D12), and takes the kernel's time when it becomes good before the server's is heard.
func (k *timekeeper) run(ctx context.Context) {
	save, look := time.NewTicker(ageEvery), time.NewTicker(lookEvery)
	defer save.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-save.C:
			k.save()
		case <-look.C:
			k.look(time.Now().UnixMilli(), kernelClock(), k.anchor.now())
		}
	}
}

// look takes the kernel's clock if nothing better is known.
func (k *timekeeper) look(wallMS int64, q access.ClockQuality, t mono.Time) {
	if before := k.anchor.clock(); before < access.ClockRTC {
		k.moved(k.anchor.kernelTime(wallMS, q, t), before)
	}
}

// save saves the age of the policy and the last trusted time. Without a trusted clock that is the last
// one saved and the time this process has run: it is not earlier than that.
func (k *timekeeper) save() {
	k.policies.saveAge()
	done := func(err error) {
		if err != nil {
			k.log.LogAttrs(context.Background(), slog.LevelWarn, "trusted time not saved", slog.Any("err", err))
		}
	}
	if k.keep != nil {
		k.keep()
	}
	t := k.policies.now()
	switch q := k.anchor.clock(); {
	case q == access.ClockServer:
		k.store.CorrectTrusted(k.anchor.wall(t), done)
	case q >= access.ClockRTC:
		k.store.SaveTrusted(k.anchor.wall(t), done)
	default:
		if least := k.anchor.least(t); least > 0 {
			k.store.SaveTrusted(least, done)
		}
	}
}

// moved tells the doors and the log of a step of the clock. No door moves.
func (k *timekeeper) moved(stepMS int64, was access.ClockQuality) {
	stepped := stepMS > clockStepMS || stepMS < -clockStepMS
	if stepped || was != k.anchor.clock() {
		k.confirm(k.policies.clockMoved(stepMS, was))
		// At once: a power cut in the next minute must neither keep a time that was wrong, which would leave the right
		// one untrusted at the next start, nor leave a policy whose age nobody has saved (D12).
		k.save()
	}
	if stepped {
		k.log.LogAttrs(context.Background(), slog.LevelWarn, "clock moved", slog.Int64("step_ms", stepMS),
			slog.String("was", was.String()), slog.String("is", k.anchor.clock().String()))
		k.note(door.EventClockStep, "ms."+strconv.FormatInt(stepMS, 10))
	}
}

// tlsTime is the time by which certificates are judged: the best clock, but not before the last trusted
// time, nor before this gateway's own certificate was made. A machine that wakes up in 1970 reaches its
// server all the same, and gets the time from it.
func (a *App) tlsTime() time.Time {
	var made time.Time
	if certs := a.id.TLS.Certificates; len(certs) > 0 && certs[0].Leaf != nil {
		made = certs[0].Leaf.NotBefore
	}
	return a.anchor.tlsTime(a.anchor.now(), made)
}

func (a *anchor) tlsTime(t mono.Time, made time.Time) time.Time {
	now := time.UnixMilli(max(a.wall(t), a.least(t)))
	if made.After(now) {
		return made
	}
	return now
}
