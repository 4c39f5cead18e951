package webtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/server/signoff"
	"monban/server/web"
)

// Reviews is the daily review of one zone, in memory: today and the days before it, of which the third has an entry of account
// OWN's own and the rest are quiet or signed.
type Reviews struct {
	now    time.Time
	m      *Memory
	mu     sync.Mutex
	acts   map[string][]signoff.Act // mu
	months map[string]bool          // mu; signed
	two    signoff.Settings         // mu
	looks  map[string]web.ReviewAct // mu; by account and day
	papers []web.PaperComparison    // mu
	typed  []string                 // mu; of each of them
}

func (r *Reviews) facts(day string) (f signoff.Facts, ok bool) {
	d, err := time.ParseInLocation("2006-01-02", day, r.now.Location())
	if err != nil || d.After(r.now) {
		return f, false
	}
	ago := int(r.now.Sub(d) / (24 * time.Hour))
	f = signoff.Facts{EndMS: d.AddDate(0, 0, 1).UnixMilli(), DueMS: d.AddDate(0, 0, 1).Add(17 * time.Hour).UnixMilli(), Last: -1, Covered: true}
	switch ago {
	case 1:
		f.Last, f.Rows, f.Findings, f.People = 40, 10, 1, []string{"1001"}
	case 3:
		f.Last, f.Rows, f.People = 30, 10, []string{"1005"}
	case 4:
		f.Covered = false
	}
	return f, true
}

func (r *Reviews) person(account string) signoff.Actor {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return signoff.Actor{Account: account, Person: r.m.accounts[account].Person}
}

func (r *Reviews) day(day string) (web.ReviewDay, signoff.Facts, error) {
	f, ok := r.facts(day)
	if !ok {
		return web.ReviewDay{}, f, web.ErrNotFound
	}
	d := web.ReviewDay{Day: day, Rows: f.Rows, Findings: f.Findings, Covered: f.Covered, DueMS: f.DueMS}
	d.Sheet = signoff.Read(r.acts[day], f, r.two.TwoSign("server-room"), r.now.UnixMilli())
	if d.Sheet.Signed != nil {
		d.SignedBy = "髙橋 美咲"
	}
	return d, f, nil
}

// ReviewDays implements web.Reviews.
func (r *Reviews) ReviewDays(_ context.Context, zone access.ZoneID, from, to string) (out []web.ReviewDay, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ago := 6; ago >= 0; ago-- {
		day := r.now.AddDate(0, 0, -ago).Format("2006-01-02")
		if d, _, err := r.day(day); err == nil && zone == "server-room" && day >= from && day <= to {
			out = append(out, d)
		}
	}
	return out, nil
}

// ReviewDay implements web.Reviews.
func (r *Reviews) ReviewDay(ctx context.Context, zone access.ZoneID, day string, names bool) (web.ReviewSheet, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, f, err := r.day(day)
	if err != nil || zone != "server-room" {
		return web.ReviewSheet{}, web.ErrNotFound
	}
	out := web.ReviewSheet{ReviewDay: d, Size: 41}
	out.Register.Zone = web.ZoneName{ID: zone, Name: "サーバ室"}
	if f.Rows > 0 {
		if out.Register, err = (Registers{r.now}).Register(ctx, web.RegisterQuery{Zone: zone, From: day, To: day, Names: names}); err != nil {
			return out, err
		}
		night := out.Register.Rows[0]
		night.Day, night.ExitDay, night.ExitLast = r.now.AddDate(0, 0, -8).Format("2006-01-02"), day, 12
		out.Ended = []web.RegisterRow{night}
	}
	if f.Findings > 0 {
		out.Found = []web.Finding{{ID: "f-2", Leaf: 40, Kind: "held_open", Severity: web.SeverityMedium, At: r.now.Add(-25 * time.Hour), Count: 1, DoorName: "サーバ室 正面扉", Open: true}}
		if r.m.LoudDuress {
			out.Found = append(out.Found, web.Finding{ID: "f-3", Leaf: 41, Kind: "duress", Severity: web.SeverityHigh, At: r.now.Add(-25 * time.Hour), Count: 1, DoorName: "サーバ室 正面扉", Open: true})
		}
	}
	for _, a := range r.acts[day] {
		x := web.ReviewAct{Kind: a.Kind, By: "髙橋 美咲", AtMS: a.AtMS, Leaf: uint64(a.Idx), Upto: uint64(a.Upto)}
		if names && a.Kind == signoff.Reopen {
			x.Reason = "目的の欄が違う"
		}
		out.History = append(out.History, x)
	}
	return out, nil
}

// ActOnDay implements web.Reviews.
func (r *Reviews) ActOnDay(_ context.Context, zone access.ZoneID, day string, kind signoff.Kind, upto uint64, act web.Action) error {
	by := r.person(act.Actor)
	r.mu.Lock()
	defer r.mu.Unlock()
	d, f, err := r.day(day)
	if err != nil || zone != "server-room" {
		return web.ErrNotFound
	}
	if err := d.Sheet.May(kind, by, int64(upto), act.Reason, f); err != nil {
		return err
	}
	if r.acts == nil {
		r.acts = map[string][]signoff.Act{}
	}
	r.acts[day] = append(r.acts[day], signoff.Act{Idx: int64(50 + len(r.acts[day])), Zone: string(zone), Day: day, Kind: kind, Upto: int64(upto), By: by, AtMS: act.At.UnixMilli()})
	return nil
}

// Looked implements web.Reviews.
func (r *Reviews) Looked(_ context.Context, zone access.ZoneID, day, account string, size uint64, at time.Time) (uint64, time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := account + "/" + string(zone) + "/" + day
	before, looked := r.looks[key]
	if r.looks == nil {
		r.looks = map[string]web.ReviewAct{}
	}
	r.looks[key] = web.ReviewAct{Upto: size, AtMS: at.UnixMilli()}
	if !looked {
		return 0, time.Time{}, nil
	}
	return before.Upto, time.UnixMilli(before.AtMS), nil
}

// ReviewSettings implements web.Reviews.
func (r *Reviews) ReviewSettings(context.Context) (signoff.Settings, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.two, nil
}

// SetTwoSign implements web.Reviews.
func (r *Reviews) SetTwoSign(_ context.Context, zone access.ZoneID, two bool, signers []string, act web.Action) error {
	if act.Reason == "" {
		return signoff.ErrNoReason
	}
	var actors []signoff.Actor
	for _, id := range signers {
		actors = append(actors, r.person(id))
	}
	if err := signoff.Satisfiable(two, actors); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.two.SetTwoSign(string(zone), two)
	return nil
}

// SignQuiet implements web.Reviews.
func (r *Reviews) SignQuiet(ctx context.Context, zone access.ZoneID, from, to string, act web.Action) (signed []string, err error) {
	days, err := r.ReviewDays(ctx, zone, from, to)
	for _, d := range days {
		if k, ok := d.Sheet.QuietAct(r.person(act.Actor)); ok {
			if err := r.ActOnDay(ctx, zone, d.Day, k, 41, act); err != nil {
				return nil, fmt.Errorf("%s: %w", d.Day, err)
			}
			signed = append(signed, d.Day)
		}
	}
	slices.Sort(signed)
	if len(signed) == 0 && err == nil {
		err = signoff.ErrNotQuiet
	}
	return signed, err
}

// ReviewMonths implements web.Reviews.
func (r *Reviews) ReviewMonths(_ context.Context, zone access.ZoneID, from, to string) (map[string]web.SignedMonth, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]web.SignedMonth{}
	for m := range r.months {
		if m >= from && m <= to && zone == "server-room" {
			out[m] = web.SignedMonth{By: "髙橋 美咲", Leaf: 900}
		}
	}
	if m := r.m.SignedMonth; m != "" && m >= from && m <= to && zone == "server-room" {
		out[m] = web.SignedMonth{By: "髙橋 美咲", Leaf: 900}
	}
	return out, nil
}

// SignMonth implements web.Reviews.
func (r *Reviews) SignMonth(_ context.Context, zone access.ZoneID, month string, _ web.Action) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if zone != "server-room" {
		return web.ErrNotFound
	}
	if month >= r.now.Format("2006-01") {
		return signoff.ErrNotOver
	}
	if r.months[month] {
		return signoff.ErrSigned
	}
	if r.months == nil {
		r.months = map[string]bool{}
	}
	r.months[month] = true
	return nil
}

// KeepComparison implements web.Reviews.
func (r *Reviews) KeepComparison(_ context.Context, c web.PaperComparison, typed string, act web.Action) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.At, c.By, c.Leaf = act.At, act.Actor, uint64(900+len(r.papers))
	r.papers, r.typed = append(r.papers, c), append(r.typed, typed)
	return nil
}

// Comparisons implements web.Reviews.
func (r *Reviews) Comparisons(_ context.Context, zone access.ZoneID, from, to string, _ bool) (out []web.PaperComparison, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.papers {
		if c.Zone == zone && c.Day >= from && c.Day <= to {
			out = append(out, c)
		}
	}
	return out, nil
}

// Typed lists what was typed of each comparison with paper.
func (r *Reviews) Typed() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.typed...)
}
