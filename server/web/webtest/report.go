package webtest

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/server/report"
	"monban/server/web"
)

// Reports makes reports at once and keeps them in memory. A job DONE, one RUNS and one LOST are there from the beginning.
type Reports struct {
	m  *Memory
	mu sync.Mutex

	NoPDF error // what CanPrint says
	jobs  []keptReport
	org   report.Organisation
	forms report.Forms
}

type keptReport struct {
	report.Job
	files []report.File
}

// CanPrint implements web.Reports.
func (r *Reports) CanPrint() error { return r.NoPDF }

// StartReport implements web.Reports. A PDF is an HTML file here.
func (r *Reports) StartReport(ctx context.Context, ask web.ReportAsk, build func(context.Context) (*report.Document, error), act web.Action) (string, error) {
	if act.Reason == "" || ask.Use == "" {
		return "", web.FormFault{{Field: "use", Word: "required"}}
	}
	d, err := build(ctx)
	if err != nil {
		return "", err
	}
	d.Checkpoint = report.Checkpoint{Origin: "monban.test/log", Size: 10_500, Root: "cm9vdA==", Note: "monban.test/log\n10500\ncm9vdA==\n\n— monban.test/log c2lnbmF0dXJl\n"}
	format := ask.Format
	if format == report.AsPDF {
		format = report.AsHTML
	}
	out, err := report.Make(ctx, d, format, ask.File, nil, func(int, int) {})
	if err != nil {
		return "", err
	}
	if err := r.m.RecordAction(ctx, act); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	k := keptReport{report.Job{ID: rand.Text(), Account: act.Actor, Kind: ask.Kind, Zone: string(ask.Zone), Query: ask.Query, Format: ask.Format, State: report.Done, Asked: act.At, Ended: act.At}, out.Files}
	for _, f := range out.Files {
		k.Files = append(k.Files, report.Kept{Name: f.Name, Type: f.Type, Size: len(f.Data)})
	}
	k.Output = *out
	k.Output.Files = nil
	r.jobs = append([]keptReport{k}, r.jobs...)
	return k.ID, nil
}

// DayPapers implements web.Reports: one of each of two zones.
func (r *Reports) DayPapers(context.Context) (out []report.Job, err error) {
	at := time.Now().Add(-2 * time.Hour)
	for _, zone := range []string{"server-room", "media-store"} {
		out = append(out, report.Job{ID: "DAY-" + zone, Account: report.Unasked, Kind: "day", Zone: zone, Query: "report=entry_register&zone=" + zone + "&from=2026-11-23&to=2026-11-23", Format: report.AsPDF, State: report.Done,
			Asked: at, Ended: at, Files: []report.Kept{{Name: "day-" + zone + "-20261123.pdf", Type: "application/pdf", Size: 21_000}}, Output: report.Output{Rows: 9, Hash: "5d41402abc4b2a76b9719d911017c592"}})
	}
	return out, nil
}

// DayPaperFile implements web.Reports.
func (r *Reports) DayPaperFile(_ context.Context, job string, n int) (report.File, error) {
	if n != 0 {
		return report.File{}, web.ErrNotFound
	}
	return report.File{Name: job + ".pdf", Type: "application/pdf", Data: []byte("%PDF-")}, nil
}

// ReportJobs implements web.Reports.
func (r *Reports) ReportJobs(_ context.Context, account string) (out []report.Job, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.jobs {
		if k.Account == account {
			out = append(out, k.Job)
		}
	}
	at := time.Now().Add(-time.Hour)
	for _, j := range []report.Job{
		{ID: "RUNS", State: report.Running, Part: 2, Parts: 7, Format: report.AsPDF},
		{ID: "DONE", State: report.Done, Format: report.AsShiftJIS, Files: []report.Kept{{Name: "entry_register-20261123.csv", Type: "text/csv", Size: 2100}},
			Output: report.Output{Rows: 9, Hash: "5d41402abc4b2a76b9719d911017c592", Missing: []string{"氏名 〓 = U+2FA1F"}, Spoilt: []report.Spoilt{{Line: 4, Column: "氏名", Text: Yoshida.Name, Runes: []string{"U+20BB7"}}}}},
		{ID: "LOST", State: report.Lost, Format: report.AsXLSX},
	} {
		j.Account, j.Kind, j.Zone, j.Asked, j.Query = account, "entry_register", "server-room", at, "report=entry_register&zone=server-room"
		out = append(out, j)
	}
	return out, nil
}

// ReportFile implements web.Reports.
func (r *Reports) ReportFile(_ context.Context, account, job string, n int) (report.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.jobs {
		if k.ID == job && k.Account == account && n >= 0 && n < len(k.files) {
			return k.files[n], nil
		}
	}
	return report.File{}, web.ErrNotFound
}

// ReportForms implements web.Reports.
func (r *Reports) ReportForms(context.Context) (report.Forms, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.forms, nil
}

// Organisation implements web.Reports.
func (r *Reports) Organisation(context.Context) (report.Organisation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.org, nil
}

// SaveOrganisation implements web.Reports.
func (r *Reports) SaveOrganisation(ctx context.Context, o report.Organisation, act web.Action) error {
	if err := r.m.RecordAction(ctx, act); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.org = o
	return nil
}

// SaveReportForm implements web.Reports.
func (r *Reports) SaveReportForm(ctx context.Context, kind string, zone access.ZoneID, f report.Form, act web.Action) error {
	if err := f.Validate(web.ReportColumns(kind)); err != nil {
		return web.FormFault{{Field: "name", Word: "refused"}}
	}
	if err := r.m.RecordAction(ctx, act); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forms = r.forms.With(kind, string(zone), f)
	return nil
}
