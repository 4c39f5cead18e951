package app

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"monban/firmware/door"
	"monban/server/entrylog"
	"monban/server/incident"
	"monban/server/web"
)

// AL-4, AL-5, PR-2: an incident is a matter whose words stand in openings; its bundle holds leaves whose proofs lead to the checkpoint, and
// names nobody unless asked with a registered purpose.
func TestIncidentInLog(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	idx := c.found("held_open", [16]byte{0, 0, 0, byte(c.n)})
	leaf, err := strconv.ParseInt(idx, 10, 64)
	c.must(err)
	p := c.registers()
	in := &incidents{p, c.Visits}
	x := incident.Record{Class: incident.Leak, Title: "媒体の紛失", KnownMS: c.at.UnixMilli() - 60_000, Personal: true, Findings: []int64{leaf}}
	bad := x
	bad.Findings = []int64{1 << 40}
	if _, err := in.BeginIncident(ctx, bad, chief); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("of a finding that is none: %v", err)
	}
	id, err := in.BeginIncident(ctx, x, chief)
	c.must(err)
	c.must(in.StepIncident(ctx, id, "incident_noted", "", chief, func(x *incident.Record, nowMS int64) error {
		return x.Write(nowMS-1000, "﨑山さんが棚を確かめた", chief, nowMS)
	}))
	if err := in.StepIncident(ctx, id, "incident_closed", "", chief, func(x *incident.Record, nowMS int64) error { return x.Close("x", chief, nowMS) }); !errors.Is(err, incident.ErrReports) {
		t.Errorf("closed: %v", err)
	}
	got, err := in.IncidentByID(ctx, id, true, false)
	c.must(err)
	if len(got.Found) != 1 || got.Found[0].Who.Name != "﨑山 直子" || got.Due == nil || got.Due.Final.String() != "2026-12-23" || got.Names[chief.Account] != "chief" {
		t.Errorf("%+v", got)
	}
	if list, err := in.ListIncidents(ctx, false); err != nil || len(list) != 1 {
		t.Errorf("%d %v", len(list), err)
	}
	if _, err := c.ListDues(ctx); err != nil {
		t.Errorf("an incident among the matters: %v", err)
	}
	act := web.Action{At: c.at, Actor: chief.Account, Kind: web.ActionIncidentBundle, Target: id}
	size := c.site.Store.Size()
	b, err := in.IncidentBundle(ctx, id, false, "", act)
	c.must(err)
	if c.site.Store.Size() == size {
		t.Error("the bundle left no leaf")
	}
	point, err := entrylog.ParseCheckpointText(b.Checkpoint)
	c.must(err)
	if len(b.Leaves) < 4 || point.Size != b.Size {
		t.Fatalf("%d leaves, size %d of %d", len(b.Leaves), b.Size, point.Size)
	}
	for _, l := range b.Leaves {
		var proof []entrylog.Hash
		for _, h := range l.Proof {
			proof = append(proof, entrylog.Hash(h))
		}
		if err := entrylog.CheckRecord(proof, b.Size, point.Root, l.Index, entrylog.LeafHash(l.Body)); err != nil {
			t.Errorf("leaf %d: %v", l.Index, err)
		}
	}
	if b.Mask == nil || b.Mask(b.Timeline[0].Text) != "●●さんが棚を確かめた" {
		t.Errorf("a name in the words: %q", b.Mask(b.Timeline[0].Text))
	}
	b.Mask, b.Timeline = nil, nil
	if text := fmt.Sprintf("%+v", b); strings.Contains(text, "﨑山") {
		t.Error(text)
	}
	act.Reason = "委員会への報告"
	if _, err := in.IncidentBundle(ctx, id, true, "marketing", act); err == nil {
		t.Error("names for a purpose of no register")
	}
	if b, err = in.IncidentBundle(ctx, id, true, "entry_control", act); err != nil || len(b.People) != 1 || b.People[0].Name != "﨑山 直子" {
		t.Errorf("%+v %v", b.People, err)
	}
	c.noNames("﨑山", "媒体の紛失")

	// AD-13: the finding of a PIN under duress is there for who may know of it alone.
	duress, err := strconv.ParseInt(c.found("duress", [16]byte{}), 10, 64)
	c.must(err)
	x.Findings = append(x.Findings, duress)
	id, err = in.BeginIncident(ctx, x, chief)
	c.must(err)
	for knows, want := range map[bool]int{false: 1, true: 2} {
		if got, err := in.IncidentByID(ctx, id, true, knows); err != nil || len(got.Found) != want || len(got.Findings) != want {
			t.Errorf("knows of duress %v: %d findings, numbers %v, %v", knows, len(got.Found), got.Findings, err)
		}
	}
	// AL-4: visitors and kana are names too; a family name of one letter is one only before an address.
	c.approved(c.application("森 一郎"))
	b, err = in.IncidentBundle(ctx, id, false, "", act)
	c.must(err)
	if got := b.Mask("森さんとサキヤマの件、森林課"); got != "●●と●●の件、森林課" {
		t.Errorf("masked: %q", got)
	}
}
