package app

import (
	"context"
	"encoding/hex"
	"slices"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/register"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// corrected puts beside a row what was said to be wrong in it (VR-12).
func (b *book) corrected(r *register.Row, out *web.RegisterRow, show bool) {
	for i := range b.wrong {
		x := &b.wrong[i]
		if x.Attempt == r.First().ID && string(x.Zone) == string(r.Zone) {
			out.Corrected = append(out.Corrected, correctionOf(b.r, x, show))
		}
	}
}

// correctionOf makes a correction as pages show it.
func correctionOf(r store.Reader, x *visit.Correction, show bool) web.RowCorrection {
	out := web.RowCorrection{ID: x.ID, Attempt: x.Attempt, Person: string(x.Person), Waits: !x.Decided.Done(), Refused: x.Refused, In: moment(x.Right.InMS), Out: moment(x.Right.OutMS),
		AskedAt: moment(x.Asked.AtMS), DecidedAt: moment(x.Decided.AtMS), Due: moment(x.DueMS)}
	if x.Decided.Done() {
		out.By = accountName(r, x.Decided.Account)
	}
	if !show {
		return out
	}
	out.Name, out.Badge, out.Purpose = x.Right.Name, x.Right.Badge, x.Right.Purpose
	out.Reason, out.Answer = x.Asked.Note, x.Decided.Note
	if !x.Asked.Done() {
		out.Reason, out.Answer = x.Decided.Note, ""
	}
	return out
}

// CorrectRow implements web.Corrections.
func (v *Visits) CorrectRow(ctx context.Context, zone access.ZoneID, attempt string, right visit.Right, reason string, by visit.Actor) error {
	_, err := begin(ctx, v, visit.KindCorrection, false, deed{by, "row_corrected", reason}, func(t *visitTx, id string) (none visit.Correction, err error) {
		row, err := t.rowToCorrect(attempt)
		if err != nil {
			return none, err
		}
		was, err := loadPlaces(t.Reader)
		if err != nil {
			return none, err
		}
		tree := was.tree(row.AtMS)
		if d, known := was.door(row.door, row.AtMS); !known || !tree.within(d.Enter, zone) && !tree.within(d.Exit, zone) {
			return none, store.ErrNotFound // no row of this zone begins there
		}
		row.Zone, row.Right = zone, right
		x, err := visit.Correct(row.Correction, reason, by, t.nowMS)
		x.ID = id
		return x, err
	}, nil)
	return err
}

// AskCorrection implements web.Corrections.
func (v *Visits) AskCorrection(ctx context.Context, attempt string, right visit.Right, reason string, by visit.Actor) error {
	_, err := begin(ctx, v, visit.KindCorrection, false, deed{by, "correction_asked", reason}, func(t *visitTx, id string) (none visit.Correction, err error) {
		row, err := t.rowToCorrect(attempt)
		if err != nil {
			return none, err
		}
		waiting, err := list[visit.Correction](openOf(t.Reader, visit.KindCorrection))
		if err != nil {
			return none, err
		}
		if slices.ContainsFunc(waiting, func(x visit.Correction) bool { return x.Attempt == attempt }) {
			return none, visit.ErrState // one waits already
		}
		row.Right = right
		x, err := visit.AskCorrection(row.Correction, reason, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
	return err
}

// AnswerCorrection implements web.Corrections.
func (v *Visits) AnswerCorrection(ctx context.Context, id string, right bool, answer string, by visit.Actor) error {
	_, err := step(ctx, v, visit.KindCorrection, id, false, deed{by, "correction_answered", answer}, func(t *visitTx, m *visit.Correction) error {
		if err := t.twoAccounts(m.Asked, by); err != nil {
			return err
		}
		return m.Answer(right, answer, by, t.nowMS)
	})
	return err
}

// CorrectionsAsked implements web.Corrections.
func (v *Visits) CorrectionsAsked(ctx context.Context, zone access.ZoneID) (out []web.RowCorrection, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		all, err := list[visit.Correction](openOf(r, visit.KindCorrection))
		for i := range all {
			if all[i].Zone == zone {
				out = append(out, v.correction(r, s, &all[i]))
			}
		}
		return err
	})
	return out, err
}

// OwnCorrections implements web.Corrections.
func (v *Visits) OwnCorrections(ctx context.Context, person string) (out []web.RowCorrection, err error) {
	const year = 366 * 24 * 3_600_000
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		rows, err := r.MattersBetween(visit.KindCorrection, v.nowMS()-year, v.nowMS()+1)
		all, err := list[visit.Correction](r, rows, err)
		for i := range all {
			if x := &all[i]; person != "" && string(x.Person) == person && x.Asked.Done() {
				out = append(out, v.correction(r, s, x))
			}
		}
		slices.Reverse(out)
		return err
	})
	return out, err
}

func (v *Visits) correction(r store.Reader, s *visit.Site, x *visit.Correction) web.RowCorrection {
	out := correctionOf(r, x, true)
	for i := range s.Dir.People {
		if s.Dir.People[i].ID == x.Person && x.Person != "" {
			out.Who = s.Dir.People[i].Name
		}
	}
	return out
}

// rowOfLog is where a row of the register begins.
type rowOfLog struct {
	visit.Correction
	door access.DoorID
}

// rowToCorrect reads whose line it is, when and where.
func (t *visitTx) rowToCorrect(id string) (x rowOfLog, err error) {
	var key [16]byte
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != len(key) {
		return x, store.ErrNotFound
	}
	copy(key[:], b)
	row, err := t.AttemptRow(key)
	if err != nil {
		return x, err
	}
	p := passage(&row, t.site.Dir)
	if p.AtMS == 0 {
		p.AtMS = row.FromMS
	}
	x = rowOfLog{visit.Correction{Attempt: id, Zone: p.Zone, AtMS: p.AtMS}, access.DoorID(row.Door)}
	if row.Opening < 0 {
		return x, nil
	}
	o, err := usable(t.Reader, row.Opening)
	if nobodyReads(err) { // nobody's row then: it can be corrected by the desk, and by no holder
		return x, nil
	}
	x.Person = directory.PersonID(o.Person)
	return x, err
}
