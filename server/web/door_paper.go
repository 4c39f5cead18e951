package web

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"monban/firmware/access"
	"monban/firmware/door"
)

// wallRoles hang something up at a door, or answer when somebody reads it.
const wallRoles = groupF | groupS | groupR | groupC | groupD

// DoorPaper is what the papers at a door say of it.
type DoorPaper struct {
	Door     access.DoorID
	Enter    access.ZoneID
	Name     string
	ZoneName string
	Gateway  string
	Observe  bool
	Guards   bool // the server stands behind it
	Recovery int  // cards that open it without the server
}

type doorPaperView struct {
	Base
	Door      DoorPaper
	Extension string
	Fault     string
	Ring      string
	Other     string // the same in the other language
	Lines     []paperLine
	Calls     []string
	Recovery  string
}

// paperLine is one light with both languages: the reader of a sticker has chosen none.
type paperLine struct{ Light, Sound, Meaning, LightEN, SoundEN, MeaningEN string }

// extensionText is what may stand behind "ring": it is printed large, and nothing is kept.
var extensionText = regexp.MustCompile(`^[0-9A-Za-z ()+.-]{0,20}$`)

// getDoorPaper makes the sticker and the emergency sheet of a door. No person is named: who is called is written in by hand, so that the
// sheet on a wall is not a list of names that the system gave out.
func (h *Handler) getDoorPaper(w http.ResponseWriter, rq *request) error {
	p, err := h.src.Startup.DoorPaper(rq.Context(), access.DoorID(rq.PathValue("door")))
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return err
		}
		return fmt.Errorf("papers of a door: %w", err)
	}
	if !rq.may(wallRoles, p.Enter) {
		return errForbidden
	}
	v := doorPaperView{Base: h.base(rq, "door_paper.title"), Door: p, Extension: strings.TrimSpace(rq.URL.Query().Get("extension"))}
	v.Here = "/doors/" + string(p.Door) + "/papers"
	if _, asked := rq.URL.Query()["extension"]; !asked {
		o, err := h.src.Reports.Organisation(rq.Context())
		if err != nil {
			return fmt.Errorf("organisation: %w", err)
		}
		if extensionText.MatchString(o.Phone) {
			v.Extension = o.Phone
		}
	}
	code := http.StatusOK
	if !extensionText.MatchString(v.Extension) {
		v.Fault, v.Extension, code = v.T("door_paper.extension_fault"), "", http.StatusBadRequest
	}
	ja, en := h.words[Japanese], h.words[English]
	ring := func(words catalogue) string {
		if v.Extension == "" {
			return words.say("door_paper.ring_blank")
		}
		return words.say("door_paper.ring", "extension", v.Extension)
	}
	v.Ring, v.Other = ring(ja), ring(en)
	for _, i := range door.Indications() {
		if i == door.IndKey || p.Observe && i != door.IndIdle && i != door.IndHeldOpen && i != door.IndOutOfOrder {
			continue // nobody asks what a click means; a door that only watches lets nobody in and refuses nobody
		}
		k := i.String()
		v.Lines = append(v.Lines, paperLine{ja.say("at_door_light." + k), ja.say("at_door_sound." + k), ja.say("at_door." + k), en.say("at_door_light." + k), en.say("at_door_sound." + k), en.say("at_door." + k)})
	}
	for _, k := range []string{"door_paper.call_manager", "door_paper.call_guard", "door_paper.call_facility", "door_paper.call_csirt", "door_paper.call_maker"} {
		v.Calls = append(v.Calls, v.T(k))
	}
	v.Recovery = v.T("door_paper.recovery_none")
	if p.Recovery > 0 {
		v.Recovery = v.T("door_paper.recovery", "n", fmt.Sprint(p.Recovery))
	}
	return h.renderStatus(w, rq, "door_paper", v, code)
}
