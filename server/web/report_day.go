package web

import (
	"context"
	"fmt"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/report"
)

// dayPaper is the kind of the papers that are made unasked. It is in no form.
var dayPaper = &reportKind{word: "day", zone: true, period: true, build: (*Handler).dayOfZone}

// DayPaper makes the paper of one day of a zone that is made unasked each morning: its register, and what was found (RR-1). It is in the
// language and with the dates of a city hall's files.
func (h *Handler) DayPaper(ctx context.Context, zone ZoneName, day calendar.Date, now time.Time) (*report.Document, error) {
	forms, err := h.src.Reports.ReportForms(ctx)
	if err != nil {
		return nil, fmt.Errorf("forms of reports: %w", err)
	}
	words := h.words[Japanese]
	a := &reportAsk{
		Base: Base{Site: h.cfg.Site, ZoneName: h.cfg.ZoneName, say: speaker{lang: Japanese, words: words, zone: h.cfg.Zone, mask: h.cfg.MaskKey, now: now.In(h.cfg.Zone)}},
		kind: dayPaper, zone: zone, from: day, to: day, era: true, form: forms.Of("entry_register", string(zone.ID)),
	}
	a.form.Name = words.say("report_kind.day")
	a.made = words.say("report.made_unasked", "time", a.DayTime(now))
	return h.dayOfZone(WithLanguage(ctx, Japanese), a)
}

// dayOfZone is the register of a day and what was found on it.
func (h *Handler) dayOfZone(ctx context.Context, a *reportAsk) (*report.Document, error) {
	d, err := h.entryRegister(ctx, a)
	if err != nil {
		return nil, err
	}
	sheet, err := h.src.Reviews.ReviewDay(ctx, a.zone.ID, a.from.String(), false)
	if err != nil {
		return nil, fmt.Errorf("day of %s: %w", a.zone.ID, err)
	}
	d.Tables[0].Heading = a.T("report_kind.entry_register")
	t := report.Table{Heading: a.T("report.found"), Empty: a.T("report.none_found"), Columns: []report.Column{
		{Head: a.T("col.time"), Weight: 5, Fixed: true}, {Head: a.T("col.finding"), Weight: 12}, {Head: a.T("col.severity"), Weight: 4, Fixed: true}, {Head: a.T("col.door"), Weight: 8},
		{Head: a.T("col.state"), Weight: 5, Fixed: true},
	}}
	for _, f := range sheet.Found {
		if f.Kind == "duress" {
			continue // only the security officer is told of it, and not on a paper that lies about (AD-13)
		}
		l := a.say.findingLine(f)
		t.Rows = append(t.Rows, []string{a.Time(l.At), strings.TrimSpace(l.Kind + " " + l.Detail), l.Severity.Word, l.Place, l.State.Word})
	}
	d.Tables = append(d.Tables, t)
	return d, nil
}
