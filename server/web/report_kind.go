package web

import (
	"context"
	"fmt"

	"monban/firmware/calendar"
	"monban/server/report"
)

// reportRoles make reports, each with a reason, a registered purpose and a leaf.
const reportRoles = groupF | groupA | groupC

// formRoles say what the papers of a zone look like.
const formRoles = RoleSet(1<<RoleZoneManager) | groupC

// reportKind is one kind of report. Its words stand in report_kind and report_text of the catalogue.
type reportKind struct {
	word   string
	zone   bool // of one zone
	whole  bool // of one zone, or of all of them
	period bool // from a day to a day; without, as of the last day
	all    bool // may show refusals too
	sample bool // draws a sample
	build  func(h *Handler, ctx context.Context, a *reportAsk) (*report.Document, error)
}

// reportKinds lists all kinds in the order of the page.
func reportKinds() []*reportKind {
	return []*reportKind{
		{word: "entry_register", zone: true, period: true, all: true, build: (*Handler).entryRegister},
		{word: "monthly", zone: true, period: true, build: (*Handler).monthly},
		{word: "council", period: true, build: (*Handler).council},
		{word: "rights_list", zone: true, whole: true, sample: true, build: (*Handler).rightsList},
		{word: "visitor_ledger", period: true, build: (*Handler).visitorLedger},
		{word: "badge_ledger", period: true, build: (*Handler).badgeLedger},
		{word: "training_due", build: (*Handler).trainingDue},
	}
}

// Word names the kind in addresses.
func (k *reportKind) Word() string { return k.word }

func reportKindOf(word string) *reportKind {
	for _, k := range reportKinds() {
		if k.word == word {
			return k
		}
	}
	return nil
}

// reportAsk is a question that was understood.
type reportAsk struct {
	Base     // words and zone of the page that asked; its names are shown
	kind     *reportKind
	zone     ZoneName
	from, to calendar.Date
	era, all bool
	sample   int
	seed     uint64
	form     report.Form
	org      report.Organisation
	made     string
}

// head begins the document of a report.
func (a *reportAsk) head() *report.Document {
	v := a.register()
	d := &report.Document{
		Lang: string(a.say.lang), Title: a.form.Name, Number: a.form.Number, Site: a.Site, Zone: a.zone.Name, Seals: a.form.Seals, Made: a.made, Closed: a.say.now.UTC(),
		Labels: report.Labels{
			Period: a.T("report.period"), Made: a.T("report.made"), Log: a.T("report.log"), NoLog: a.T("report.no_log"), Content: a.T("report.content"), Seals: a.T("register.seals"),
			Signed: a.T("report.signed"), Part: a.T("report.part"), Verify: a.T("report.verify"), Missing: a.T("report.missing"),
			Line: a.T("report.line"), Column: a.T("report.column"), Cell: a.T("report.cell"), Letters: a.T("report.letters"),
		},
	}
	if name := a.org.In(string(a.say.lang)); name != "" {
		d.Site = name
	}
	if text := a.org.Contact(); text != "" {
		d.Facts = append(d.Facts, report.Fact{Name: a.T("report.contact"), Text: text})
	}
	if d.Title == "" {
		d.Title = a.T("report_kind." + a.kind.word)
	}
	if len(d.Seals) == 0 {
		d.Seals = []string{a.T("register.seal_clerk"), a.T("register.seal_head"), a.T("register.seal_manager")}
	}
	d.Year = a.fiscalYear()
	if d.Period = v.date(a.to); a.kind.period && a.from != a.to {
		d.Period = a.T("register.period", "from", v.date(a.from), "to", v.date(a.to))
	}
	return d
}

// fiscalYear says the fiscal year, or the years, of the period.
func (a *reportAsk) fiscalYear() string {
	word := func(y calendar.FiscalYear) string {
		if a.say.lang == Japanese {
			return y.Japanese()
		}
		return y.English()
	}
	first, last := a.from.FiscalYear(), a.to.FiscalYear()
	if first == last || !a.kind.period {
		return word(last)
	}
	return a.T("register.period", "from", word(first), "to", word(last))
}

// register is a view that writes dates and rows as the register's page does.
func (a *reportAsk) register() *registerView {
	return &registerView{Base: a.Base, Era: a.era, All: a.all, Zone: string(a.zone.ID), ZoneLabel: a.zone.Name}
}

// fileName is the beginning of the names of a report's files.
func (a *reportAsk) fileName() string {
	day := func(d calendar.Date) string { return fmt.Sprintf("%04d%02d%02d", d.Year, int(d.Month), d.Day) }
	if !a.kind.period {
		return a.kind.word + "-" + day(a.to)
	}
	return a.kind.word + "-" + day(a.from) + "-" + day(a.to)
}

// ReportColumns lists the words of the columns that a kind's form may choose from; none for a kind whose columns are fixed.
func ReportColumns(kind string) []string {
	if kind == "entry_register" {
		return registerColumnWords()
	}
	return nil
}
