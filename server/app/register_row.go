package app

import (
	"cmp"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/register"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// row makes a row as pages show it.
func (b *book) row(r *register.Row, show bool) web.RegisterRow {
	first := r.First()
	out := web.RegisterRow{
		State: r.State, Day: r.Day(), Door: b.names.door(access.DoorID(first.Door)), Attempt: first.ID, Late: r.Late(),
		EnteredAt: timeOf(r.Entry), ExitedAt: timeOf(r.Exit), OtherAt: timeOf(r.Other), SeenAt: timeOf(r.Seen), ElsewhereAt: timeOf(r.Elsewhere),
	}
	if r.Exit != nil {
		out.ExitDoor = b.names.door(access.DoorID(r.Exit.Door))
	}
	for _, e := range []*register.Event{r.Entry, r.Exit, r.Other} {
		if e == nil {
			continue
		}
		if l := b.lines[e.ID]; e.Day == out.Day {
			out.Last = max(out.Last, uint64(l.Last))
		} else { // an exit on another day: that day's review has it
			out.ExitDay, out.ExitLast = e.Day, uint64(l.Last)
		}
	}
	for _, x := range b.said[first.ID] {
		if x.in(access.ZoneID(r.Zone)) {
			out.Last = max(out.Last, uint64(x.leaf))
		}
	}
	line := b.lines[first.ID]
	if no, err := b.r.Restricted(line.Opening); err != nil || no { // 利用停止: a request about it is open
		show = false
	}
	if len(line.PersonRef) > 0 && r.Leader == "" {
		out.Who.Ref = hex.EncodeToString(line.PersonRef)
	}
	o, err := b.opening(line.Opening)
	switch {
	case line.Opening < 0:
		_, err := b.r.AttemptErased(line.First)
		out.Erased = err == nil // 消去済 by a decision
	case err == nil && r.Leader == "":
		out.Category = o.Category
		if out.Badge = o.Badge; show {
			out.Who.Name, out.Who.Section, out.Purpose = o.Name, o.Section, o.Purpose
		}
	case unreadable(err):
		out.Who.Unreadable = true
	case errors.Is(err, store.ErrErased):
		out.Erased = true
	}
	if r.Person != "" {
		b.work(r, &out, show)
	}
	b.corrected(r, &out, show)
	for _, e := range []*register.Event{r.Entry, r.Exit, r.Other} {
		out.Drill = out.Drill || e != nil && b.drilled(access.DoorID(e.Door), e.AtMS)
	}
	return out
}

// drilled reports whether a door was in a drill at a moment (OP-6): the row says so and stands as any other.
func (b *book) drilled(at access.DoorID, ms int64) bool {
	return slices.ContainsFunc(b.drills, func(x visit.Drill) bool {
		until := x.UntilMS
		if x.Ended.Done() {
			until = min(until, x.Ended.AtMS)
		}
		return !x.Disaster && x.FromMS <= ms && ms < until && slices.Contains(x.Doors, at)
	})
}

func timeOf(e *register.Event) time.Time {
	if e == nil {
		return time.Time{}
	}
	return time.UnixMilli(e.AtMS)
}

// work fills in what the approved work, the carry sessions and the person's own statement tell of a stay.
func (b *book) work(r *register.Row, out *web.RegisterRow, show bool) {
	line := b.lines[r.First().ID]
	x := b.passage(&line)
	x.Person, x.Zone, x.AtMS = directory.PersonID(r.Person), access.ZoneID(r.Zone), r.First().AtMS
	var err error
	if x.Keyed, err = keyed(b.r, &line); err != nil {
		b.pages.log.Error("a keyed purpose cannot be read", "err", err)
	}
	if text, from := visit.PurposeOf(x, b.visits, b.stated); from != visit.NoPurpose {
		out.PurposeSource = string(from)
		if show {
			out.Purpose = text
		}
	}
	b.left(r, out, show)
	var of string
	for i := range b.visits {
		v := &b.visits[i]
		covers := v.Covers(x)
		b.guest(v, r, out, covers, show)
		if covers && of == "" {
			of = v.ID
			b.visit(v, r, out, show)
		}
	}
	for i := range b.carry {
		c := &b.carry[i]
		if string(c.Zone) == string(r.Zone) && (c.Attempt == r.First().ID || c.Visit != "" && c.Visit == of && r.InsideAt(c.Opened.AtMS)) && show {
			for _, item := range c.Items {
				out.Items = append(out.Items, strings.TrimSpace(item.What+" "+cmp.Or(item.Asset, item.Serial)))
			}
		}
	}
}

// left fills in what the person said of an exit that the log does not show (RR-6).
func (b *book) left(r *register.Row, out *web.RegisterRow, show bool) {
	for i := range b.exits {
		x := &b.exits[i]
		if r.Entry == nil || r.Exit != nil || x.Attempt != r.Entry.ID || string(x.Zone) != string(r.Zone) || string(x.Person) != r.Person {
			continue
		}
		out.StatedAt, out.Stated = time.UnixMilli(x.LeftMS), x.ID
		if x.Confirmed.Done() {
			if out.ConfirmedBy = accountName(b.r, x.Confirmed.Account); !show {
				out.ConfirmedBy = x.Confirmed.Account
			}
		}
	}
}

// guest fills in what reception wrote down of somebody. A worker whom the directory knows has many visits: there only the one
// counts that the entry belongs to.
func (b *book) guest(v *visit.Visit, r *register.Row, out *web.RegisterRow, covers, show bool) {
	for i := range v.Guests {
		g := &v.Guests[i]
		if string(v.PersonID(i)) != r.Person || g.Person != "" && !covers {
			continue
		}
		out.Category, out.Badge, out.Identity, out.Conditions = string(g.Category), g.Label, string(g.Identity), g.Conditions
		if show {
			out.Who.Name, out.Who.Section, out.Leader = g.Name, cmp.Or(g.Company, v.Company), b.personName(directory.PersonID(r.Leader))
		}
	}
}

func (b *book) visit(v *visit.Visit, r *register.Row, out *web.RegisterRow, show bool) {
	if !show {
		return
	}
	approver := v.Decided.Person
	if v.Oral != nil {
		approver = v.Oral.Approver
	}
	out.System, out.Approver = v.System, b.personName(approver)
	if string(v.Attendee) != r.Person {
		out.Attendee = b.personName(v.Attendee)
	}
}

// personName is the name that the directory has now.
func (b *book) personName(id directory.PersonID) string {
	for i := range b.site.Dir.People {
		if p := &b.site.Dir.People[i]; p.ID == id && id != "" {
			return p.Name
		}
	}
	return ""
}
