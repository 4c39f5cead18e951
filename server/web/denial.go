package web

import (
	"fmt"
	"net/http"

	"monban/firmware/access"
)

// denialRoles are asked at the counter or on the phone why a door stays shut.
const denialRoles = groupF | groupS | groupR | groupA

// denialDays is how far back the last denial is looked for: today and the day before, since nobody asks later.
const denialDays = 2

type denialView struct {
	Base
	Door    string
	ID      string
	Doors   []navItem // the others
	Found   bool
	Line    logLine
	Ago     string
	Say     string // to be said aloud
	Mend    string // who can mend it, and how
	Also    []string
	Attempt string // link to the line, "" = not for these roles
}

// mendWords says for each reason who can mend it: a member of the section mend.
func mendWords(r access.Reason) string {
	switch r {
	case access.ReasonUnknownCredential, access.ReasonReadError, access.ReasonCredentialRevoked:
		return "card"
	case access.ReasonCredentialLost, access.ReasonCredentialSuspended:
		return "stopped"
	case access.ReasonCredentialExpired, access.ReasonAssuranceLow:
		return "renew"
	case access.ReasonPersonInactive, access.ReasonContractExpired:
		return "person"
	case access.ReasonConditionsPending, access.ReasonTrainingExpired:
		return "training"
	case access.ReasonNoGrant, access.ReasonGrantExpired, access.ReasonGrantNotYet, access.ReasonOutsideSchedule:
		return "grant"
	case access.ReasonPINRequired, access.ReasonPINBad, access.ReasonPINLocked, access.ReasonDeskNobody, access.ReasonDeskSigned:
		return "pin" // the desk's two: whoever signs in there keys number and PIN again
	case access.ReasonAntiPassback:
		return "passback"
	case access.ReasonOccupancyFull, access.ReasonSecondPerson, access.ReasonEscortMissing, access.ReasonStaffNeeded, access.ReasonEscortRatio, access.ReasonInterlock:
		return "company"
	case access.ReasonDoorLocked, access.ReasonLockdown:
		return "mode"
	}
	return "machine" // clock, policy, link, storage, and what was not decided
}

// doorsFor lists the doors whose denials who asks may see.
func (h *Handler) doorsFor(rq *request, set RoleSet) ([]CommandDoor, error) {
	doors, err := h.src.Commands.CommandDoors(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("doors: %w", err)
	}
	var out []CommandDoor
	for _, d := range doors {
		if rq.may(set, d.Enter) {
			out = append(out, d)
		}
	}
	return out, nil
}

func denialHref(id access.DoorID) string { return "/doors/" + string(id) + "/last-denial" }

// getLastDenial answers "the door does not open": who was refused last, with a sentence to say aloud and who can mend it. It is asked about a
// door, not about a person.
func (h *Handler) getLastDenial(w http.ResponseWriter, rq *request) error {
	id, err := rq.pathID("door")
	if err != nil {
		return err
	}
	doors, err := h.doorsFor(rq, denialRoles)
	if err != nil {
		return err
	}
	v := denialView{Base: h.base(rq, "denial.title"), ID: id}
	for _, d := range doors {
		if string(d.Door) == id {
			v.Door = d.Name
		}
		v.Doors = append(v.Doors, navItem{Href: denialHref(d.Door), Label: d.Name, Page: string(d.Door) == id})
	}
	if v.Door == "" {
		all, err := h.src.Commands.CommandDoors(rq.Context())
		if err != nil {
			return fmt.Errorf("doors: %w", err)
		}
		for _, d := range all {
			if string(d.Door) == id {
				return errForbidden // another's zone
			}
		}
		return ErrNotFound
	}
	if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewDenial, id)); err != nil {
		return fmt.Errorf("record view: %w", err) // no leaf, no names (RA-4)
	}
	for back := range denialDays {
		day := rq.now.In(h.cfg.Zone).AddDate(0, 0, -back)
		log, err := h.src.Log.DayLog(rq.Context(), LogQuery{Day: day.Format(dayLayout), Door: access.DoorID(id), Result: ResultDenied, In: Reach{Doors: []access.DoorID{access.DoorID(id)}}, Names: true, Limit: 1})
		if err != nil {
			return fmt.Errorf("log of a door: %w", err)
		}
		if len(log.Attempts) == 0 {
			continue
		}
		a := log.Attempts[0]
		v.Found, v.Line, v.Ago = true, v.say.logLine(a), v.T("denial.ago", "span", v.say.span(max(rq.now.Sub(a.At), 0)))
		v.Say, v.Mend = v.T("reason."+a.Reason.String()), v.T("mend."+mendWords(a.Reason))
		for _, r := range access.Reasons() {
			if r != a.Reason && r != access.ReasonGranted && a.Failed.Has(r) {
				v.Also = append(v.Also, v.T("reason."+r.String()))
			}
		}
		if rq.roles&rolesOf("GET /log/{attempt}") != 0 {
			v.Attempt = "/log/" + a.ID
		}
		break
	}
	return h.render(w, rq, "denial", v)
}
