package web

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"monban/server/directory"
	"monban/server/visit"
)

func guestField(prefix string, i int) string { return prefix + strconv.Itoa(i+1) }

// identityForm is step 2: of each guest who is here, what kind of document was seen. No number, no copy (VE-5).
func (r *receiving) identityForm() deskForm {
	var fields []deskField
	var kinds []string
	for _, k := range visit.Identities() {
		kinds = append(kinds, string(k))
	}
	list := r.expected()
	for n, i := range list {
		g := r.c.guestRow(r.x, i)
		label := g.Name
		if g.Kana != "" {
			label += "(" + g.Kana + ")"
		}
		if g.Company != "" {
			label += " " + g.Company
		}
		none := choice{Label: r.c.T("receive.not_here")}
		if len(list) == 1 {
			none.Label = r.c.T("receive.choose")
		}
		f := deskField{Name: guestField("guest", i), Kind: "select", Label: label, Optional: len(list) > 1, First: n == 0,
			Options: append([]choice{none}, r.c.choices("identity", string(r.d.identity[i]), kinds...)...)}
		if n == 0 {
			f.Help = r.c.T("receive.identity_help")
		}
		fields = append(fields, f)
	}
	return newDeskForm("two", "/visits/"+r.x.ID+"/receive/identity", "", r.c.T("receive.next"), fields...)
}

// conditionsForm is step 3: the conditions are accepted, what is brought in is declared.
func (r *receiving) conditionsForm(version uint32) deskForm {
	c := r.c
	fields := []deskField{}
	if version != 0 {
		value := ""
		if r.d.accepted {
			value = "yes"
		}
		fields = append(fields, deskField{Name: "version", Kind: "hidden", Value: strconv.FormatUint(uint64(version), 10)},
			deskField{Name: "conditions", Kind: "check", Label: c.T("receive.accepted", "version", strconv.FormatUint(uint64(version), 10)), Value: value, First: true})
	}
	here := r.here()
	if len(here) > 1 {
		f := deskField{Name: "whose", Kind: "select", Label: c.T("receive.whose"), Optional: true}
		for _, i := range here {
			f.Options = append(f.Options, choice{Value: strconv.Itoa(i + 1), Label: r.x.Guests[i].Name, Chosen: i == r.d.whose})
		}
		fields = append(fields, f)
	}
	for n := range declareRows {
		var d visit.Declared
		if n < len(r.d.declared) {
			d = r.d.declared[n]
		}
		yes := func(b bool) string {
			if b {
				return "yes"
			}
			return ""
		}
		row := strconv.Itoa(n + 1)
		help := ""
		if n == 0 {
			help = c.T("receive.declare_help")
		}
		fields = append(fields,
			deskField{Name: guestField("what", n), Kind: "select", Label: c.T("receive.brings", "n", row), Optional: true, Help: help,
				Options: append([]choice{{Label: c.T("receive.nothing")}}, c.choices("declared", d.What, "computer", "medium", "phone", "camera", "other")...)},
			deskField{Name: guestField("serial", n), Kind: "text", Label: c.T("receive.serial", "n", row), Optional: true, Value: d.Serial, Max: 100},
			deskField{Name: guestField("personal", n), Kind: "check", Label: c.T("receive.personal", "n", row), Optional: true, Value: yes(d.Personal)},
			deskField{Name: guestField("outside", n), Kind: "check", Label: c.T("receive.outside", "n", row), Optional: true, Value: yes(d.Outside)},
			deskField{Name: guestField("exception", n), Kind: "text", Label: c.T("receive.exception", "n", row), Optional: true, Value: d.Exception, Max: 64})
	}
	return newDeskForm("three", "/visits/"+r.x.ID+"/receive/conditions", "", c.T("receive.next"), fields...)
}

// badgeForm is step 4: who escorts, and which badge each guest is lent.
func (h *Handler) badgeForm(ctx context.Context, r *receiving) (deskForm, error) {
	c := r.c
	badges, err := h.src.Visits.ListBadges(ctx)
	if err != nil {
		return deskForm{}, fmt.Errorf("badges: %w", err)
	}
	var free []choice
	for _, b := range badges {
		if b.Kind == visit.VisitorBadge && b.Status == visit.BadgeActive && b.Matter == "" && len(free) < 100 {
			look := b.Look
			if !b.HasCard() {
				look += " · " + c.T("receive.plain_badge")
			}
			free = append(free, choice{Value: b.Label, Label: look})
		}
	}
	escort := r.x.Carrier()
	if escort == "" {
		if p := c.people[r.x.Attendee]; p != nil && (c.mayEscort(p) || !c.needsEscort(r.x)) {
			escort = r.x.Attendee
		}
	}
	fit := c.mayEscort
	if !c.needsEscort(r.x) {
		fit = staffOnly
	}
	value := ""
	if escort != "" {
		value = c.numbered(escort)
	}
	person := c.personField("carrier", "receive.escort", value, fit)
	person.Help = c.T("receive.escort_help")
	person.First = value == ""
	fields := []deskField{person}
	pin := c.asksPIN(r.x)
	for n, i := range r.here() {
		f := deskField{Name: guestField("badge", i), Kind: "text", Label: c.T("receive.badge", "name", r.x.Guests[i].Name), Max: 32, Suggest: free, First: n == 0 && value != ""}
		if n == 0 {
			f.Help = c.T("receive.badge_help")
		}
		fields = append(fields, f)
		if pin {
			fields = append(fields, deskField{Name: guestField("pin", i), Kind: "password", Label: c.T("receive.pin", "name", r.x.Guests[i].Name), Max: 8, Optional: true, Help: c.T("receive.pin_help")})
		}
	}
	return newDeskForm("four", "/visits/"+r.x.ID+"/receive/badges", "", c.T("receive.done"), fields...), nil
}

func (c *counter) needsEscort(x *visit.View) bool {
	return slices.ContainsFunc(c.site.Dir.Zones, func(z directory.Zone) bool {
		return z.Escort != directory.EscortNone && slices.Contains(x.Zones, z.ID)
	})
}

func (c *counter) asksPIN(x *visit.View) bool {
	return slices.ContainsFunc(c.site.Dir.Zones, func(z directory.Zone) bool { return z.PINAlways && slices.Contains(x.Zones, z.ID) })
}
