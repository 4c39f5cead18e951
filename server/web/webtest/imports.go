package webtest

import (
	"bytes"
	"context"

	"monban/server/web"
)

// importSample is the draft that is always there.
const importSample = "DRAFT"

// DraftImport implements web.Imports: a file with a formula in it is refused, any other becomes the one draft.
func (r *Rules) DraftImport(_ context.Context, _ string, files []web.ImportFile) (d web.ImportDraft, err error) {
	for _, f := range files {
		d.Files = append(d.Files, web.ImportLook{Name: f.Name, Kind: "people", Encoding: "Shift_JIS", Rows: 2, Head: []string{"職員番号", "氏名", "所属", "区分"},
			Sample: [][]string{{"1001", "髙橋 健一", "情報政策課", "職員"}, {"1009", "葛\U000E0100城 蓮", "総務課", "職員"}}})
		if bytes.Contains(f.Data, []byte("=")) {
			d.Problems = append(d.Problems, web.RuleProblem{File: f.Name, Row: 2, Column: "氏名", Text: "looks like a spreadsheet formula; write the value itself"},
				web.RuleProblem{File: f.Name, Text: "column \"所属\" (section) is missing; add it"})
		}
	}
	if len(d.Problems) > 0 {
		return d, nil
	}
	d.ID = importSample
	d.Outcome = web.RuleOutcome{
		Changes: []web.RuleChange{
			{Op: "change", Noun: "person", ID: "1001", Fields: []web.RuleField{{Name: "section", Was: "総務課", Is: "情報政策課"}}},
			{Op: "add", Noun: "grant", ID: "1009:server-room:office", Waits: true, Fields: []web.RuleField{{Name: "person_id", Is: "1009"}, {Name: "valid_until", Is: "2027-03-31"}}},
		},
		Warnings: []web.RuleText{{Noun: "grant", ID: "1009:server-room:office", Text: "overlaps grant 1009:server-room:always: both let 1009 into server-room on the same days"}},
	}
	return d, nil
}

// ImportByID implements web.Imports.
func (r *Rules) ImportByID(ctx context.Context, account, id string) (web.ImportDraft, error) {
	if id != importSample {
		return web.ImportDraft{}, web.ErrNotFound
	}
	return r.DraftImport(ctx, account, []web.ImportFile{{Name: "people.csv"}})
}

// ApplyImport implements web.Imports.
func (r *Rules) ApplyImport(ctx context.Context, id string, act web.Action) (web.RuleOutcome, error) {
	d, err := r.ImportByID(ctx, act.Actor, id)
	if err != nil {
		return web.RuleOutcome{}, err
	}
	d.Outcome.Proposal = AttemptID(0x53)
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return d.Outcome, r.m.record(act)
}
