package controller

import (
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

// RR-7, I1: a keyed purpose is one record with the code in its private part alone; it asks nobody, moves no lock and counts no PIN, at
// any state of the door.
func TestPurposeMovesNothing(t *testing.T) {
	p := policy(t, access.OfflineCached, false, nil)
	for name, before := range map[string]func(m *Machine){
		"at rest": func(*Machine) {},
		"asking": func(m *Machine) {
			m.SetLease(Lease{Until: 1 << 60, Rules: 5})
			m.OnRead(read(1, access.SideEnter, goodKey), moment(time.Second))
		},
		"let in offline": func(m *Machine) { m.OnRead(read(1, access.SideEnter, goodKey), moment(time.Second)) },
		"refused":        func(m *Machine) { m.OnRead(read(1, access.SideEnter, strangeKey), moment(time.Second)) },
	} {
		m := machine(t, p)
		before(m)
		got := m.OnPurpose(Purpose{Attempt: door.Attempt{1}, Side: access.SideEnter, Sealed: []byte("sealed"), Link: "clear", Code: 3}, moment(2*time.Second))
		if len(got) != 1 {
			t.Fatalf("%s: %v", name, got)
		}
		r, ok := got[0].(Record)
		if !ok || r.Draft.Event != door.EventPurposeKeyed || r.Draft.Attempt != (door.Attempt{1}) || r.Draft.Detail != "" || r.Barrier != 0 {
			t.Errorf("%s: %+v", name, got[0])
		}
		if r.Private == nil || r.Private.Purpose != 3 || string(r.Private.Card) != "sealed" || r.Private.Inputs != nil {
			t.Errorf("%s: private %+v", name, r.Private)
		}
	}
	m := machine(t, p)
	for _, bad := range []Purpose{{Side: access.SideExit, Code: 3}, {Side: access.SideEnter}, {Side: access.SideEnter, Code: 10}, {Code: 3}} {
		if got := m.OnPurpose(bad, moment(0)); len(got) != 0 {
			t.Errorf("%+v: %v", bad, got)
		}
	}
}
