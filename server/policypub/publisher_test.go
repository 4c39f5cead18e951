package policypub_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

var now = sitetest.Now()

func request(s *sitetest.Site, door access.DoorID, number uint64, at time.Time) access.Request {
	return access.Request{Door: door, Side: access.SideEnter, Key: access.Key(s.Ref(number)), HasCard: true, Assurance: card.UIDOnly,
		PIN: access.PINOK, WallMS: at.UnixMilli(), Clock: access.ClockServer, Link: access.LinkServer}
}

// The sample site keeps what the demo promises: five people enter everywhere at any hour, the others
// are refused each for their own reason.
func TestSamplePolicy(t *testing.T) {
	s := sitetest.New(t)
	view := access.View{PIN: access.PINView{Known: true}}
	for hour := range 48 { // a Tuesday and a Wednesday
		at := now.Add(time.Duration(hour) * time.Hour)
		for number := uint64(4567); number <= 4571; number++ {
			for _, door := range []access.DoorID{"server-room-1", "media-store-1", "media-store-2"} {
				if d := access.Decide(s.Site().Policy, view, request(s, door, number, at)); d.Outcome != access.Granted {
					t.Errorf("card %d at %s, %v: %v", number%100, door, at, d.Failed)
				}
			}
		}
	}
	night := time.Date(2026, 11, 24, 17, 0, 0, 0, time.UTC) // 02:00 in Tokyo
	for _, c := range []struct {
		door   access.DoorID
		number uint64
		at     time.Time
		want   access.Reason
	}{
		{"media-store-1", 4572, now, access.ReasonGranted},
		{"media-store-1", 4572, night, access.ReasonOutsideSchedule},
		{"media-store-1", 4572, time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), access.ReasonOutsideSchedule}, // AD-5: 勤労感謝の日
		{"server-room-1", 4573, now, access.ReasonGrantExpired},
		{"media-store-1", 4574, now, access.ReasonCredentialSuspended},
		{"media-store-1", 4575, now, access.ReasonNoGrant},
		{"server-room-1", 20001, night, access.ReasonGranted},
		{"server-room-1", 20001, now, access.ReasonOutsideSchedule},
		{"server-room-1", 4567, time.Date(2027, 3, 31, 14, 59, 59, 0, time.UTC), access.ReasonGranted},
		{"server-room-1", 4567, time.Date(2027, 3, 31, 15, 0, 0, 0, time.UTC), access.ReasonGrantExpired}, // AD-6: 2027-04-01 00:00 in Tokyo
		{"server-room-1", 9999, now, access.ReasonUnknownCredential},
	} {
		d := access.Decide(s.Site().Policy, view, request(s, c.door, c.number, c.at))
		if d.Primary != c.want {
			t.Errorf("card %d at %s, %v: %v, want %v", c.number, c.door, c.at, d.Primary, c.want)
		}
	}
}

// The published vector of the sample: facility code 123, card number 4567.
func TestSampleCard(t *testing.T) {
	s := sitetest.New(t)
	ref, masked, err := s.Keys.Card("H10301", 123, 4567)
	if err != nil {
		t.Fatal(err)
	}
	h, ok := s.Site().Holder(ref)
	if !ok || h.Person.Name != "髙橋 健一" || h.Card.Masked != masked {
		t.Errorf("holder %+v, ok %v", h, ok)
	}
}

// I5: after one call the card is refused, and every version named from then on is the new one.
func TestSuspendIsANewVersionAtOnce(t *testing.T) {
	s := sitetest.New(t)
	before, _ := s.Versions("gw-1")
	if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "reported by phone", "C-001", access.CredentialSuspended); err != nil {
		t.Fatal(err)
	}
	after, ok := s.Versions("gw-1")
	if !ok || after.Rules != before.Rules+1 || after.Modes != before.Modes || after.State != before.State {
		t.Errorf("versions %+v → %+v, want rules one higher", before, after)
	}
	view := access.View{PIN: access.PINView{Known: true}}
	if d := access.Decide(s.Site().Policy, view, request(s, "server-room-1", 4567, now)); d.Primary != access.ReasonCredentialSuspended {
		t.Errorf("server: %v", d.Primary)
	}
	for _, gw := range []access.GatewayID{"gw-1", "gw-2"} {
		m, rules := pull(t, s, gw)
		if m.Parts[0].Version != after.Rules || rules.Version != after.Rules || m.Version <= before.Rules+before.Modes+before.State {
			t.Errorf("%s: manifest %d with rules %d, want rules %d", gw, m.Version, rules.Version, after.Rules)
		}
		ref, _, err := s.Keys.Card("H10301", 123, 4567)
		if err != nil {
			t.Fatal(err)
		}
		keys := s.Keys.Gateways[gw]
		found := false
		for _, c := range rules.Credentials {
			if c.Key == access.Key(ref) {
				t.Errorf("%s: a snapshot holds a card_ref", gw) // D9
			}
			if c.Key == access.Key(ref.Token(keys.Token[:])) {
				found = true
				if c.Status != access.CredentialSuspended {
					t.Errorf("%s: status %v", gw, c.Status)
				}
			}
		}
		if !found {
			t.Errorf("%s: the card is not in the snapshot", gw)
		}
	}
	// EV-1, D16: the change and each new version are leaves; the bytes are kept.
	s.Read(func(r *store.ReadTx) error {
		size, err := r.LogSize()
		if err != nil {
			return err
		}
		leaves, err := r.Leaves(size-4, 4)
		if err != nil {
			return err
		}
		a, err := entrylog.ParseAction(leaves[0].Body)
		if err != nil || a.Verb != "card_change" || a.ID != "" || !a.Reason {
			return fmt.Errorf("action %+v, err %w", a, err)
		}
		o, err := r.Opening(leaves[0].Idx)
		if err != nil || o.Target != "C-001" || o.Subject != "1001" {
			return fmt.Errorf("opening %+v, err %w", o, err)
		}
		for i, gw := range []string{"", "gw-1", "gw-2"} {
			y, err := entrylog.ParseSystem(leaves[1+i].Body)
			if err != nil || y.Name != entrylog.SystemPolicy || y.Value("gateway") != gw {
				return fmt.Errorf("leaf %d: %+v, err %w", i, y, err)
			}
			p, err := r.Policy(gw, wire.PartRules, after.Rules)
			if sum := sha256.Sum256(p.Bytes); err != nil || y.Value("sum") != entrylog.HexText(sum[:]) {
				return fmt.Errorf("kept bytes of %q: err %w", gw, err)
			}
		}
		return nil
	})
}

// pull does what a gateway does: verifies the manifest and puts the chunks together.
func pull(t *testing.T, s *sitetest.Site, gw access.GatewayID) (wire.Manifest, *access.Rules) {
	t.Helper()
	msg, err := s.Manifest(gw)
	if err != nil {
		t.Fatal(err)
	}
	body, err := wire.Open(wire.Verifiers{}.With(wire.RolePolicy, s.Policy), sitetest.Name, gw, wire.KindPolicy, msg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.ParseManifest(body)
	if err != nil {
		t.Fatal(err)
	}
	var rules *access.Rules
	for _, part := range m.Parts {
		var whole []byte
		for _, h := range part.Chunks {
			chunk, ok := s.Chunk(gw, h)
			if !ok || sha256.Sum256(chunk) != h || len(chunk) > wire.MaxChunk {
				t.Fatalf("chunk of %s: ok %v", part.Name, ok)
			}
			whole = append(whole, chunk...)
		}
		if sha256.Sum256(whole) != part.Sum {
			t.Fatalf("part %s does not have its sum", part.Name)
		}
		switch part.Name {
		case wire.PartRules:
			if rules, err = access.DecodeRules(whole); err != nil {
				t.Fatal(err)
			}
		case wire.PartModes:
			if _, err := access.DecodeModes(whole); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m, rules
}

// A mode moves the modes part alone (D13), a second publisher on the same database finds everything
// as it was, and with nothing new nothing is written.
func TestReload(t *testing.T) {
	s := sitetest.New(t)
	_, err := s.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.SetDoorMode(tx, directory.Actor{From: "cli"}, "drill", now.UnixMilli(), "server-room-1", access.ModeLockdown)
	})
	if err != nil {
		t.Fatal(err)
	}
	v, _ := s.Versions("gw-1")
	if v != (policypub.Versions{Rules: 1, Modes: 2, State: 1}) {
		t.Errorf("versions %+v", v)
	}
	view := access.View{PIN: access.PINView{Known: true}}
	if d := access.Decide(s.Site().Policy, view, request(s, "server-room-1", 4567, now)); d.Primary != access.ReasonLockdown {
		t.Errorf("server: %v", d.Primary)
	}
	first, err := s.Manifest("gw-1")
	if err != nil {
		t.Fatal(err)
	}
	size := s.Store.Size()
	again := policypub.New(s.Config)
	if _, ok := again.Versions("gw-1"); ok || again.Site() != nil {
		t.Error("a publisher that has loaded nothing names a version") // I9
	}
	if err := again.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	second, err := again.Manifest("gw-1")
	if err != nil || string(first) != string(second) {
		t.Errorf("the manifest changed over a restart, err %v", err)
	}
	if got, _ := again.Versions("gw-1"); got != v || s.Store.Size() != size {
		t.Errorf("versions %+v → %+v, %d new leaves", v, got, s.Store.Size()-size)
	}
	// A gateway that gets keys later joins at the versions in force.
	keys, err := s.Keys.With("gw-3", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again.SetKeys(keys)
	_, err = again.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "new gateway", now.UnixMilli(), func(d *directory.Snapshot) error {
			d.Gateways = append(d.Gateways, directory.Gateway{ID: "gw-3", Name: "予備"})
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := again.Versions("gw-3"); !ok || got != v {
		t.Errorf("new gateway: versions %+v, ok %v", got, ok)
	}
}

// D23: a changed card reaches a gateway as a delta that leads to the signed sum, also after a restart.
func TestDeltaOfOneCard(t *testing.T) {
	s := sitetest.New(t)
	_, before := pull(t, s, "gw-1")
	if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "lost", "C-001", access.CredentialLost); err != nil {
		t.Fatal(err)
	}
	m, after := pull(t, s, "gw-1")
	base, err := access.EncodeRules(before)
	if err != nil {
		t.Fatal(err)
	}
	next, err := access.EncodeRules(after)
	if err != nil {
		t.Fatal(err)
	}
	d := m.Parts[0].Delta
	if d.Bytes == 0 || d.Bytes > 4096 || d.From != sha256.Sum256(base) {
		t.Fatalf("delta of %d bytes from %x", d.Bytes, d.From)
	}
	again := policypub.New(s.Config)
	if err := again.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, chunk := range map[string]func(access.GatewayID, wire.Hash) ([]byte, bool){"published": s.Chunk, "after a restart": again.Chunk} {
		b, ok := chunk("gw-1", d.Chunks[0])
		if !ok {
			t.Fatalf("%s: no chunk of the delta", name)
		}
		if got, err := access.ApplyDelta(base, b); err != nil || !bytes.Equal(got, next) || sha256.Sum256(got) != m.Parts[0].Sum {
			t.Errorf("%s: applied: %v", name, err)
		}
	}
	// Who missed this version and fetches the next one gets no way from the one it holds.
	if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "found", "C-001", access.CredentialActive); err != nil {
		t.Fatal(err)
	}
	if m, _ := pull(t, s, "gw-1"); m.Parts[0].Delta.From == sha256.Sum256(base) {
		t.Error("the delta starts two versions back")
	}
}

// A change that fails leaves the policy in force, and no leaf.
func TestFailedChange(t *testing.T) {
	s := sitetest.New(t)
	size, v := s.Store.Size(), s.Site()
	for _, id := range []directory.CardID{"C-999"} {
		if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "x", id, access.CredentialLost); err == nil {
			t.Error("no error")
		}
	}
	if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "", "C-001", access.CredentialLost); err == nil {
		t.Error("changed without a reason")
	}
	if s.Store.Size() != size || s.Site() != v {
		t.Error("something changed")
	}
}

func TestKeysFile(t *testing.T) {
	k, err := policypub.NewKeys(rand.Reader)
	if err == nil {
		k, err = k.With("gw-1", rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "site-keys.json")
	if err := k.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := policypub.LoadKeys(path)
	if err != nil || got.CardKey != k.CardKey || got.PINKey != k.PINKey || got.Gateways["gw-1"] != k.Gateways["gw-1"] || got.Version() != 1 {
		t.Errorf("read back differently, err %v", err)
	}
	same, err := k.With("gw-1", rand.Reader)
	if err != nil || same.Gateways["gw-1"] != k.Gateways["gw-1"] {
		t.Error("a gateway's keys changed") // OP-9
	}
}

// AD-18, AD-7: a recovery card opens its door on the gateway's own snapshot long after max_age, by the
// gateway's own token; other cards do not, and a card that the snapshot knows as lost does not.
func TestRecoveryOnTheGateway(t *testing.T) {
	s := sitetest.New(t)
	keys := s.Keys.Gateways["gw-1"]
	decide := func(number uint64) access.Decision {
		_, rules := pull(t, s, "gw-1")
		policy, err := access.Compile(*rules, s.Zone)
		if err != nil {
			t.Fatal(err)
		}
		r := request(s, "server-room-1", number, now)
		r.Key, r.Link, r.Clock, r.AgeMS = access.Key(s.Ref(number).Token(keys.Token[:])), access.LinkOffline, access.ClockNone, 200*3600_000
		return access.Decide(policy, access.View{PIN: access.PINView{Known: true}}, r)
	}
	if d := decide(4567); d.Outcome != access.Granted || !d.Failed.Has(access.ReasonRecoveryCard) {
		t.Errorf("recovery card: %s %s (%s)", d.Outcome, d.Primary, d.Failed)
	}
	if d := decide(4568); d.Outcome != access.Denied || d.Primary != access.ReasonClockUntrusted {
		t.Errorf("another card: %s %s (%s)", d.Outcome, d.Primary, d.Failed)
	}
	if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "lost", "C-001", access.CredentialLost); err != nil {
		t.Fatal(err)
	}
	if d := decide(4567); d.Outcome != access.Denied || d.Primary != access.ReasonCredentialLost {
		t.Errorf("lost recovery card: %s %s (%s)", d.Outcome, d.Primary, d.Failed)
	}
}
