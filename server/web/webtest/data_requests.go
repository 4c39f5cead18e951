package webtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/datarequest"
	"monban/server/visit"
	"monban/server/web"
)

// DataEntryID is the entry of DataRequests: somebody's, whoever asks.
const DataEntryID = "000000000000000000000000000000e1"

// OtherEntryID is another person's.
const OtherEntryID = "000000000000000000000000000000e2"

// DataRequests keeps requests of the person concerned in memory; one of each kind is there from the beginning, the first of them late.
type DataRequests struct {
	mu   sync.Mutex
	list []datarequest.Record // mu
	held []web.HeldEntry      // mu
}

func today() calendar.Date { return calendar.DateOf(jst()) }

func newDataRequests() *DataRequests {
	d := &DataRequests{}
	now := jst().UnixMilli()
	for i, w := range datarequest.Wants() {
		x := datarequest.Record{Want: w, Text: "サーバ室に入った日時の記録がほしい", Entry: DataEntryID, Received: today().AddDays(10*i - 31).String(),
			Paper: &datarequest.Paper{Name: Yoshida.Name, Contact: "郵便で自宅へ", Identity: visit.DrivingLicence}}
		x, err := datarequest.Receive(x, visit.Actor{Account: "CISO0"}, now-3_600_000, today())
		if err != nil {
			panic(err) // a bug of the sample
		}
		x.ID = fmt.Sprintf("data_request-2026-%05d", i+1)
		d.list = append(d.list, x)
	}
	return d
}

func (d *DataRequests) facts(x *datarequest.Record) (f datarequest.Facts) {
	for _, h := range d.held {
		if slices.Contains(x.Held, h.ID) {
			if h.State == "restricted" {
				f.Open++
			}
			if h.State != "lifted" {
				f.Kept++
			}
		}
	}
	f.Appended = true
	return f
}

func (d *DataRequests) shown(x *datarequest.Record) web.DataRequest {
	out := web.DataRequest{Record: *x, Who: "﨑山 直子", Waits: d.facts(x).Open}
	if x.Paper != nil {
		out.Who = x.Paper.Name
	}
	return out
}

// OwnDataRequests implements web.DataRequests.
func (d *DataRequests) OwnDataRequests(_ context.Context, by visit.Actor) (out []web.DataRequest, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range slices.Backward(d.list) {
		if d.list[i].Own(by) {
			out = append(out, d.shown(&d.list[i]))
		}
	}
	return out, nil
}

// ListDataRequests implements web.DataRequests.
func (d *DataRequests) ListDataRequests(_ context.Context, all bool) (out []web.DataRequest, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.list {
		if h := d.list[i].Head(); all || h.Open {
			out = append(out, d.shown(&d.list[i]))
		}
	}
	slices.SortStableFunc(out, func(a, b web.DataRequest) int { return a.Due().Compare(b.Due()) })
	return out, nil
}

func (d *DataRequests) find(id string) *datarequest.Record {
	for i := range d.list {
		if d.list[i].ID == id {
			return &d.list[i]
		}
	}
	return nil
}

// DataRequestByID implements web.DataRequests.
func (d *DataRequests) DataRequestByID(_ context.Context, id string) (out web.DataRequestDetail, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.find(id)
	if x == nil {
		return out, web.ErrNotFound
	}
	out.DataRequest, out.Names = d.shown(x), map[string]string{"CISO0": Hokke.Name}
	for _, h := range d.held {
		if slices.Contains(x.Held, h.ID) {
			out.Held = append(out.Held, h)
		}
	}
	if x.Entry != "" {
		out.Entry = &web.DataEntry{ID: x.Entry, At: jst().Add(-48 * time.Hour), Day: today().AddDays(-2).String(), Zone: "server-room", ZoneName: "サーバ室", Door: "サーバ室 扉1", Side: access.SideEnter,
			Purpose: "点検", Readable: true}
		if x.Decision() != "" {
			out.Entry.Appended = []web.RowCorrection{{Attempt: x.Entry, Purpose: "障害対応", Reason: "申出による", By: Hokke.Name, DecidedAt: jst()}}
		}
	}
	return out, nil
}

func ofPerson(entry string) error {
	if entry != "" && entry != DataEntryID {
		return &datarequest.Fault{Err: datarequest.ErrEntry, Field: "entry"}
	}
	return nil
}

// BeginDataRequest implements web.DataRequests.
func (d *DataRequests) BeginDataRequest(_ context.Context, x datarequest.Record, by visit.Actor) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	made, err := datarequest.Ask(x, by, jst().UnixMilli(), today())
	if x.Paper != nil {
		made, err = datarequest.Receive(x, by, jst().UnixMilli(), today())
	}
	if err == nil {
		err = ofPerson(x.Entry)
	}
	if err != nil {
		return "", err
	}
	made.ID = fmt.Sprintf("data_request-2026-%05d", len(d.list)+1)
	d.list = append(d.list, made)
	return made.ID, nil
}

// StepDataRequest implements web.DataRequests.
func (d *DataRequests) StepDataRequest(_ context.Context, id string, _ datarequest.Done, _ string, _ visit.Actor, move web.DataMove) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.find(id)
	if x == nil {
		return web.ErrNotFound
	}
	moved := *x
	if err := move(&moved, d.facts(x), jst().UnixMilli(), today()); err != nil {
		return err
	}
	*x = moved
	return nil
}

// SuspendEntry implements web.DataRequests.
func (d *DataRequests) SuspendEntry(_ context.Context, id string, seen int, entry, reason string, by visit.Actor) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.find(id)
	if x == nil {
		return web.ErrNotFound
	}
	moved, held := *x, fmt.Sprintf("request-%05d", len(d.held)+1)
	if err := moved.At(seen); err != nil {
		return err
	}
	if err := moved.Suspend(held, reason, by, jst().UnixMilli()); err != nil {
		return err
	}
	if err := ofPerson(entry); err != nil || entry == "" {
		return &datarequest.Fault{Err: datarequest.ErrEntry, Field: "entry"}
	}
	*x = moved
	d.held = append(d.held, web.HeldEntry{ID: held, Entry: entry, At: jst().Add(-48 * time.Hour), Door: "サーバ室 扉1", State: "restricted", By: by.Account})
	return nil
}

// SettleEntry implements web.DataRequests.
func (d *DataRequests) SettleEntry(_ context.Context, id string, seen int, held string, erase bool, reason string, by visit.Actor) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.find(id)
	if x == nil {
		return web.ErrNotFound
	}
	moved := *x
	if err := moved.At(seen); err != nil {
		return err
	}
	if err := moved.Settle(held, erase, reason, by, jst().UnixMilli()); err != nil {
		return err
	}
	for i := range d.held {
		h := &d.held[i]
		if h.ID != held {
			continue
		}
		if h.By == by.Account {
			return web.ErrSamePerson
		}
		if h.State != "restricted" {
			return web.ErrTooLate
		}
		if h.State = "lifted"; erase {
			h.State = "erased"
		}
	}
	*x = moved
	return nil
}

// KeptYears implements web.DataRequests.
func (d *DataRequests) KeptYears(context.Context) (map[string]int, error) {
	return map[string]int{"register": 5, "action": 5, "violation": 10, "directory": 3, "system": 0}, nil
}
