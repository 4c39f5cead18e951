package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"monban/firmware/calendar"
	"monban/server/entrylog"
	"monban/server/privacy"
	"monban/server/report"
	"monban/server/store"
	"monban/server/web"
)

// dayPapers makes, each morning and unasked, the paper of the day before for each zone: its register, and what was found (RR-1). They lie among
// the reports, encrypted and, over closed days, until the next open day has gone by; which zone's a person may have is the pages' to decide.
type dayPapers struct {
	papers *reportPages
	build  func(ctx context.Context, zone web.ZoneName, day calendar.Date, now time.Time) (*report.Document, error)
	zone   *time.Location
	closed func() calendar.Calendar
}

// dayPaperKey is the setting that holds the last day of which the papers were made.
const dayPaperKey = "day_paper"

// mostDayPapers is of how many days a server that was away makes the papers: older ones are asked for.
const mostDayPapers = 3

// make is the job. A day of a zone at which nothing happened has no paper.
func (p *dayPapers) make(ctx context.Context, due time.Time) (note string, err error) {
	last := calendar.DateOf(due.In(p.zone)).AddDays(-1)
	first, err := p.first(ctx, last)
	if err != nil {
		return "", err
	}
	zones, err := p.papers.RegisterZones(ctx)
	if err != nil {
		return "", err
	}
	made, quiet := 0, 0
	for day := first; !last.Before(day); day = day.AddDays(1) {
		for _, z := range zones {
			if z.Gone != "" && z.Gone < day.String() {
				continue
			}
			did, err := p.paper(ctx, z, day)
			if err != nil {
				return "", fmt.Errorf("paper of %s: %w", day, err)
			}
			if did {
				made++
			} else {
				quiet++
			}
		}
		if err := p.papers.store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(dayPaperKey, day.String()) }); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d made, %d with nothing in them", made, quiet), nil
}

// first is the first day of which there is no paper yet.
func (p *dayPapers) first(ctx context.Context, last calendar.Date) (calendar.Date, error) {
	first := last
	err := p.papers.store.Read(ctx, func(r *store.ReadTx) error {
		text, err := r.Setting(dayPaperKey)
		if errors.Is(err, store.ErrNotFound) {
			return nil // a new site begins with yesterday
		}
		if err != nil {
			return err
		}
		if done, err := calendar.ParseDate(text); err == nil {
			first = done.AddDays(1)
		}
		return nil
	})
	if oldest := last.AddDays(1 - mostDayPapers); first.Before(oldest) {
		first = oldest
	}
	return first, err
}

// paper makes the paper of one day of a zone, unless it is there, or there is nothing to put on it.
func (p *dayPapers) paper(ctx context.Context, zone web.ZoneName, day calendar.Date) (made bool, err error) {
	query := url.Values{"report": {"entry_register"}, "zone": {string(zone.ID)}, "from": {day.String()}, "to": {day.String()}}.Encode()
	spool, err := p.papers.spool(ctx)
	if err != nil {
		return false, err
	}
	for _, j := range spool.Jobs(report.Unasked) {
		if j.Query == query && j.State == report.Done {
			return true, nil // a run that was cut off made it
		}
	}
	now := p.papers.now()
	d, err := p.build(ctx, zone, day, now)
	if err != nil {
		return false, err
	}
	rows := 0
	for i := range d.Tables {
		rows += len(d.Tables[i].Rows)
	}
	if rows == 0 {
		return false, nil
	}
	format := report.AsPDF
	if p.papers.cannot != nil {
		format = report.AsHTML
	}
	id, err := spool.Start(report.Job{Account: report.Unasked, Kind: "day", Zone: string(zone.ID), Query: query, Format: format, Until: p.until(now)},
		func(ctx context.Context, progress func(done, of int)) (*report.Output, error) {
			d.Reduced, d.Checkpoint = p.papers.reducedNames(), signedLog(p.papers.store.Checkpoint())
			out, err := report.Make(ctx, d, format, fmt.Sprintf("day-%s-%04d%02d%02d", zone.ID, day.Year, int(day.Month), day.Day), p.papers.printer, progress)
			if err != nil {
				return nil, err
			}
			return out, p.leaf(ctx, zone, query, format, out)
		})
	if err != nil {
		return false, err
	}
	j, err := spool.Wait(ctx, id)
	if err == nil && j.State != report.Done {
		err = errors.New("the paper could not be made: see the server's log")
	}
	return err == nil, err
}

// until is how long a paper is kept at least: to the end of the day on which somebody comes to print it. One of Friday lies there on Monday.
func (p *dayPapers) until(now time.Time) time.Time {
	closed := p.closed()
	day := closed.NextBusinessDay(calendar.DateOf(now.In(p.zone))).AddDays(1)
	return time.Date(day.Year, day.Month, day.Day, 0, 0, 0, 0, p.zone)
}

// leaf writes that a paper with names was made, before anybody can have it. Nobody asked for it, so that who opens it is a leaf too (PR-1).
func (p *dayPapers) leaf(ctx context.Context, zone web.ZoneName, query string, format report.Format, out *report.Output) error {
	return p.papers.store.Write(ctx, func(tx *store.Tx) error {
		if err := checkUse(tx.Reader, privacy.EntryControl); err != nil {
			return err
		}
		leaf := entrylog.Action{
			Verb: string(web.ActionReportMade), Target: targetOf(web.ActionReportMade), ID: "day/" + string(zone.ID), From: "job", Result: "ok",
			AtMS: p.papers.now().UnixMilli(),
		}
		text := fmt.Sprintf("%s\npurpose %s\n%s, %d rows, SHA-256 of the content %s", query, privacy.EntryControl, format, out.Rows, out.Hash)
		_, err := tx.AppendAction(leaf, &entrylog.Opening{Text: text})
		return err
	})
}
