package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// pages answers what the web pages ask, from the store and the gateways' health.
type pages struct {
	store     *store.Store
	health    *health
	directory func() directory.Snapshot // the one in force
	versions  func(access.GatewayID) web.Versions
	now       func() time.Time
	// certificates are the ends of the gateways' certificates, by id; validity is the life of a new one.
	certificates func() map[string]time.Time
	validity     time.Duration
	log          *slog.Logger
	muster       *musterCopy // nil = none is made
	begins       *zoneBegins // nil = nothing is remembered
	// occupied tells who is in which zone now; nil = nobody knows.
	occupied func() map[access.ZoneID]authority.Occupancy
}

// names finds doors and zones by id, of one snapshot.
type names struct {
	doors map[access.DoorID]directory.Door
	zones map[access.ZoneID]directory.Zone

	english bool
	past    *pastPlaces // once it is loaded, those that are gone have names too
}

func (p *pages) names(ctx context.Context) names {
	s := p.directory()
	n := names{make(map[access.DoorID]directory.Door, len(s.Doors)), make(map[access.ZoneID]directory.Zone, len(s.Zones)), web.LanguageOf(ctx) == web.English, &pastPlaces{}}
	english := n.english
	for _, d := range s.Doors {
		if english && d.NameEN != "" {
			d.Name = d.NameEN
		}
		n.doors[d.ID] = d
	}
	for _, z := range s.Zones {
		if english && z.NameEN != "" {
			z.Name = z.NameEN
		}
		n.zones[z.ID] = z
	}
	return n
}

// door is a door's name; its id when the directory does not know it any more.
func (n names) door(id access.DoorID) string {
	if d, ok := n.doors[id]; ok && d.Name != "" {
		return d.Name
	}
	return string(id)
}

// who opens the opening of a leaf. An erased or unreadable one gives a reference without a name.
func (p *pages) who(r store.Reader, idx int64, ref []byte, show bool) web.Who {
	var w web.Who
	if len(ref) > 0 {
		w.Ref = hex.EncodeToString(ref)
	}
	if !show || idx < 0 {
		return w
	}
	o, err := usable(r, idx)
	if err != nil {
		if !errors.Is(err, errRestricted) && !errors.Is(err, store.ErrErased) && !errors.Is(err, store.ErrNotFound) {
			// The line is shown without a name; the finding for it is verify's work.
			p.log.LogAttrs(context.Background(), slog.LevelError, "opening cannot be read", slog.Int64("leaf", idx), slog.Any("err", err))
		}
		w.Unreadable = unreadable(err)
		return w
	}
	w.Name, w.Section = o.Name, o.Section
	if w.Ref == "" && o.Masked != "" {
		w.Ref = o.Masked
	}
	return w
}

// unreadable reports whether an opening is there and cannot be read: its key is missing or another one, or it was changed. It was not erased.
func unreadable(err error) bool {
	known := errors.Is(err, errRestricted) || errors.Is(err, store.ErrErased) || errors.Is(err, store.ErrNotFound)
	return err != nil && (!known || errors.Is(err, store.ErrKeyMissing))
}

// result is what came of an attempt, from its row.
func result(r attempt.Row) web.Result {
	granted := r.Outcome == access.Granted.String()
	switch {
	case r.Passage == string(door.EventEntry):
		return web.ResultEntered
	case r.Passage == string(door.EventExit):
		return web.ResultExited
	case r.Passage == string(door.EventNoEntry):
		return web.ResultNoEntry
	case granted:
		return web.ResultGranted
	case r.Passage == string(door.EventCommandDone):
		return web.ResultDone
	case r.Outcome == "":
		return web.ResultUnknown
	default:
		return web.ResultDenied
	}
}

// line makes one line of the log from its row.
func (p *pages) line(r store.Reader, row attempt.Row, n names, show bool) web.Attempt {
	reason, _ := access.ParseReason(row.Reason)                     // unknown text reads "undecided"
	failed, _ := access.ParseReasonSet(row.Failed)                  // unknown names are left out
	side, _ := access.ParseSide(row.Side)                           // unknown reads "unknown"
	by, _ := access.ParseDecidedBy(orWord(row.DecidedBy, "nobody")) // unknown reads "nobody"
	decided := row.Decision
	if decided < 0 {
		decided = row.First
	}
	return web.Attempt{
		ID: hex.EncodeToString(row.ID[:]), At: time.UnixMilli(row.FromMS + (row.ToMS-row.FromMS)/2),
		Spread: time.Duration(row.ToMS-row.FromMS) * time.Millisecond, Midnight: row.Flags&attempt.FlagMidnight != 0,
		Who: p.who(r, row.Opening, row.PersonRef, show), Door: access.DoorID(row.Door), DoorName: n.door(access.DoorID(row.Door)),
		Side: side, Result: result(row), Reason: reason, Failed: failed, By: by, Policy: row.Policy, Leaf: uint64(decided),
		Offline: by == access.ByGateway, Late: row.Flags&attempt.FlagLate != 0, Mismatch: row.Flags&attempt.FlagMismatch != 0,
	}
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

// DayLog implements web.Log.
func (p *pages) DayLog(ctx context.Context, q web.LogQuery) (web.DayLog, error) {
	day, err := time.ParseInLocation(time.DateOnly, q.Day, p.store.Zone())
	if err != nil {
		return web.DayLog{}, fmt.Errorf("day %q: %w", q.Day, web.ErrNotFound)
	}
	out := web.DayLog{UpTo: p.now()}
	n := p.names(ctx)
	var find *search
	if q.Text != "" && q.Names { // without names a search would tell what the mask hides
		find = p.search(q.Text)
	}
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		rows, err := r.AttemptsOfDay(q.Day, day.AddDate(0, 0, -1).Format(time.DateOnly))
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !q.In.Door(access.DoorID(row.Door)) || q.Door != "" && access.DoorID(row.Door) != q.Door || q.Result != web.ResultUnknown && result(row) != q.Result {
				continue
			}
			if find != nil && !find.hits(r.Reader, row, n) {
				continue
			}
			if out.Total >= q.Skip && len(out.Attempts) < q.Limit {
				out.Attempts = append(out.Attempts, p.line(r.Reader, row, n, q.Names))
			}
			out.Total++
		}
		end := day.AddDate(0, 0, 1)
		for _, g := range p.directory().Gateways {
			if gap, ok := p.health.silence(g.ID, p.now()); ok && q.In.Gateway(g.ID) && gap.From.Before(end) {
				out.Gaps = append(out.Gaps, gap) // still going on
			}
		}
		gaps, err := r.CoverageOf(day.UnixMilli(), end.UnixMilli())
		for _, g := range gaps {
			if !q.In.Gateway(access.GatewayID(g.Gateway)) {
				continue
			}
			out.Gaps = append(out.Gaps, web.Gap{Gateway: access.GatewayID(g.Gateway), From: time.UnixMilli(g.FromMS), To: time.UnixMilli(g.ToMS)})
		}
		slices.SortStableFunc(out.Gaps, func(a, b web.Gap) int { return b.From.Compare(a.From) })
		return err
	})
	return out, err
}

// Attempt implements web.Log.
func (p *pages) Attempt(ctx context.Context, id string, show bool) (web.AttemptDetail, error) {
	var key [16]byte
	if len(id) != 2*len(key) {
		return web.AttemptDetail{}, web.ErrNotFound
	}
	if _, err := hex.Decode(key[:], []byte(id)); err != nil {
		return web.AttemptDetail{}, web.ErrNotFound
	}
	var out web.AttemptDetail
	n := p.names(ctx)
	err := p.store.Read(ctx, func(r *store.ReadTx) error {
		row, err := r.AttemptRow(key)
		if err != nil {
			return err
		}
		out.Attempt = p.line(r.Reader, row, n, show)
		out.Gateway = access.GatewayID(row.Gateway)
		leaves, err := r.AttemptLeaves(row.First)
		if err != nil {
			return err
		}
		for _, idx := range leaves {
			leaf, err := r.Leaf(idx)
			if err != nil {
				return err
			}
			e, ok := p.event(idx, leaf, n)
			if !ok {
				continue
			}
			e.Who = out.Who
			out.Events = append(out.Events, e)
			if body, ok := recordOf(leaf); ok {
				out.PolicyAge = max(out.PolicyAge, time.Duration(body.PolicyAge)*time.Millisecond)
				out.Clock, out.Assurance = body.Stamp.Quality, orWord(body.Assurance, out.Assurance)
			}
		}
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = web.ErrNotFound
	}
	return out, err
}

// recordOf is the gateway's body inside a record leaf.
func recordOf(leaf entrylog.Leaf) (wire.Record, bool) {
	if leaf.Kind != entrylog.KindRecord {
		return wire.Record{}, false
	}
	rec, err := entrylog.ParseRecord(leaf.Body)
	if err != nil {
		return wire.Record{}, false
	}
	body, err := wire.ParseRecord(rec.Body)
	return body, err == nil
}

// event is a leaf as one line of what happened; ok is false for leaves that are no event at a door
// or gateway.
func (p *pages) event(idx int64, leaf entrylog.Leaf, n names) (web.Event, bool) {
	e := web.Event{Leaf: uint64(idx)}
	switch leaf.Kind {
	case entrylog.KindDecision:
		d, err := entrylog.ParseDecision(leaf.Body)
		if err != nil {
			return e, false
		}
		e.At, e.Event = time.UnixMilli(d.AtMS), door.EventDenied
		switch d.Outcome {
		case access.Granted.String():
			e.Event = door.EventGranted
		case access.Denied.String():
		default:
			return e, false // a PIN or a second person was asked for: what comes of it is another leaf
		}
		e.Door, e.DoorName, e.Gateway = access.DoorID(d.Door), n.door(access.DoorID(d.Door)), access.GatewayID(d.Gateway)
		e.Side, _ = access.ParseSide(d.Side)
		e.Reason, _ = access.ParseReason(d.Reason)
		e.By, e.Attempt = access.ByServer, hex.EncodeToString(d.Attempt[:])
		return e, true
	case entrylog.KindRecord:
		rec, err := entrylog.ParseRecord(leaf.Body)
		if err != nil {
			return e, false
		}
		b, err := wire.ParseRecord(rec.Body)
		if err != nil {
			return e, false
		}
		e.At, e.Event = time.UnixMilli(rec.FromMS+(rec.ToMS-rec.FromMS)/2), b.Event
		e.Door, e.DoorName, e.Gateway = b.Door, n.door(b.Door), b.Gateway
		e.Side, e.Reason, e.By, e.Offline, e.Detail = b.Side, b.Reason, b.By, b.By == access.ByGateway, b.Detail
		if b.Attempt != (door.Attempt{}) {
			e.Attempt = hex.EncodeToString(b.Attempt[:])
		}
		return e, true
	default:
		return e, false
	}
}

// DoorNames implements web.Log.
func (p *pages) DoorNames(ctx context.Context) ([]web.DoorName, error) {
	s := p.directory()
	n := p.names(ctx)
	out := make([]web.DoorName, 0, len(s.Doors))
	for _, d := range s.Doors {
		out = append(out, web.DoorName{Door: d.ID, Name: n.door(d.ID)})
	}
	return out, nil
}

// finding turns a stored finding into a page's.
func (p *pages) finding(r store.Reader, f attempt.Finding, n names, show bool) web.Finding {
	out := web.Finding{
		ID: strconv.FormatInt(f.Idx, 10), Kind: f.Kind, At: time.UnixMilli(f.AtMS),
		Door: access.DoorID(f.Door), Gateway: access.GatewayID(f.Gateway), Leaf: uint64(f.Idx),
		Open: f.Status != attempt.StatusClosed, Detail: f.Detail,
	}
	if f.Door != "" {
		out.DoorName = n.door(out.Door)
	}
	p.about(r, &f, n, show, &out)
	if in, err := drilled(r, f.Door, f.AtMS); err == nil { // a mark on a page; without it the finding stands as any other
		out.Drill = in
	}
	switch f.Severity {
	case "high":
		out.Severity = web.SeverityHigh
	case "medium":
		out.Severity = web.SeverityMedium
	}
	if f.Attempt != [16]byte{} {
		out.Attempt = hex.EncodeToString(f.Attempt[:])
		if row, err := r.AttemptRow(f.Attempt); err == nil {
			out.Who = p.who(r, row.Opening, row.PersonRef, show)
		}
	}
	return out
}

// ListFindings implements web.Findings.
func (p *pages) ListFindings(ctx context.Context, q web.FindingQuery) (list []web.Finding, total int, err error) {
	n := p.names(ctx)
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		rows, all, err := r.FindingsWithRisen(within(q.In), within(q.Risen), q.All, q.Duress, q.Skip, q.Limit)
		if err != nil {
			return err
		}
		total = all
		for _, f := range rows {
			list = append(list, p.finding(r.Reader, f, n, q.Names))
		}
		return p.worked(r.Reader, rows, list)
	})
	return list, total, err
}

// FindingPage implements web.Findings.
func (p *pages) FindingPage(ctx context.Context, q web.FindingPageQuery) (out web.FindingPage, err error) {
	n := p.names(ctx)
	list := store.FindingList{In: within(q.In), AlsoRisen: q.Risen.All || len(q.Risen.Zones) > 0, Risen: within(q.Risen), Closed: q.Closed, Duress: q.Duress, Kind: q.Kind, Door: string(q.Door), Limit: q.Limit, After: placeIn(q.After), Before: placeIn(q.Before)}
	if !q.From.IsZero() {
		list.FromMS = q.From.UnixMilli()
	}
	if !q.Until.IsZero() {
		list.ToMS = q.Until.UnixMilli()
	}
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		rows, more, err := r.FindingPage(list)
		if err != nil {
			return err
		}
		out = web.FindingPage{More: more}
		for _, f := range rows {
			out.List = append(out.List, p.finding(r.Reader, f, n, q.Names))
		}
		if !q.Closed {
			if out.Total, err = r.CountWaiting(list); err != nil {
				return err
			}
		}
		return p.worked(r.Reader, rows, out.List)
	})
	return out, err
}

func placeIn(p *web.FindingPlace) *store.FindingPlace {
	if p == nil {
		return nil
	}
	return &store.FindingPlace{Rank: p.Rank, AtMS: p.AtMS, Idx: int64(p.Leaf)}
}

// within says to the store what a reach holds; nil = everything.
func within(in web.Reach) *store.Within {
	if in.All {
		return nil
	}
	w := &store.Within{Doors: []string{}, Gateways: []string{}, Zones: []string{}}
	for _, d := range in.Doors {
		w.Doors = append(w.Doors, string(d))
	}
	for _, g := range in.Gateways {
		w.Gateways = append(w.Gateways, string(g))
	}
	for _, z := range in.Zones {
		w.Zones = append(w.Zones, string(z))
	}
	return w
}

// LogSize implements web.Live.
func (p *pages) LogSize(context.Context) (uint64, error) { return uint64(p.store.Size()), nil }

// LiveFrom implements web.Live. It does not tell of what kind a leaf is: a decision and a system leaf beside it would tell
// everybody at a screen of a PIN given under duress (AD-13).
func (p *pages) LiveFrom(ctx context.Context, from uint64, limit int) (list []web.LiveEvent, err error) {
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		leaves, err := r.Leaves(int64(from), limit)
		if err != nil {
			return err
		}
		for _, l := range leaves {
			list = append(list, web.LiveEvent{Index: uint64(l.Idx), Kind: "leaf"})
		}
		return nil
	})
	return list, err
}

// attemptID reads the 32 hex digits that event wrote.
func attemptID(text string) (id [16]byte) {
	_, _ = hex.Decode(id[:], []byte(text)) // of our own making
	return id
}
