package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

func number(n int) string { return strconv.Itoa(n) }

// openMatters reads every matter of which something is still to come.
func openMatters(r store.Reader) (rows []store.Matter, out []visit.Matter, err error) {
	all, err := r.OpenMatters("")
	if err != nil {
		return nil, nil, err
	}
	for _, row := range all {
		if !visit.Knows(row.Kind) {
			continue // of another package: an incident
		}
		text, err := r.MatterText(row.Idx)
		if errors.Is(err, store.ErrErased) {
			continue // nobody can be asked about it any more
		}
		if err != nil {
			return nil, nil, fmt.Errorf("matter %s: %w", row.ID, err)
		}
		m, err := visit.Decode(row.Kind, text.Doc)
		if err != nil {
			return nil, nil, fmt.Errorf("matter %s: %w", row.ID, err)
		}
		rows, out = append(rows, row), append(out, m)
	}
	return rows, out, nil
}

func visitsIn(matters []visit.Matter) (out []visit.Visit) {
	for _, m := range matters {
		if v, ok := m.(*visit.Visit); ok {
			out = append(out, *v)
		}
	}
	return out
}

// dues lists what is owed, and the rows of the matters it is owed for.
func dues(r store.Reader, s *visit.Site, nowMS int64) ([]visit.Due, map[string]store.Matter, error) {
	rows, matters, err := openMatters(r)
	if err != nil {
		return nil, nil, err
	}
	byID := make(map[string]store.Matter, len(rows))
	for _, row := range rows {
		byID[row.ID] = row
	}
	past, err := passagesOf(r, s, visitsIn(matters), nowMS)
	if err != nil {
		return nil, nil, err
	}
	// What was carried out lies in sessions that are closed.
	all, err := carries(r, nowMS)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		if _, open := byID[all[i].ID]; !open {
			matters = append(matters, &all[i])
		}
	}
	list := visit.Dues(matters, past, nowMS, s)
	list = slices.DeleteFunc(list, func(d visit.Due) bool { _, open := byID[d.Matter]; return !open })
	return list, byID, nil
}

// ListDues lists everything that is owed and when, sorted by time: waiting and overdue.
func (v *Visits) ListDues(ctx context.Context) (out []visit.Due, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, _, err = dues(r, s, v.nowMS())
		return err
	})
	return out, err
}

// DayEnd is what a day leaves open: what is owed, how applications and entries differ, entries without a purpose.
type DayEnd struct {
	Owed       []visit.Due
	Mismatches []visit.Mismatch
	Blank      []visit.Passage
}

// DayEnd lists what a day (YYYY-MM-DD) leaves open.
func (v *Visits) DayEnd(ctx context.Context, day string) (out DayEnd, err error) {
	d, err := directory.ParseDate(day)
	if err != nil {
		return out, err
	}
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		if out.Owed, _, err = dues(r, s, v.nowMS()); err != nil {
			return err
		}
		visits, err := visitsOf(r, s, d)
		if err != nil {
			return err
		}
		entries, err := entriesOf(r, s, d)
		if err != nil {
			return err
		}
		past, err := passagesOf(r, s, visits, v.nowMS())
		if err != nil {
			return err
		}
		for _, e := range entries { // entries of badges that no visit explains are seen only here
			if !slices.ContainsFunc(past, func(p visit.Passage) bool { return p.Attempt == e.Attempt && p.In == e.In }) {
				past = append(past, e)
			}
		}
		slices.SortStableFunc(past, func(a, b visit.Passage) int { return int(a.AtMS - b.AtMS) })
		out.Mismatches = visit.Compare(visits, past, v.nowMS(), s)
		out.Blank, err = blanks(r, s, d, visits, entries)
		return err
	})
	return out, err
}

// entriesOf reads a day's passages with who it was, from the openings; lines that nobody can read any more are left out.
func entriesOf(r store.Reader, s *visit.Site, d directory.Date) (out []visit.Passage, err error) {
	rows, err := r.Passed(d.String(), d.String())
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Opening < 0 || row.PersonRef == nil {
			continue
		}
		o, err := usable(r, row.Opening)
		if nobodyReads(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		x := passage(&row, s.Dir)
		x.Person, x.Badge = directory.PersonID(o.Person), o.Masked
		if x.Keyed, err = keyed(r, &row); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// blanks lists the entries of a day whose purpose nothing tells (RR-7), in zones that ask for one.
func blanks(r store.Reader, s *visit.Site, d directory.Date, visits []visit.Visit, entries []visit.Passage) (out []visit.Passage, err error) {
	stated, err := purposesOf(r, s, d)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.In || e.Zone == "" || !s.Settings.AsksPurpose(e.Zone) {
			continue
		}
		if _, from := visit.PurposeOf(e, visits, stated); from == visit.NoPurpose {
			out = append(out, e)
		}
	}
	return out, nil
}

func purposesOf(r store.Reader, s *visit.Site, d directory.Date) ([]visit.Purpose, error) {
	rows, err := r.MattersBetween(visit.KindPurpose, d.StartMS(s.Zone), d.EndMS(s.Zone))
	return list[visit.Purpose](r, rows, err)
}

// PurposeOf gives the purpose of the entry with an attempt's id (hexadecimal) and where it comes from; blank when nothing tells.
func (v *Visits) PurposeOf(ctx context.Context, id string) (text string, from visit.PurposeSource, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		e, d, err := entryOf(r, s, id)
		if err != nil {
			return err
		}
		visits, err := visitsOf(r, s, d)
		if err != nil {
			return err
		}
		stated, err := purposesOf(r, s, d)
		text, from = visit.PurposeOf(e, visits, stated)
		return err
	})
	return text, from, err
}

// entryOf reads the entry of an attempt.
func entryOf(r store.Reader, s *visit.Site, id string) (e visit.Passage, d directory.Date, err error) {
	var key [16]byte
	if b, err := hex.DecodeString(id); err != nil || len(b) != len(key) {
		return e, d, store.ErrNotFound
	} else {
		copy(key[:], b)
	}
	row, err := r.AttemptRow(key)
	if err != nil {
		return e, d, err
	}
	if row.Passage != string(door.EventEntry) || row.Opening < 0 {
		return e, d, store.ErrNotFound
	}
	o, err := usable(r, row.Opening)
	if nobodyReads(err) {
		return e, d, store.ErrNotFound
	}
	if err != nil {
		return e, d, err
	}
	e = passage(&row, s.Dir)
	e.Person = directory.PersonID(o.Person)
	if e.Keyed, err = keyed(r, &row); err != nil {
		return e, d, err
	}
	d, err = directory.ParseDate(row.Day)
	return e, d, err
}

// StatePurpose says afterwards what an entry was for (RR-7); only who entered can.
func (v *Visits) StatePurpose(ctx context.Context, attempt, text string, by visit.Actor) (visit.Purpose, error) {
	return begin(ctx, v, visit.KindPurpose, false, deed{by, "purpose_stated", ""}, func(t *visitTx, id string) (none visit.Purpose, err error) {
		e, d, err := entryOf(t.Reader, t.site, attempt)
		if err != nil {
			return none, err
		}
		stated, err := purposesOf(t.Reader, t.site, d)
		if err != nil {
			return none, err
		}
		for i := range stated {
			if stated[i].Attempt == attempt {
				return none, visit.ErrState // said once; a correction is another matter (VR-12)
			}
		}
		x, err := visit.StatePurpose(e, text, by, t.nowMS)
		x.ID = id
		return x, err
	}, nil)
}

// BlankOf lists a person's own entries of a day without a purpose, for My page.
func (v *Visits) BlankOf(ctx context.Context, person directory.PersonID, day string) (out []visit.Passage, err error) {
	end, err := v.DayEnd(ctx, day)
	for _, e := range end.Blank {
		if e.Person == person && person != "" {
			out = append(out, e)
		}
	}
	return out, err
}

// VisitSettings gives the numbers that the site has set, or the defaults.
func (v *Visits) VisitSettings(ctx context.Context) (out visit.Settings, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error { out = s.Settings; return nil })
	return out, err
}

// SetVisitSettings changes them, with a reason.
func (v *Visits) SetVisitSettings(ctx context.Context, s visit.Settings, reason string, by visit.Actor) error {
	if err := errors.Join(visit.CheckReason(reason), s.Validate()); err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return v.run(ctx, true, func(t *visitTx) error {
		if err := t.SetSetting(visit.SettingsKey, string(text)); err != nil {
			return err
		}
		leaf := entrylog.Action{Account: by.Account, Verb: "visit_settings_changed", Target: "setting", ID: visit.SettingsKey, From: origin(by), Result: "ok", Reason: reason != "", AtMS: t.nowMS}
		_, err := t.AppendAction(leaf, &entrylog.Opening{Address: by.Address, Text: reason + "\n" + string(text)})
		return err
	})
}

// sweep ends what is over by itself and tells, once each, of what is overdue. It runs once a minute, outside of the other
// jobs' transaction: it reads openings, which takes longer than a door should wait.
func (v *Visits) sweep(ctx context.Context) error {
	job := *v
	job.round = &round{}
	if err := job.expire(ctx); err != nil {
		return err
	}
	return errors.Join(job.tellOverdue(ctx), job.tellBlank(ctx), job.tellUnmatched(ctx), job.tellLateRequests(ctx), job.escalate(ctx))
}

// expire ends visits that nobody came to, emergencies and permits whose time is over.
func (v *Visits) expire(ctx context.Context) error {
	now := v.nowMS()
	var over []string
	err := v.read(ctx, func(r store.Reader, s *visit.Site) error {
		rows, matters, err := openMatters(r)
		for i, m := range matters {
			if expires(m, now, s) {
				over = append(over, rows[i].ID)
			}
		}
		return err
	})
	if err != nil || len(over) == 0 {
		return err
	}
	return v.run(ctx, true, func(t *visitTx) error {
		for _, id := range over {
			row, err := t.Matter(id)
			if err != nil {
				return err
			}
			text, err := t.MatterText(row.Idx)
			if err != nil {
				return err
			}
			m, err := visit.Decode(row.Kind, text.Doc)
			if err != nil {
				return err
			}
			if !row.Open || !expires(m, t.nowMS, t.site) {
				continue // somebody has moved it meanwhile
			}
			if _, err := t.put(row, m, deed{visit.Actor{From: "job"}, row.Kind + "_expired", ""}); err != nil {
				return err
			}
			if x, ok := m.(*visit.Visit); ok && x.State == visit.NoShow {
				if err := t.find(review.ApplicationUnmatched, row.First, "never_came"); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// expires ends a matter when it is over by itself.
func expires(m visit.Matter, nowMS int64, s *visit.Site) bool {
	switch m := m.(type) {
	case *visit.Visit:
		return m.Expire(nowMS)
	case *visit.Emergency:
		return m.Expire(nowMS)
	case *visit.Outage:
		return m.Expire(nowMS)
	case *visit.Drill:
		return m.Expire(nowMS)
	case *visit.Permit:
		return m.Expire(nowMS, s)
	}
	return false
}

// tellOverdue makes a finding of each item that is overdue and was not told of.
func (v *Visits) tellOverdue(ctx context.Context) error {
	var due []visit.Due
	var rows map[string]store.Matter
	untold := func(r store.Reader, d visit.Due) (bool, error) {
		told, err := r.CauseFound(string(d.Kind), rows[d.Matter].First, d.Part)
		return !told, err
	}
	err := v.read(ctx, func(r store.Reader, s *visit.Site) (err error) {
		if due, rows, err = dues(r, s, v.nowMS()); err != nil {
			return err
		}
		due, err = filter(due, func(d visit.Due) (bool, error) {
			if d.State != visit.Overdue {
				return false, nil
			}
			return untold(r, d)
		})
		return err
	})
	if err != nil || len(due) == 0 {
		return err
	}
	return v.store.Write(ctx, func(tx *store.Tx) error {
		t := &visitTx{Tx: tx, nowMS: v.nowMS(), v: v}
		for _, d := range due {
			if err := t.find(review.Kind(d.Kind), rows[d.Matter].First, d.Part); err != nil {
				return err
			}
		}
		return nil
	})
}

// tellUnmatched tells, once each, of visits whose guests were received and whose window is over, and the log has none of them inside: the
// entries are missing, or there were none.
func (v *Visits) tellUnmatched(ctx context.Context) error {
	var causes []int64
	err := v.read(ctx, func(r store.Reader, s *visit.Site) error {
		rows, matters, err := openMatters(r)
		if err != nil {
			return err
		}
		for i, m := range matters {
			x, ok := m.(*visit.Visit)
			if !ok || x.State != visit.Running || v.nowMS() < x.UntilMS || x.CountIn.Done() { // heads that were counted went in
				continue
			}
			past, err := passagesOf(r, s, []visit.Visit{*x}, v.nowMS())
			if err != nil {
				return err
			}
			if slices.ContainsFunc(x.Match(past), func(p visit.Presence) bool { return p.EnteredMS != 0 }) {
				continue
			}
			if told, err := r.CauseFound(string(review.ApplicationUnmatched), rows[i].First, "never_entered"); err != nil {
				return err
			} else if !told {
				causes = append(causes, rows[i].First)
			}
		}
		return nil
	})
	if err != nil || len(causes) == 0 {
		return err
	}
	return v.store.Write(ctx, func(tx *store.Tx) error {
		t := &visitTx{Tx: tx, nowMS: v.nowMS(), v: v}
		for _, cause := range causes {
			if err := t.find(review.ApplicationUnmatched, cause, "never_entered"); err != nil {
				return err
			}
		}
		return nil
	})
}

func filter[T any](all []T, keep func(T) (bool, error)) (out []T, err error) {
	for _, x := range all {
		ok, err := keep(x)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, x)
		}
	}
	return out, nil
}

// purposeSwept is the setting that holds the last day whose blank purposes were told of.
const purposeSwept = "purpose_swept"

// tellBlank makes one finding a zone and day of entries whose purpose nobody has stated in time (RR-7): one, so that a day's
// review is short.
func (v *Visits) tellBlank(ctx context.Context) error {
	var found []attempt.Finding
	var day directory.Date
	err := v.read(ctx, func(r store.Reader, s *visit.Site) error {
		now := v.nowMS()
		swept, err := r.Setting(purposeSwept)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		next := directory.DateOf(time.UnixMilli(now).In(s.Zone)).AddDays(-31) // a new site has no older entries
		if last, err := directory.ParseDate(swept); err == nil && next.Before(last.AddDays(1)) {
			next = last.AddDays(1)
		}
		due := visit.Blank(visit.Passage{AtMS: next.StartMS(s.Zone)}, now, s)
		if due.State != visit.Overdue {
			return nil
		}
		day = next
		visits, err := visitsOf(r, s, day)
		if err != nil {
			return err
		}
		entries, err := entriesOf(r, s, day)
		if err != nil {
			return err
		}
		blank, err := blanks(r, s, day, visits, entries)
		told := map[access.ZoneID]bool{}
		for _, e := range blank {
			if told[e.Zone] {
				continue
			}
			told[e.Zone] = true
			f := review.New(review.PurposeBlank, review.NoCause)
			found = append(found, attempt.Finding{
				Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: string(e.Zone) + "/" + day.String(), AtMS: now,
			})
		}
		return err
	})
	if err != nil || day.IsZero() {
		return err
	}
	return v.store.Write(ctx, func(tx *store.Tx) error {
		for _, f := range found {
			if _, err := tx.AppendFinding(f, nil); err != nil {
				return fmt.Errorf("log finding %s: %w", f.Kind, err)
			}
		}
		return tx.SetSetting(purposeSwept, day.String())
	})
}
