package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/signer"
)

// site is a database with its keys in one directory.
type site struct {
	dir    string
	path   string
	keys   *keystore.KeyStore
	signer *signer.Local
	log    note.Verifier
	zone   *time.Location
	rand   io.Reader
}

func seeded(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	return rand.NewChaCha8(s)
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	s := &site{dir: tb.TempDir(), rand: seeded(1)}
	s.path = filepath.Join(s.dir, "monban.db")
	must(tb, keystore.Create(s.dir+"/keys.json", s.dir+"/master.key", s.rand))
	must(tb, signer.Create(s.dir+"/sign", "hall", s.rand))
	zone, err := time.LoadLocation("Asia/Tokyo")
	must(tb, err)
	s.zone = zone
	s.reload(tb)
	return s
}

func (s *site) reload(tb testing.TB) {
	tb.Helper()
	var err error
	s.keys, err = keystore.Open(s.dir+"/keys.json", s.dir+"/master.key", s.rand)
	must(tb, err)
	s.signer, err = signer.Open(s.dir+"/sign", nil)
	must(tb, err)
	s.log, err = s.signer.Verifier(signer.RoleLog)
	must(tb, err)
}

func (s *site) options() Options {
	return Options{Zone: s.zone, Keys: s.keys, Signer: s.signer, Log: s.log, CheckpointEvery: time.Hour, Rand: s.rand}
}

func (s *site) open(tb testing.TB) *Store {
	tb.Helper()
	st, err := Open(s.path, s.options())
	must(tb, err)
	tb.Cleanup(func() { st.Close() })
	return st
}

func (s *site) verify(tb testing.TB, openings bool) entrylog.Result {
	tb.Helper()
	res, err := VerifyFile(tb.Context(), s.path, s.verifyOptions(openings))
	must(tb, err)
	return res
}

func (s *site) verifyOptions(openings bool) VerifyOptions {
	opt := VerifyOptions{Log: s.log}
	if openings {
		opt.Keys = s.keys
	}
	return opt
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func wantClean(tb testing.TB, res entrylog.Result) {
	tb.Helper()
	for _, f := range res.Findings {
		tb.Errorf("finding: %s", f)
	}
}

// monday is a time from which fixtures count: 2026-11-23 09:00 in Tokyo.
const monday = 1795392000000

var names = []string{"髙橋 花子", "﨑山 一郎", "𠮷田 誠", "渡邉 恵", "葛󠄀城 優", "神谷 翔", "𩸽 太郎"}

// traffic writes what a site writes: attempts over three gateways, some decided alone, findings and
// their review, operators' actions, coverage, a quarantined record, a gap, policies.
type traffic struct {
	n     int
	seq   map[string]uint64
	epoch map[string][16]byte
}

func newTraffic() *traffic {
	return &traffic{seq: map[string]uint64{}, epoch: map[string][16]byte{"g1": {1, 1}, "g2": {2, 2}, "g3": {3, 3}}}
}

func attemptID(n int) (id [16]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "attempt %d", n))
	copy(id[:], sum[:])
	return id
}

func person(n int) *entrylog.Opening {
	return &entrylog.Opening{
		Person: fmt.Sprintf("s%04d", n%7), Name: names[n%7], Section: "情報政策課", Category: "staff", Masked: "****4567",
		Purpose: "保守", Inputs: make([]byte, 150),
	}
}

func decision(n int, at int64) entrylog.Decision {
	g := fmt.Sprintf("g%d", n%3+1)
	d := entrylog.Decision{
		Attempt: attemptID(n), Gateway: g, Door: g + "-north", Side: "enter", Outcome: "granted", Reason: "granted",
		Policy: 7, AtMS: at, Assurance: "card_auth",
	}
	copy(d.Ask[:], d.Attempt[8:])
	if n%5 == 4 {
		d.Outcome, d.Reason, d.Failed = "denied", "no_grant", []string{"no_grant", "assurance_low"}
	}
	return d
}

func (tr *traffic) record(tx *Tx, g string, e door.Event, id [16]byte, at int64, o *entrylog.Opening) (int64, error) {
	b := wire.Record{
		Gateway: access.GatewayID(g), Epoch: tr.epoch[g], Seq: tr.seq[g] + 1, Door: access.DoorID(g + "-north"), Side: access.SideEnter,
		Event: e, Attempt: id, By: access.ByGateway, Reason: access.ReasonGranted, Policy: 7,
		Stamp: wire.Stamp{Boot: wire.BootID{9}, BoottimeNS: at, WallMS: at, Quality: access.ClockNTP},
	}
	if e == door.EventDenied {
		b.Reason = access.ReasonUnknownCredential
		b.Failed = access.ReasonSet(0).With(b.Reason)
	}
	l := entrylog.Record{AtMS: at + 40, FromMS: at - 20, ToMS: at + 20, Body: wire.AppendRecord(nil, &b), Late: e == door.EventHeldOpen, Mismatch: e == door.EventDenied}
	idx, _, err := tx.AppendRecord(RecordIn{Leaf: l, Body: &b}, o)
	if err == nil {
		tr.seq[g]++
	}
	return idx, err
}

// step writes attempt n and what goes with it in one transaction.
func (tr *traffic) step(tx *Tx) error {
	n := tr.n
	tr.n++
	at := int64(monday + n*60_000)
	g := fmt.Sprintf("g%d", n%3+1)
	id := attemptID(n)
	events := []door.Event{door.EventEntry, door.EventClosed}
	if n%4 != 3 {
		if _, err := tx.AppendDecision(decision(n, at), person(n)); err != nil {
			return err
		}
		if n%5 == 4 {
			events = nil
		}
	} else { // decided by the gateway alone
		e := door.EventGranted
		if n%8 == 7 {
			e, events = door.EventDenied, nil
		}
		if _, err := tr.record(tx, g, e, id, at, person(n)); err != nil {
			return err
		}
	}
	if n%6 == 1 {
		events = []door.Event{door.EventNoEntry}
	}
	if n%10 == 2 {
		events = append(events, door.EventHeldOpen)
	}
	for i, e := range events {
		if _, err := tr.record(tx, g, e, id, at+int64(i+1)*2000, nil); err != nil {
			return err
		}
	}
	if _, err := tr.record(tx, g, door.EventTamper, [16]byte{}, at+9000, nil); n%9 == 0 && err != nil {
		return err
	}
	if n%3 == 0 {
		return tr.extras(tx, n, g, id, at)
	}
	return nil
}

func (tr *traffic) extras(tx *Tx, n int, g string, id [16]byte, at int64) error {
	f := attempt.Finding{Kind: "held_open", Severity: "medium", Gateway: g, Door: g + "-north", Cause: attempt.NoIndex, AtMS: at, Detail: "rule"}
	if n%2 == 0 {
		f.Attempt, f.Cause = id, 1
	}
	idx, err := tx.AppendFinding(f, &entrylog.Opening{Text: "見回り"})
	if err != nil {
		return err
	}
	act := entrylog.Action{Account: "acct1", Verb: "finding_taken", Target: "finding", ID: fmt.Sprint(idx), From: "lan", Result: "ok", AtMS: at}
	if n%2 == 0 {
		if _, err := tx.AppendAction(act, &entrylog.Opening{Person: "s0001", Name: names[1], Address: "192.0.2.7", Text: "確認"}); err != nil {
			return err
		}
	}
	if _, err := tx.AppendAction(entrylog.Action{Account: "acct2", Verb: "grant_added", Target: "grant", ID: "s0001-room-day", From: "lan", Result: "ok", Reason: true, AtMS: at},
		&entrylog.Opening{Person: "s0002", Name: names[2], Subject: "s0001"}); err != nil {
		return err
	}
	if _, err := tx.AppendCoverage(attempt.Coverage{Gateway: g, FromMS: at - 60_000, ToMS: at, State: "alive", Heard: 60}, at); err != nil {
		return err
	}
	if _, err := tx.AppendQuarantine(g, tr.epoch[g], 1, fmt.Appendf(nil, `{"record":1,"n":%d}`, n), at, nil); err != nil {
		return err
	}
	if _, err := tx.AppendPolicy(g, "rules", uint64(n+1), fmt.Appendf(nil, "rules %d", n), at); err != nil {
		return err
	}
	if err := tr.matter(tx, n, at); err != nil {
		return err
	}
	day := DayAct{Zone: "room", Day: fmt.Sprintf("2026-11-%02d", n%28+1), Kind: "day_signed", Upto: idx, Account: "acct1", AtMS: at}
	if _, err := tx.AppendDayAct(day, "lan", "192.0.2.7", ""); err != nil {
		return err
	}
	if _, err := tx.AppendZoneAct(ZoneAct{Kind: ActZoneReset, Subject: "room", AtMS: at}, "acct1", "lan", "192.0.2.7", "訓練の後"); err != nil {
		return err
	}
	if n%12 == 6 {
		tr.seq[g] += 5
		if _, err := tx.AppendGap(g, tr.epoch[g], tr.seq[g], entrylog.Hash{byte(n)}, at); err != nil {
			return err
		}
	}
	return nil
}

// fill writes n attempts, ten to a checkpoint.
func (s *site) fill(tb testing.TB, st *Store, n int) {
	tb.Helper()
	tr := newTraffic()
	for i := range n {
		must(tb, st.Write(tb.Context(), tr.step))
		if i%10 == 9 {
			must(tb, st.SignNow(tb.Context()))
		}
	}
}

// matter begins a visit, or ends the one before.
func (tr *traffic) matter(tx *Tx, n int, at int64) error {
	text := MatterText{
		Kind: "visit", State: "applied", Open: true, Zone: "room", Doors: []string{"g1-north", "g2-north"}, FromMS: at, UntilMS: at + 3_600_000,
		Reason: "保守", Doc: []byte(`{"name":"𠮷田 誠"}`),
	}
	var prev Matter
	var err error
	if n%2 == 0 {
		text.ID, err = tx.NextMatterID("visit", 2026)
	} else {
		var open []Matter
		if open, err = tx.OpenMatters("visit"); err == nil {
			prev = open[0]
			text.ID, text.State, text.Open, text.FromMS = prev.ID, "closed", false, prev.FromMS
		}
	}
	if err != nil {
		return err
	}
	_, err = tx.PutMatter(prev, text, entrylog.Action{Account: "acct2", Verb: "visit_" + text.State, From: "lan", Result: "ok", AtMS: at}, entrylog.Opening{Subject: "s0001"})
	return err
}
