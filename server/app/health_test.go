package app

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/policypub/sitetest"
	"monban/server/web"
)

// OP-1: what a heartbeat tells of one part changes exactly that part of the status board. Here are also the parts that the
// simulator cannot pull: the clock, and which policy is held. Nothing changes at the other gateway.
func TestHeartbeatPartByPart(t *testing.T) {
	d := newDesk(t)
	now := sitetest.Now()
	const day = 24 * time.Hour
	well := func() wire.Heartbeat {
		return wire.Heartbeat{Gateway: "gw-2", Rules: 3, Modes: 4, State: 5, Stamp: wire.Stamp{Boot: wire.BootID{1}, BoottimeNS: int64(time.Hour), Quality: access.ClockServer},
			Power: wire.Power{Mains: "yes", Battery: "ok"},
			Doors: []wire.DoorStatus{
				{Door: "media-store-1", State: door.Secured.String(), Contact: "closed", Reader: "ok"},
				{Door: "media-store-2", State: door.Secured.String(), Contact: "closed", Reader: "ok"},
			}}
	}
	board := func() map[string]string {
		t.Helper()
		list, err := d.ListGateways(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, g := range list {
			flatten(out, string(g.ID), reflect.ValueOf(g))
		}
		return out
	}
	tell := func(hb wire.Heartbeat) map[string]string {
		t.Helper()
		if gap := d.health.heard("gw-2", hb, now); gap != (web.Gap{}) {
			t.Errorf("a gap: %+v", gap)
		}
		return board()
	}
	ends := map[string]time.Time{"gw-1": now.Add(13 * day), "gw-2": now.Add(13 * day)}
	d.certificates, d.validity = func() map[string]time.Time { return ends }, 14*day
	d.health.since = now
	before := tell(well())
	for _, c := range []struct {
		part string
		pull func(*wire.Heartbeat)
		want []string // the parts that change, with what they say then
	}{
		{"nothing", func(*wire.Heartbeat) {}, nil},
		{"outbox", func(hb *wire.Heartbeat) { hb.Pending = 7 }, []string{"gw-2 Pending 7"}},
		{"clock not trusted", func(hb *wire.Heartbeat) { hb.Stamp.Quality = access.ClockFloor }, []string{"gw-2 Clock floor"}},
		{"clock ahead", func(hb *wire.Heartbeat) { hb.Stamp.OffsetMS = -7000 }, []string{"gw-2 OffsetMS -7000"}},
		{"restart", func(hb *wire.Heartbeat) { hb.Stamp.Boot, hb.Stamp.BoottimeNS = wire.BootID{2}, int64(time.Minute) },
			[]string{"gw-2 Boot " + now.Add(-time.Minute).String()}},
		{"old rules", func(hb *wire.Heartbeat) { hb.Rules = 2 }, []string{"gw-2 Held Rules 2"}},
		{"old modes", func(hb *wire.Heartbeat) { hb.Modes = 3 }, []string{"gw-2 Held Modes 3"}},
		{"old state of zones", func(hb *wire.Heartbeat) { hb.State = 4 }, []string{"gw-2 Held State 4"}},
		{"contact", func(hb *wire.Heartbeat) { hb.Doors[0].Contact = "open" }, []string{"gw-2 Doors 0 Contact open"}},
		{"reader", func(hb *wire.Heartbeat) { hb.Doors[1].Reader = "lost" }, []string{"gw-2 Doors 1 Reader lost"}},
		{"lock", func(hb *wire.Heartbeat) { hb.Doors[0].State = door.Faulted.String() }, []string{"gw-2 Doors 0 State faulted"}},
		{"mains", func(hb *wire.Heartbeat) { hb.Power.Mains = "no" }, []string{"gw-2 Mains no"}},
		{"battery low", func(hb *wire.Heartbeat) { hb.Power.Battery = "low" }, []string{"gw-2 Battery low"}},
		{"battery gone", func(hb *wire.Heartbeat) { hb.Power.Battery = "none" }, []string{"gw-2 Battery none"}},
		{"a gateway of before", func(hb *wire.Heartbeat) { hb.Power = wire.Power{} }, []string{"gw-2 Battery", "gw-2 Mains"}},
		{"lockdown", func(hb *wire.Heartbeat) { hb.Doors[0].Mode = access.ModeLockdown }, []string{"gw-2 Doors 0 Mode lockdown"}},
	} {
		hb := well()
		c.pull(&hb)
		if got := changed(before, tell(hb)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.part, got, c.want)
		}
		back := changed(before, tell(well()))
		if c.part == "restart" { // the boot that is put back began when its clock says so
			continue
		}
		if len(back) != 0 {
			t.Errorf("%s, and back: %q", c.part, back)
		}
	}
	// The certificate: the server knows its end by itself.
	for _, c := range []struct {
		end  time.Time
		want []string
	}{
		{now.Add(5 * day), []string{"gw-2 CertificateEnds " + now.Add(5*day).String()}},
		{now.Add(4 * day), []string{"gw-2 CertificateDue true", "gw-2 CertificateEnds " + now.Add(4*day).String()}},
		{now.Add(-time.Second), []string{"gw-2 CertificateDue true", "gw-2 CertificateEnds " + now.Add(-time.Second).String()}},
	} {
		ends["gw-2"] = c.end
		if got := changed(before, tell(well())); !slices.Equal(got, c.want) {
			t.Errorf("certificate until %v: %q, want %q", c.end, got, c.want)
		}
	}
	ends["gw-2"] = now.Add(13 * day)
	if got := changed(before, tell(well())); len(got) != 0 {
		t.Errorf("renewed: %q", got)
	}
	// The link: a lease's life without a heartbeat. What was told last stays, marked as old.
	before = board()
	for _, c := range []struct {
		silent time.Duration
		want   []string
		gap    bool
	}{
		{linkedFor, nil, false},
		{linkedFor + time.Millisecond, []string{"gw-2 Doors 0 Linked false", "gw-2 Doors 1 Linked false", "gw-2 Linked false"}, false},
		{gapLeast + time.Millisecond, []string{"gw-2 Doors 0 Linked false", "gw-2 Doors 1 Linked false", "gw-2 Linked false"}, true},
	} {
		d.pages.now = func() time.Time { return now.Add(c.silent) }
		if got := changed(before, board()); !slices.Equal(got, c.want) {
			t.Errorf("silent for %v: %q, want %q", c.silent, got, c.want)
		}
		if _, gap := d.health.silence("gw-2", now.Add(c.silent)); gap != c.gap {
			t.Errorf("silent for %v: a gap of coverage: %v, want %v", c.silent, gap, c.gap)
		}
	}
}

// flatten puts every part of v into out by its path.
func flatten(out map[string]string, path string, v reflect.Value) {
	switch _, text := v.Interface().(fmt.Stringer); {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			flatten(out, fmt.Sprint(path, " ", i), v.Index(i))
		}
	case v.Kind() == reflect.Struct && !text:
		for i := range v.NumField() {
			flatten(out, path+" "+v.Type().Field(i).Name, v.Field(i))
		}
	default:
		out[path] = fmt.Sprint(v.Interface())
	}
}

// changed lists the parts that differ with what they say now, sorted.
func changed(before, now map[string]string) (out []string) {
	all := maps.Clone(before)
	maps.Copy(all, now)
	for path := range all {
		if before[path] != now[path] {
			out = append(out, strings.TrimSpace(path+" "+now[path]))
		}
	}
	slices.Sort(out)
	return out
}
