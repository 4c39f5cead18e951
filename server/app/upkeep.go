package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"monban/server/attempt"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/review"
	"monban/server/store"
)

// upkeepEvery is how often a running server looks at its own certificates.
const upkeepEvery = time.Hour

// Days before the end of a certificate that a person has to renew. The last is a fault, the others are said.
const (
	soonDays  = 90
	laterDays = 60
	lastDays  = 30
)

// upkeep renews what can be renewed without anybody: the server's certificates, and those of the next root while it is
// changed. The caller holds the data directory's lock.
func upkeep(cfg *config.Config, now time.Time, log *slog.Logger) (ca.Kept, error) {
	done, err := ca.Upkeep(cfg.CA.Dir, now)
	if err != nil {
		return done, err
	}
	if done.Server {
		log.LogAttrs(context.Background(), slog.LevelInfo, "server's certificate renewed", slog.Bool("issuing", done.Issuing))
		if cfg.MQTT.BrokerURL != "" {
			log.LogAttrs(context.Background(), slog.LevelWarn, "give the broker the new server.crt and server.key of "+cfg.CA.Dir+", and reload it")
		}
	}
	next := filepath.Join(cfg.CA.Dir, "next")
	if there, err := exists(filepath.Join(next, "root.crt")); err != nil || !there {
		return done, err
	}
	also, err := ca.Upkeep(next, now)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // the change of the root ends right now
	}
	done.Server, done.Issuing = done.Server || also.Server, done.Issuing || also.Issuing
	return done, err
}

// keepUp does upkeep while the server runs. What it cannot do it says each day, louder as the end comes near.
func (a *App) keepUp(ctx context.Context) {
	t := time.NewTicker(upkeepEvery)
	defer t.Stop()
	var said time.Time
	for {
		now := time.Now()
		done, err := upkeep(a.site.Config, now, a.log)
		if err == nil && (done.Server || done.Issuing) {
			err = a.site.CA.Reload(now)
		}
		if err != nil {
			a.log.LogAttrs(ctx, slog.LevelError, "certificates not renewed, trying again in an hour", slog.Any("err", err))
		}
		if now.Sub(said) >= 24*time.Hour {
			said = now
			a.sayEnd(ctx, now)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// sayEnd logs that a certificate ends which somebody has to renew, and makes a finding of it once for each of the three limits.
func (a *App) sayEnd(ctx context.Context, now time.Time) {
	days, text := ends(a.site.CA, now)
	if days > soonDays {
		return
	}
	limit, level := soonDays, slog.LevelWarn
	if days <= laterDays {
		limit = laterDays
	}
	if days <= lastDays {
		limit, level = lastDays, slog.LevelError
	}
	a.log.LogAttrs(ctx, level, text)
	if a.endSaid == limit {
		return
	}
	err := a.site.Store.Write(ctx, func(tx *store.Tx) error {
		f, detail := review.New(review.CertificateEnds, review.NoCause), fmt.Sprintf("days-%d", limit)
		open, err := tx.OpenFinding(string(f.Kind), "", "", detail)
		if err != nil || open {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{
			Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: detail, AtMS: now.UnixMilli(),
		}, nil)
		return err
	})
	if err != nil && ctx.Err() == nil {
		a.log.LogAttrs(ctx, slog.LevelError, "finding not logged", slog.String("kind", string(review.CertificateEnds)), slog.Any("err", err))
		return
	}
	a.endSaid = limit
}

// ends says when the next certificate ends that somebody has to do something about, and what.
func ends(c *ca.CA, now time.Time) (days int, text string) {
	server, issuing, root, automatic := c.Ends()
	left := func(t time.Time) int { return int(t.Sub(now).Hours() / 24) }
	switch {
	case left(root) <= 365:
		return min(left(root), soonDays), fmt.Sprintf("the root certificate ends on %s: change the root (`monban-server ca roll`)", root.Format(time.DateOnly))
	case automatic: // by upkeep from half-life; less than that is left only when the server has been off
		return left(server), fmt.Sprintf("the server's certificate ends on %s; it is renewed while serve runs", server.Format(time.DateOnly))
	default:
		return left(issuing), fmt.Sprintf("the issuing certificate ends on %s, and then no gateway connects: fetch the root's key and run `monban-server ca renew`", issuing.Format(time.DateOnly))
	}
}

// certificates is the doctor's line about them.
func certificates(c *ca.CA, now time.Time) Check {
	days, text := ends(c, now)
	k := Check{Name: "certificates", Note: fmt.Sprintf(": %d days left", days)}
	if _, _, _, automatic := c.Ends(); automatic {
		k.Note += ", renewed by serve"
	}
	switch {
	case days <= lastDays:
		k.Err = errors.New(text)
	case days <= laterDays:
		k.Note += ": do it now: " + text
	case days <= soonDays:
		k.Note += ": plan it: " + text
	}
	return k
}
