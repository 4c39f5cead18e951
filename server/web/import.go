package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Bounds of an import by page. An upload stays in memory: its files may hold card numbers.
const (
	maxUpload     = 5 << 20
	maxUploadBody = maxUpload + 64<<10
	maxFiles      = 15
	shownRows     = 200
	shownFaults   = 200
)

type importView struct {
	Base
	StepUp   string
	Fault    string
	Kinds    []choice
	Files    []importFileView
	Problems []importProblem
	More     string // problems that are not shown
}

type importFileView struct {
	Name, Kind, Encoding, Rows string
	Columns                    []string
	Sample                     [][]string
	Unread                     bool
}

type importProblem struct{ Where, Text string }

type importCheckView struct {
	Base
	ID       string
	Files    []importFileView
	Nothing  bool
	Total    string
	Changes  []ruleLine
	More     string
	Waits    bool
	Now      bool
	Warnings []string
	Reason   formField
	Fault    string
	StepUp   string
}

func (h *Handler) importView(rq *request) importView {
	v := importView{Base: h.base(rq, "import.title"), Kinds: []choice{{Label: ""}}}
	v.Here = "/import"
	v.Kinds[0].Label = v.T("import.guess")
	for _, k := range ImportKinds {
		v.Kinds = append(v.Kinds, choice{Value: k, Label: v.T("import_kind." + k), Chosen: k == rq.URL.Query().Get("kind")})
	}
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += "/import"
	}
	return v
}

func (h *Handler) getImport(w http.ResponseWriter, rq *request) error {
	return h.render(w, rq, "import", h.importView(rq))
}

// uploaded reads the files of a form. fault is a key of the catalogue.
func (rq *request) uploaded() (files []ImportFile, fault string, err error) {
	if err := rq.ParseMultipartForm(maxUploadBody); err != nil { // more memory than the body may have: nothing goes to a disk
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, "import.too_large", nil
		}
		return nil, "", fmt.Errorf("%w: %w", errBadInput, err)
	}
	kind := rq.post("kind")
	if kind != "" && !slices.Contains(ImportKinds, kind) {
		return nil, "", errBadInput
	}
	heads := rq.MultipartForm.File["file"]
	if len(heads) > maxFiles {
		return nil, "import.too_many_files", nil
	}
	for _, head := range heads {
		f, err := head.Open()
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", errBadInput, err)
		}
		data, err := io.ReadAll(f)
		_ = f.Close() // of a buffer
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", errBadInput, err)
		}
		if head.Filename == "" && len(data) == 0 {
			continue // nothing was chosen
		}
		name := path.Base(strings.ReplaceAll(strings.ToValidUTF8(head.Filename, "?"), `\`, "/"))
		if runes := []rune(name); len(runes) > 100 {
			name = string(runes[:100])
		}
		files = append(files, ImportFile{Name: name, Kind: kind, Data: data})
	}
	switch {
	case len(files) == 0:
		return nil, "import.no_file", nil
	case len(files) > 1 && kind != "":
		return nil, "import.one_kind", nil
	}
	return files, "", nil
}

func (h *Handler) postImport(w http.ResponseWriter, rq *request) error {
	files, fault, err := rq.uploaded()
	if err != nil {
		return err
	}
	v := h.importView(rq)
	if fault != "" {
		v.Fault = v.T(fault)
		return h.renderStatus(w, rq, "import", v, http.StatusUnprocessableEntity)
	}
	// What stands in the directory beside the files' rows names people (RA-4).
	if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewImport, "")); err != nil {
		return fmt.Errorf("record view: %w", err)
	}
	draft, err := h.src.Imports.DraftImport(rq.Context(), rq.account.ID, files)
	if errors.Is(err, ErrTooMany) {
		v.Fault = v.T("import.too_many_drafts")
		return h.renderStatus(w, rq, "import", v, http.StatusServiceUnavailable)
	}
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if len(draft.Problems) == 0 {
		return redirect(w, rq, "/import/"+draft.ID)
	}
	v.Fault = v.T("import.wrong", "n", strconv.Itoa(len(draft.Problems)))
	v.Files = v.say.importFiles(draft.Files)
	v.Problems, v.More = v.say.importProblems(draft.Problems)
	return h.renderStatus(w, rq, "import", v, http.StatusUnprocessableEntity)
}

func (b speaker) importFiles(list []ImportLook) (out []importFileView) {
	for _, f := range list {
		x := importFileView{Name: f.Name, Kind: b.T("import.unknown_kind"), Encoding: f.Encoding, Rows: b.T("import.rows", "n", strconv.Itoa(f.Rows)), Columns: f.Head, Sample: f.Sample, Unread: f.Kind == ""}
		if f.Kind != "" {
			x.Kind = b.T("import_kind." + f.Kind)
		}
		if f.Encoding == "" {
			x.Encoding = b.T("import.unknown_encoding")
		}
		out = append(out, x)
	}
	return out
}

func (b speaker) importProblems(list []RuleProblem) (out []importProblem, more string) {
	for i, p := range list {
		if i == shownFaults {
			return out, b.T("import.more", "n", strconv.Itoa(len(list)-i))
		}
		x := importProblem{Text: b.problem(p.Text), Where: p.File}
		if p.Row > 0 {
			x.Where = b.T("import.line", "file", p.File, "n", strconv.Itoa(p.Row))
		}
		if p.Column != "" {
			x.Text = b.T("import.column", "column", p.Column, "text", x.Text)
		}
		out = append(out, x)
	}
	return out, ""
}

func (h *Handler) importCheck(w http.ResponseWriter, rq *request, fault string) error {
	draft, err := h.src.Imports.ImportByID(rq.Context(), rq.account.ID, rq.PathValue("draft"))
	if errors.Is(err, ErrNotFound) {
		v := h.importView(rq)
		v.Fault = v.T("import.gone")
		return h.renderStatus(w, rq, "import", v, http.StatusNotFound)
	}
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if len(draft.Problems) > 0 { // the directory has changed since
		v := h.importView(rq)
		v.Fault, v.Files = v.T("import.wrong", "n", strconv.Itoa(len(draft.Problems))), v.say.importFiles(draft.Files)
		v.Problems, v.More = v.say.importProblems(draft.Problems)
		return h.renderStatus(w, rq, "import", v, http.StatusUnprocessableEntity)
	}
	v := importCheckView{Base: h.base(rq, "import.title"), ID: draft.ID, Files: nil, Nothing: len(draft.Outcome.Changes) == 0}
	v.Files = v.say.importFiles(draft.Files)
	v.Here = "/import/" + draft.ID
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += v.Here
	}
	list := draft.Outcome.Changes
	if len(list) > shownRows {
		v.More = v.T("import.more", "n", strconv.Itoa(len(list)-shownRows))
	}
	_, v.Waits, v.Now = v.say.ruleLines(list)
	v.Changes, _, _ = v.say.ruleLines(list[:min(len(list), shownRows)])
	v.Total = v.T("import.total", "n", strconv.Itoa(len(list)))
	for i, x := range draft.Outcome.Warnings {
		if i == shownFaults {
			break
		}
		v.Warnings = append(v.Warnings, v.say.warning(x))
	}
	v.Reason = formField{Name: "reason", Label: v.T("account.reason"), Kind: "text", Value: rq.PostForm.Get("reason"), Required: true, Max: ruleReason}
	code := http.StatusOK
	if fault != "" {
		v.Reason.Fault, code = fault, http.StatusUnprocessableEntity
	}
	return h.renderStatus(w, rq, "import_check", v, code)
}

func (h *Handler) getImportDraft(w http.ResponseWriter, rq *request) error {
	if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewImport, "")); err != nil {
		return fmt.Errorf("record view: %w", err)
	}
	return h.importCheck(w, rq, "")
}

func (h *Handler) postImportDraft(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	act := rq.action(ActionRuleChanged, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	if act.Reason == "" || len([]rune(act.Reason)) > ruleReason {
		return h.importCheck(w, rq, h.base(rq, "import.title").T("rule.reason_needed"))
	}
	out, err := h.src.Imports.ApplyImport(rq.Context(), rq.PathValue("draft"), act)
	switch {
	case errors.Is(err, ErrNotFound):
		return h.importCheck(w, rq, "")
	case err != nil:
		return fmt.Errorf("import: %w", err)
	case len(out.Problems) > 0:
		b := h.base(rq, "import.title")
		for _, p := range out.Problems {
			if p.Column == "reason" && p.File == "" {
				return h.importCheck(w, rq, b.say.problem(p.Text))
			}
		}
		return h.importCheck(w, rq, "")
	case out.Proposal != "":
		return redirect(w, rq, "/import?done=rule_proposed")
	}
	return redirect(w, rq, "/import?done=rule_changed")
}
