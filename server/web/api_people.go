package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

type apiPersonLine struct {
	ID         string  `json:"id"`
	Name       string  `json:"name"`
	Reduced    *string `json:"name_reduced"`
	Kana       *string `json:"kana"`
	Romaji     *string `json:"romaji"`
	Section    *string `json:"section"`
	Company    *string `json:"company"`
	Category   string  `json:"category"`
	Kind       *string `json:"kind"`
	Active     bool    `json:"active"`
	ValidFrom  *string `json:"valid_from"`
	ValidUntil *string `json:"valid_until"`
}

func personLine(p RegPerson) apiPersonLine {
	return apiPersonLine{ID: p.ID, Name: p.Name, Reduced: orNull(p.NameReduced), Kana: orNull(p.Kana), Romaji: orNull(p.Romaji), Section: orNull(p.Section),
		Company: orNull(p.Company), Category: p.Category, Kind: orNull(p.Kind), Active: p.Active, ValidFrom: orNull(p.ValidFrom), ValidUntil: orNull(p.ValidUntil)}
}

type apiCard struct {
	ID         string  `json:"id"` // inventory number on the sleeve
	Masked     string  `json:"masked"`
	Assurance  string  `json:"assurance"`
	Status     string  `json:"status"`
	ValidFrom  *string `json:"valid_from"`
	ValidUntil *string `json:"valid_until"`
	PIN        bool    `json:"has_pin"`
}

func cardLine(c RegCard) apiCard {
	return apiCard{ID: c.ID, Masked: c.Masked, Assurance: c.Assurance, Status: c.Status.String(), ValidFrom: orNull(c.ValidFrom), ValidUntil: orNull(c.ValidUntil), PIN: c.PIN}
}

type apiPersonFull struct {
	apiPersonLine
	TrainingUntil *string    `json:"training_until"`
	Conditions    uint32     `json:"conditions"`
	MayEscort     bool       `json:"may_escort"`
	Cards         []apiCard  `json:"cards"`
	Grants        []apiGrant `json:"grants"` // null for roles that may not list grants
}

type apiGrant struct {
	ID         string  `json:"id"`
	Person     *string `json:"person"`
	Group      *string `json:"group"`
	Zone       string  `json:"zone"`
	Schedule   string  `json:"schedule"`
	ValidFrom  *string `json:"valid_from"`
	ValidUntil string  `json:"valid_until"`
	Suspended  bool    `json:"suspended"`
	Basis      string  `json:"basis"`
}

func grantLine(g RegGrant) apiGrant {
	return apiGrant{ID: g.ID, Person: orNull(g.Person), Group: orNull(g.Group), Zone: g.Zone, Schedule: g.Schedule, ValidFrom: orNull(g.ValidFrom),
		ValidUntil: g.ValidUntil, Suspended: g.Suspended, Basis: g.Basis}
}

// looked writes down who looked for whom, and what for, before anything is shown (PR-4, RA-4).
func (h *Handler) looked(rq *request, kind ActionKind, purpose string) error {
	act := rq.action(kind, "")
	act.Reason, act.Filter = purpose, clip(rq.URL.Path+"?"+rq.URL.RawQuery, 500)
	if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
		return fmt.Errorf("record view: %w", err)
	}
	return nil
}

// apiPeople lists people by id. It is a search for persons, so that it needs a purpose (PR-4).
func (h *Handler) apiPeople(w http.ResponseWriter, rq *request) error {
	purpose, err := rq.purpose()
	if err != nil {
		return err
	}
	category, err := rq.oneOf("category", "staff", "contractor", "visitor")
	if err != nil {
		return err
	}
	active, err := rq.oneOf("active", "true", "false")
	if err != nil {
		return err
	}
	text := strings.ToLower(strings.TrimSpace(rq.param("q")))
	if len(text) > 200 {
		return fault{field: "q", what: "too_long"}
	}
	if err := h.looked(rq, ActionViewPeople, purpose); err != nil {
		return err
	}
	all, err := h.src.Registry.RegistryPeople(rq.Context())
	if err != nil {
		return fmt.Errorf("people: %w", err)
	}
	var kept []RegPerson
	for _, p := range all {
		if category != "" && p.Category != category || active != "" && strconv.FormatBool(p.Active) != active {
			continue
		}
		if text != "" && p.ID != rq.param("q") && !strings.Contains(strings.ToLower(strings.Join([]string{p.Name, p.NameReduced, p.Kana, p.Romaji, p.Section, p.Company}, "\n")), text) {
			continue
		}
		kept = append(kept, p)
	}
	page, next, err := apiSorted(rq, kept, func(p RegPerson) string { return p.ID })
	if err != nil {
		return err
	}
	return h.answer(w, rq, http.StatusOK, listOf(page, next, personLine))
}

// apiPerson is one person with cards and rights.
func (h *Handler) apiPerson(w http.ResponseWriter, rq *request) error {
	purpose, err := rq.purpose()
	if err != nil {
		return err
	}
	id, err := rq.pathID("person")
	if err != nil {
		return err
	}
	if err := h.looked(rq, ActionViewPeople, purpose); err != nil {
		return err
	}
	all, err := h.src.Registry.RegistryPeople(rq.Context())
	if err != nil {
		return fmt.Errorf("people: %w", err)
	}
	for _, p := range all {
		if p.ID != id {
			continue
		}
		out := apiPersonFull{apiPersonLine: personLine(p), TrainingUntil: orNull(p.TrainingUntil), Conditions: p.Conditions, MayEscort: p.MayEscort,
			Cards: []apiCard{}}
		cards, err := h.src.Registry.RegistryCards(rq.Context(), id)
		if err != nil {
			return fmt.Errorf("cards: %w", err)
		}
		for _, c := range cards {
			out.Cards = append(out.Cards, cardLine(c))
		}
		if rq.roles&rolesOf("GET /api/1/grants") == 0 {
			return h.answer(w, rq, http.StatusOK, out) // a counter suspends cards, it does not judge rights (RA-1)
		}
		out.Grants = []apiGrant{}
		grants, err := h.src.Registry.RegistryGrants(rq.Context())
		if err != nil {
			return fmt.Errorf("grants: %w", err)
		}
		for _, g := range grants {
			if g.Person == id {
				out.Grants = append(out.Grants, grantLine(g))
			}
		}
		return h.answer(w, rq, http.StatusOK, out)
	}
	return ErrNotFound
}

// apiGrants lists grants by id. Those of one person are a search for a person (PR-4).
func (h *Handler) apiGrants(w http.ResponseWriter, rq *request) error {
	person, zone, purpose := rq.param("person"), rq.param("zone"), ""
	if rq.URL.Query().Has("person") {
		var err error
		if purpose, err = rq.purpose(); err != nil {
			return err
		}
		if !identifier(person) {
			return fault{field: "person", what: "identifier"}
		}
	}
	if rq.URL.Query().Has("zone") && !identifier(zone) {
		return fault{field: "zone", what: "identifier"}
	}
	if err := h.looked(rq, ActionViewGrants, purpose); err != nil {
		return err
	}
	all, err := h.src.Registry.RegistryGrants(rq.Context())
	if err != nil {
		return fmt.Errorf("grants: %w", err)
	}
	var kept []RegGrant
	for _, g := range all {
		if (person == "" || g.Person == person) && (zone == "" || g.Zone == zone) {
			kept = append(kept, g)
		}
	}
	page, next, err := apiSorted(rq, kept, func(g RegGrant) string { return g.ID })
	if err != nil {
		return err
	}
	return h.answer(w, rq, http.StatusOK, listOf(page, next, grantLine))
}

type apiGroup struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

func (h *Handler) apiGroups(w http.ResponseWriter, rq *request) error {
	all, err := h.src.Registry.RegistryGroups(rq.Context())
	if err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	page, next, err := apiSorted(rq, all, func(g RegGroup) string { return g.ID })
	if err != nil {
		return err
	}
	if err := h.looked(rq, ActionViewGrants, ""); err != nil { // whose members they are stands in it
		return err
	}
	return h.answer(w, rq, http.StatusOK, listOf(page, next, func(g RegGroup) apiGroup { return apiGroup{g.ID, g.Name, append([]string{}, g.Members...)} }))
}

type apiContract struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Company    string   `json:"company"`
	Section    string   `json:"section"`
	ValidFrom  string   `json:"valid_from"`
	ValidUntil string   `json:"valid_until"`
	Tier       int      `json:"tier"`
	Workers    []string `json:"workers"`
}

func (h *Handler) apiContracts(w http.ResponseWriter, rq *request) error {
	all, err := h.src.Registry.RegistryContracts(rq.Context())
	if err != nil {
		return fmt.Errorf("contracts: %w", err)
	}
	page, next, err := apiSorted(rq, all, func(c RegContract) string { return c.ID })
	if err != nil {
		return err
	}
	if err := h.looked(rq, ActionViewGrants, ""); err != nil {
		return err
	}
	return h.answer(w, rq, http.StatusOK, listOf(page, next, func(c RegContract) apiContract {
		return apiContract{c.ID, c.Name, c.Company, c.Section, c.ValidFrom, c.ValidUntil, c.Tier, append([]string{}, c.Workers...)}
	}))
}
