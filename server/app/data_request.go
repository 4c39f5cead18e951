package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/attempt"
	"monban/server/datarequest"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// dataRequests implements web.DataRequests over the matters, and suspends and erases as the command line does.
type dataRequests struct {
	visits *Visits
	retain *Retainer
}

// threeYears is how long closed requests stand in the lists.
const threeYears = 3 * 366 * 24 * 3_600_000

func (d *dataRequests) today() calendar.Date {
	return calendar.DateOf(d.visits.now().In(d.visits.store.Zone()))
}

// each reads the open requests, or all of the last three years, oldest first.
func (d *dataRequests) each(r store.Reader, all bool) ([]datarequest.Record, error) {
	open, err := r.OpenMatters(datarequest.Kind)
	if err != nil || !all {
		return list[datarequest.Record](r, open, err)
	}
	rows, err := r.MattersBetween(datarequest.Kind, d.visits.nowMS()-threeYears, d.visits.nowMS()+1)
	for _, m := range open { // one that is still open is never too old
		if !slices.ContainsFunc(rows, func(x store.Matter) bool { return x.ID == m.ID }) {
			rows = append([]store.Matter{m}, rows...)
		}
	}
	return list[datarequest.Record](r, rows, err)
}

// asListed makes a request as lists show it.
func asListed(r store.Reader, s *visit.Site, x *datarequest.Record) (web.DataRequest, error) {
	out := web.DataRequest{Record: *x}
	switch {
	case x.Person != "":
		out.Who = string(x.Person)
		if i := slices.IndexFunc(s.Dir.People, func(p directory.Person) bool { return p.ID == x.Person }); i >= 0 {
			out.Who = s.Dir.People[i].Name
		}
	case x.Paper != nil:
		out.Who = x.Paper.Name
	default:
		out.Who = accountName(r, x.Account)
	}
	f, err := facts(r, x)
	out.Waits = f.Open
	return out, err
}

// OwnDataRequests implements web.DataRequests.
func (d *dataRequests) OwnDataRequests(ctx context.Context, by visit.Actor) (out []web.DataRequest, err error) {
	err = d.visits.read(ctx, func(r store.Reader, s *visit.Site) error {
		all, err := d.each(r, true)
		for i := range slices.Backward(all) {
			if err == nil && all[i].Own(by) {
				var x web.DataRequest
				x, err = asListed(r, s, &all[i])
				out = append(out, x)
			}
		}
		return err
	})
	return out, err
}

// ListDataRequests implements web.DataRequests.
func (d *dataRequests) ListDataRequests(ctx context.Context, all bool) (out []web.DataRequest, err error) {
	err = d.visits.read(ctx, func(r store.Reader, s *visit.Site) error {
		list, err := d.each(r, all)
		for i := range slices.Backward(list) {
			if err == nil {
				var x web.DataRequest
				x, err = asListed(r, s, &list[i])
				out = append(out, x)
			}
		}
		return err
	})
	if !all {
		slices.SortStableFunc(out, func(a, b web.DataRequest) int { return a.Due().Compare(b.Due()) })
	}
	return out, err
}

// DataRequestByID implements web.DataRequests.
func (d *dataRequests) DataRequestByID(ctx context.Context, id string) (out web.DataRequestDetail, err error) {
	err = d.visits.read(ctx, func(r store.Reader, s *visit.Site) error {
		x, _, err := load[datarequest.Record](r, datarequest.Kind, id)
		if errors.Is(err, store.ErrErased) {
			return store.ErrNotFound // disposed of with its year
		}
		if err != nil {
			return err
		}
		if out.DataRequest, err = asListed(r, s, x); err != nil {
			return err
		}
		out.Names = map[string]string{}
		for _, t := range x.Turns {
			out.Names[t.Step.Account] = accountName(r, t.Step.Account)
		}
		for _, id := range x.Held {
			h, err := heldEntry(r, s, id)
			if err != nil {
				return err
			}
			out.Names[h.By] = accountName(r, h.By)
			out.Held = append(out.Held, h)
		}
		if x.Entry != "" {
			out.Entry, err = dataEntry(r, s, x.Entry)
		}
		return err
	})
	return out, missing(err)
}

func heldEntry(r store.Reader, s *visit.Site, id string) (h web.HeldEntry, err error) {
	q, err := r.ErasureRequest(id)
	if err != nil {
		return h, err
	}
	row, err := r.AttemptRow(q.Attempt)
	if errors.Is(err, store.ErrNotFound) { // its year is gone
		return web.HeldEntry{ID: id, Entry: hex.EncodeToString(q.Attempt[:]), State: store.RequestErased, By: q.AskedBy}, nil
	}
	return web.HeldEntry{ID: id, Entry: hex.EncodeToString(q.Attempt[:]), At: moment(middle(&row)), Door: doorName(s, access.DoorID(row.Door)), State: q.State, By: q.AskedBy}, err
}

func doorName(s *visit.Site, id access.DoorID) string {
	if i := slices.IndexFunc(s.Dir.Doors, func(d directory.Door) bool { return d.ID == id }); i >= 0 {
		return s.Dir.Doors[i].Name
	}
	return string(id)
}

// dataEntry reads the entry that a request is about; nil when its year is gone.
func dataEntry(r store.Reader, s *visit.Site, id string) (*web.DataEntry, error) {
	key, ok := attemptKey(id)
	if !ok {
		return nil, nil
	}
	row, err := r.AttemptRow(key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := passage(&row, s.Dir)
	e := &web.DataEntry{ID: id, At: moment(middle(&row)), Day: row.Day, Zone: p.Zone, Door: doorName(s, access.DoorID(row.Door))}
	e.Side, _ = access.ParseSide(row.Side) // unknown reads "unknown"
	for i := range s.Dir.Zones {
		if s.Dir.Zones[i].ID == p.Zone {
			e.ZoneName = s.Dir.Zones[i].Name
		}
	}
	in, day, err := entryOf(r, s, id)
	switch {
	case err == nil:
		visits, err := visitsOf(r, s, day)
		if err != nil {
			return nil, err
		}
		stated, err := purposesOf(r, s, day)
		if err != nil {
			return nil, err
		}
		e.Readable = true
		e.Purpose, _ = visit.PurposeOf(in, visits, stated)
	case errors.Is(err, store.ErrNotFound): // suspended, erased, or no entry: nobody's
	default:
		return nil, err
	}
	beside, err := corrections(r, &row, id)
	for i := range beside {
		e.Appended = append(e.Appended, correctionOf(r, &beside[i], e.Readable))
	}
	return e, err
}

// corrections lists what was put beside an entry, oldest first: a correction begins when its row does.
func corrections(r store.Reader, row *attempt.Row, id string) ([]visit.Correction, error) {
	const day = 24 * 3_600_000
	rows, err := r.MattersBetween(visit.KindCorrection, row.FromMS-day, max(row.ToMS, row.PassedMS)+day)
	all, err := list[visit.Correction](r, rows, err)
	return slices.DeleteFunc(all, func(x visit.Correction) bool { return x.Attempt != id || x.Refused || !x.Decided.Done() }), err
}

func attemptKey(id string) (key [16]byte, ok bool) {
	b, err := hex.DecodeString(id)
	return [16]byte(append(b, key[:]...)[:len(key)]), err == nil && len(b) == len(key)
}

// facts are what the log says of what was decided on a request.
func facts(r store.Reader, x *datarequest.Record) (f datarequest.Facts, err error) {
	for _, id := range x.Held {
		q, err := r.ErasureRequest(id)
		if err != nil {
			return f, err
		}
		if q.State == store.RequestRestricted {
			f.Open++
		}
		if q.State != store.RequestLifted {
			f.Kept++
		}
	}
	key, ok := attemptKey(x.Entry)
	if !ok || x.Want != datarequest.Correction || len(x.Turns) == 0 {
		return f, nil
	}
	row, err := r.AttemptRow(key)
	if errors.Is(err, store.ErrNotFound) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	beside, err := corrections(r, &row, x.Entry)
	f.Appended = slices.ContainsFunc(beside, func(c visit.Correction) bool { return c.Decided.AtMS >= x.Turns[0].Step.AtMS })
	return f, err
}

// ofPerson refuses an entry that is not this person's: nobody may have another's entry corrected, suspended or erased. Of somebody who is not in the
// directory it has to be an entry of nobody who is.
func (t *visitTx) ofPerson(entry string, person directory.PersonID) error {
	row, err := t.rowToCorrect(entry)
	if errors.Is(err, store.ErrNotFound) {
		return &datarequest.Fault{Err: datarequest.ErrEntry, Field: "entry"}
	}
	if err == nil && row.Person != person {
		return &datarequest.Fault{Err: datarequest.ErrEntry, Field: "entry"}
	}
	return err
}

// BeginDataRequest implements web.DataRequests.
func (d *dataRequests) BeginDataRequest(ctx context.Context, x datarequest.Record, by visit.Actor) (string, error) {
	done, make := datarequest.Asked, datarequest.Ask
	if x.Paper != nil {
		done, make = datarequest.Received, datarequest.Receive
	}
	made, err := begin(ctx, d.visits, datarequest.Kind, false, deed{by, verbOf(done), ""}, func(t *visitTx, id string) (none datarequest.Record, err error) {
		x, err := make(x, by, t.nowMS, d.today())
		if err != nil {
			return none, err
		}
		if x.Paper != nil && x.Person != "" && !slices.ContainsFunc(t.site.Dir.People, func(p directory.Person) bool { return p.ID == x.Person }) {
			return none, &datarequest.Fault{Err: datarequest.ErrMissing, Field: "person"}
		}
		if x.Entry != "" {
			if err := t.ofPerson(x.Entry, x.Person); err != nil {
				return none, err
			}
		}
		x.ID = id
		return x, nil
	}, nil)
	return made.ID, err
}

func verbOf(done datarequest.Done) string { return datarequest.Kind + "_" + string(done) }

// StepDataRequest implements web.DataRequests.
func (d *dataRequests) StepDataRequest(ctx context.Context, id string, done datarequest.Done, reason string, by visit.Actor, move web.DataMove) error {
	_, err := step(ctx, d.visits, datarequest.Kind, id, false, deed{by, verbOf(done), reason}, func(t *visitTx, x *datarequest.Record) error {
		f, err := facts(t.Reader, x)
		if err != nil {
			return err
		}
		return move(x, f, t.nowMS, d.today())
	})
	return err
}

func operator(by visit.Actor) Operator { return Operator{Account: by.Account, Address: by.Address} }

// SuspendEntry implements web.DataRequests. The step of the request and the suspension are one transaction.
func (d *dataRequests) SuspendEntry(ctx context.Context, id string, seen int, entry, reason string, by visit.Actor) error {
	_, err := step(ctx, d.visits, datarequest.Kind, id, false, deed{by, verbOf(datarequest.Suspended), reason}, func(t *visitTx, x *datarequest.Record) error {
		if err := x.At(seen); err != nil {
			return err
		}
		if err := x.Suspend("", reason, by, t.nowMS); err != nil { // before anything is suspended
			return err
		}
		key, ok := attemptKey(entry)
		if !ok {
			return &datarequest.Fault{Err: datarequest.ErrEntry, Field: "entry"}
		}
		if err := t.ofPerson(entry, x.Person); err != nil {
			return err
		}
		held, err := d.retain.restrict(t.Tx, key, reason, operator(by))
		if errors.Is(err, web.ErrExists) {
			return &datarequest.Fault{Err: datarequest.ErrSuspended, Field: "entry"}
		}
		x.Held[len(x.Held)-1] = held
		return err
	})
	return err
}

// SettleEntry implements web.DataRequests. What was erased is written beside the keys after the commit, and at each start.
func (d *dataRequests) SettleEntry(ctx context.Context, id string, seen int, held string, erase bool, reason string, by visit.Actor) error {
	done := datarequest.Lifted
	if erase {
		done = datarequest.Erased
	}
	_, err := step(ctx, d.visits, datarequest.Kind, id, false, deed{by, verbOf(done), reason}, func(t *visitTx, x *datarequest.Record) error {
		if err := x.At(seen); err != nil {
			return err
		}
		if err := x.Settle(held, erase, reason, by, t.nowMS); err != nil {
			return err
		}
		return d.retain.settle(t.Tx, held, x.ID, erase, reason, operator(by))
	})
	if err != nil {
		return err
	}
	return d.retain.settled(ctx)
}

// KeptYears implements web.DataRequests.
func (d *dataRequests) KeptYears(ctx context.Context) (map[string]int, error) {
	var out map[string]int
	err := d.visits.store.Read(ctx, func(r *store.ReadTx) (err error) {
		out, err = keptYears(r.Reader)
		return err
	})
	return out, err
}

func keptYears(r store.Reader) (map[string]int, error) {
	var t Retainer
	rules, err := t.rules(r)
	out := map[string]int{}
	for _, x := range rules {
		out[string(x.Class)] = x.Years
	}
	return out, err
}

// tellLateRequests tells, once each, of requests whose day of decision is past, and once more when an extension is over too.
func (v *Visits) tellLateRequests(ctx context.Context) error {
	type late struct {
		first  int64
		detail string
	}
	var found []late
	today := calendar.DateOf(time.UnixMilli(v.nowMS()).In(v.store.Zone()))
	err := v.store.Read(ctx, func(r *store.ReadTx) error {
		rows, err := r.OpenMatters(datarequest.Kind)
		if err != nil {
			return err
		}
		for _, row := range rows {
			x, err := read[datarequest.Record](r.Reader, row)
			if errors.Is(err, store.ErrErased) {
				continue // nobody can be answered any more
			}
			if err != nil {
				return err
			}
			l := late{row.First, "decision"}
			if x.Of(datarequest.Extended).Done() {
				l.detail = "extended"
			}
			told, err := r.CauseFound(string(review.DataRequestOverdue), l.first, l.detail)
			if err != nil {
				return err
			}
			if x.Late(today) && !told {
				found = append(found, l)
			}
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return err
	}
	return v.store.Write(ctx, func(tx *store.Tx) error {
		t := &visitTx{Tx: tx, nowMS: v.nowMS(), v: v}
		for _, l := range found {
			if err := t.find(review.DataRequestOverdue, l.first, l.detail); err != nil {
				return fmt.Errorf("tell of a late request: %w", err)
			}
		}
		return nil
	})
}
