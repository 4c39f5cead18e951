package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/signoff"
	"monban/server/store"
	"monban/server/web"
)

// The days are read before the writer is asked for: a fiscal year takes half a second to read, and a door may not wait so long for its
// record (D29). Inside the transaction only what the log has got since is looked at.
const (
	readsBefore  = 3   // how often they are read before; then inside, whatever that costs
	leavesBefore = 500 // how many leaves since may be looked at instead of reading again
)

// errMoved: something came while the days were read.
var errMoved = errors.New("the days have moved")

// daysWork acts on the days of a zone in a transaction. size is that of the log when they were read.
type daysWork func(tx *store.Tx, v *dayReview, days map[string]*reviewDay, size int64) error

func (p *pages) onDays(ctx context.Context, zone access.ZoneID, from, to directory.Date, do daysWork) error {
	n := p.names(ctx)
	for try := range readsBefore + 1 {
		var v *dayReview
		var days map[string]*reviewDay
		var size int64
		read := func(r *store.ReadTx) (err error) {
			if size, err = r.LogSize(); err != nil {
				return err
			}
			if v, err = p.openReview(r.Reader, n, zone, from, to); err == nil {
				days, err = v.read(p, r, from, to)
			}
			return err
		}
		if try < readsBefore {
			if err := p.store.Read(ctx, read); err != nil {
				return err
			}
		}
		err := p.store.Write(ctx, func(tx *store.Tx) error {
			if try == readsBefore {
				if err := read(&store.ReadTx{Reader: tx.Reader}); err != nil {
					return err
				}
			} else if err := v.moved(tx, from.String(), to.String(), size); err != nil {
				return err
			}
			return do(tx, v, days, size)
		})
		if !errors.Is(err, errMoved) {
			return err
		}
	}
	return errMoved // not reached: the last time nothing is compared
}

// moved gives errMoved when the leaves since size may change what was read of the zone's days. In doubt they do.
func (v *dayReview) moved(tx *store.Tx, from, to string, size int64) error {
	now, err := tx.LogSize()
	if err != nil || now == size {
		return err
	}
	leaves, err := tx.Leaves(size, leavesBefore+1)
	if err != nil {
		return err
	}
	if len(leaves) > leavesBefore {
		return errMoved
	}
	line := func(door string, id [16]byte) (bool, error) {
		if !slices.Contains(v.doors, door) && !slices.Contains(v.borders, door) && !slices.Contains(v.within, door) {
			return false, nil
		}
		row, err := tx.AttemptRow(id)
		if errors.Is(err, store.ErrNotFound) { // no line, as of a door that closes by itself
			return false, nil
		}
		return err == nil && row.Day >= from && row.Day <= to, err
	}
	for i := range leaves {
		l := &leaves[i].Leaf
		var moved bool
		switch l.Kind {
		case entrylog.KindRecord:
			if b, ok := recordOf(*l); ok {
				moved, err = line(string(b.Door), b.Attempt)
			}
		case entrylog.KindDecision:
			var d entrylog.Decision
			if d, err = entrylog.ParseDecision(l.Body); err == nil {
				moved, err = line(d.Door, d.Attempt)
			}
		case entrylog.KindAction:
			var parsed entrylog.Parsed
			if parsed, err = entrylog.Parse(l.Body); err == nil {
				a := &parsed.Action
				moved = a.Target == store.MatterTarget || a.Target == store.DayTarget && strings.HasPrefix(a.ID, string(v.area)+"/") || a.Target == "finding" || a.Target == "account"
			}
		default:
			var parsed entrylog.Parsed
			if parsed, err = entrylog.Parse(l.Body); err == nil { // a finding, a silence, …
				at, gateway := parsed.System.Value("door"), parsed.System.Value("gateway")
				moved = at == "" && (gateway == "" || slices.Contains(v.gateways, gateway)) || slices.Contains(v.doors, at)
			}
		}
		if err != nil {
			return err
		}
		if moved {
			return errMoved
		}
	}
	return nil
}

// ActOnDay implements web.Reviews.
func (p *pages) ActOnDay(ctx context.Context, zone access.ZoneID, day string, kind signoff.Kind, upto uint64, act web.Action) error {
	date, _, err := registerDays(web.RegisterQuery{From: day, To: day})
	if err != nil {
		return err
	}
	return p.onDays(ctx, zone, date, date, func(tx *store.Tx, v *dayReview, days map[string]*reviewDay, _ int64) error {
		d := days[day]
		if d == nil {
			return fmt.Errorf("day %s is before the log: %w", day, web.ErrNotFound)
		}
		return v.act(tx, day, d, kind, int64(upto), act)
	})
}

// SignQuiet implements web.Reviews.
func (p *pages) SignQuiet(ctx context.Context, zone access.ZoneID, from, to string, act web.Action) (signed []string, err error) {
	first, last, err := registerDays(web.RegisterQuery{From: from, To: to})
	if err != nil {
		return nil, err
	}
	err = p.onDays(ctx, zone, first, last, func(tx *store.Tx, v *dayReview, days map[string]*reviewDay, size int64) error {
		signed = nil
		kinds := map[string]signoff.Kind{}
		for day, d := range days {
			if k, ok := d.sheet.QuietAct(v.accounts[act.Actor]); ok {
				signed, kinds[day] = append(signed, day), k
			}
		}
		slices.Sort(signed)
		for _, day := range signed {
			if err := v.act(tx, day, days[day], kinds[day], size, act); err != nil {
				return err
			}
		}
		if len(signed) == 0 {
			return signoff.ErrNotQuiet
		}
		return nil
	})
	return signed, err
}

// sittingMS is how long a page of a day may lie before the next look at it is another sitting: what was new stays marked until then, also
// after the proof of identity and when something has come meanwhile.
const sittingMS = 3_600_000

// Looked implements web.Reviews.
func (p *pages) Looked(ctx context.Context, zone access.ZoneID, day, account string, size uint64, at time.Time) (before uint64, beforeAt time.Time, err error) {
	err = p.store.Write(ctx, func(tx *store.Tx) error {
		v, err := tx.LookAtDay(account, string(zone), day, store.DayView{Size: int64(size), AtMS: at.UnixMilli()}, sittingMS)
		if before = uint64(v.Size); v.AtMS != 0 {
			beforeAt = time.UnixMilli(v.AtMS)
		}
		return err
	})
	return before, beforeAt, err
}

// ReviewSettings implements web.Reviews.
func (p *pages) ReviewSettings(ctx context.Context) (out signoff.Settings, err error) {
	err = p.store.Read(ctx, func(r *store.ReadTx) error { out, err = reviewSettings(r.Reader); return err })
	return out, err
}

func reviewSettings(r store.Reader) (signoff.Settings, error) {
	text, err := r.Setting(signoff.SettingsKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return signoff.Settings{}, err
	}
	return signoff.ParseSettings(text)
}

// SetTwoSign implements web.Reviews.
func (p *pages) SetTwoSign(ctx context.Context, zone access.ZoneID, two bool, signers []string, act web.Action) error {
	if act.Reason == "" {
		return signoff.ErrNoReason
	}
	if _, ok := p.names(ctx).zones[zone]; !ok {
		return fmt.Errorf("zone %q: %w", zone, web.ErrNotFound)
	}
	return p.store.Write(ctx, func(tx *store.Tx) error {
		s, err := reviewSettings(tx.Reader)
		if err != nil {
			return err
		}
		var actors []signoff.Actor
		for _, id := range signers {
			a, err := tx.AccountByID(id)
			if err != nil {
				return err
			}
			actors = append(actors, signoff.Actor{Account: a.ID, Person: a.Person})
		}
		if err := signoff.Satisfiable(two, actors); err != nil {
			return err
		}
		s.SetTwoSign(string(zone), two)
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if err := tx.SetSetting(signoff.SettingsKey, string(text)); err != nil {
			return err
		}
		leaf := entrylog.Action{Account: act.Actor, Verb: "signoff_settings_changed", Target: "setting", ID: signoff.SettingsKey, From: originOf(act), Result: "ok", Reason: true, AtMS: act.At.UnixMilli()}
		_, err = tx.AppendAction(leaf, &entrylog.Opening{Address: addressOf(act), Text: act.Reason + "\n" + string(text)})
		return err
	})
}

func (v *dayReview) act(tx *store.Tx, day string, d *reviewDay, kind signoff.Kind, upto int64, act web.Action) error {
	by, known := v.accounts[act.Actor]
	if !known {
		return errors.New("no such account")
	}
	size, err := tx.LogSize()
	if err != nil {
		return err
	}
	if upto > size { // a number that no page has shown; a late record would never come after it
		return signoff.ErrUnseen
	}
	if err := d.sheet.May(kind, by, upto, act.Reason, d.facts); err != nil {
		return err
	}
	_, err = tx.AppendDayAct(store.DayAct{
		Zone: string(v.area), Day: day, Kind: string(kind), Upto: upto, Account: act.Actor, AtMS: act.At.UnixMilli(),
	}, originOf(act), addressOf(act), act.Reason)
	if err != nil || kind != signoff.Sign && kind != signoff.Countersign && kind != signoff.Add {
		return err
	}
	return tx.PutDayView(act.Actor, string(v.area), day, store.DayView{Size: upto, AtMS: act.At.UnixMilli()})
}

// monthLayout is a month in the log, in URLs and forms.
const monthLayout = "2006-01"

// ReviewMonths implements web.Reviews.
func (p *pages) ReviewMonths(ctx context.Context, zone access.ZoneID, from, to string) (out map[string]web.SignedMonth, err error) {
	out = map[string]web.SignedMonth{}
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		accounts, err := r.Accounts()
		if err != nil {
			return err
		}
		acts, err := r.DayActs(string(zone), from, to)
		for _, a := range acts {
			m := web.SignedMonth{Leaf: a.Idx}
			for i := range accounts {
				if accounts[i].ID == a.Account {
					m.By = accounts[i].FullName
				}
			}
			out[a.Day] = m
		}
		return err
	})
	return out, err
}

// SignMonth implements web.Reviews.
func (p *pages) SignMonth(ctx context.Context, zone access.ZoneID, month string, act web.Action) error {
	first, err := time.Parse(monthLayout, month)
	if err != nil {
		return fmt.Errorf("month %q: %w", month, web.ErrNotFound)
	}
	before := first.AddDate(0, -1, 0).Format(monthLayout)
	from := directory.DateOf(first.AddDate(0, -1, 0)) // its signature counts as long as it covers its days
	to := directory.DateOf(first.AddDate(0, 1, -1))
	return p.onDays(ctx, zone, from, to, func(tx *store.Tx, v *dayReview, days map[string]*reviewDay, size int64) error {
		acts, err := tx.DayActs(string(zone), before, month)
		if err != nil {
			return err
		}
		leaf := map[string]int64{} // of the newest signature
		for _, a := range acts {
			leaf[a.Day] = a.Idx
		}
		newest, signed := leaf[month]
		var sheets, earlier []signoff.Sheet
		for day, d := range days {
			if day[:len(month)] == month {
				sheets = append(sheets, d.sheet)
			} else {
				earlier = append(earlier, d.sheet)
			}
		}
		if len(sheets) == 0 {
			return fmt.Errorf("month %s is before the log: %w", month, web.ErrNotFound)
		}
		stands := signoff.BeforeOpen
		switch last, is := leaf[before]; {
		case v.began[:len(month)] == month:
			stands = signoff.BeforeNone
		case is && signoff.ChangedSince(earlier, last):
			stands = signoff.BeforeChanged
		case is:
			stands = signoff.BeforeSigned
		}
		if err := signoff.MayMonth(sheets, signed && !signoff.MonthChanged(sheets, newest), stands); err != nil {
			return err
		}
		_, err = tx.AppendDayAct(store.DayAct{
			Zone: string(zone), Day: month, Kind: string(signoff.SignMonth), Upto: size, Account: act.Actor, AtMS: act.At.UnixMilli(),
		}, originOf(act), addressOf(act), act.Reason)
		return err
	})
}
