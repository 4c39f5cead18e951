package web

import "strings"

// fieldView is one field of a form with its label, help and fault.
type fieldView struct {
	Name, Label, Value, Help, Error, Must string
	Required                              bool
	Most                                  int
}

// Describes lists the ids of what is said about the field.
func (f fieldView) Describes() string {
	var ids []string
	if f.Help != "" {
		ids = append(ids, f.Name+"-help")
	}
	if f.Error != "" {
		ids = append(ids, f.Name+"-error")
	}
	return strings.Join(ids, " ")
}

// fieldOf makes a field of a form; help is a key of the catalogue, "" = none.
func fieldOf(b Base, f formView, name, label string, required bool, most int, help string) fieldView {
	x := fieldView{Name: name, Label: b.T(label), Value: f.F(name).Value, Error: f.F(name).Error, Required: required, Most: most, Must: b.T("field.must")}
	if help != "" {
		x.Help = b.T(help)
	}
	return x
}

// Text is a field of the page's form.
func (v personFormView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}
