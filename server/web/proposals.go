package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/server/visit"
)

// resumeRoles agree to a stopped card being made good again (AD-17).
const resumeRoles = reactivateRoles | groupC

// withdrawRoles may end what waits, with a reason: whoever proposed it, or does not agree.
const withdrawRoles = groupF | groupS | groupC

type proposalsView struct {
	Base
	Lines   []proposalLineView
	Cards   string // how many stopped cards wait for a second person; they are decided on /stopped
	Limited bool
	Fault   string
}

type proposalLineView struct {
	ID    string
	What  []string
	More  string
	By    string
	At    time.Time
	Until time.Time
	Why   string
	Mine  bool
}

// seesProposal reports whether who asks answers for every zone that a proposal concerns; one that concerns a person, a card or the
// whole site is for roles of the whole site. set are the roles that count.
func (rq *request) seesProposal(set RoleSet, list []RegChange) bool {
	if rq.may(set, "") {
		return true
	}
	if len(list) == 0 {
		return false
	}
	for _, c := range list {
		if len(c.Zones) == 0 {
			return false
		}
		for _, z := range c.Zones {
			if !rq.may(set, z) {
				return false
			}
		}
	}
	return true
}

// proposedBy names the account that proposed something.
func (b speaker) proposedBy(p ProposalLine) string {
	if p.Proposer == "" {
		return b.T("proposals.by_command_line")
	}
	return p.ByName
}

// shownChanges is how many changes of a proposal a list names.
const shownChanges = 3

func (h *Handler) proposalsView(rq *request) (proposalsView, error) {
	v := proposalsView{Base: h.base(rq, "proposals.title")}
	v.Here = "/proposals"
	list, err := h.src.Rights.ListProposals(rq.Context(), rq.account.ID)
	if err != nil {
		return v, fmt.Errorf("proposals: %w", err)
	}
	for _, p := range list {
		if !rq.seesProposal(rightsRoles, p.Changes) {
			v.Limited = true
			continue
		}
		l := proposalLineView{ID: p.ID, By: v.say.proposedBy(p), At: p.At, Until: p.Until, Why: p.Reason, Mine: p.Mine}
		for i, c := range v.say.changeLines(p.Changes) {
			if i == shownChanges {
				l.More = v.T("proposals.more", "n", strconv.Itoa(len(p.Changes)+p.Overlooked-shownChanges))
				break
			}
			l.What = append(l.What, v.T("proposals.what", "what", c.What, "name", c.Name))
		}
		v.Lines = append(v.Lines, l)
	}
	if rq.may(rightsRoles, "") {
		cards, err := h.src.Visits.Suspensions(rq.Context())
		if err != nil {
			return v, fmt.Errorf("stopped cards: %w", err)
		}
		if n := len(slices.DeleteFunc(cards, func(x visit.Suspension) bool { return x.Head().State != "asked" })); n > 0 {
			v.Cards = v.T("proposals.cards", "n", strconv.Itoa(n))
		}
	}
	return v, nil
}

// getProposals lists the changes of the directory that wait for a second person, and says how many stopped cards do.
func (h *Handler) getProposals(w http.ResponseWriter, rq *request) error {
	if err := h.looked(rq, ActionViewProposals, ""); err != nil {
		return err
	}
	v, err := h.proposalsView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "proposals", v)
}

type proposalView struct {
	Base
	Line       proposalLineView
	ID         string
	Changes    []changeLine
	Overlooked string
	Rights     []effectGroup
	More       string
	Stale      bool
	Decided    bool
	MayConfirm bool
	MayEnd     bool
	StepUp     string
	Fault      string // of the whole page
	EndFault   string // of the reason of a withdrawal
	Reason     string
}

// effectGroup is who gains, who loses, and whose right changes.
type effectGroup struct {
	Heading string
	Icon    string
	Lines   []string
}

func (h *Handler) proposalFor(rq *request) (ProposalFile, error) {
	id := rq.PathValue("id")
	if !isAttempt(id) { // 32 hex digits too
		return ProposalFile{}, ErrNotFound
	}
	p, err := h.src.Rights.ProposalByID(rq.Context(), id, rq.account.ID)
	if err != nil {
		return p, fmt.Errorf("proposal: %w", err)
	}
	if !rq.seesProposal(rightsRoles, p.Changes) {
		return p, errForbidden
	}
	return p, nil
}

func (h *Handler) proposalView(rq *request, p ProposalFile) proposalView {
	v := proposalView{Base: h.base(rq, "proposals.one"), ID: p.ID, Stale: p.Stale && !p.Decided, Decided: p.Decided}
	v.Changes = v.say.changeLines(p.Changes)
	v.Here = "/proposals/" + p.ID
	v.Line = proposalLineView{ID: p.ID, By: v.say.proposedBy(p.ProposalLine), At: p.At, Until: p.Until, Why: p.Reason, Mine: p.Mine}
	if p.Overlooked > 0 {
		v.Overlooked = v.T("proposals.more", "n", strconv.Itoa(p.Overlooked))
	}
	for _, kind := range []struct{ effect, icon string }{{"gains", "check"}, {"keeps", "check"}, {"changes", "clock"}, {"loses", "stop"}} {
		g := effectGroup{Heading: v.T("right_effect." + kind.effect), Icon: kind.icon}
		for _, r := range p.Rights {
			if r.Effect == kind.effect {
				g.Lines = append(g.Lines, v.T("proposals.right", "person", r.PersonName, "zone", r.ZoneName, "n", strconv.Itoa(r.Level)))
			}
		}
		if g.Lines != nil {
			v.Rights = append(v.Rights, g)
		}
	}
	if p.More > 0 {
		v.More = v.T("proposals.more", "n", strconv.Itoa(p.More))
	}
	mayDecide := rq.seesProposal(grantEditRoles, p.Changes)
	v.MayConfirm = mayDecide && !p.Mine && !p.Decided && !p.Stale
	v.MayEnd = !p.Decided && rq.roles&withdrawRoles != 0 && (p.Mine || rq.seesProposal(withdrawRoles, p.Changes))
	if v.MayConfirm && h.freshAt(rq, "POST /proposals/{id}/confirm") != "" {
		v.StepUp = "/step-up?next=/proposals/" + p.ID
	}
	return v
}

func (h *Handler) getProposal(w http.ResponseWriter, rq *request) error {
	if err := h.looked(rq, ActionViewProposals, ""); err != nil {
		return err
	}
	p, err := h.proposalFor(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "proposal", h.proposalView(rq, p))
}

// decided answers a decision about what waits.
func (h *Handler) decided(w http.ResponseWriter, rq *request, err error, done string, refuse func(key string, code int) error) error {
	switch {
	case err == nil:
		return redirect(w, rq, "/proposals?done="+done)
	case errors.Is(err, ErrSamePerson):
		return refuse("proposals.same_person", http.StatusForbidden)
	case errors.Is(err, ErrTooLate):
		return refuse("proposals.too_late", http.StatusConflict)
	case errors.Is(err, ErrStale):
		return refuse("proposals.stale", http.StatusConflict)
	}
	return fmt.Errorf("decide: %w", err)
}

// postProposalConfirm is the second person (RA-2).
func (h *Handler) postProposalConfirm(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	p, err := h.proposalFor(rq)
	if err != nil {
		return err
	}
	if !p.Decided && !rq.seesProposal(grantEditRoles, p.Changes) {
		return errForbidden
	}
	err = h.src.Rights.ConfirmProposal(rq.Context(), p.ID, rq.action(ActionProposalDecided, ""))
	return h.decided(w, rq, err, "confirmed", func(key string, code int) error {
		return h.refusedProposal(w, rq, p, key, code)
	})
}

// refusedProposal shows a proposal again with why nothing was done. To see it so is to look at it, too (RA-4).
func (h *Handler) refusedProposal(w http.ResponseWriter, rq *request, p ProposalFile, key string, code int) error {
	if err := h.looked(rq, ActionViewProposals, ""); err != nil {
		return err
	}
	v := h.proposalView(rq, p)
	v.Fault = v.T(key)
	return h.renderStatus(w, rq, "proposal", v, code)
}

// postProposalWithdraw ends it without effect, with why.
func (h *Handler) postProposalWithdraw(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	p, err := h.proposalFor(rq)
	if err != nil {
		return err
	}
	if !p.Decided && !p.Mine && !rq.seesProposal(withdrawRoles, p.Changes) {
		return errForbidden
	}
	act := rq.action(ActionProposalDecided, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	key := reasonFaultOf(act.Reason)
	if key == "" {
		err = h.src.Rights.WithdrawProposal(rq.Context(), p.ID, act)
		var bad FormFault
		if !errors.As(err, &bad) {
			return h.decided(w, rq, err, "withdrawn", func(key string, code int) error {
				return h.refusedProposal(w, rq, p, key, code)
			})
		}
		key = "people_fault." + bad[0].Word
	}
	if err := h.looked(rq, ActionViewProposals, ""); err != nil {
		return err
	}
	v := h.proposalView(rq, p)
	v.EndFault, v.Reason = v.T(key), clip(strings.ToValidUTF8(act.Reason, "?"), 1000)
	return h.renderStatus(w, rq, "proposal", v, http.StatusUnprocessableEntity)
}
