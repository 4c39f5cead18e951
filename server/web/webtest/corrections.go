package webtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/server/visit"
	"monban/server/web"
)

// Corrections are corrections of the sample's rows, in memory; all rows are Takahashi's, person 1001.
type Corrections struct {
	m    *Memory
	mu   sync.Mutex
	list []visit.Correction // mu
}

func (c *Corrections) add(x visit.Correction, err error) error {
	if err != nil {
		return err
	}
	x.ID = fmt.Sprintf("correction-2026-%05d", len(c.list)+1)
	c.list = append(c.list, x)
	return nil
}

// CorrectRow implements web.Corrections.
func (c *Corrections) CorrectRow(_ context.Context, zone access.ZoneID, attempt string, right visit.Right, reason string, by visit.Actor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(visit.Correct(visit.Correction{Attempt: attempt, Zone: zone, Person: "1001", Right: right}, reason, by, jst().UnixMilli()))
}

// AskCorrection implements web.Corrections.
func (c *Corrections) AskCorrection(ctx context.Context, attempt string, right visit.Right, reason string, by visit.Actor) error {
	site, err := c.m.Desk.VisitSite(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.add(visit.AskCorrection(visit.Correction{Attempt: attempt, Zone: "server-room", Person: "1001", Right: right}, reason, by, jst().UnixMilli(), site))
}

// AnswerCorrection implements web.Corrections.
func (c *Corrections) AnswerCorrection(_ context.Context, id string, right bool, answer string, by visit.Actor) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.list, func(x visit.Correction) bool { return x.ID == id })
	if i < 0 {
		return web.ErrNotFound
	}
	return c.list[i].Answer(right, answer, by, jst().UnixMilli())
}

// CorrectionsAsked implements web.Corrections.
func (c *Corrections) CorrectionsAsked(_ context.Context, zone access.ZoneID) (out []web.RowCorrection, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.list {
		if x := &c.list[i]; !x.Decided.Done() && x.Zone == zone {
			out = append(out, correctionOf(x))
		}
	}
	return out, nil
}

// OwnCorrections implements web.Corrections.
func (c *Corrections) OwnCorrections(_ context.Context, person string) (out []web.RowCorrection, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.list {
		if x := &c.list[i]; x.Asked.Done() && string(x.Person) == person {
			out = append(out, correctionOf(x))
		}
	}
	return out, nil
}

func correctionOf(x *visit.Correction) web.RowCorrection {
	return web.RowCorrection{ID: x.ID, Attempt: x.Attempt, Person: string(x.Person), Who: Takahashi.Name, Purpose: x.Right.Purpose, Name: x.Right.Name, Badge: x.Right.Badge,
		Reason: x.Asked.Note, Answer: x.Decided.Note, Waits: !x.Decided.Done(), Refused: x.Refused, Due: time.UnixMilli(x.DueMS)}
}
