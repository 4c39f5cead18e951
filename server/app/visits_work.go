package app

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// DeclareEmergency asks for an emergency entry (AD-14). With breakGlass it is in force at once; else when a second officer
// agrees. last is how long, 0 = as long as is allowed. As soon as it is in force a finding tells of it.
func (v *Visits) DeclareEmergency(ctx context.Context, zones []access.ZoneID, persons []directory.PersonID, last time.Duration, reason string, breakGlass bool, by visit.Actor) (visit.Emergency, error) {
	verb := "emergency_asked"
	if breakGlass {
		verb = "emergency_break_glass"
	}
	return begin(ctx, v, visit.KindEmergency, true, deed{by, verb, reason}, func(t *visitTx, id string) (visit.Emergency, error) {
		x, err := visit.Declare(zones, persons, last.Milliseconds(), reason, breakGlass, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, func(t *visitTx, row store.Matter, m *visit.Emergency) error {
		if m.FromMS == 0 {
			return nil
		}
		return t.find(review.EmergencyBegun, row.First, "break_glass")
	})
}

// AgreeEmergency is the second officer's word: the doors open for the named persons at once.
func (v *Visits) AgreeEmergency(ctx context.Context, id string, by visit.Actor) (visit.Emergency, error) {
	return step(ctx, v, visit.KindEmergency, id, true, deed{by, "emergency_agreed", ""}, func(t *visitTx, m *visit.Emergency) error {
		if err := t.twoAccounts(m.Declared, by); err != nil {
			return err
		}
		if err := m.Agree(by, t.nowMS, t.site); err != nil {
			return err
		}
		row, err := t.Matter(id)
		if err != nil {
			return err
		}
		return t.find(review.EmergencyBegun, row.First, "two_officers")
	})
}

// EndEmergency ends an emergency entry early, or drops one that nobody agreed to.
func (v *Visits) EndEmergency(ctx context.Context, id, note string, by visit.Actor) (visit.Emergency, error) {
	return step(ctx, v, visit.KindEmergency, id, true, deed{by, "emergency_ended", note}, func(t *visitTx, m *visit.Emergency) error {
		return m.End(by, t.nowMS, note)
	})
}

// ReportEmergency gives the report afterwards, due within 24 hours (AD-14).
func (v *Visits) ReportEmergency(ctx context.Context, id, report string, by visit.Actor) (visit.Emergency, error) {
	return step(ctx, v, visit.KindEmergency, id, false, deed{by, "emergency_reported", ""}, func(t *visitTx, m *visit.Emergency) error {
		return m.Tell(report, by, t.nowMS)
	})
}

// Emergencies lists the emergency entries that are in force, asked for, or not reported on.
func (v *Visits) Emergencies(ctx context.Context) (out []visit.Emergency, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, err = list[visit.Emergency](openOf(r, visit.KindEmergency))
		return err
	})
	return out, err
}

// carries are the sessions of the last year, in order of time: what is inside follows from them.
func carries(r store.Reader, nowMS int64) ([]visit.Carry, error) {
	const year = 366 * 24 * 3_600_000
	rows, err := r.MattersBetween(visit.KindCarry, nowMS-year, nowMS+1)
	return list[visit.Carry](r, rows, err)
}

// OpenCarry begins a carry session (EQ-1): from now on the named doors may stand open. Serial numbers may follow on the same day.
func (v *Visits) OpenCarry(ctx context.Context, c visit.Carry, by visit.Actor) (out visit.Carry, warnings []string, err error) {
	out, err = begin(ctx, v, visit.KindCarry, false, deed{by, "carry_opened", c.Purpose}, func(t *visitTx, id string) (x visit.Carry, err error) {
		if c.Visit != "" {
			if _, _, err := load[visit.Visit](t.Reader, visit.KindVisit, c.Visit); err != nil {
				return x, visit.ErrUnknown
			}
		}
		past, err := carries(t.Reader, t.nowMS)
		if err != nil {
			return x, err
		}
		x, warnings, err = visit.OpenCarry(c, past, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
	return out, warnings, err
}

// SetCarryItems writes the list of what is carried, also after the door was shut, until it is complete.
func (v *Visits) SetCarryItems(ctx context.Context, id string, items []visit.Item, by visit.Actor) (out visit.Carry, warnings []string, err error) {
	out, err = step(ctx, v, visit.KindCarry, id, false, deed{by, "carry_items_set", ""}, func(t *visitTx, m *visit.Carry) error {
		past, err := carries(t.Reader, t.nowMS)
		if err != nil {
			return err
		}
		before := past[:0:0]
		for i := range past {
			if past[i].ID != id {
				before = append(before, past[i])
			}
		}
		warnings, err = m.SetItems(items, before, by, t.nowMS, t.site)
		return err
	})
	return out, warnings, err
}

// ShutCarry ends a session at the door.
func (v *Visits) ShutCarry(ctx context.Context, id string, by visit.Actor) (visit.Carry, error) {
	return step(ctx, v, visit.KindCarry, id, false, deed{by, "carry_shut", ""}, func(t *visitTx, m *visit.Carry) error { return m.Shut(by, t.nowMS) })
}

// SettleCarry says what became of what was carried in and did not come out again (EQ-3).
func (v *Visits) SettleCarry(ctx context.Context, id, note string, by visit.Actor) (visit.Carry, error) {
	return step(ctx, v, visit.KindCarry, id, false, deed{by, "carry_settled", note}, func(t *visitTx, m *visit.Carry) error {
		return m.Settle(by, t.nowMS, note)
	})
}

// Carries lists the sessions that are open: at the door, without a complete list, or with something still inside.
func (v *Visits) Carries(ctx context.Context) (out []visit.Carry, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, err = list[visit.Carry](openOf(r, visit.KindCarry))
		return err
	})
	return out, err
}

// LendKey writes a key of the inventory out (EQ-4). k.Key, Person, Purpose and DueMS count. While it is out, its doors that open
// without a badge were opened with it (DS-7).
func (v *Visits) LendKey(ctx context.Context, k visit.KeyLoan, by visit.Actor) (visit.KeyLoan, error) {
	return begin(ctx, v, visit.KindKeyLoan, false, deed{by, "key_lent", k.Purpose}, func(t *visitTx, id string) (none visit.KeyLoan, err error) {
		open, err := list[visit.KeyLoan](openOf(t.Reader, visit.KindKeyLoan))
		if err != nil {
			return none, err
		}
		out := func(key string) bool {
			for i := range open {
				if open[i].Key == key {
					return true
				}
			}
			return false
		}
		x, err := visit.LendKey(k, out, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
}

// ReturnKey writes a key in again; lost tells of it.
func (v *Visits) ReturnKey(ctx context.Context, id string, lost bool, note string, by visit.Actor) (visit.KeyLoan, error) {
	verb := "key_returned"
	if lost {
		verb = "key_lost"
	}
	return step(ctx, v, visit.KindKeyLoan, id, false, deed{by, verb, note}, func(t *visitTx, m *visit.KeyLoan) error {
		if err := m.Return(lost, by, t.nowMS, note); err != nil || !lost {
			return err
		}
		row, err := t.Matter(id)
		if err != nil {
			return err
		}
		return t.find(review.KeyLost, row.First, "")
	})
}

// KeyLoans lists the keys that are out.
func (v *Visits) KeyLoans(ctx context.Context) (out []visit.KeyLoan, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, err = list[visit.KeyLoan](openOf(r, visit.KindKeyLoan))
		return err
	})
	return out, err
}
