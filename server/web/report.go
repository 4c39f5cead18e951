package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/report"
)

// Limits of what may be asked for.
const mostSample = 200

type reportsView struct {
	Base
	Kinds []reportChoice
	Jobs  []reportJobLine
	Days  []reportJobLine // papers that are made unasked
	Kept  string
	Forms string // link to how the papers look, "" = not for these roles
}

type reportChoice struct{ Href, Name, Text string }

type reportView struct {
	Base
	formView
	Name, About string
	Action      string
	Kind        *reportKind
	Zones       []choice
	Quick       []navItem // periods at one press
	Dates       []choice
	Formats     []choice
	NoPDF       string
	Uses        []choice
	All         bool
	StepUp      string
}

// Text is a field of the page's form.
func (v *reportView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

// HasZone, HasPeriod, HasAll and HasSample say which fields the report has.
func (v *reportView) HasZone() bool   { return v.Kind.zone }
func (v *reportView) HasPeriod() bool { return v.Kind.period }
func (v *reportView) HasAll() bool    { return v.Kind.all }
func (v *reportView) HasSample() bool { return v.Kind.sample }

// getReports lets somebody choose a report, or shows the form of the one that was chosen.
func (h *Handler) getReports(w http.ResponseWriter, rq *request) error {
	if rq.URL.Query().Get("report") == "" {
		return h.showReports(w, rq)
	}
	v, _, err := h.reportForm(rq, rq.URL.Query(), false)
	if err != nil {
		return err
	}
	return h.render(w, rq, "report", v)
}

func (h *Handler) showReports(w http.ResponseWriter, rq *request) error {
	v := &reportsView{Base: h.base(rq, "report.title")}
	in, err := h.reach(rq)
	if err != nil {
		return err
	}
	for _, k := range reportKinds() {
		if !k.zone && !in.All {
			continue // of the whole site, which a role for one zone does not see
		}
		v.Kinds = append(v.Kinds, reportChoice{withQuery("/reports", url.Values{"report": {k.word}}), v.T("report_kind." + k.word), v.T("report_text." + k.word)})
	}
	jobs, err := h.ownReports(rq)
	if err != nil {
		return err
	}
	for i := range jobs {
		if l := v.say.jobLine(&jobs[i]); jobs[i].Account == report.Unasked {
			v.Days = append(v.Days, l)
		} else {
			v.Jobs = append(v.Jobs, l)
		}
	}
	v.Kept = v.T("report.kept", "hours", strconv.Itoa(int(report.KeptFor.Hours())))
	if rq.roles&formRoles != 0 {
		v.Forms = "/reports/forms"
	}
	return h.render(w, rq, "reports", v)
}

// reportForm reads what is asked for; posted says that faults are shown.
func (h *Handler) reportForm(rq *request, in url.Values, posted bool) (*reportView, *reportAsk, error) {
	kind := reportKindOf(in.Get("report"))
	if kind == nil {
		return nil, nil, ErrNotFound
	}
	seen, err := h.reach(rq)
	if err != nil {
		return nil, nil, err
	}
	if !kind.zone && !seen.All {
		return nil, nil, errForbidden
	}
	v := &reportView{Base: h.base(rq, "report.title"), Kind: kind, Name: h.words[rq.lang].say("report_kind." + kind.word), About: h.words[rq.lang].say("report_text." + kind.word)}
	v.Title = v.Name
	a := &reportAsk{Base: v.Base, kind: kind, all: in.Get("all") != ""}
	a.say.masked = false
	v.Fields = map[string]Field{}
	for _, n := range []string{"zone", "from", "to", "sample", "seed", "format", "use", "reason"} {
		v.Fields[n] = Field{Value: clip(strings.TrimSpace(in.Get(n)), 2000)}
	}
	if err := h.reportZone(rq, v, a); err != nil {
		return nil, nil, err
	}
	v.reportPeriod(a)
	v.reportSample(a)
	a.era = in.Get("dates") == "era" || in.Get("dates") == "" && rq.lang == Japanese
	v.Dates = []choice{{"era", v.T("register.era"), a.era}, {"western", v.T("register.western"), !a.era}}
	v.All = a.all
	if err := h.reportOutput(rq, v); err != nil {
		return nil, nil, err
	}
	keep := url.Values{"report": {kind.word}}
	for _, n := range []string{"zone", "from", "to", "dates", "all", "sample", "seed", "format"} {
		if x := in.Get(n); x != "" {
			keep.Set(n, clip(x, 100))
		}
	}
	v.Action = withQuery("/reports", keep)
	if v.Here = v.Action; h.freshAt(rq, "POST /reports") != "" {
		v.StepUp = "/step-up?" + url.Values{"next": {clip(v.Action, 900)}}.Encode()
	}
	if !posted {
		for n, f := range v.Fields {
			if f.Error != "" && in.Get(n) == "" {
				f.Error = ""
				v.Fields[n] = f
			}
		}
	}
	forms, err := h.src.Reports.ReportForms(rq.Context())
	if err != nil {
		return nil, nil, fmt.Errorf("forms of reports: %w", err)
	}
	a.form = forms.Of(kind.word, string(a.zone.ID))
	if a.org, err = h.src.Reports.Organisation(rq.Context()); err != nil {
		return nil, nil, fmt.Errorf("organisation: %w", err)
	}
	return v, a, nil
}

func (h *Handler) reportZone(rq *request, v *reportView, a *reportAsk) error {
	if !a.kind.zone {
		return nil
	}
	zones, err := h.zonesInReach(rq)
	if err != nil {
		return err
	}
	want := v.F("zone").Value
	if a.kind.whole {
		in, err := h.reach(rq)
		if err != nil {
			return err
		}
		if in.All {
			v.Zones = append(v.Zones, choice{"", v.T("report.all_zones"), want == ""})
		}
		if in.All && want == "" {
			for _, z := range zones {
				v.Zones = append(v.Zones, choice{string(z.ID), v.zoneLabel(z), false})
			}
			return nil
		}
	}
	for i, z := range zones {
		chosen := want == string(z.ID) || want == "" && i == 0
		v.Zones = append(v.Zones, choice{string(z.ID), v.zoneLabel(z), chosen})
		if chosen {
			a.zone = z
		}
	}
	if a.zone.ID == "" {
		v.fail("zone", "register.no_zone")
	}
	return nil
}

// fail marks a field with a sentence of the catalogue; the first fault of a field stays.
func (v *reportView) fail(name, key string, pairs ...string) {
	if f := v.Fields[name]; f.Error == "" {
		f.Error = v.T(key, pairs...)
		v.Fields[name] = f
	}
}

// reportPeriod reads the days; without any it is yesterday, the newest day that is over.
func (v *reportView) reportPeriod(a *reportAsk) {
	today := calendar.DateOf(v.say.now)
	a.from, a.to = today.AddDays(-1), today.AddDays(-1)
	if !a.kind.period {
		a.from, a.to = today, today
	}
	for name, to := range map[string]*calendar.Date{"from": &a.from, "to": &a.to} {
		text := v.F(name).Value
		if text == "" {
			continue
		}
		d, err := calendar.ParseDate(text)
		if err != nil || d.Year < 1990 || d.Year > 2200 {
			v.fail(name, "people_fault.day")
			continue
		}
		*to = d
	}
	if !a.kind.period {
		a.from = a.to
	} else if v.F("to").Value == "" && v.F("from").Value != "" {
		a.to = a.from
	}
	bad := []string{"days", strconv.Itoa(MaxRegisterDays)}
	if a.to.Before(a.from) || a.from.AddDays(MaxRegisterDays-1).Before(a.to) {
		v.fail("to", "register.bad_period", bad...)
	}
	if a.to.After(today) && !a.kind.period {
		v.fail("to", "report.future")
	}
	for name, d := range map[string]calendar.Date{"from": a.from, "to": a.to} {
		if f := v.Fields[name]; f.Error == "" {
			f.Value = d.String()
			v.Fields[name] = f
		}
	}
	if !a.kind.period {
		return
	}
	month := calendar.Date{Year: today.Year, Month: today.Month, Day: 1}
	before := month.AddDays(-1)
	before = calendar.Date{Year: before.Year, Month: before.Month, Day: 1}
	year := today.FiscalYear()
	for _, x := range []struct {
		key      string
		from, to calendar.Date
	}{
		{"report.yesterday", today.AddDays(-1), today.AddDays(-1)}, {"report.today", today, today}, {"report.this_month", month, today}, {"report.last_month", before, month.AddDays(-1)},
		{"report.this_year", year.Start(), today}, {"report.last_year", (year - 1).Start(), (year - 1).End()},
	} {
		q := url.Values{"report": {a.kind.word}, "from": {x.from.String()}, "to": {x.to.String()}}
		if a.zone.ID != "" {
			q.Set("zone", string(a.zone.ID))
		}
		v.Quick = append(v.Quick, navItem{Href: withQuery("/reports", q), Label: v.T(x.key), Current: a.from == x.from && a.to == x.to})
	}
}

// reportSample reads how many entries a sample has and its seed; without a seed one is drawn, which the paper says.
func (v *reportView) reportSample(a *reportAsk) {
	if !a.kind.sample {
		return
	}
	a.sample = 10
	if text := v.F("sample").Value; text != "" {
		var err error
		if a.sample, err = strconv.Atoi(text); err != nil || a.sample < 0 || a.sample > mostSample {
			v.fail("sample", "report.bad_sample", "n", strconv.Itoa(mostSample))
		}
	}
	var b [8]byte
	rand.Read(b[:])
	a.seed = binary.BigEndian.Uint64(b[:]) >> 11
	if text := v.F("seed").Value; text != "" {
		var err error
		if a.seed, err = strconv.ParseUint(text, 10, 53); err != nil {
			v.fail("seed", "report.bad_seed")
		}
	}
	f := v.Fields["sample"]
	f.Value = cmp.Or(f.Value, strconv.Itoa(a.sample))
	v.Fields["sample"] = f
}

// reportOutput reads what is to be made, and for which purpose.
func (h *Handler) reportOutput(rq *request, v *reportView) error {
	format := report.Format(v.F("format").Value)
	cannot := h.src.Reports.CanPrint()
	if cannot != nil {
		v.NoPDF = v.T("report.no_pdf")
	}
	for i, f := range report.Formats() {
		if f == report.AsPDF && cannot != nil {
			continue
		}
		v.Formats = append(v.Formats, choice{string(f), v.T("report_format." + string(f)), f == format || format == "" && i == 0})
	}
	if !slices.ContainsFunc(v.Formats, func(c choice) bool { return c.Chosen }) {
		v.fail("format", "people_fault.required")
	}
	var err error
	if v.Uses, err = h.purposeChoices(rq); err != nil {
		return err
	}
	use := v.F("use").Value
	for i := range v.Uses {
		v.Uses[i].Chosen = v.Uses[i].Value == use
	}
	if !slices.ContainsFunc(v.Uses, func(c choice) bool { return c.Chosen }) {
		v.blame(v.Base, "use", "required")
	}
	v.blame(v.Base, "reason", textWord(v.F("reason").Value, 1, 300))
	return nil
}

// postReport asks for a report. Whoever asks is led to its page.
func (h *Handler) postReport(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, a, err := h.reportForm(rq, rq.PostForm, true)
	if err != nil {
		return err
	}
	if !v.faulty() {
		ask := ReportAsk{
			Kind: a.kind.word, Zone: a.zone.ID, Format: report.Format(v.chosen(v.Formats)), Use: v.F("use").Value, File: a.fileName(),
		}
		_, ask.Query, _ = strings.Cut(v.Action, "?")
		use := v.chosenLabel(v.Uses)
		a.made = v.T("report.made_by", "name", rq.account.FullName, "time", v.DayTime(rq.now), "use", use, "reason", v.F("reason").Value)
		act := rq.action(ActionReportMade, a.kind.word)
		if a.zone.ID != "" {
			act.Target += "/" + string(a.zone.ID)
		}
		act.Reason, act.Filter = v.F("reason").Value, clip(ask.Query, 500)
		lang := rq.lang
		id, err := h.src.Reports.StartReport(rq.Context(), ask, func(ctx context.Context) (*report.Document, error) {
			return a.kind.build(h, WithLanguage(ctx, lang), a)
		}, act)
		var bad FormFault
		switch {
		case err == nil:
			return redirect(w, rq, "/reports/"+id)
		case errors.As(err, &bad):
			for _, x := range bad {
				v.blame(v.Base, x.Field, x.Word)
			}
		case errors.Is(err, ErrBusy):
			v.formView.Fault = v.T("report.busy")
		default:
			return fmt.Errorf("report: %w", err)
		}
	}
	return h.renderStatus(w, rq, "report", v, http.StatusUnprocessableEntity)
}

func (v *reportView) chosen(list []choice) string {
	for _, c := range list {
		if c.Chosen {
			return c.Value
		}
	}
	return ""
}

func (v *reportView) chosenLabel(list []choice) string {
	for _, c := range list {
		if c.Chosen {
			return c.Label
		}
	}
	return ""
}

type reportJobLine struct {
	Href, Name, Zone string
	Format           string
	State            Tag
	Asked            time.Time
}

func (b speaker) jobLine(j *report.Job) reportJobLine {
	tone := map[report.State]Tag{
		report.Waiting: {Tone: ToneQuiet, Icon: "clock"}, report.Running: {Tone: ToneNote, Icon: "clock"}, report.Done: {Tone: ToneGood, Icon: "check"},
		report.Failed: {Tone: ToneAlarm, Icon: "fault"}, report.Lost: {Tone: ToneWarn, Icon: "dash"},
	}[j.State]
	tone.Word = b.T("report_state." + string(j.State))
	return reportJobLine{"/reports/" + j.ID, b.T("report_kind." + j.Kind), j.Zone, b.T("report_format." + string(j.Format)), tone, j.Asked}
}

type reportJobView struct {
	Base
	Line     reportJobLine
	Running  bool
	Progress string
	Done     bool
	Files    []reportFileLine
	Rows     string
	Hash     string
	Spoilt   []string
	More     string
	Missing  []string
	Again    string // asks for the same once more
	Kept     string
}

type reportFileLine struct {
	Href, Name, Size string
	Open             bool // opens in the browser, to be printed there
}

// ownReports lists the papers that somebody asked for and may still see: one of a zone, or of the whole site, goes out of sight with the role
// for it.
func (h *Handler) ownReports(rq *request) ([]report.Job, error) {
	jobs, err := h.src.Reports.ReportJobs(rq.Context(), rq.account.ID)
	if err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	days, err := h.src.Reports.DayPapers(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("papers of days: %w", err)
	}
	jobs = slices.Concat(jobs, days)
	in, err := h.reach(rq)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(jobs, func(j report.Job) bool {
		return !in.All && (j.Zone == "" || !in.Zone(access.ZoneID(j.Zone)))
	}), nil
}

// getReportJob shows how far a report is, and what came of it.
func (h *Handler) getReportJob(w http.ResponseWriter, rq *request) error {
	jobs, err := h.ownReports(rq)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(jobs, func(j report.Job) bool { return j.ID == rq.PathValue("job") })
	if i < 0 {
		return ErrNotFound
	}
	j := &jobs[i]
	v := &reportJobView{Base: h.base(rq, "report.job"), Again: withQuery("/reports", nil) + "?" + j.Query, Done: j.State == report.Done}
	v.Here, v.Line = "/reports/"+j.ID, v.say.jobLine(j)
	v.Running = j.State == report.Waiting || j.State == report.Running
	if v.Progress = v.T("report.working"); j.State == report.Waiting {
		v.Progress = v.T("report.queued")
	} else if j.Parts > 1 {
		v.Progress = v.T("report.progress", "n", strconv.Itoa(j.Part), "all", strconv.Itoa(j.Parts))
	}
	for n, f := range j.Files {
		v.Files = append(v.Files, reportFileLine{v.Here + "/" + strconv.Itoa(n), f.Name, v.T("report.size", "n", strconv.Itoa((f.Size+1023)/1024)), j.Format == report.AsHTML})
	}
	v.Rows, v.Hash, v.Missing = strconv.Itoa(j.Output.Rows), j.Output.Hash, j.Output.Missing
	for n, x := range j.Output.Spoilt {
		if n == unwritableShown {
			v.More = strconv.Itoa(len(j.Output.Spoilt) - n)
			break
		}
		v.Spoilt = append(v.Spoilt, v.T("report.spoilt", "line", strconv.Itoa(x.Line), "column", x.Column, "text", x.Text, "letters", strings.Join(x.Runes, " ")))
	}
	v.Kept = v.T("report.kept", "hours", strconv.Itoa(int(report.KeptFor.Hours())))
	return h.render(w, rq, "report_job", v)
}

// getReportFile gives a file of a report to whoever asked for it. Its leaf was written before it was there.
func (h *Handler) getReportFile(w http.ResponseWriter, rq *request) error {
	n, err := strconv.Atoi(rq.PathValue("n"))
	if err != nil {
		return ErrNotFound
	}
	jobs, err := h.ownReports(rq)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(jobs, func(j report.Job) bool { return j.ID == rq.PathValue("job") })
	if i < 0 {
		return ErrNotFound
	}
	var f report.File
	if j := &jobs[i]; j.Account == report.Unasked {
		act := rq.action(ActionViewRegister, j.Zone) // nobody gave a reason for it: who reads it stands in the log (PR-1)
		act.Filter = "paper of the day " + j.Query
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record view: %w", err)
		}
		f, err = h.src.Reports.DayPaperFile(rq.Context(), j.ID, n)
	} else {
		f, err = h.src.Reports.ReportFile(rq.Context(), rq.account.ID, j.ID, n)
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	w.Header().Set("Content-Type", f.Type)
	if strings.HasPrefix(f.Type, "text/html") {
		// Its style is its own; nothing else is applied, loaded or run.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src "+report.StylePolicy+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	} else {
		w.Header().Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	}
	sendFile(w, f.Data)
	return nil
}
