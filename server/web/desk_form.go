package web

import (
	"net/url"
	"slices"
)

// deskForm is a form as a page shows it: what is typed into it, and what was wrong with it. It works without script.
type deskForm struct {
	ID      string // unique on its page; begins the ids of its fields
	Action  string // path
	Heading string // "" = none
	Text    string
	Submit  string
	Fields  []deskField
	Danger  bool   // takes something away
	Fold    bool   // shown folded, under its heading
	Open    bool   // folded, but open
	Light   bool   // a button beside others
	Fault   string // what was wrong with the form as a whole
}

// deskField is one field. Kind is an input's type, or text_area, select, checks (several of Options), radios, check, hidden.
type deskField struct {
	ID, Name, Kind, Label string
	Help, Value, Error    string
	Optional, Secret      bool // a secret field comes back empty
	Max                   int  // characters, 0 = 300
	Options               []choice
	Suggest               []choice // what may be typed, as a list to choose from
	First                 bool     // the keyboard begins here
	Upto                  string   // largest number
}

// Described lists what describes the field, for aria-describedby.
func (f deskField) Described() string {
	switch {
	case f.Help != "" && f.Error != "":
		return f.ID + "-error " + f.ID + "-help"
	case f.Error != "":
		return f.ID + "-error"
	case f.Help != "":
		return f.ID + "-help"
	}
	return ""
}

// newDeskForm names the fields' ids after the form.
func newDeskForm(id, action, heading, submit string, fields ...deskField) deskForm {
	for i := range fields {
		f := &fields[i]
		f.ID = id + "-" + f.Name
		if f.Max == 0 {
			f.Max = 300
		}
	}
	return deskForm{ID: id, Action: action, Heading: heading, Submit: submit, Fields: fields}
}

// tried is a form that came in and was refused: it is shown again as it was typed.
type tried struct {
	form   string // its id
	values url.Values
	field  string // what has to change, "" = the form as a whole
	fault  string // a sentence
	offers []choice
}

// again fills a form as it was typed, when it is the one that was refused.
func (f deskForm) again(t *tried) deskForm {
	if t == nil || t.form != f.ID {
		return f
	}
	f.Open = true
	f.Fields = slices.Clone(f.Fields)
	placed := t.fault == ""
	for i := range f.Fields {
		x := &f.Fields[i]
		kind := x.Kind
		if x.Secret {
			kind = "password"
		}
		switch kind {
		case "hidden":
		case "check":
			x.Value = t.values.Get(x.Name)
		case "checks", "select", "radios":
			x.Options = slices.Clone(x.Options)
			for j := range x.Options {
				x.Options[j].Chosen = slices.Contains(t.values[x.Name], x.Options[j].Value)
			}
		case "password":
			x.Value = "" // a PIN or a card's number is never shown again, also not to who typed it
		default:
			if t.values.Has(x.Name) {
				x.Value = t.values.Get(x.Name)
			}
		}
		x.First = false
		if !placed && x.Name == t.field && x.Kind != "hidden" {
			x.Error, x.First, placed = t.fault, true, true
			if len(t.offers) > 0 {
				x.Suggest = t.offers
			}
		}
	}
	if !placed {
		f.Fault = t.fault
	}
	return f
}
