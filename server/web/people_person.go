package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"monban/firmware/access"
)

// personLinesLimit is how many lines of the log a person's page shows.
const personLinesLimit = 20

// presenceLines bounds what the picture of the last 30 days is made of: more than anybody badges.
const presenceLines = 3000

type personView struct {
	Base
	Purpose   string
	ID        string
	Who       RegPerson
	Category  string
	State     Tag
	Facts     []factLine
	Endings   []string
	Cards     []cardFileLine
	Rights    []rightLine
	StepUp    string // where to get a fresh check of identity first; "" = not needed
	MayRights bool   // rights are shown to these roles
	Limited   bool   // only those of some zones
	Lines     []logLine
	Presence  figure
	MayLog    bool
	Groups    string
	Contracts []string
	List      string // back to the list
	Edit      string // "" = not for these roles
	AddCard   string
	NewGrant  string // "" = likewise
	Forgive   bool   // may be declared outside here
	Suspend   bool   // the person as a whole may be stopped, or started again, here
	Waits     bool   // to start somebody again waits for a second person
	Fault     string
	FaultAt   string // card whose form was refused
	Reason    string // as typed, when it was refused
}

type factLine struct{ Name, Value string }

type cardFileLine struct {
	ID, Masked string
	Note       string
	State      Tag
	Assurance  string
	Valid      string
	PIN        string
	Stop       bool // may be suspended or reported lost here
	Lost       bool // may be reported lost here
	Back       bool // may be asked to be made good again here
	Waits      string
	PINForm    string // "" = not for these roles
	Lift       bool   // a lockout of the PIN may be ended here
}

type rightLine struct {
	Zone, Level, Schedule, Hours string
	Days                         string
	By                           string
	Basis                        string
	State                        Tag
	Change                       string // "" = not for these roles
}

// personFor checks the purpose, writes down who looked at whom, and gives the file. done says that the answer was given.
func (h *Handler) personFor(w http.ResponseWriter, rq *request) (f PersonFile, purpose string, err error) {
	id, err := rq.pathID("person")
	if err != nil {
		return f, "", err
	}
	if purpose, err = rq.purpose(); err != nil {
		if err := h.askPurpose(w, rq, http.StatusBadRequest); err != nil {
			return f, "", err
		}
		return f, "", errAnswered
	}
	if err := h.looked(rq, ActionViewPeople, purpose); err != nil {
		return f, "", err
	}
	f, err = h.src.People.PersonFile(rq.Context(), id)
	if err != nil {
		return f, "", fmt.Errorf("person: %w", err)
	}
	return f, purpose, nil
}

func (h *Handler) getPerson(w http.ResponseWriter, rq *request) error {
	f, purpose, err := h.personFor(w, rq)
	if err != nil {
		return err
	}
	v, err := h.personView(rq, f, purpose)
	if err != nil {
		return err
	}
	return h.render(w, rq, "person", v)
}

func (h *Handler) personView(rq *request, f PersonFile, purpose string) (personView, error) {
	v := personView{Base: h.base(rq, "person_page.title"), Purpose: purpose, ID: f.ID, Who: f.RegPerson, MayRights: rq.roles&rightsRoles != 0}
	v.Here = personHref(f.ID, purpose)
	if rq.roles&(keepRoles|mendRoles|reactivateRoles) != 0 {
		v.StepUp = h.stepUpFrom(rq, "POST /people/{person}/start", v.Here)
	}
	v.Category, v.State = v.say.categoryWords(f.RegPerson), v.say.personState(f.RegPerson)
	v.List = withQuery("/people", url.Values{"purpose": {purpose}})
	fact := func(key, value string) {
		if value != "" {
			v.Facts = append(v.Facts, factLine{v.T(key), value})
		}
	}
	fact("person_page.reduced", f.NameReduced)
	fact("person_page.kana", f.Kana)
	fact("person_page.romaji", f.Romaji)
	fact("people.section", f.Section)
	fact("person_page.company", f.Company)
	fact("people.category", v.Category)
	fact("person_page.valid", v.say.daysWords(f.ValidFrom, f.ValidUntil))
	fact("person_page.contract", v.say.daysWords(f.ContractFrom, f.ContractUntil))
	if f.Category != "visitor" {
		fact("person_page.training", cmp.Or(v.say.dayWords(f.TrainingUntil), v.T("person_page.untrained")))
	}
	if f.Conditions > 0 {
		fact("person_page.conditions", v.T("person_page.conditions_version", "n", fmt.Sprint(f.Conditions)))
	}
	if f.MayEscort {
		fact("person_page.escort", v.T("change_word.yes"))
	}
	var groups []string
	for _, g := range f.Groups {
		groups = append(groups, g.Name)
	}
	v.Groups = strings.Join(groups, v.T("list.separator"))
	for _, c := range f.Contracts {
		v.Contracts = append(v.Contracts, v.T("person_page.contract_line", "id", c.ID, "company", c.Company, "days", v.say.daysWords(c.ValidFrom, c.ValidUntil), "tier", fmt.Sprint(c.Tier)))
	}
	keep := rq.mayKeep() && !f.Guest
	v.Forgive = rq.may(mendRoles, "") && !f.Guest
	for _, c := range f.Cards {
		v.Cards = append(v.Cards, v.say.cardFileLine(rq, f, c, keep, purpose))
	}
	if keep {
		v.Edit, v.AddCard = "/people/"+f.ID+"/edit?"+url.Values{"purpose": {purpose}}.Encode(), "/people/"+f.ID+"/cards/+new?"+url.Values{"purpose": {purpose}}.Encode()
		v.Suspend, v.Waits = true, f.Protected
	}
	if !v.MayRights {
		return v, nil
	}
	for _, e := range f.Endings {
		v.Endings = append(v.Endings, v.say.endingLine(e))
	}
	for _, r := range f.Rights {
		if !rq.sees(r.Zone) {
			v.Limited = true
			continue
		}
		v.Rights = append(v.Rights, v.say.rightLine(rq, r))
	}
	if rq.roles&rolesOf("GET /grants/+new") != 0 && !f.Guest {
		v.NewGrant = withQuery("/grants/+new", url.Values{"person": {f.ID}, "purpose": {purpose}})
	}
	v.MayLog = true
	lines, err := h.src.People.PersonLines(rq.Context(), f.ID, presenceLines, rq.sees)
	if err != nil {
		return v, fmt.Errorf("lines of a person: %w", err)
	}
	v.Presence = v.say.presence(lines)
	for _, a := range lines[:min(len(lines), personLinesLimit)] {
		v.Lines = append(v.Lines, v.say.logLine(a))
	}
	return v, nil
}

// daysWords says from when until when; "" for neither.
func (b speaker) daysWords(from, until string) string {
	switch {
	case from == "" && until == "":
		return ""
	case from == "":
		return b.T("judge.until", "day", b.dayWords(until))
	case until == "":
		return b.T("person_page.from", "day", b.dayWords(from))
	}
	return b.T("judge.from_until", "from", b.dayWords(from), "day", b.dayWords(until))
}

func (b speaker) endingLine(e Ending) string {
	what := b.T("ending." + e.What)
	if e.Name != "" {
		what = b.T("person_page.ending_name", "what", what, "name", e.Name)
	}
	return b.T("people.ending", "what", what, "day", b.dayWords(e.Day))
}

func (b speaker) cardFileLine(rq *request, f PersonFile, c CardFile, keep bool, purpose string) cardFileLine {
	l := cardFileLine{ID: c.ID, Masked: c.Masked, State: b.cardState(c.Status), Assurance: b.known("assurance", c.Assurance), Valid: b.daysWords(c.ValidFrom, c.ValidUntil),
		PIN: b.T("person_page.pin_none")}
	if c.PIN {
		l.PIN = b.T("person_page.pin_set")
	}
	switch {
	case c.Lent != "":
		l.Note = b.T("person_page.lent", "label", c.Lent)
	case c.Recovery:
		l.Note = b.T("person_page.recovery")
	}
	if c.Lent != "" || f.Guest {
		return l // a badge is given back at the counter
	}
	l.Stop = rq.roles&suspendRoles != 0 && c.Status == access.CredentialActive
	l.Lost = rq.roles&suspendRoles != 0 && (c.Status == access.CredentialActive || c.Status == access.CredentialSuspended)
	stopped := c.Status == access.CredentialSuspended || c.Status == access.CredentialLost
	if c.Asked {
		l.Waits = b.T("person_page.back_asked")
	} else {
		l.Back = rq.roles&reactivateRoles != 0 && stopped
	}
	l.Lift = c.PIN && rq.may(mendRoles, "")
	if keep && c.Status != access.CredentialRevoked {
		l.PINForm = "/people/" + f.ID + "/cards/" + c.ID + "/pin?" + url.Values{"purpose": {purpose}}.Encode()
	}
	return l
}

func (b speaker) cardState(s access.CredentialStatus) Tag {
	word := b.T("card_state." + s.String())
	switch s {
	case access.CredentialActive:
		return Tag{word, ToneGood, "check"}
	case access.CredentialSuspended:
		return Tag{word, ToneWarn, "stop"}
	case access.CredentialLost, access.CredentialRevoked:
		return Tag{word, ToneAlarm, "stop"}
	}
	return Tag{word, ToneLost, "unknown"}
}

// rightLine says one right and why it is there: grant → zone → schedule → validity.
func (b speaker) rightLine(rq *request, r PersonRight) rightLine {
	l := rightLine{Zone: r.ZoneName, Level: b.T("grants.level", "n", fmt.Sprint(r.Level)), Schedule: r.Schedule, Hours: b.hoursWords(r.Hours), Days: b.daysWords(r.From, r.Until),
		By: b.T("right_by." + r.By), Basis: r.Basis}
	if r.Group != "" {
		l.By = b.T("person_page.by_group", "group", r.Group)
	}
	if r.Holds {
		l.State = Tag{b.T("right_state.holds"), ToneGood, "check"}
	} else {
		l.State = Tag{b.T("right_state." + r.Why), ToneQuiet, "dash"}
	}
	if (r.By == "own" || r.By == "group") && rq.may(rolesOf("GET /grants/+change"), r.Zone) {
		l.Change = withQuery("/grants/+change", url.Values{"id": {r.Grant}})
	}
	return l
}

// cardDone answers a change of a card.
func (h *Handler) cardDone(w http.ResponseWriter, rq *request, person, purpose, card string, waiting bool, done string, err error) error {
	key, code := "", http.StatusConflict
	var bad FormFault
	switch {
	case err == nil:
		if waiting {
			done = "waits"
		}
		return redirect(w, rq, withQuery("/people/"+person, url.Values{"purpose": {purpose}, "done": {done}}))
	case errors.As(err, &bad):
		key, code = "people_fault."+bad[0].Word, http.StatusUnprocessableEntity
	case errors.Is(err, ErrRevoked):
		key = "people_fault.revoked"
	case errors.Is(err, ErrState):
		key = "people_fault.state"
	case errors.Is(err, ErrSecondPerson):
		key = "people_fault.second_person"
	default:
		return fmt.Errorf("change card: %w", err)
	}
	return h.refusePerson(w, rq, person, purpose, card, key, code)
}

// refusePerson shows the page again with what was wrong at the form it was wrong in. It was looked at with this purpose, and
// that is noted again.
func (h *Handler) refusePerson(w http.ResponseWriter, rq *request, person, purpose, card, key string, code int) error {
	if err := h.looked(rq, ActionViewPeople, purpose); err != nil {
		return err
	}
	f, err := h.src.People.PersonFile(rq.Context(), person)
	if err != nil {
		return fmt.Errorf("person: %w", err)
	}
	v, err := h.personView(rq, f, purpose)
	if err != nil {
		return err
	}
	v.Fault, v.FaultAt, v.Reason = v.T(key), card, clip(strings.ToValidUTF8(rq.post("reason"), "?"), 1000)
	return h.renderStatus(w, rq, "person", v, code)
}

// postedPurpose is the purpose that the page of a form was opened with; without it the form is refused.
func (rq *request) postedPurpose() (string, error) {
	in := strings.TrimSpace(rq.post("purpose"))
	if in == "" || len([]rune(in)) > 200 || !plainText(in) {
		return "", errBadInput
	}
	return in, nil
}

// postCardState suspends a card or reports it lost: one person, one reason, at once (AD-17, D27).
func (h *Handler) postCardState(w http.ResponseWriter, rq *request, to access.CredentialStatus, done string) error {
	if err := rq.form(); err != nil {
		return err
	}
	person, err := rq.pathID("person")
	if err != nil {
		return err
	}
	card, err := rq.pathID("card")
	if err != nil {
		return err
	}
	purpose, err := rq.postedPurpose()
	if err != nil {
		return err
	}
	act := rq.action(ActionCardChanged, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	if key := reasonFaultOf(act.Reason); key != "" {
		return h.refusePerson(w, rq, person, purpose, card, key, http.StatusUnprocessableEntity)
	}
	var sure time.Time
	if text := rq.post("last_sure"); text != "" && to != access.CredentialActive {
		if sure, err = time.ParseInLocation(judgeTime, text, h.cfg.Zone); err != nil || sure.After(rq.now) || sure.Year() < 2000 {
			return h.refusePerson(w, rq, person, purpose, card, "people_fault.past", http.StatusUnprocessableEntity)
		}
	}
	cards, err := h.src.Registry.RegistryCards(rq.Context(), person)
	if err != nil {
		return fmt.Errorf("cards: %w", err)
	}
	own := false
	for _, c := range cards {
		own = own || c.ID == card
	}
	if !own {
		return ErrNotFound // a form of one person's page does nothing to another's card
	}
	_, waiting, err := h.src.Registry.SetCard(rq.Context(), card, to, sure, act)
	return h.cardDone(w, rq, person, purpose, card, waiting, done, err)
}

func (h *Handler) postCardSuspend(w http.ResponseWriter, rq *request) error {
	return h.postCardState(w, rq, access.CredentialSuspended, "card_stopped")
}

func (h *Handler) postCardLost(w http.ResponseWriter, rq *request) error {
	return h.postCardState(w, rq, access.CredentialLost, "card_lost")
}

func (h *Handler) postCardBack(w http.ResponseWriter, rq *request) error {
	return h.postCardState(w, rq, access.CredentialActive, "card_back")
}

// mendRoles mend what the log says of somebody, for the whole site: a person is inside everywhere or nowhere.
const mendRoles = reactivateRoles

// postOfficer reads a form of an officer's act on somebody, and does it.
func (h *Handler) postOfficer(w http.ResponseWriter, rq *request, kind ActionKind, card, done string, do func(person string, act Action) error) error {
	if err := rq.form(); err != nil {
		return err
	}
	person, err := rq.pathID("person")
	if err != nil {
		return err
	}
	if !rq.may(mendRoles, "") {
		return errForbidden
	}
	purpose, err := rq.postedPurpose()
	if err != nil {
		return err
	}
	act := rq.action(kind, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	if key := reasonFaultOf(act.Reason); key != "" {
		return h.refusePerson(w, rq, person, purpose, card, key, http.StatusUnprocessableEntity)
	}
	return h.cardDone(w, rq, person, purpose, card, false, done, do(person, act))
}

// postForgive declares somebody outside, whose exit was not recorded (AD-9).
func (h *Handler) postForgive(w http.ResponseWriter, rq *request) error {
	return h.postOfficer(w, rq, ActionForgiven, "", "forgiven", func(person string, act Action) error {
		return h.src.People.Forgive(rq.Context(), person, act)
	})
}

// postLiftPIN ends the lockout of a card after too many wrong PINs (AD-13).
func (h *Handler) postLiftPIN(w http.ResponseWriter, rq *request) error {
	card, err := rq.pathID("card")
	if err != nil {
		return err
	}
	return h.postOfficer(w, rq, ActionPINLifted, card, "pin_lifted", func(person string, act Action) error {
		return h.src.People.LiftPIN(rq.Context(), person, card, act)
	})
}

// reasonFaultOf checks the reason of a change; "" = fine.
func reasonFaultOf(why string) string {
	switch word := textWord(why, 1, 300); word {
	case "":
		return ""
	case "required":
		return "account.reason_missing"
	default:
		return "people_fault." + word
	}
}
