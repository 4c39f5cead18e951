package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/visit"
)

// maxKeyed is how many purposes the keys 1–9 of a reader can stand for.
const maxKeyed = 9

type purposesView struct {
	matterPage
	desk  counter
	Zones []purposeZone
}

// purposeZone is what a zone asks its entries for (RR-7).
type purposeZone struct {
	Name   string
	Asks   Tag
	Labels []string // of the keys 1–9 in their order; "" = the key means nothing
	Form   *deskForm
}

// getPurposeLabels shows of which zones people are asked what they came for, and what the keys of their readers stand for.
func (h *Handler) getPurposeLabels(w http.ResponseWriter, rq *request) error {
	return h.showPurposeLabels(w, rq, nil, http.StatusOK)
}

func (h *Handler) showPurposeLabels(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "purposes.title", "")
	if err != nil {
		return err
	}
	v := purposesView{matterPage: c.matterPage, desk: c}
	v.Here = "/ledgers/purposes"
	for i := range c.site.Dir.Zones {
		z := c.site.Dir.Zones[i].ID
		if !c.in.Zone(z) {
			continue
		}
		x := purposeZone{Name: c.zoneName(z), Labels: c.site.Settings.PurposeLabels[z], Asks: Tag{c.T("purposes.asks_not"), ToneQuiet, "dash"}}
		asks := c.site.Settings.AsksPurpose(z)
		if asks {
			x.Asks = Tag{c.T("purposes.asks"), ToneNote, "check"}
		}
		if rq.may(approveRoles, z) {
			ask := deskField{Name: "ask", Kind: "check", Label: c.T("purposes.ask"), Optional: true}
			if asks {
				ask.Value = "yes"
			}
			f := newDeskForm("purposes-"+string(z), "/ledgers/purposes/"+string(z), c.T("purposes.change"), c.T("forms.save"), ask,
				deskField{Name: "labels", Kind: "text_area", Label: c.T("purposes.labels"), Value: strings.Join(x.Labels, "\n"), Optional: true, Max: 1000, Help: c.T("purposes.labels_help")},
				deskField{Name: "reason", Kind: "text", Label: c.T("account.reason")}).again(t)
			f.Fold = true
			x.Form = &f
		}
		v.Zones = append(v.Zones, x)
	}
	return h.renderStatus(w, rq, "purposes", &v, code)
}

// postPurposeLabels changes them for one zone. What somebody keyed in before keeps the label of then (ADR 0045).
func (h *Handler) postPurposeLabels(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "purposes.title", "")
	if err != nil {
		return err
	}
	zone := access.ZoneID(rq.PathValue("zone"))
	if !slices.ContainsFunc(c.zoneChoices(), func(z choice) bool { return z.Value == string(zone) }) || !c.in.Zone(zone) {
		return ErrNotFound
	}
	if !rq.may(approveRoles, zone) {
		return errForbidden
	}
	set, reason := c.site.Settings, strings.TrimSpace(rq.post("reason"))
	labels := linesOf(rq.post("labels"))
	set.PurposeLabels = make(map[access.ZoneID][]string, len(c.site.Settings.PurposeLabels)+1)
	for z, l := range c.site.Settings.PurposeLabels {
		set.PurposeLabels[z] = l
	}
	if set.PurposeLabels[zone] = labels; len(labels) == 0 {
		delete(set.PurposeLabels, zone)
	}
	set.PurposeZones = c.asking(zone, rq.post("ask") != "")
	var bad *visit.Error
	switch err = set.Validate(); {
	case len(labels) > maxKeyed:
		err = fieldFault(visit.ErrTooMany, "labels")
	case errors.As(err, &bad):
		err = fieldFault(bad, "labels")
	case err != nil:
		err = fieldFault(visit.ErrText, "labels")
	case reason == "":
		err = fieldFault(visit.ErrMissing, "reason")
	default:
		err = h.src.Visits.SetVisitSettings(rq.Context(), set, reason, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/ledgers/purposes?done=purposes_saved")
	}
	t, code, err := h.refusal(rq, &c, "purposes-"+string(zone), "setting", err)
	if err != nil {
		return err
	}
	return h.showPurposeLabels(w, rq, t, code)
}

// linesOf are the lines of a field; empty ones at its end do not count, one in between is a key that means nothing.
func linesOf(text string) (out []string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		out = append(out, strings.TrimSpace(line))
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// asking are the zones that ask, once one of them has been switched. nil = every zone, also one that is made later.
func (c *counter) asking(zone access.ZoneID, ask bool) []access.ZoneID {
	if c.site.Settings.AsksPurpose(zone) == ask {
		return c.site.Settings.PurposeZones
	}
	out := []access.ZoneID{}
	for i := range c.site.Dir.Zones {
		if z := c.site.Dir.Zones[i].ID; z == zone && ask || z != zone && c.site.Settings.AsksPurpose(z) {
			out = append(out, z)
		}
	}
	return out
}
