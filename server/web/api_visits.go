package web

import (
	"fmt"
	"net/http"
	"slices"

	"monban/firmware/access"
)

type apiProposal struct {
	ID       string   `json:"id"`
	Proposer *apiWho  `json:"proposer"` // null: the command line
	Proposed *string  `json:"proposed"`
	Reason   string   `json:"reason"`
	Changes  []string `json:"changes"`
	Mine     bool     `json:"mine"`
}

// apiProposals lists the changes that wait for a second person. They are agreed to on the pages, with a fresh check of
// identity.
func (h *Handler) apiProposals(w http.ResponseWriter, rq *request) error {
	limit, after, err := rq.list()
	if err != nil {
		return err
	}
	if err := h.looked(rq, ActionViewProposals, ""); err != nil { // who is concerned stands in the changes
		return err
	}
	all, err := h.src.Registry.RegistryProposals(rq.Context())
	if err != nil {
		return fmt.Errorf("proposals: %w", err)
	}
	page, next, err := apiFlow(limit, after, func(p RegProposal) string { return p.ID }, func(skip, n int) ([]RegProposal, error) {
		rest := all[min(skip, len(all)):]
		return rest[:min(n, len(rest))], nil
	})
	if err != nil {
		return err
	}
	s := h.speaker(rq)
	accounts, err := h.src.Accounts.ListAccounts(rq.Context())
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	names := map[string]string{}
	for _, a := range accounts {
		names[a.ID] = a.FullName
	}
	return h.answer(w, rq, http.StatusOK, listOf(page, next, func(p RegProposal) apiProposal {
		return apiProposal{ID: p.ID, Proposer: s.somebody(Who{Ref: p.Proposer, Name: names[p.Proposer]}), Proposed: s.at(p.Proposed), Reason: p.Reason,
			Changes: append([]string{}, p.Changes...), Mine: p.Proposer == rq.account.ID}
	}))
}

type apiGuest struct {
	Name     string  `json:"name"`
	Company  *string `json:"company"`
	Category string  `json:"category"`
	Badge    *string `json:"badge"`
	Received *string `json:"received"`
	Returned *string `json:"badge_returned"`
}

type apiVisit struct {
	ID       string     `json:"id"`
	State    string     `json:"state"`
	Type     string     `json:"type"`
	Purpose  string     `json:"purpose"`
	System   string     `json:"system"`
	Zones    []string   `json:"zones"`
	From     *string    `json:"from"`
	Until    *string    `json:"until"`
	Section  string     `json:"section"`
	Company  *string    `json:"company"`
	Contract *string    `json:"contract"`
	Attendee *string    `json:"attendee"`
	Guests   []apiGuest `json:"guests"`
	Owed     int        `json:"owed"`
}

// apiVisits is reception's list of a day.
func (h *Handler) apiVisits(w http.ResponseWriter, rq *request) error {
	limit, after, err := rq.list()
	if err != nil {
		return err
	}
	day, err := rq.day("day")
	if err != nil {
		return err
	}
	if day == "" {
		day = rq.now.In(h.cfg.Zone).Format(dayLayout)
	}
	act := rq.action(ActionViewVisits, day)
	act.Filter = clip(rq.URL.RawQuery, 500)
	if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
		return fmt.Errorf("record view: %w", err)
	}
	all, err := h.src.Registry.RegistryVisits(rq.Context(), day)
	if err != nil {
		return fmt.Errorf("visits of %s: %w", day, err)
	}
	in, err := h.reach(rq)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(slices.Clone(all), func(v RegVisit) bool {
		return !in.All && !slices.ContainsFunc(v.Zones, func(z string) bool { return in.Zone(access.ZoneID(z)) })
	})
	page, next, err := apiFlow(limit, after, func(v RegVisit) string { return v.ID }, func(skip, n int) ([]RegVisit, error) {
		rest := all[min(skip, len(all)):]
		return rest[:min(n, len(rest))], nil
	})
	if err != nil {
		return err
	}
	s := h.speaker(rq)
	return h.answer(w, rq, http.StatusOK, listOf(page, next, func(v RegVisit) apiVisit {
		out := apiVisit{ID: v.ID, State: v.State, Type: v.Type, Purpose: v.Purpose, System: v.System, Zones: append([]string{}, v.Zones...), From: s.at(v.From), Until: s.at(v.Until),
			Section: v.Section, Company: orNull(v.Company), Contract: orNull(v.Contract), Attendee: orNull(v.Attendee), Guests: []apiGuest{}, Owed: v.Owed}
		for _, g := range v.Guests {
			out.Guests = append(out.Guests, apiGuest{g.Name, orNull(g.Company), g.Category, orNull(g.Badge), s.at(g.Received), s.at(g.Returned)})
		}
		return out
	}))
}
