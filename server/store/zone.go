package store

import (
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"monban/server/attempt"
	"monban/server/entrylog"
)

// ZoneAct is an officer's act on who is where: it moves the zone state of the site (D7).
type ZoneAct struct {
	Kind    string // ActForgiven, ActZoneReset, ActPINReset: the verb of its leaf
	Subject string // person, zone or card, as the directory calls it
	AtMS    int64  // UTC ms
	Idx     int64  // its action leaf
}

// Kinds of ZoneAct.
const (
	ActForgiven  = "passback_forgiven" // a person's place is outside now (AD-9)
	ActZoneReset = "zone_reset"        // a zone is empty now (AD-10)
	ActPINReset  = "pin_reset"         // a card may be used with a PIN again (AD-13)
)

var zoneActTargets = map[string]string{ActForgiven: "person", ActZoneReset: "zone", ActPINReset: "card"}

// AppendZoneAct writes an act: the action leaf with the reason in its opening, and the row that finds it again. account is who
// did it, from the class of the origin; address and reason stand in the opening. A PIN reset also starts the card's count
// again; its AtMS is its number, which is later than that of every reset before.
func (tx *Tx) AppendZoneAct(a ZoneAct, account, from, address, reason string) (ZoneAct, error) {
	target, known := zoneActTargets[a.Kind]
	if !known || a.Subject == "" || reason == "" {
		return a, fmt.Errorf("act %s: without a subject or reason, or unknown", a.Kind)
	}
	if a.Kind == ActPINReset {
		var err error
		if a.AtMS, err = tx.resetNumber(a.AtMS); err != nil {
			return a, err
		}
		if err = tx.resetPIN(a.Subject, a.AtMS); err != nil {
			return a, err
		}
	}
	leaf := entrylog.Action{
		Account: account, Verb: a.Kind, Target: target, ID: a.Subject, From: from, Result: "ok", Reason: true, AtMS: a.AtMS,
	}
	var err error
	if a.Idx, err = tx.AppendAction(leaf, &entrylog.Opening{Address: address, Text: reason}); err != nil {
		return a, err
	}
	if _, err = tx.exec(`INSERT INTO zone_act (idx, at_ms) VALUES (?, ?)`, a.Idx, a.AtMS); err != nil {
		return a, fmt.Errorf("insert act: %w", err)
	}
	return a, nil
}

// ZoneActs lists the acts since fromMS in the order of their leaves. One whose opening is erased is left out.
func (r Reader) ZoneActs(fromMS int64) ([]ZoneAct, error) {
	var idx []int64
	err := r.each(`SELECT idx FROM zone_act WHERE at_ms >= `+fmt.Sprint(fromMS)+` ORDER BY idx`, func(rows *sql.Rows) error {
		var i int64
		err := rows.Scan(&i)
		idx = append(idx, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []ZoneAct
	for _, i := range idx {
		leaf, err := r.Leaf(i)
		if err != nil {
			return nil, err
		}
		a, err := entrylog.ParseAction(leaf.Body)
		if err != nil {
			return nil, fmt.Errorf("act of leaf %d: %w", i, err)
		}
		act := ZoneAct{Kind: a.Verb, Subject: a.ID, AtMS: a.AtMS, Idx: i}
		if entrylog.PersonalTarget(a.Target) {
			o, err := r.Opening(i)
			if errors.Is(err, ErrErased) || errors.Is(err, ErrNotFound) {
				continue // erased with its year: so are the passages it speaks of
			}
			if err != nil {
				return nil, fmt.Errorf("act of leaf %d: %w", i, err)
			}
			act.Subject = o.Target
		}
		if zoneActTargets[act.Kind] == a.Target && act.Subject != "" {
			out = append(out, act)
		}
	}
	return out, nil
}

// openFor is how long something may still come of a line: a door waits for a minute at most, an outbox
// sends within an hour or is late.
const openFor = time.Hour

// maxOpen bounds the lines of which something may still come: a backlog that arrives at once makes many, and the server
// should not wait for them before it serves. The newest count; a passage that still comes of an older one moves nobody.
const maxOpen = 4096

// Passages gives the line of each person's newest passage, and the newest lines of the last hour before nowMS of which no
// passage is known yet.
func (r Reader) Passages(nowMS int64, zone *time.Location) ([]attempt.Row, error) {
	out, err := r.LastPassages(math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("passages: %w", err)
	}
	today, before := entrylog.Day(nowMS, zone), entrylog.Day(nowMS-2*openFor.Milliseconds(), zone)
	left := maxOpen
	for _, day := range slices.Compact([]string{today, before}) { // a day's lines lie in the index in the order of the log
		open, err := r.attempts(`SELECT `+attemptColumns+` FROM attempt WHERE day = ? AND passage = '' AND to_ms >= ? AND person_ref IS NOT NULL
			ORDER BY first_idx DESC LIMIT ?`, day, nowMS-openFor.Milliseconds(), left)
		if err != nil {
			return nil, fmt.Errorf("open lines: %w", err)
		}
		out, left = append(out, open...), left-len(open)
	}
	return out, nil
}

// FoundAt reports whether there is a finding of this kind and detail of just that moment, UTC ms, open or not.
func (r Reader) FoundAt(kind, detail string, atMS int64) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE kind = ? AND detail = ? AND at_ms = ?)`, kind, detail, atMS).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for finding %s: %w", kind, err)
	}
	return n == 1, nil
}

// FoundSince reports whether there is a finding of this kind and detail of fromMS or later, open or not.
func (r Reader) FoundSince(kind, detail string, fromMS int64) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE kind = ? AND detail = ? AND at_ms >= ?)`, kind, detail, fromMS).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for finding %s: %w", kind, err)
	}
	return n == 1, nil
}
