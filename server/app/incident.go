package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/calendar"
	"monban/server/entrylog"
	"monban/server/incident"
	"monban/server/privacy"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// incidents implements web.Incidents over the matters.
type incidents struct {
	*pages
	visits *Visits
}

// twoYears is how long closed incidents stand in the list.
const twoYears = 2 * 366 * 24 * 3_600_000

// ListIncidents implements web.Incidents.
func (i *incidents) ListIncidents(ctx context.Context, all bool) (out []web.IncidentDetail, err error) {
	err = i.visits.read(ctx, func(r store.Reader, s *visit.Site) error {
		rows, err := r.OpenMatters(incident.Kind)
		if all {
			rows, err = r.MattersBetween(incident.Kind, i.visits.nowMS()-twoYears, i.visits.nowMS()+1)
		}
		list, err := list[incident.Record](r, rows, err)
		for _, x := range slices.Backward(list) {
			out = append(out, web.IncidentDetail{Record: x, Due: deadlines(&x, s)})
		}
		return err
	})
	return out, err
}

// deadlines are those of the breach clock; nil where no personal data leaked.
func deadlines(x *incident.Record, s *visit.Site) *incident.Deadlines {
	if !x.Personal {
		return nil
	}
	var closed []calendar.ClosedDay
	for _, c := range s.Dir.ClosedDays {
		closed = append(closed, calendar.ClosedDay{Date: calendar.Date{Year: c.Day.Year, Month: c.Day.Month, Day: c.Day.Day}, Kind: calendar.OwnClosed, Name: c.Name})
	}
	days := calendar.NewCalendar(closed...)
	d := incident.Breach{Known: calendar.DateOf(moment(x.KnownMS).In(s.Zone)), Attack: x.ByAttack}.Clock(&days)
	return &d
}

// IncidentByID implements web.Incidents.
func (i *incidents) IncidentByID(ctx context.Context, id string, names, duress bool) (out web.IncidentDetail, err error) {
	n := i.names(ctx)
	err = i.visits.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, err = i.detail(r, s, n, id, names, duress)
		return err
	})
	return out, err
}

func (i *incidents) detail(r store.Reader, s *visit.Site, n names, id string, show, duress bool) (out web.IncidentDetail, err error) {
	x, _, err := load[incident.Record](r, incident.Kind, id)
	if err != nil {
		return out, err
	}
	out = web.IncidentDetail{Record: *x, Due: deadlines(x, s), Names: map[string]string{}}
	name := func(account string) {
		if account != "" {
			out.Names[account] = accountName(r, account)
		}
	}
	for _, st := range []visit.Step{x.Opened, x.Reported, x.Finished, x.Closed} {
		name(st.Account)
	}
	for _, e := range x.Timeline {
		name(e.By)
	}
	out.Findings = nil
	for _, idx := range x.Findings {
		f, err := r.Finding(idx)
		if err != nil {
			return out, err
		}
		if f.Kind == string(review.Duress) && !duress {
			continue
		}
		out.Findings = append(out.Findings, idx)
		out.Found = append(out.Found, i.finding(r, f, n, show))
	}
	return out, nil
}

// BeginIncident implements web.Incidents.
func (i *incidents) BeginIncident(ctx context.Context, x incident.Record, by visit.Actor) (string, error) {
	made, err := begin(ctx, i.visits, incident.Kind, false, deed{by, "incident_begun", ""}, func(t *visitTx, id string) (none incident.Record, err error) {
		for _, idx := range x.Findings {
			if _, err := t.Finding(idx); err != nil {
				return none, err
			}
		}
		x, err := incident.Begin(x, by, t.nowMS)
		x.ID = id
		return x, err
	}, nil)
	return made.ID, err
}

// StepIncident implements web.Incidents.
func (i *incidents) StepIncident(ctx context.Context, id, verb, reason string, by visit.Actor, move func(x *incident.Record, nowMS int64) error) error {
	_, err := step(ctx, i.visits, incident.Kind, id, false, deed{by, verb, reason}, func(t *visitTx, m *incident.Record) error {
		return move(m, t.nowMS)
	})
	return err
}

// IncidentBundle implements web.Incidents. The leaf is written before anything is given away.
func (i *incidents) IncidentBundle(ctx context.Context, id string, show bool, use string, act web.Action) (out web.IncidentBundle, err error) {
	if bad := reasonFault(act.Reason); show && bad != nil {
		return out, bad
	}
	err = i.store.Write(ctx, func(tx *store.Tx) error {
		if show {
			if err := checkUse(tx.Reader, privacy.Use(use)); err != nil {
				return err
			}
		}
		if _, _, err := load[incident.Record](tx.Reader, incident.Kind, id); err != nil {
			return err
		}
		what := "without names"
		if show {
			what = "with names, purpose " + use
		}
		leaf := entrylog.Action{Account: act.Actor, Verb: string(act.Kind), Target: "incident_bundle", ID: id, From: originOf(act), Result: "ok", Reason: act.Reason != "", AtMS: act.At.UnixMilli()}
		_, err := tx.AppendAction(leaf, &entrylog.Opening{Address: addressOf(act), Text: strings.TrimSpace(act.Reason + "\n" + what)})
		return err
	})
	if errors.Is(err, privacy.ErrNotRegistered) || errors.Is(err, privacy.ErrNoPurpose) {
		return out, web.FormFault{{Field: "use", Word: "required"}}
	}
	if err != nil {
		return out, missing(err)
	}
	if err := i.store.SignNow(ctx); err != nil {
		return out, fmt.Errorf("sign the log for a bundle: %w", err)
	}
	out.Checkpoint, out.At = i.store.Checkpoint(), act.At
	if out.Checkpoint == "" { // a site without a signer, as in tests: the head as it stands
		h, err := i.store.Head(ctx)
		if err != nil {
			return out, err
		}
		out.Checkpoint = entrylog.Checkpoint{Origin: "unsigned", Size: h.Size, Root: h.Root}.Text()
	}
	if out.Size, err = sizeOf(out.Checkpoint); err != nil {
		return out, err
	}
	n := i.names(ctx)
	err = i.visits.read(ctx, func(r store.Reader, s *visit.Site) error {
		if out.IncidentDetail, err = i.detail(r, s, n, id, show, true); err != nil {
			return err
		}
		if !show {
			known, err := i.known(r, s, out.KnownMS)
			if err != nil {
				return err
			}
			slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
			pairs := make([]string, 0, 2*len(known))
			for _, k := range known {
				pairs = append(pairs, k, "●●")
			}
			out.Mask = strings.NewReplacer(pairs...).Replace
		} else {
			for _, f := range out.Found {
				if f.Attempt == "" {
					f.Who = web.Who{} // whom a matter is about is no evidence of who was there
				}
				out.People = append(out.People, web.BundlePerson{Finding: f.ID, Name: f.Who.Name, Section: f.Who.Section})
			}
		}
		return i.proved(r, &out, id)
	})
	return out, err
}

// visitsBefore is how long before an incident became known its visitors may be spoken of in it.
const visitsBefore = 400 * 24 * 3_600_000

// known are the names that the words of an incident may hold: of everybody in the directory and of who visited about that time.
func (i *incidents) known(r store.Reader, s *visit.Site, knownMS int64) (known []string, err error) {
	for k := range s.Dir.People {
		p := &s.Dir.People[k]
		for _, name := range []string{p.Name, p.NameReduced, p.Kana, p.Romaji} {
			known = append(known, nameParts(name)...)
		}
	}
	rows, err := r.MattersBetween(visit.KindVisit, knownMS-visitsBefore, i.visits.nowMS()+1)
	visits, err := list[visit.Visit](r, rows, err)
	for k := range visits {
		for _, g := range visits[k].Guests {
			known = append(append(known, nameParts(g.Name)...), nameParts(g.Kana)...)
		}
	}
	return known, err
}

// nameParts are what a text may call somebody: the whole name, and each part of it. A part of one letter may be part of any word: it counts
// only with what follows a name.
func nameParts(name string) (parts []string) {
	for _, f := range append([]string{name}, strings.FieldsFunc(name, func(c rune) bool { return c == ' ' || c == '\u3000' })...) {
		switch len([]rune(f)) {
		case 0:
		case 1:
			for _, after := range []string{"さん", "様", "氏", "君", "課長", "係長", "部長", "主任", "主査"} {
				parts = append(parts, f+after)
			}
		default:
			parts = append(parts, f)
		}
	}
	return parts
}

// sizeOf reads the size out of a checkpoint.
func sizeOf(checkpoint string) (int64, error) {
	lines := strings.SplitN(checkpoint, "\n", 3)
	if len(lines) < 3 {
		return 0, errors.New("checkpoint: too short")
	}
	return strconv.ParseInt(lines[1], 10, 64)
}

// proved adds the leaves behind an incident: those of its own steps, of its findings, of what was done with them and of the attempts.
func (i *incidents) proved(r store.Reader, out *web.IncidentBundle, id string) error {
	wanted := map[int64]bool{}
	row, err := r.Matter(id)
	if err != nil {
		return err
	}
	wanted[row.First], wanted[row.Idx] = true, true
	for _, idx := range out.Findings {
		f, err := r.Finding(idx)
		if err != nil {
			return err
		}
		if wanted[idx] = true; f.Cause >= 0 {
			wanted[f.Cause] = true
		}
		acts, err := r.FindingActs(idx)
		if err != nil {
			return err
		}
		for _, a := range acts {
			wanted[a.Idx] = true
		}
		if f.Attempt == [16]byte{} {
			continue
		}
		line, err := r.AttemptRow(f.Attempt)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		leaves, err := r.AttemptLeaves(line.First)
		if err != nil {
			return err
		}
		for _, l := range append(leaves, line.First) {
			wanted[l] = true
		}
	}
	for idx := range wanted {
		if idx >= out.Size {
			continue // written since the checkpoint: the next bundle has it
		}
		body, proof, err := r.ProveLeaf(out.Size, idx)
		if err != nil {
			return err
		}
		p := web.ProvedLeaf{Index: idx, Body: body}
		for _, h := range proof {
			p.Proof = append(p.Proof, h[:])
		}
		out.Leaves = append(out.Leaves, p)
	}
	slices.SortFunc(out.Leaves, func(a, b web.ProvedLeaf) int { return int(a.Index - b.Index) })
	return nil
}
