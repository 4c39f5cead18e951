package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"monban/firmware/door"
)

// apiDocument is the description of the API.
func (h *Handler) apiDocument(w http.ResponseWriter, rq *request) error {
	doc, err := fs.ReadFile(files, "openapi.json")
	if err != nil {
		return fmt.Errorf("description of the API: %w", err)
	}
	h.send(w, rq, "application/json", http.StatusOK, doc)
	return nil
}

type apiAccount struct {
	Account string   `json:"account"`
	Name    string   `json:"name"`
	Roles   []string `json:"roles"` // in force now
	Token   struct {
		ID      string  `json:"id"`
		Name    string  `json:"name"`
		Expires *string `json:"expires"`
		Orders  bool    `json:"orders"`
	} `json:"token"`
	Site string  `json:"site"`
	Zone string  `json:"time_zone"`
	Now  *string `json:"now"`
}

func (h *Handler) apiMe(w http.ResponseWriter, rq *request) error {
	s := h.speaker(rq)
	me := apiAccount{Account: rq.account.ID, Name: rq.account.Name, Roles: []string{}, Site: h.cfg.Site, Zone: h.cfg.ZoneName, Now: s.at(rq.now)}
	for _, r := range rq.roles.list() {
		me.Roles = append(me.Roles, r.String())
	}
	me.Token.ID, me.Token.Name, me.Token.Expires, me.Token.Orders = rq.apiToken.ID, rq.apiToken.Name, s.at(rq.apiToken.Expires), rq.apiToken.Orders
	return h.answer(w, rq, http.StatusOK, me)
}

type apiDoor struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Zone    string    `json:"zone_name"`
	Gateway *apiPlace `json:"gateway"`
	Kind    string    `json:"kind"`
	State   string    `json:"state"`      // what is known now: "unknown" while the gateway is not linked
	Last    *string   `json:"last_state"` // what was told last, null = never told
	Since   *string   `json:"since"`      // when that was told
	Contact string    `json:"contact"`
	Reader  string    `json:"reader"`
	Mode    string    `json:"mode"`
	Linked  bool      `json:"linked"`
	Text    string    `json:"text"`
}

// stateWord is the state of a door by name. A door without a lock is never said to be locked.
func stateWord(d DoorState) string {
	if d.Kind == door.KindObserve {
		switch d.State {
		case door.Secured, door.InLockdown:
			return "watched"
		case door.Unlocked:
			return "watched_granted"
		}
	}
	return d.State.String()
}

func (s speaker) door(d DoorState, gateways map[string]string) apiDoor {
	out := apiDoor{ID: string(d.Door), Name: d.Name, Zone: d.ZoneName, Gateway: place(string(d.Gateway), gateways[string(d.Gateway)]), Kind: d.Kind.String(),
		State: "unknown", Contact: "unknown", Reader: "unknown", Mode: d.Mode.String(), Linked: d.Linked, Text: s.doorCard(d).Word}
	if d.Known {
		out.Last, out.Since = orNull(stateWord(d)), s.at(d.Since)
	}
	if d.Known && d.Linked {
		out.State = stateWord(d)
		if d.Contact != "" {
			out.Contact = d.Contact
		}
		if d.Reader != "" {
			out.Reader = d.Reader
		}
	}
	return out
}

// apiDoors says what is known of every door now. What a gateway said before its link was lost is last_state.
func (h *Handler) apiDoors(w http.ResponseWriter, rq *request) error {
	o, err := h.src.Overviews.Overview(rq.Context(), Reach{All: true}, false)
	if err != nil {
		return fmt.Errorf("overview: %w", err)
	}
	s := h.speaker(rq)
	names := map[string]string{}
	for _, g := range o.Gateways {
		names[string(g.ID)] = g.Name
	}
	stale := rq.now.Sub(o.UpTo) > staleAfter
	out := struct {
		UpTo  *string   `json:"up_to"`
		Items []apiDoor `json:"items"`
	}{s.at(o.UpTo), []apiDoor{}}
	for _, d := range o.Doors {
		d.Linked = d.Linked && !stale
		out.Items = append(out.Items, s.door(d, names))
	}
	return h.answer(w, rq, http.StatusOK, out)
}

type apiVersions struct {
	Rules uint64 `json:"rules"`
	Modes uint64 `json:"modes"`
	State uint64 `json:"state"`
}

type apiGateway struct {
	ID       string      `json:"id"`
	Name     string      `json:"name"`
	Linked   bool        `json:"linked"`
	LastSeen *string     `json:"last_seen"`
	Pending  uint64      `json:"pending"`
	Software string      `json:"software"`
	Boot     *string     `json:"boot"`
	Held     apiVersions `json:"policy_held"`
	InForce  apiVersions `json:"policy_in_force"`
	Clock    string      `json:"clock"`
	Offset   int64       `json:"clock_offset_ms"`
	Mains    string      `json:"mains"`
	Battery  string      `json:"battery"`
	CertEnds *string     `json:"certificate_ends"`
	CertDue  bool        `json:"certificate_due"`
	Doors    []string    `json:"doors"`
}

// apiGateways is the health of the gateways.
func (h *Handler) apiGateways(w http.ResponseWriter, rq *request) error {
	list, err := h.src.Machines.ListGateways(rq.Context())
	if err != nil {
		return fmt.Errorf("gateways: %w", err)
	}
	s := h.speaker(rq)
	return h.answer(w, rq, http.StatusOK, listOf(list, "", func(g Gateway) apiGateway {
		out := apiGateway{ID: string(g.ID), Name: g.Name, Linked: g.Linked, LastSeen: s.at(g.LastSeen), Pending: g.Pending, Software: g.Software,
			Boot: s.at(g.Boot), Held: apiVersions(g.Held), InForce: apiVersions(g.InForce), Clock: g.Clock.String(), Offset: g.OffsetMS,
			Mains: "unknown", Battery: "unknown", CertEnds: s.at(g.CertificateEnds), CertDue: g.CertificateDue, Doors: []string{}}
		if g.Linked && g.Mains != "" { // what was told before the link was lost may have changed
			out.Mains, out.Battery = g.Mains, g.Battery
		}
		for _, d := range g.Doors {
			out.Doors = append(out.Doors, string(d.Door))
		}
		return out
	}))
}

type apiZone struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Parent       *string `json:"parent"`
	Level        int     `json:"level"`
	MinAssurance string  `json:"min_assurance"`
	PINAlways    bool    `json:"pin_always"`
	AntiPassback string  `json:"anti_passback"`
	MaxInside    uint32  `json:"max_inside"`
	MinInside    uint32  `json:"min_inside"`
	TwoPersonMS  int64   `json:"two_person_within_ms"`
	Escort       string  `json:"escort"`
	Training     string  `json:"training"`
	Conditions   uint32  `json:"conditions"`
	Basis        string  `json:"basis"`
}

func (h *Handler) apiZones(w http.ResponseWriter, rq *request) error {
	all, err := h.src.Registry.RegistryZones(rq.Context())
	if err != nil {
		return fmt.Errorf("zones: %w", err)
	}
	page, next, err := apiSorted(rq, all, func(z RegZone) string { return z.ID })
	if err != nil {
		return err
	}
	return h.answer(w, rq, http.StatusOK, listOf(page, next, func(z RegZone) apiZone {
		return apiZone{ID: z.ID, Name: z.Name, Parent: orNull(z.Parent), Level: z.Level, MinAssurance: z.MinAssurance, PINAlways: z.PINAlways,
			AntiPassback: z.AntiPassback, MaxInside: z.MaxInside, MinInside: z.MinInside, TwoPersonMS: int64(z.TwoPersonWithin / time.Millisecond),
			Escort: z.Escort, Training: z.Training, Conditions: z.Conditions, Basis: z.Basis}
	}))
}

type apiWindow struct {
	Days  []string `json:"days"`
	From  string   `json:"from"`
	Until string   `json:"until"`
}

type apiSchedule struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Windows []apiWindow `json:"windows"`
}

// clockTime writes seconds since midnight as 08:30:00; the end of a day is 24:00:00.
func clockTime(sec int) string { return fmt.Sprintf("%02d:%02d:%02d", sec/3600, sec/60%60, sec%60) }

func (h *Handler) apiSchedules(w http.ResponseWriter, rq *request) error {
	all, err := h.src.Registry.RegistrySchedules(rq.Context())
	if err != nil {
		return fmt.Errorf("schedules: %w", err)
	}
	page, next, err := apiSorted(rq, all, func(x RegSchedule) string { return x.ID })
	if err != nil {
		return err
	}
	return h.answer(w, rq, http.StatusOK, listOf(page, next, func(x RegSchedule) apiSchedule {
		out := apiSchedule{ID: x.ID, Name: x.Name, Windows: []apiWindow{}}
		for _, win := range x.Windows {
			out.Windows = append(out.Windows, apiWindow{win.Days, clockTime(win.From), clockTime(win.To)})
		}
		return out
	}))
}

type apiDay struct {
	Day  string `json:"day"`
	Name string `json:"name"`
}

// apiClosedDays lists the closed days from a day until another, both included.
func (h *Handler) apiClosedDays(w http.ResponseWriter, rq *request) error {
	from, err := rq.day("from")
	if err != nil {
		return err
	}
	until, err := rq.day("until")
	if err != nil {
		return err
	}
	all, err := h.src.Registry.RegistryClosedDays(rq.Context())
	if err != nil {
		return fmt.Errorf("closed days: %w", err)
	}
	var kept []RegDay
	for _, d := range all {
		if d.Day >= from && (until == "" || d.Day <= until) {
			kept = append(kept, d)
		}
	}
	page, next, err := apiSorted(rq, kept, func(d RegDay) string { return d.Day })
	if err != nil {
		return err
	}
	return h.answer(w, rq, http.StatusOK, listOf(page, next, func(d RegDay) apiDay { return apiDay(d) }))
}
