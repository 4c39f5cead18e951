package app

import (
	"context"
	"errors"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/rehearse"
	"monban/server/web"
)

// judge implements web.Judge over the policy in force.
type judge struct {
	current func() *policypub.Current
	pages   *pages
}

// JudgeDoors implements web.Judge.
func (j *judge) JudgeDoors(ctx context.Context) ([]web.Choice, error) {
	n := j.pages.names(ctx)
	var list []web.Choice
	for _, d := range j.pages.directory().Doors {
		list = append(list, web.Choice{ID: string(d.ID), Name: n.door(d.ID)})
	}
	return list, nil
}

// JudgePeople implements web.Judge.
func (j *judge) JudgePeople(_ context.Context, text string, limit int) (list []web.JudgePerson, more bool, err error) {
	s := j.pages.directory()
	cards := map[directory.PersonID]int{}
	for i := range s.Credentials {
		cards[s.Credentials[i].Person]++
	}
	for i := range s.People {
		p := &s.People[i]
		found := web.JudgePerson{ID: string(p.ID), Name: p.Name, Section: sectionOf(p), Cards: cards[p.ID]}
		if string(p.ID) == text {
			return []web.JudgePerson{found}, false, nil
		}
		if !p.Matches(text) {
			continue
		}
		if len(list) == limit {
			return list, true, nil
		}
		list = append(list, found)
	}
	return list, false, nil
}

func sectionOf(p *directory.Person) string {
	if p.Company != "" {
		return p.Company
	}
	return p.Section
}

// Judge implements web.Judge.
func (j *judge) Judge(ctx context.Context, q web.JudgeQuery) ([]web.Judgement, error) {
	cur := j.current()
	ask := rehearse.Question{Person: directory.PersonID(q.Person), Door: q.Door, Side: access.SideEnter, AtMS: q.At.UnixMilli()}
	if q.Exit {
		ask.Side = access.SideExit
	}
	answers, err := rehearse.Explain(World(cur), ask)
	if err != nil {
		return nil, judgeError(err)
	}
	best := rehearse.Best(answers)
	answers[0], answers[best] = answers[best], answers[0]
	dir := cur.Directory()
	rights := j.rights(ctx, dir, ask)
	var out []web.Judgement
	for _, a := range answers {
		x := web.Judgement{Card: string(a.Card), Outcome: a.Decision.Outcome, Reason: a.Decision.Primary, Rights: rights}
		for i := range dir.Credentials {
			if dir.Credentials[i].ID == a.Card {
				x.Masked = dir.Credentials[i].Masked
			}
		}
		for _, l := range a.Lines {
			x.Checks = append(x.Checks, web.JudgeCheck{Check: string(l.Check), Result: string(l.Result), Reasons: l.Reasons})
		}
		out = append(out, x)
	}
	return out, nil
}

// rights lists the person's grants for the zone behind the door.
func (j *judge) rights(ctx context.Context, dir *directory.Snapshot, q rehearse.Question) []web.JudgeRight {
	n := j.pages.names(ctx)
	zone := n.doors[q.Door].Enter
	english := web.LanguageOf(ctx) == web.English
	schedules := make(map[directory.ScheduleID]web.JudgeRight, len(dir.Schedules))
	for i := range dir.Schedules {
		s := &dir.Schedules[i]
		x := web.JudgeRight{Zone: n.zones[zone].Name, Schedule: s.Name, Hours: windowsToWeb(s.Windows)}
		if english && s.NameEN != "" {
			x.Schedule = s.NameEN
		}
		schedules[s.ID] = x
	}
	var out []web.JudgeRight
	dir.EachRight(func(holder directory.PersonID, g *directory.Grant, _ *directory.Group) {
		if holder == q.Person && g.Zone == zone {
			x := schedules[g.Schedule]
			x.From, x.Until = g.ValidFrom.String(), g.ValidUntil.String()
			out = append(out, x)
		}
	})
	return out
}

// Entrants implements web.Judge.
func (j *judge) Entrants(_ context.Context, door access.DoorID, at time.Time) ([]web.JudgeEntrant, error) {
	cur := j.current()
	list, err := rehearse.WhoCan(World(cur), door, at.UnixMilli())
	if err != nil {
		return nil, judgeError(err)
	}
	people := make(map[directory.PersonID]*directory.Person, len(cur.Directory().People))
	for i := range cur.Directory().People {
		people[cur.Directory().People[i].ID] = &cur.Directory().People[i]
	}
	var out []web.JudgeEntrant
	for _, e := range list {
		p := people[e.Person]
		flags := e.Failed
		if e.Outcome != access.Granted {
			flags = 0 // what is asked for stands in the outcome
		}
		out = append(out, web.JudgeEntrant{ID: string(p.ID), Name: p.Name, Section: sectionOf(p), Outcome: e.Outcome, Flags: flags})
	}
	return out, nil
}

func judgeError(err error) error {
	if errors.Is(err, rehearse.ErrNoPerson) || errors.Is(err, rehearse.ErrNoDoor) {
		return web.ErrNotFound
	}
	return err
}
