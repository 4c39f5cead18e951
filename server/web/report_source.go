package web

import (
	"context"

	"monban/firmware/access"
	"monban/server/report"
)

// Kinds of actions of papers.
const (
	ActionReportMade ActionKind = "report_made" // Target = the kind/the zone
	ActionReportForm ActionKind = "report_form" // Target = the kind

	ActionOrganisation ActionKind = "organisation_changed"
)

// Reports makes files of reports, one after the other, and keeps them for a while for whoever asked (RR-1).
type Reports interface {
	// CanPrint is nil where PDFs can be made; otherwise it says what is missing.
	CanPrint() error
	// StartReport queues a report and gives the job's id. build makes the document in its turn, with a context of its own. The leaf, with
	// purpose, reason, number of rows and hash, is committed before a file can be had. FormFault for a use that is no registered purpose
	// or without a reason; ErrBusy when too many wait.
	StartReport(ctx context.Context, ask ReportAsk, build func(context.Context) (*report.Document, error), act Action) (string, error)
	// ReportJobs lists what an account asked for, newest first; what is too old is gone.
	ReportJobs(ctx context.Context, account string) ([]report.Job, error)
	// DayPapers lists the papers that the server makes by itself, newest first: DayPaperFile gives their files. Who may have one is the
	// pages' to decide, by the zone.
	DayPapers(ctx context.Context) ([]report.Job, error)
	DayPaperFile(ctx context.Context, job string, n int) (report.File, error)
	// ReportFile gives a file to whoever asked for it. ErrNotFound for anybody else.
	ReportFile(ctx context.Context, account, job string, n int) (report.File, error)
	// ReportForms are the names, numbers, columns and seals of the site's papers.
	ReportForms(ctx context.Context) (report.Forms, error)
	// SaveReportForm changes one, with a reason; it is a leaf.
	SaveReportForm(ctx context.Context, kind string, zone access.ZoneID, f report.Form, act Action) error
	// Organisation is whose papers these are and whom to ask; the zero value as long as nobody has said it.
	Organisation(ctx context.Context) (report.Organisation, error)
	// SaveOrganisation changes it, with a reason; it is a leaf.
	SaveOrganisation(ctx context.Context, o report.Organisation, act Action) error
}

// ReportAsk is what is asked for.
type ReportAsk struct {
	Kind   string
	Zone   access.ZoneID // "" = the whole site
	Format report.Format
	Use    string // registered purpose of use (PR-1)
	Query  string // of the page, to ask again
	File   string // beginning of the files' names: ASCII, names nobody
}
