package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/casework"
)

// caseRoles read cases; the CISO office beside them what has gone up to it. Officers work any, the manager of a zone those that lie in it and are not severe.
const (
	caseRoles    = groupF | groupS | groupA | groupD
	officerRoles = groupS
)

type caseView struct {
	Base
	ID      string
	Item    findingLine
	Exact   time.Time
	State   Tag
	Owner   string
	Verdict string
	Acts    []caseStep
	Fault   string
	Text    string // what was typed, after a fault
	MayRead bool
	MayTake bool
	MayWork bool // give on, close
	MayNote bool
	MayOpen bool
	Workers []choice
	Kinds   []choice // verdicts
	Due     time.Time
	Late    bool
	Purpose string // of the entry that it is about
	Threat  string // what the site's rules called it when the finding was made (A10)
	Visits  []navItem
	Record  string // link that makes an incident of it, "" = not by who looks
}

type caseStep struct {
	What, By, To, Text, Leaf string
	At                       time.Time
}

// getCase shows one finding and what was done about it.
func (h *Handler) getCase(w http.ResponseWriter, rq *request) error {
	return h.showCase(w, rq, "", http.StatusOK)
}

func (h *Handler) caseOf(rq *request) (CaseDetail, error) {
	c, err := h.src.Cases.CaseByID(rq.Context(), rq.PathValue("id"), rq.names, rq.roles&duressRoles != 0)
	if err != nil {
		return c, fmt.Errorf("case: %w", err)
	}
	in, risen, err := h.caseReach(rq)
	if err != nil {
		return c, err
	}
	if !in.finding(&c.Finding, c.Zones) && !(c.Risen && risen.finding(&c.Finding, c.Zones)) {
		return c, errForbidden
	}
	return c, nil
}

// mayWork reports whether the account that asks may move a case.
func (rq *request) mayWork(c *CaseDetail) bool {
	if rq.roles&officerRoles != 0 {
		return true
	}
	return c.Finding.Severity != SeverityHigh && slices.ContainsFunc(c.Zones, func(z access.ZoneID) bool { return rq.may(groupF, z) })
}

func (h *Handler) showCase(w http.ResponseWriter, rq *request, fault string, code int) error {
	c, err := h.caseOf(rq)
	if err != nil {
		return err
	}
	if err := h.viewed(rq, ActionViewCase, c.Finding.ID); err != nil {
		return err
	}
	v := &caseView{Base: h.base(rq, "case.title"), ID: c.Finding.ID, Item: h.base(rq, "case.title").say.findingLine(c.Finding), Exact: c.Finding.At, Owner: c.Owner, Fault: fault}
	in, err := h.reach(rq)
	if err != nil {
		return err
	}
	v.Item.link(rq, &in, &c.Finding)
	v.Here, v.MayRead = "/findings/"+v.ID, rq.roles&rolesOf("GET /log/{attempt}") != 0
	v.State = v.say.caseTag(c.Case.Status)
	v.Due, v.Late, v.Purpose = c.Finding.Due, v.Item.Late, c.Purpose
	if v.Threat, err = h.threatOf(rq, v.Base, &c.Finding); err != nil {
		return err
	}
	for _, x := range c.Visits {
		v.Visits = append(v.Visits, navItem{Href: "/visits/" + url.PathEscape(x), Label: x})
	}
	if rq.roles&csirtRoles != 0 {
		v.Record = withQuery("/incidents", url.Values{"finding": {strconv.FormatUint(c.Finding.Leaf, 10)}})
	}
	if c.Case.Verdict != "" {
		v.Verdict = v.T("case_verdict." + string(c.Case.Verdict))
	}
	for _, a := range c.Acts {
		v.Acts = append(v.Acts, caseStep{What: v.say.known("case_act", string(a.Kind)), By: a.By, To: a.To, Text: a.Text, Leaf: strconv.FormatUint(a.Leaf, 10), At: time.UnixMilli(a.AtMS)})
	}
	if fault != "" {
		v.Text = rq.post("text")
	}
	if !rq.mayWork(&c) {
		return h.renderStatus(w, rq, "case", v, code)
	}
	switch c.Case.Status {
	case casework.Open:
		v.MayTake, v.MayNote = true, true
	case casework.InReview:
		v.MayWork, v.MayNote = true, true
	case casework.Closed:
		v.MayOpen = true
	}
	for _, k := range casework.Kinds() {
		if k.Verdict() {
			v.Kinds = append(v.Kinds, choice{Value: string(k), Label: v.T("case_verdict." + string(k)), Chosen: rq.FormValue("act") == string(k)})
		}
	}
	if v.Workers, err = h.workers(rq, c.Zones, c.Case.Owner); err != nil {
		return err
	}
	return h.renderStatus(w, rq, "case", v, code)
}

func (b speaker) caseTag(s casework.Status) Tag {
	switch s {
	case casework.InReview:
		return Tag{b.T("case_status.in_review"), ToneNote, "person"}
	case casework.Closed:
		return Tag{b.T("case_status.closed"), ToneQuiet, "check"}
	}
	return Tag{b.T("case_status.open"), ToneWarn, "finding"}
}

// workers lists the accounts that may work on a case of zones.
func (h *Handler) workers(rq *request, zones []access.ZoneID, owner string) ([]choice, error) {
	all, err := h.src.Accounts.ListAccounts(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	var out []choice
	for _, a := range all {
		manages := func(z access.ZoneID) bool { return a.rolesIn(z, rq.now)&groupF != 0 }
		if a.Suspended || a.ID == owner || a.rolesAt(rq.now)&officerRoles == 0 && !slices.ContainsFunc(zones, manages) {
			continue
		}
		out = append(out, choice{Value: a.ID, Label: a.FullName})
	}
	return out, nil
}

// postCase does one thing with a case.
func (h *Handler) postCase(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.caseOf(rq)
	if err != nil {
		return err
	}
	if !rq.mayWork(&c) {
		return errForbidden
	}
	kind := casework.Kind(rq.post("act"))
	if !slices.Contains(casework.Kinds(), kind) {
		return errBadInput
	}
	to := rq.post("to")
	if kind == casework.Assign { // only to somebody who may work on it
		workers, err := h.workers(rq, c.Zones, c.Case.Owner)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(workers, func(x choice) bool { return x.Value == to }) {
			to = ""
		}
	}
	act := rq.action(ActionKind(kind), "")
	if act.Reason = strings.TrimSpace(rq.post("text")); !written(act.Reason) {
		return errBadInput
	}
	if len(act.Reason) > 4000 {
		return h.showCase(w, rq, h.words[rq.lang].say("case_fault.too_long"), http.StatusUnprocessableEntity)
	}
	if err := h.src.Cases.ActOnCase(rq.Context(), c.Finding.ID, kind, to, act); err != nil {
		if key := caseFault(err); key != "" {
			code := http.StatusConflict
			if key == "no_text" || key == "nobody" {
				code = http.StatusUnprocessableEntity
			}
			if slices.Contains([]string{"subject", "approver", "hidden", "alone"}, key) {
				code = http.StatusForbidden // VR-2
			}
			return h.showCase(w, rq, h.words[rq.lang].say("case_fault."+key), code)
		}
		return fmt.Errorf("act on case: %w", err)
	}
	return redirect(w, rq, "/findings/"+c.Finding.ID+"?done=case_moved")
}

// written reports whether a text of several lines can be kept: UTF-8 without control characters other than tabs and line ends.
func written(s string) bool {
	return plainText(strings.NewReplacer("\r", "", "\n", "", "\t", "").Replace(s))
}

// caseFault is the word of the sentence for a refusal; "" for another error.
func caseFault(err error) string {
	for word, e := range map[string]error{
		"closed": casework.ErrClosed, "not_taken": casework.ErrNotTaken, "not_open": casework.ErrNotOpen, "subject": casework.ErrSubject,
		"approver": casework.ErrApprover, "no_text": casework.ErrNoText, "nobody": casework.ErrNobody, "hidden": casework.ErrHidden, "alone": casework.ErrAlone,
	} {
		if errors.Is(err, e) {
			return word
		}
	}
	return ""
}
