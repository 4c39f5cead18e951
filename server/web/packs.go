package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/directory"
)

// mostPackDays is how many days a pack may hold: ten fiscal years.
const mostPackDays = 3660

// packKept is how long a pack is kept once it is made, in hours; server/packs keeps it.
const packKept = "24"

func packRoutes() []route {
	return []route{
		{pattern: "GET /verification/packs", roles: proveRoles, serve: whole((*Handler).getPacks)},
		{pattern: "POST /verification/packs", roles: proveRoles, stepUp: stepUpFull, serve: whole((*Handler).postPack)},
		{pattern: "GET /verification/packs/{job}", roles: proveRoles, serve: whole((*Handler).getPack)},
		{pattern: "GET /verification/packs/{job}/file", roles: proveRoles, serve: whole((*Handler).getPackFile)},
	}
}

type packsView struct {
	Base
	Kinds []reportChoice
	Jobs  []packLine
	Kept  string
}

type packLine struct {
	Href, Name, Days, About string
	State                   Tag
	Asked                   time.Time
}

func (b speaker) packLine(j *PackJob) packLine {
	tone := map[PackState]Tag{
		PackWaiting: {Tone: ToneQuiet, Icon: "clock"}, PackRunning: {Tone: ToneNote, Icon: "clock"}, PackDone: {Tone: ToneGood, Icon: "check"}, PackFailed: {Tone: ToneAlarm, Icon: "fault"},
	}[j.State]
	tone.Word = b.T("pack_state." + string(j.State))
	l := packLine{Href: "/verification/packs/" + j.ID, Name: b.T("pack_kind." + j.Kind), Days: j.First, State: tone, Asked: j.Asked, About: b.T("pack.nameless")}
	if j.Last != j.First {
		l.Days = b.T("pack.days", "from", j.First, "to", j.Last)
	}
	if j.Names {
		l.About = b.T("pack.named")
	}
	if j.Kind == PackOfPerson {
		l.About = b.T("pack.about", "person", j.Person)
	}
	return l
}

// packKinds are the kinds that somebody may ask for. What a person asks for about themselves has their name in it.
func packKinds(rq *request) []string {
	if !rq.names {
		return []string{PackForAudit, PackOfDay}
	}
	return []string{PackForAudit, PackOfDay, PackOfPerson}
}

// getPacks lets somebody choose a pack, or shows the form of the one that was chosen.
func (h *Handler) getPacks(w http.ResponseWriter, rq *request) error {
	if kind := rq.URL.Query().Get("kind"); kind != "" {
		v, err := h.packForm(rq, rq.URL.Query())
		if err != nil {
			return err
		}
		for n, f := range v.Fields { // nothing was sent yet
			f.Error = ""
			v.Fields[n] = f
		}
		return h.render(w, rq, "pack", v)
	}
	v := &packsView{Base: h.base(rq, "pack.title"), Kept: h.words[rq.lang].say("pack.kept", "hours", packKept)}
	for _, k := range packKinds(rq) {
		v.Kinds = append(v.Kinds, reportChoice{withQuery("/verification/packs", url.Values{"kind": {k}}), v.T("pack_kind." + k), v.T("pack_text." + k)})
	}
	jobs, err := h.ownPacks(rq)
	if err != nil {
		return err
	}
	for i := range jobs {
		v.Jobs = append(v.Jobs, v.say.packLine(&jobs[i]))
	}
	return h.render(w, rq, "packs", v)
}

// ownPacks lists what somebody asked for and may still see: with names only while names may be seen.
func (h *Handler) ownPacks(rq *request) ([]PackJob, error) {
	jobs, err := h.src.Packs.PackJobs(rq.Context(), rq.account.ID)
	if err != nil {
		return nil, fmt.Errorf("packs: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(j PackJob) bool { return !rq.names && (j.Names || j.Kind == PackOfPerson) }), nil
}

type packView struct {
	Base
	formView
	Kind, Name, About string
	Uses              []choice
	MayName           bool // names can be asked for
	Named             bool
	StepUp            string
	ask               PackAsk
}

// Text is a field of the page's form.
func (v *packView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

// OfPerson reports whether a person is to be named.
func (v *packView) OfPerson() bool { return v.Kind == PackOfPerson }

// packForm reads what is asked for and marks what is wrong with it.
func (h *Handler) packForm(rq *request, in url.Values) (*packView, error) {
	kind := in.Get("kind")
	if !slices.Contains(packKinds(rq), kind) {
		return nil, ErrNotFound
	}
	v := &packView{Base: h.base(rq, "pack.title"), Kind: kind, MayName: rq.names && kind != PackOfPerson, ask: PackAsk{Kind: kind}}
	v.Name, v.About = v.T("pack_kind."+kind), v.T("pack_text."+kind)
	v.Title, v.Here = v.Name, withQuery("/verification/packs", url.Values{"kind": {kind}})
	v.Fields = map[string]Field{}
	for _, n := range []string{"from", "to", "person", "use", "reason"} {
		v.Fields[n] = Field{Value: clip(strings.TrimSpace(in.Get(n)), 400)}
	}
	if h.freshAt(rq, "POST /verification/packs") != "" {
		v.StepUp = "/step-up?" + url.Values{"next": {v.Here}}.Encode()
	}
	v.days()
	v.Named = v.MayName && in.Get("names") != ""
	v.ask.Names = v.Named || kind == PackOfPerson
	if kind == PackOfPerson {
		v.blame(v.Base, "person", textWord(v.F("person").Value, 1, 32))
		v.ask.Person = directory.PersonID(v.F("person").Value)
	}
	uses, err := h.purposeChoices(rq)
	if err != nil {
		return nil, err
	}
	for i := range uses {
		uses[i].Chosen = uses[i].Value == v.F("use").Value
	}
	if v.Uses = uses; !slices.ContainsFunc(uses, func(c choice) bool { return c.Chosen }) {
		v.blame(v.Base, "use", "required")
	}
	v.ask.Use = v.F("use").Value
	v.blame(v.Base, "reason", textWord(v.F("reason").Value, 1, 300))
	return v, nil
}

// days reads the period; without one it is yesterday, and for a person all that a pack may hold: who asks what is held of them is not handed one day (PR-3).
func (v *packView) days() {
	yesterday := calendar.DateOf(v.say.now).AddDays(-1)
	first, last := yesterday, yesterday
	if v.Kind == PackOfPerson {
		last = yesterday.AddDays(1)
		first = last.AddDays(-(mostPackDays - 1))
	}
	unsaid := map[string]calendar.Date{"from": first, "to": last}
	for name, to := range map[string]*calendar.Date{"from": &v.ask.From, "to": &v.ask.To} {
		text := v.F(name).Value
		if text == "" {
			*to = unsaid[name]
			v.Fields[name] = Field{Value: to.String()}
			continue
		}
		d, err := calendar.ParseDate(text)
		if err != nil || d.Year < 1990 || d.Year > 2200 {
			v.blame(v.Base, name, "day")
			continue
		}
		*to = d
	}
	if !v.Bad("from") && !v.Bad("to") && (v.ask.To.Before(v.ask.From) || v.ask.From.AddDays(mostPackDays-1).Before(v.ask.To)) {
		v.blame(v.Base, "to", "backwards")
	}
}

// postPack asks for a pack. Whoever asks is led to its page.
func (h *Handler) postPack(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, err := h.packForm(rq, rq.PostForm)
	if err != nil {
		return err
	}
	if !v.faulty() {
		act := rq.action(ActionPackMade, v.Kind)
		act.Reason = v.F("reason").Value
		id, err := h.src.Packs.StartPack(rq.Context(), v.ask, act)
		var bad FormFault
		switch {
		case err == nil:
			return redirect(w, rq, "/verification/packs/"+id)
		case errors.As(err, &bad):
			for _, x := range bad {
				v.blame(v.Base, x.Field, x.Word)
			}
		case errors.Is(err, ErrBusy):
			v.formView.Fault = v.T("pack.busy")
		default:
			return fmt.Errorf("pack: %w", err)
		}
	}
	return h.renderStatus(w, rq, "pack", v, http.StatusUnprocessableEntity)
}

type packJobView struct {
	Base
	Line     packLine
	Running  bool
	Progress string
	Done     bool
	Named    bool
	File     string
	Size     string
	Sum      string
	Fault    string
	Kept     string
	Again    string
}

// packOf finds a job of whoever asks.
func (h *Handler) packOf(rq *request) (*PackJob, error) {
	jobs, err := h.ownPacks(rq)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(jobs, func(j PackJob) bool { return j.ID == rq.PathValue("job") })
	if i < 0 {
		return nil, ErrNotFound
	}
	return &jobs[i], nil
}

// getPack shows how far a pack is, and its hash once it is made.
func (h *Handler) getPack(w http.ResponseWriter, rq *request) error {
	j, err := h.packOf(rq)
	if err != nil {
		return err
	}
	v := &packJobView{Base: h.base(rq, "pack.job"), Done: j.State == PackDone, Sum: j.Sum, Fault: j.Fault, Named: j.Names || j.Kind == PackOfPerson}
	v.Line = v.say.packLine(j)
	v.Here = v.Line.Href
	v.Running = j.State == PackWaiting || j.State == PackRunning
	switch {
	case j.State == PackWaiting:
		v.Progress = v.T("pack.queued")
	case j.Parts > 0:
		v.Progress = v.T("pack.progress", "n", strconv.Itoa(100*j.Part/j.Parts))
	default:
		v.Progress = v.T("pack.working")
	}
	v.File, v.Size = v.Here+"/file", v.T("report.size", "n", strconv.FormatInt((j.Size+1023)/1024, 10))
	v.Kept = v.T("pack.kept", "hours", packKept)
	again := url.Values{"kind": {j.Kind}, "from": {j.First}, "to": {j.Last}}
	if j.Person != "" {
		again.Set("person", j.Person)
	}
	v.Again = withQuery("/verification/packs", again)
	return h.render(w, rq, "pack_job", v)
}

// getPackFile gives a pack to whoever asked for it.
func (h *Handler) getPackFile(w http.ResponseWriter, rq *request) error {
	if _, err := h.packOf(rq); err != nil {
		return err
	}
	r, j, err := h.src.Packs.OpenPack(rq.Context(), rq.PathValue("job"), rq.action(ActionPackTaken, ""))
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	defer r.Close() // only read
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="monban-`+j.Kind+"-"+j.First+`.zip"`)
	w.Header().Set("Content-Length", strconv.FormatInt(j.Size, 10))
	_, _ = io.Copy(piecewise{w, lift(w)}, r) // cut short, the browser sees that bytes are missing; the peer may have gone away
	return nil
}
