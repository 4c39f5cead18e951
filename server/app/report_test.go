package app

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"monban/server/report"
	"monban/server/web"
)

// papers is the reports' source over a counter's log, without a program that makes PDFs.
func (c *counter) papers() *reportPages {
	c.t.Helper()
	p := c.registers()
	dir := c.t.TempDir()
	folder, err := openFolder(func() (*report.Spool, error) { return report.OpenSpool(dir, p.now, quiet) })
	c.must(err)
	r := &reportPages{pages: p, folder: folder, cannot: report.ErrNoPrinter}
	c.t.Cleanup(r.Close)
	return r
}

// paperDone waits until a report is made.
func (c *counter) paperDone(p *reportPages, account, id string) report.Job {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		jobs, err := p.ReportJobs(c.t.Context(), account)
		c.must(err)
		for _, j := range jobs {
			if j.ID == id && j.State != report.Waiting && j.State != report.Running {
				return j
			}
		}
	}
	c.t.Fatal("the report does not end")
	return report.Job{}
}

// RR-1, PR-1, RA-4: names that a spreadsheet would run, or cannot write, leave the house safely; without a registered purpose nothing does, and
// nobody can have the file before its leaf is written.
func TestReportLeavesTheHouse(t *testing.T) {
	c := newCounter(t)
	p := c.papers()
	doc := func(context.Context) (*report.Document, error) {
		return &report.Document{Title: "入退室管理簿", Tables: []report.Table{{Columns: []report.Column{{Head: "番号"}, {Head: "氏名"}}, Rows: [][]string{{"1", "=1+1 髙橋"}, {"2", "𠮷田"}}}}}, nil
	}
	by := web.Action{At: c.at, Kind: web.ActionReportMade, Actor: chief.Account, Reason: "監査", Target: "entry_register/media-store"}
	ask := web.ReportAsk{Kind: "entry_register", Zone: "media-store", Format: report.AsCSV, Use: "audit", File: "a"}
	read := func(n int) string {
		t.Helper()
		size := c.site.Store.Size()
		id, err := p.StartReport(t.Context(), ask, doc, by)
		c.must(err)
		j := c.paperDone(p, chief.Account, id)
		if j.State != report.Done || c.site.Store.Size() != size+1 || j.Output.Rows != 2 {
			t.Fatalf("%+v, %d leaves", j, c.site.Store.Size()-size)
		}
		f, err := p.ReportFile(t.Context(), chief.Account, id, n)
		c.must(err)
		if _, err := p.ReportFile(t.Context(), clerk.Account, id, n); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("somebody else: %v", err)
		}
		return string(f.Data)
	}
	if got, want := read(0), "\ufeff番号,氏名\r\n1,'=1+1 髙橋\r\n2,𠮷田\r\n"; got != want {
		t.Errorf("%q", got)
	}
	ask.Format = report.AsShiftJIS
	if got, _ := japanese.ShiftJIS.NewDecoder().String(read(0)); !strings.Contains(got, "'=1+1 髙橋") || !strings.Contains(got, "〓田") {
		t.Errorf("%q", got)
	}
	if got := read(1); !strings.Contains(got, "3,氏名,𠮷田,U+20BB7") {
		t.Errorf("%q", got)
	}
	var bad web.FormFault
	ask.Use = "marketing"
	if _, err := p.StartReport(t.Context(), ask, doc, by); !errors.As(err, &bad) {
		t.Errorf("without a purpose: %v", err)
	}
	c.wantFindings("export_without_purpose")
	size := c.site.Store.Size()
	ask.Use, by.Reason = "audit", ""
	if _, err := p.StartReport(t.Context(), ask, doc, by); !errors.As(err, &bad) {
		t.Errorf("without a reason: %v", err)
	}
	if c.site.Store.Size() != size {
		t.Error("a refused report is a leaf")
	}
	by.Reason = "監査"
	id, err := p.StartReport(t.Context(), ask, func(context.Context) (*report.Document, error) { return nil, os.ErrInvalid }, by)
	c.must(err)
	if j := c.paperDone(p, chief.Account, id); j.State != report.Failed {
		t.Errorf("%+v", j)
	}
	if _, err := p.ReportFile(t.Context(), chief.Account, id, 0); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a file of a failed report: %v", err)
	}
	c.noNames("髙橋", "𠮷田")
}

// RR-1: how the papers look is a setting with a reason and a leaf; what cannot be printed is refused.
func TestReportForm(t *testing.T) {
	c := newCounter(t)
	p := c.papers()
	ctx := t.Context()
	by := web.Action{At: c.at, Kind: web.ActionReportForm, Actor: chief.Account, Reason: "要綱の改正", Target: "entry_register"}
	size := c.site.Store.Size()
	c.must(p.SaveReportForm(ctx, "entry_register", "media-store", report.Form{Name: "保管庫記録簿", Columns: []string{"no", "name"}}, by))
	forms, err := p.ReportForms(ctx)
	c.must(err)
	if forms.Of("entry_register", "media-store").Name != "保管庫記録簿" || c.site.Store.Size() != size+1 {
		t.Errorf("%v, %d leaves", forms, c.site.Store.Size()-size)
	}
	var bad web.FormFault
	if err := p.SaveReportForm(ctx, "entry_register", "", report.Form{Columns: []string{"shoe_size"}}, by); !errors.As(err, &bad) {
		t.Errorf("an unknown column: %v", err)
	}
	by.Reason = ""
	if err := p.SaveReportForm(ctx, "entry_register", "", report.Form{}, by); !errors.As(err, &bad) || c.site.Store.Size() != size+1 {
		t.Errorf("without a reason: %v", err)
	}
}

// EV-1: the paper says what was signed.
func TestSignedLog(t *testing.T) {
	const note = "monban.test/log\n12\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— monban.test/log xxx\n"
	if c := signedLog(note); c.Origin != "monban.test/log" || c.Size != 12 || c.Note != note || c.Root != "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"", "x", "a\nb\nc\n\nd"} {
		if c := signedLog(bad); c != (report.Checkpoint{}) {
			t.Errorf("%q: %+v", bad, c)
		}
	}
}
