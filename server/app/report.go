package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/entrylog"
	"monban/server/privacy"
	"monban/server/report"
	"monban/server/store"
	"monban/server/web"
)

// reportDir is where files of reports lie for a day, below the data directory. They cannot be read after a restart.
const reportDir = "reports"

// reportPages implements web.Reports: a spool of jobs over the log.
type reportPages struct {
	*pages
	folder  *folder[report.Spool]
	printer *report.Printer // nil: no program that makes PDFs
	cannot  error
}

// openReports looks once for the program that makes PDFs.
func openReports(ctx context.Context, dir string, p *pages) *reportPages {
	r := &reportPages{pages: p}
	var err error
	if r.folder, err = openFolder(func() (*report.Spool, error) { return report.OpenSpool(dir, p.now, p.log) }); err != nil {
		p.log.LogAttrs(ctx, slog.LevelError, "no papers can be made until this is mended; doors are not touched", slog.Any("err", err))
	}
	if r.printer, r.cannot = report.FindPrinter(ctx); r.cannot != nil {
		p.log.LogAttrs(ctx, slog.LevelInfo, "no PDF of reports", slog.Any("err", r.cannot))
	}
	return r
}

// Close ends what runs and waits for it.
func (p *reportPages) Close() {
	if p != nil {
		p.folder.close((*report.Spool).Close)
	}
}

// spool gives the papers that may still be handed out.
func (p *reportPages) spool(ctx context.Context) (*report.Spool, error) {
	s, err := p.folder.get()
	if err != nil {
		return nil, err
	}
	return s, forget(ctx, p.store, nil, s)
}

// jobs lists those of an account.
func (p *reportPages) jobs(ctx context.Context, account string) ([]report.Job, error) {
	s, err := p.spool(ctx)
	if err != nil {
		return nil, err
	}
	return s.Jobs(account), nil
}

// CanPrint implements web.Reports.
func (p *reportPages) CanPrint() error { return p.cannot }

// StartReport implements web.Reports.
func (p *reportPages) StartReport(ctx context.Context, ask web.ReportAsk, build func(context.Context) (*report.Document, error), act web.Action) (string, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return "", bad
	}
	err := p.store.Read(ctx, func(r *store.ReadTx) error { return checkUse(r.Reader, privacy.Use(ask.Use)) })
	err = refusedUse(ctx, p.store, act.Actor, originOf(act), "report", p.now().UnixMilli(), err)
	if errors.Is(err, privacy.ErrNotRegistered) || errors.Is(err, privacy.ErrNoPurpose) {
		return "", web.FormFault{{Field: "use", Word: "required"}}
	}
	if err != nil {
		return "", err
	}
	job := report.Job{Account: act.Actor, Kind: ask.Kind, Zone: string(ask.Zone), Query: ask.Query, Format: ask.Format}
	spool, err := p.spool(ctx)
	if err != nil {
		return "", err
	}
	id, err := spool.Start(job, func(ctx context.Context, progress func(done, of int)) (*report.Output, error) {
		d, err := build(ctx)
		if err != nil {
			return nil, err
		}
		d.Reduced, d.Checkpoint = p.reducedNames(), signedLog(p.store.Checkpoint())
		out, err := report.Make(ctx, d, ask.Format, ask.File, p.printer, progress)
		if err != nil {
			return nil, err
		}
		return out, p.reportLeaf(ctx, ask, out, act)
	})
	if errors.Is(err, report.ErrBusy) {
		return "", web.ErrBusy
	}
	return id, err
}

// reportLeaf writes that a report left the house: what, how much, for which purpose. Nobody can have the file before (PR-1).
func (p *reportPages) reportLeaf(ctx context.Context, ask web.ReportAsk, out *report.Output, act web.Action) error {
	return p.store.Write(ctx, func(tx *store.Tx) error {
		if err := checkUse(tx.Reader, privacy.Use(ask.Use)); err != nil { // it may have ended since
			return err
		}
		leaf := entrylog.Action{
			Account: act.Actor, Verb: string(act.Kind), Target: targetOf(act.Kind), ID: act.Target, From: originOf(act), Result: "ok", Reason: true, AtMS: p.now().UnixMilli(),
		}
		text := fmt.Sprintf("%s\n%s\npurpose %s\n%s, %d rows, SHA-256 of the content %s", act.Reason, act.Filter, ask.Use, ask.Format, out.Rows, out.Hash)
		if _, err := tx.AppendAction(leaf, &entrylog.Opening{Address: addressOf(act), Text: text}); err != nil {
			return err
		}
		// Set-up asks that a paper was made once: what nobody has printed, nobody has compared with the city's rules.
		if _, err := tx.Setting(report.PrintedKey); errors.Is(err, store.ErrNotFound) {
			return tx.SetSetting(report.PrintedKey, p.now().UTC().Format(time.DateOnly))
		} else {
			return err
		}
	})
}

// reducedNames are the names whose reduced form (縮退) the directory knows.
func (p *reportPages) reducedNames() map[string]string {
	out := map[string]string{}
	s := p.directory()
	for i := range s.People {
		if x := &s.People[i]; x.NameReduced != "" {
			out[x.Name] = x.NameReduced
		}
	}
	return out
}

// signedLog reads the store's own newest checkpoint; none when nothing is signed.
func signedLog(note string) report.Checkpoint {
	text, _, ok := strings.Cut(note, "\n\n")
	c, err := entrylog.ParseCheckpointText(text + "\n")
	if !ok || err != nil {
		return report.Checkpoint{}
	}
	return report.Checkpoint{Origin: c.Origin, Size: c.Size, Root: c.Root.String(), Note: note}
}

// ReportJobs implements web.Reports.
func (p *reportPages) ReportJobs(ctx context.Context, account string) ([]report.Job, error) {
	return p.jobs(ctx, account)
}

// ReportFile implements web.Reports.
func (p *reportPages) ReportFile(ctx context.Context, account, job string, n int) (report.File, error) {
	s, err := p.spool(ctx)
	if err != nil {
		return report.File{}, err
	}
	f, err := s.Read(account, job, n)
	if errors.Is(err, report.ErrNone) {
		err = web.ErrNotFound
	}
	return f, err
}

// DayPapers implements web.Reports.
func (p *reportPages) DayPapers(ctx context.Context) ([]report.Job, error) {
	return p.jobs(ctx, report.Unasked)
}

// DayPaperFile implements web.Reports.
func (p *reportPages) DayPaperFile(ctx context.Context, job string, n int) (report.File, error) {
	return p.ReportFile(ctx, report.Unasked, job, n)
}

// ReportForms implements web.Reports.
func (p *reportPages) ReportForms(ctx context.Context) (f report.Forms, err error) {
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		f, err = reportForms(r.Reader)
		return err
	})
	return f, err
}

// Organisation implements web.Reports.
func (p *reportPages) Organisation(ctx context.Context) (o report.Organisation, err error) {
	return organisation(ctx, p.store)
}

// organisation is whose papers these are and whom to ask, as it was said last.
func organisation(ctx context.Context, s *store.Store) (o report.Organisation, err error) {
	err = s.Read(ctx, func(r *store.ReadTx) error {
		o, err = storedOrganisation(r.Reader)
		return err
	})
	return o, err
}

func storedOrganisation(r store.Reader) (report.Organisation, error) {
	text, err := r.Setting(report.OrganisationKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return report.Organisation{}, err
	}
	return report.ParseOrganisation(text)
}

// SaveOrganisation implements web.Reports.
func (p *reportPages) SaveOrganisation(ctx context.Context, o report.Organisation, act web.Action) error {
	if bad := reasonFault(act.Reason); bad != nil {
		return bad
	}
	if err := o.Validate(); err != nil {
		return web.FormFault{{Field: "name", Word: "refused"}}
	}
	return p.store.Write(ctx, func(tx *store.Tx) error {
		old, err := storedOrganisation(tx.Reader)
		if err != nil {
			return err
		}
		before, err := old.Text()
		if err != nil {
			return err
		}
		text, err := o.Text()
		if err != nil {
			return err
		}
		if err := tx.SetSetting(report.OrganisationKey, text); err != nil {
			return err
		}
		leaf := entrylog.Action{
			Account: act.Actor, Verb: string(act.Kind), Target: targetOf(act.Kind), ID: report.OrganisationKey, From: originOf(act), Result: "ok", Reason: true, AtMS: act.At.UnixMilli(),
		}
		_, err = tx.AppendAction(leaf, &entrylog.Opening{Address: addressOf(act), Text: act.Reason + "\n" + before + "\n" + text})
		return err
	})
}

func reportForms(r store.Reader) (report.Forms, error) {
	text, err := r.Setting(report.FormsKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return report.ParseForms(text)
}

// SaveReportForm implements web.Reports.
func (p *reportPages) SaveReportForm(ctx context.Context, kind string, zone access.ZoneID, f report.Form, act web.Action) error {
	if bad := reasonFault(act.Reason); bad != nil {
		return bad
	}
	if err := f.Validate(web.ReportColumns(kind)); err != nil {
		return web.FormFault{{Field: "name", Word: "refused"}}
	}
	return p.store.Write(ctx, func(tx *store.Tx) error {
		old, err := reportForms(tx.Reader)
		if err != nil {
			return err
		}
		text, err := old.With(kind, string(zone), f).Text()
		if err != nil {
			return err
		}
		before, err := old.Text()
		if err != nil {
			return err
		}
		if err := tx.SetSetting(report.FormsKey, text); err != nil {
			return err
		}
		leaf := entrylog.Action{
			Account: act.Actor, Verb: string(act.Kind), Target: targetOf(act.Kind), ID: act.Target, From: originOf(act), Result: "ok", Reason: true, AtMS: act.At.UnixMilli(),
		}
		_, err = tx.AppendAction(leaf, &entrylog.Opening{Address: addressOf(act), Text: act.Reason + "\n" + before + "\n" + text})
		return err
	})
}
