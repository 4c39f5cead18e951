package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/visit"
	"monban/server/world/invariant"
)

// The desk is the wiring of server/app around server/visit, over the model store: matters, badges, the policy that follows
// from them, and the job of each minute that ends what is over and tells of what is overdue. What a matter may do, what it
// gives at the doors and what is owed are server/visit's own functions.

// Stock is a badge in reception's drawer when the world begins.
type Stock struct {
	ID     string
	Kind   visit.BadgeKind
	Label  string
	Look   string
	Plain  bool   // a name plate without a card
	Number Number // inside the card
}

// matter is one matter as it has committed; it is replaced, never changed.
type matter struct {
	head  visit.Head
	doc   []byte // JSON, as the opening of its newest leaf holds it
	first int64  // leaf that began it
}

// deskTx is one transaction at the desk.
type deskTx struct {
	m    *model
	s    *server
	site *visit.Site
	dir  directory.Snapshot // as it will stand
	now  int64
}

// stock puts the badges of the drawer into the inventory.
func (w *World) stock() error {
	for _, x := range w.opt.Stock {
		b := visit.Badge{ID: x.ID, Label: x.Label, Kind: x.Kind, Look: x.Look, Status: visit.BadgeActive}
		if !x.Plain {
			var err error
			if b.Ref, b.Masked, err = w.keys.Card(x.Number.Format, x.Number.Facility, x.Number.Number); err != nil {
				return fmt.Errorf("badge %s: %w", x.ID, err)
			}
			b.Format, b.Assurance, b.KeyVersion = x.Number.Format, card.UIDOnly, w.keys.Version()
			if _, taken := w.cards[x.ID]; taken {
				return fmt.Errorf("badge %s: a card has this number", x.ID)
			}
			w.cards[x.ID] = Card{ID: x.ID, Number: x.Number}
		}
		if err := b.Check(); err != nil {
			return fmt.Errorf("badge %s: %w", x.ID, err)
		}
		w.server.store.badges[x.ID] = b
	}
	if w.opt.Visits == nil {
		return nil
	}
	if err := w.opt.Visits.Validate(); err != nil {
		return err
	}
	text, err := json.Marshal(w.opt.Visits)
	if err != nil {
		return err
	}
	w.server.store.settings[visit.SettingsKey] = string(text)
	return nil
}

// visitSite is what matters are judged by, as policypub.VisitSite reads it.
func (s *server) visitSite(m *model, dir *directory.Snapshot) *visit.Site {
	settings, err := visit.ParseSettings(m.settings[visit.SettingsKey])
	if err != nil {
		settings = visit.DefaultSettings()
	}
	return &visit.Site{Dir: dir, Settings: settings, Zone: s.w.opt.Zone}
}

// overlaid is a directory with what matters give at this moment, as policypub.Overlaid makes it.
func (s *server) overlaid(m *model, dir directory.Snapshot) directory.Snapshot {
	if len(m.matters) == 0 {
		return dir
	}
	matters := make([]visit.Matter, 0, len(m.matters))
	for _, x := range m.sorted(func(x *matter) bool { return x.head.Open }) {
		matters = append(matters, x.matter())
	}
	return visit.Overlay(dir, matters, m.allBadges(), s.wallMS(), s.visitSite(m, &dir))
}

// desk runs f in a transaction, with a new policy when doors change.
func (w *World) desk(publish bool, f func(t *deskTx) error) error {
	s := w.server
	if !s.up {
		return errors.New("the server is off")
	}
	in := func(m *model) (directory.Snapshot, error) {
		dir := s.dir
		dir.Credentials = slices.Clone(dir.Credentials)
		t := &deskTx{m: m, s: s, dir: dir, now: s.wallMS()}
		t.site = s.visitSite(m, &t.dir)
		err := f(t)
		return t.dir, err
	}
	if !publish {
		return s.write(func(m *model) error { _, err := in(m); return err })
	}
	before := opens(s.current)
	return s.change(in, s.failing, func(next *policypub.Current) {
		now := opens(next)
		for _, id := range w.Cards() {
			switch {
			case before[id] && !now[id]:
				w.emit(invariant.Event{Kind: invariant.Revoked, Card: id})
			case now[id] && !before[id]:
				w.emit(invariant.Event{Kind: invariant.Reinstated, Card: id})
			}
		}
	})
}

// opens are the cards that are active in a policy, by id: I5 watches those that no longer are.
func opens(c *policypub.Current) map[string]bool {
	out := map[string]bool{}
	for i := range c.Directory().Credentials {
		x := &c.Directory().Credentials[i]
		out[string(x.ID)] = x.Status == access.CredentialActive
	}
	return out
}

func (x *matter) matter() visit.Matter {
	m, err := visit.Decode(x.head.Kind, x.doc)
	if err != nil {
		panic("BUG: a matter that was written cannot be read: " + err.Error())
	}
	return m
}

// sorted gives matters in order of their ids.
func (m *model) sorted(keep func(*matter) bool) (out []*matter) {
	for _, x := range m.matters {
		if keep(x) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b *matter) int { return strings.Compare(a.head.ID, b.head.ID) })
	return out
}

func (m *model) allBadges() []visit.Badge {
	out := make([]visit.Badge, 0, len(m.badges))
	for _, b := range m.badges {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b visit.Badge) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// putBadge writes a badge of the inventory.
func (m *model) putBadge(b visit.Badge) {
	old, had := m.badges[b.ID]
	m.badges[b.ID] = b
	m.undone(func() {
		if m.badges[b.ID] = old; !had {
			delete(m.badges, b.ID)
		}
	})
}

// put writes a matter after a step: the action leaf, whose opening holds it, and the row.
func (t *deskTx) put(x visit.Matter, verb string, by visit.Actor) error {
	doc, err := json.Marshal(x)
	if err != nil {
		return err
	}
	h := x.Head()
	a := entrylog.Action{Account: by.Account, Verb: verb, Target: "matter", From: "lan", Result: "ok", AtMS: t.now}
	body, err := a.Append(nil)
	if err != nil {
		return err
	}
	idx := t.m.append(entrylog.KindAction, body, &entrylog.Opening{Subject: string(x.Subject()), Target: h.ID, Text: string(doc)})
	old := t.m.matters[h.ID]
	first := idx
	if old != nil {
		first = old.first
	}
	t.m.matters[h.ID] = &matter{h, doc, first}
	t.m.undone(func() {
		if t.m.matters[h.ID] = old; old == nil {
			delete(t.m.matters, h.ID)
		}
	})
	return nil
}

// number gives a new matter its id.
func (t *deskTx) number(kind string) string {
	prefix := fmt.Sprintf("%s-%04d-", kind, entrylog.FiscalYear(t.now, t.site.Zone))
	n := len(t.m.sorted(func(x *matter) bool { return strings.HasPrefix(x.head.ID, prefix) }))
	return fmt.Sprintf("%s%05d", prefix, n+1)
}

// begin writes a new matter that do makes with the id it is given.
func begin[T any, P interface {
	*T
	visit.Matter
}](w *World, kind, verb string, publish bool, by visit.Actor, do func(t *deskTx, id string) (T, error), after ...func(t *deskTx, m P) error) (id string, err error) {
	err = w.desk(publish, func(t *deskTx) error {
		id = t.number(kind)
		m, err := do(t, id)
		if err != nil {
			return err
		}
		if err := t.put(P(&m), verb, by); err != nil {
			return err
		}
		for _, f := range after {
			if err := f(t, P(&m)); err != nil {
				return err
			}
		}
		return nil
	})
	return id, err
}

// step moves one matter.
func step[T any, P interface {
	*T
	visit.Matter
}](w *World, id, verb string, publish bool, by visit.Actor, move func(t *deskTx, m P) error) error {
	return w.desk(publish, func(t *deskTx) error {
		m, err := load[T, P](t, id)
		if err != nil {
			return err
		}
		if err := move(t, m); err != nil {
			return err
		}
		return t.put(m, verb, by)
	})
}

func load[T any, P interface {
	*T
	visit.Matter
}](t *deskTx, id string) (P, error) {
	x := t.m.matters[id]
	if x == nil {
		return nil, fmt.Errorf("no matter is called %q", id)
	}
	m, ok := x.matter().(P)
	if !ok {
		return nil, fmt.Errorf("%s is a %s", id, x.head.Kind)
	}
	return m, nil
}

// of gives the matters of a type that keep accepts, in order of their ids.
func of[P visit.Matter](m *model, keep func(*matter) bool) (out []P) {
	for _, x := range m.sorted(keep) {
		if p, ok := x.matter().(P); ok {
			out = append(out, p)
		}
	}
	return out
}

func isOpen(x *matter) bool { return x.head.Open }
func always(*matter) bool   { return true }

// lent tells which open matter has a badge.
func (t *deskTx) lent(badge string) string {
	for _, v := range of[*visit.Visit](t.m, isOpen) {
		if slices.Contains(v.Out(), badge) {
			return v.ID
		}
	}
	for _, c := range of[*visit.TemporaryCard](t.m, isOpen) {
		if c.Badge == badge {
			return c.ID
		}
	}
	return ""
}

func (t *deskTx) badge(id string) *visit.Badge {
	if b, ok := t.m.badges[id]; ok {
		return &b
	}
	return nil
}

// setPIN gives a badge a PIN for as long as it is lent; "" takes it away.
func (t *deskTx) setPIN(b visit.Badge, digits string) (err error) {
	b.PIN = [len(b.PIN)]byte{}
	if digits != "" && b.HasCard() {
		if b.PIN, err = t.s.w.keys.PIN(b.Ref, digits); err != nil {
			return visit.ErrPIN
		}
	}
	t.m.putBadge(b)
	return nil
}

// setCard changes the status of a card in the stored directory, as directory.SetCardStatus does.
func (t *deskTx) setCard(id directory.CardID, status access.CredentialStatus) error {
	return t.dir.SetCardStatus(id, status)
}

// find makes a finding of a matter, once for its cause and detail.
func (t *deskTx) find(kind review.Kind, matter, detail string) error {
	x := t.m.matters[matter]
	if x == nil || t.m.causeFound(string(kind), x.first, detail) {
		return nil
	}
	f := review.New(kind, x.first)
	_, err := t.m.AppendFinding(attempt.Finding{Kind: string(kind), Severity: f.Severity.String(), Cause: x.first, Detail: detail, AtMS: t.now}, nil)
	return err
}

func (m *model) causeFound(kind string, cause int64, detail string) bool {
	return slices.ContainsFunc(m.findings, func(f attempt.Finding) bool { return f.Kind == kind && f.Cause == cause && f.Detail == detail })
}

// passages are what the log says of whoever the desk asks for: everybody's, in order of time.
func (t *deskTx) passages() (out []visit.Passage) {
	for _, r := range t.m.order {
		if r.Passage == "" || r.PassedMS == 0 || r.Opening == attempt.NoIndex {
			continue
		}
		if e, ok := t.passage(r); ok {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b visit.Passage) int { return int(a.AtMS - b.AtMS) })
	return out
}

// passage is a line of the log as a passage; false for one that is none.
func (t *deskTx) passage(r *attempt.Row) (x visit.Passage, ok bool) {
	if r.Passage != "entry" && r.Passage != "exit" {
		return x, false
	}
	o := t.m.openings[r.Opening]
	x = visit.Passage{
		Attempt: entrylog.HexText(r.ID[:]), AtMS: r.PassedMS, Door: access.DoorID(r.Door), In: r.Passage == "entry",
		Person: directory.PersonID(o.Person), Badge: o.Masked,
	}
	if idx, err := attempt.KeyedLeaf(t.m, r); err == nil && idx != attempt.NoIndex {
		x.Keyed = t.m.openings[idx].Purpose
	}
	for i := range t.dir.Doors {
		if d := &t.dir.Doors[i]; string(d.ID) == r.Door {
			x.Zone, x.Outside = d.Enter, d.Exit == "" && !x.In
		}
	}
	return x, x.Person != ""
}

// dues lists what is owed of open matters.
func (t *deskTx) dues() []visit.Due {
	var matters []visit.Matter
	for _, x := range t.m.sorted(func(x *matter) bool { return x.head.Open || x.head.Kind == visit.KindCarry }) {
		matters = append(matters, x.matter())
	}
	return slices.DeleteFunc(visit.Dues(matters, t.passages(), t.now, t.site), func(d visit.Due) bool { return !t.m.matters[d.Matter].head.Open })
}
