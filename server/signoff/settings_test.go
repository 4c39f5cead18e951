package signoff

import (
	"errors"
	"testing"
)

// VR-10: two signatures are refused where fewer than two persons may sign; two accounts of one person are one person.
func TestSatisfiable(t *testing.T) {
	one := []Actor{{"a", "1001"}, {"b", "1001"}, {"a", ""}}
	if Persons(one) != 1 || Persons(nil) != 0 || Persons(append(one, Actor{"c", ""})) != 2 {
		t.Error("persons are not counted as human beings")
	}
	if err := Satisfiable(true, one); !errors.Is(err, ErrTooFew) {
		t.Errorf("one person: %v", err)
	}
	if err := errors.Join(Satisfiable(false, nil), Satisfiable(true, append(one, Actor{"c", "1002"}))); err != nil {
		t.Error(err)
	}
	var s Settings
	s.SetTwoSign("b", true)
	s.SetTwoSign("a", true)
	s.SetTwoSign("a", true)
	s.SetTwoSign("b", false)
	if !s.TwoSign("a") || s.TwoSign("b") || len(s.Second) != 1 {
		t.Errorf("%+v", s)
	}
	if _, err := ParseSettings("{"); err == nil {
		t.Error("a broken setting is read")
	}
}

// VR-11: a quiet day is signed by one person and countersigned by another; a day with something in it is neither.
func TestQuietAct(t *testing.T) {
	f := Facts{EndMS: 10, DueMS: 20, Last: -1, Covered: true}
	signed := []Act{{Kind: Sign, By: Actor{"a", "1"}, Upto: 5}}
	for name, c := range map[string]struct {
		acts []Act
		f    Facts
		two  bool
		by   Actor
		want Kind
	}{
		"open":          {nil, f, false, Actor{"a", "1"}, Sign},
		"not over":      {nil, Facts{EndMS: 100, Last: -1, Covered: true}, false, Actor{"a", "1"}, ""},
		"somebody came": {nil, Facts{EndMS: 10, Last: 1, Rows: 1, Covered: true}, false, Actor{"a", "1"}, ""},
		"silence":       {nil, Facts{EndMS: 10, Last: -1}, false, Actor{"a", "1"}, ""},
		"waits":         {signed, f, true, Actor{"b", "2"}, Countersign},
		"by the same":   {signed, f, true, Actor{"c", "1"}, ""},
		"done":          {signed, f, false, Actor{"b", "2"}, ""},
	} {
		s := Read(c.acts, c.f, c.two, 50)
		if k, ok := s.QuietAct(c.by); k != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, want %q", name, k, c.want)
		}
	}
}
