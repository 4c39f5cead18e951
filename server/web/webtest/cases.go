package webtest

import (
	"context"
	"slices"
	"sync"

	"monban/firmware/access"
	"monban/server/casework"
	"monban/server/review"
	"monban/server/web"
)

// Cases works the findings of the sample in memory. The finding about Yoshida is about the person of account APPLICANT0.
type Cases struct {
	m    *Memory
	mu   sync.Mutex
	acts map[string][]casework.Act // mu
	text map[int64]string          // mu; by leaf
}

func (c *Cases) find(id string) (web.Finding, bool) {
	i := slices.IndexFunc(c.m.Items, func(f web.Finding) bool { return f.ID == id })
	if i < 0 {
		return web.Finding{}, false
	}
	return c.m.Items[i], true
}

func zoneOf(d access.DoorID) access.ZoneID {
	if d == "media-store" {
		return "media-store"
	}
	return "server-room"
}

func (c *Cases) name(account string) string {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return c.m.accounts[account].FullName
}

func (c *Cases) actor(account string) casework.Actor {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return casework.Actor{Account: account, Person: c.m.accounts[account].Person}
}

// CaseByID implements web.Cases.
func (c *Cases) CaseByID(_ context.Context, id string, names, duress bool) (web.CaseDetail, error) {
	f, ok := c.find(id)
	if !ok || f.Kind == string(review.Duress) && !duress {
		return web.CaseDetail{}, web.ErrNotFound
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := web.CaseDetail{Finding: f, Zones: []access.ZoneID{zoneOf(f.Door)}, Case: casework.Read(c.acts[id]), Risen: f.Level == casework.CISOOffice}
	out.Finding.Open = out.Case.Status != casework.Closed
	out.Owner = c.name(out.Case.Owner)
	for _, a := range c.acts[id] {
		x := web.CaseAct{Kind: a.Kind, By: c.name(a.By.Account), To: c.name(a.To), AtMS: a.AtMS, Leaf: uint64(a.Idx)}
		if names {
			x.Text = c.text[a.Idx]
		}
		out.Acts = append(out.Acts, x)
	}
	return out, nil
}

// ActOnCase implements web.Cases.
func (c *Cases) ActOnCase(_ context.Context, id string, kind casework.Kind, to string, act web.Action) error {
	f, ok := c.find(id)
	if !ok {
		return web.ErrNotFound
	}
	var target *casework.Actor
	if c.name(to) != "" {
		x := c.actor(to)
		target = &x
	}
	by := c.actor(act.Actor)
	c.mu.Lock()
	defer c.mu.Unlock()
	facts := casework.Facts{}
	if f.Who.Ref == Yoshida.Ref {
		facts.Subjects = []string{"1003"}
	}
	state := casework.Read(c.acts[id])
	if err := state.May(kind, by, target, act.Reason, facts); err != nil {
		return err
	}
	if c.acts == nil {
		c.acts, c.text = map[string][]casework.Act{}, map[int64]string{}
	}
	leaf := int64(11_000 + len(c.text))
	a := casework.Act{Idx: leaf, Kind: kind, By: by, AtMS: act.At.UnixMilli()}
	if kind == casework.Assign {
		a.To = to
	}
	c.text[leaf] = act.Reason
	c.acts[id] = append(c.acts[id], a)
	return nil
}
