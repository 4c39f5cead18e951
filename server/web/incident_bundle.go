package web

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bundleForm asks for the bundle. With names it takes a registered purpose and a reason.
func (h *Handler) bundleForm(rq *request, v *incidentView, t *tried) *deskForm {
	uses, err := h.purposeChoices(rq)
	if err != nil {
		return nil // without purposes there are no names to ask for; the page is shown all the same
	}
	f := newDeskForm("bundle", v.Here+"/bundle", v.T("incident.bundle"), v.T("incident.bundle_do"),
		deskField{Name: "names", Kind: "check", Label: v.T("incident.with_names"), Optional: true},
		deskField{Name: "use", Kind: "select", Label: v.T("people_export.use"), Options: append([]choice{{Label: v.T("incident.no_use")}}, uses...), Optional: true},
		deskField{Name: "reason", Kind: "text", Label: v.T("account.reason"), Optional: true}).again(t)
	f.Fold, f.Light, f.Text = true, true, v.T("incident.bundle_text")
	return &f
}

// postIncidentBundle gives the bundle as a zip. The leaf of it is committed first.
func (h *Handler) postIncidentBundle(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id, names := rq.PathValue("id"), rq.post("names") != ""
	act := rq.action(ActionIncidentBundle, id)
	act.Reason = strings.TrimSpace(rq.post("reason"))
	wrong := func(field, word string) error {
		t := &tried{form: "bundle", values: rq.PostForm, field: field, fault: h.words[rq.lang].say("people_fault." + word)}
		return h.showIncident(w, rq, t, http.StatusUnprocessableEntity)
	}
	if names {
		uses, err := h.purposeChoices(rq)
		if err != nil {
			return fmt.Errorf("purposes of use: %w", err)
		}
		if !slices.ContainsFunc(uses, func(c choice) bool { return c.Value == rq.post("use") }) {
			return wrong("use", "required")
		}
		if word := textWord(act.Reason, 1, 300); word != "" {
			return wrong("reason", word)
		}
	} else if act.Reason != "" && textWord(act.Reason, 1, 300) != "" {
		return wrong("reason", "text")
	}
	b, err := h.src.Incidents.IncidentBundle(rq.Context(), id, names, rq.post("use"), act)
	var bad FormFault
	if errors.As(err, &bad) && len(bad) > 0 {
		return wrong(bad[0].Field, bad[0].Word)
	}
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	data, err := h.zipBundle(rq, &b)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="`+url.PathEscape(b.ID)+`.zip"`)
	sendFile(w, data)
	return nil
}

// bundleJSON is record.json in a bundle.
type bundleJSON struct {
	ID        string         `json:"id"`
	Class     int            `json:"class"`
	Title     string         `json:"title"`
	Known     string         `json:"known"`
	Personal  bool           `json:"personal_data"`
	Attack    bool           `json:"by_attack"`
	First     string         `json:"first_report_by,omitempty"`
	Final     string         `json:"final_report_by,omitempty"`
	Timeline  []bundleEntry  `json:"timeline"`
	Findings  []bundleFound  `json:"findings"`
	People    []BundlePerson `json:"people,omitempty"`
	Size      int64          `json:"log_size"`
	Made      string         `json:"made"`
	WithNames bool           `json:"with_names"`
}

type bundleEntry struct {
	At   string `json:"at"`
	Text string `json:"text"`
}

type bundleFound struct {
	Leaf     uint64 `json:"leaf"`
	Kind     string `json:"kind"`
	At       string `json:"at"`
	Severity string `json:"severity"`
}

type leafJSON struct {
	Index int64    `json:"index"`
	Body  string   `json:"body"`  // base64 of the leaf's bytes
	Proof []string `json:"proof"` // base64, RFC 6962 inclusion proof in the tree of log_size leaves
}

// zipBundle puts a bundle together. The page and the table of it say no place; the bytes
// of the leaves hold the ids of doors as the site chose them, and without these bytes nothing is proved (AL-4).
func (h *Handler) zipBundle(rq *request, b *IncidentBundle) ([]byte, error) {
	at := func(ms int64) string { return time.UnixMilli(ms).In(h.cfg.Zone).Format(time.RFC3339) }
	mask := b.Mask
	if mask == nil {
		mask = func(s string) string { return s }
	}
	doc := bundleJSON{ID: b.ID, Class: b.Class, Title: mask(b.Title), Known: at(b.KnownMS), Personal: b.Personal, Attack: b.ByAttack, People: b.People, Size: b.Size,
		Made: b.At.In(h.cfg.Zone).Format(time.RFC3339), WithNames: b.Mask == nil, Timeline: []bundleEntry{}, Findings: []bundleFound{}}
	if b.Due != nil {
		doc.First, doc.Final = b.Due.PreliminaryLast.String(), b.Due.Final.String()
	}
	for _, e := range b.Timeline {
		doc.Timeline = append(doc.Timeline, bundleEntry{at(e.AtMS), mask(e.Text)})
	}
	for _, s := range []struct {
		key  string
		at   int64
		note string
	}{{"incident.first", b.Reported.AtMS, b.Reported.Note}, {"incident.final", b.Finished.AtMS, b.Finished.Note}, {"incident.closed", b.Closed.AtMS, b.Closed.Note}} {
		if s.at != 0 {
			doc.Timeline = append(doc.Timeline, bundleEntry{at(s.at), h.words[rq.lang].say(s.key) + " " + mask(s.note)})
		}
	}
	slices.SortStableFunc(doc.Timeline, func(a, b bundleEntry) int { return strings.Compare(a.At, b.At) })
	for _, f := range b.Found {
		severity := map[Severity]string{SeverityLow: "low", SeverityMedium: "medium", SeverityHigh: "high"}[f.Severity]
		doc.Findings = append(doc.Findings, bundleFound{f.Leaf, f.Kind, f.At.In(h.cfg.Zone).Format(time.RFC3339), severity})
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	put := func(name string, data []byte) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.At})
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	html, err := h.bundlePage(rq, &doc)
	if err != nil {
		return nil, err
	}
	errs := []error{put("record.json", text), put("record.html", html), put("checkpoint.txt", []byte(b.Checkpoint))}
	for _, l := range b.Leaves {
		x := leafJSON{Index: l.Index, Body: base64.StdEncoding.EncodeToString(l.Body), Proof: []string{}}
		for _, p := range l.Proof {
			x.Proof = append(x.Proof, base64.StdEncoding.EncodeToString(p))
		}
		text, err := json.MarshalIndent(x, "", "  ")
		errs = append(errs, err, put("leaves/"+strconv.FormatInt(l.Index, 10)+".json", text))
	}
	err = errors.Join(append(errs, z.Close())...) // before the bytes are taken
	return out.Bytes(), err
}

// bundleTemplate is the page in a bundle, which is read where there is no server.
var bundleTemplate = template.Must(template.New("bundle").Parse(`<!doctype html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><title>{{.Doc.ID}}</title></head><body>
<h1>{{.Doc.ID}} {{.Doc.Title}}</h1><p>{{.Class}} · {{.Doc.Known}}</p>
<table border="1">{{range .Doc.Timeline}}<tr><td>{{.At}}</td><td>{{.Text}}</td></tr>{{end}}</table>
<ul>{{range .Doc.Findings}}<li>{{.At}} {{.Kind}} ({{.Severity}}) #{{.Leaf}}</li>{{end}}</ul>
<p>{{.How}}</p></body></html>
`))

func (h *Handler) bundlePage(rq *request, doc *bundleJSON) ([]byte, error) {
	var out bytes.Buffer
	words := h.words[rq.lang]
	err := bundleTemplate.Execute(&out, map[string]any{"Lang": rq.lang, "Doc": doc, "Class": words.say("incident_class." + className(doc.Class)), "How": words.say("incident.check")})
	return out.Bytes(), err
}
