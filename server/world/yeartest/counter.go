package yeartest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/app"
	"monban/server/directory"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/world/year"
)

// counter is the town hall's counter: the pages' service, with what the world calls things.
type counter struct {
	*app.Visits
	ids   map[string]string // the world's name → the matter's id
	refs  map[int64]string  // leaf that began a matter → the world's name
	swept time.Time
}

// The server's job looks at what is owed every minute. A year is spared that: it looks every hour of the day, and at one o'clock of the night
// at what falls due at midnight. Nothing else does at night.
const (
	sweepCounter = time.Hour
	dayBegins    = 7
	dayEnds      = 20
	nightLook    = 1
)

// The counter's people. Whoever applies does not approve.
var (
	clerk = visit.Actor{Account: "clerk", From: "lan"}
	chief = visit.Actor{Account: "chief", From: "lan"}
)

// openCounter fills the drawer and sets what the zones ask.
func (p *Plant) openCounter(ctx context.Context) error {
	p.desk = &counter{Visits: p.Site.Visits(p.pub, p.clock), ids: map[string]string{}, refs: map[int64]string{}}
	set := visit.DefaultSettings()
	set.BringIn, set.PurposeZones = map[access.ZoneID]visit.BringIn{}, []access.ZoneID{}
	for _, z := range p.Year.Looked {
		set.BringIn[access.ZoneID(z)] = visit.BringInFlag
	}
	for _, z := range p.Year.Asked {
		set.PurposeZones = append(set.PurposeZones, access.ZoneID(z))
	}
	if err := p.desk.SetVisitSettings(ctx, set, "a made year", clerk); err != nil {
		return err
	}
	for _, b := range p.Year.Badges {
		f := app.BadgeForm{ID: b.ID, Label: b.ID, Kind: visit.VisitorBadge, Look: "黄", Format: "H10301", Facility: b.Facility, Number: b.Number, Assurance: card.UIDOnly}
		if b.Temporary {
			f.Kind = visit.TemporaryKind
		}
		if _, err := p.desk.AddBadge(ctx, f, "a made year", clerk); err != nil {
			return fmt.Errorf("badge %s: %w", b.ID, err)
		}
	}
	return nil
}

// sweep is the counter's job.
func (p *Plant) sweep(ctx context.Context) error {
	h := p.clock().In(p.Year.Zone).Hour()
	if p.clock().Sub(p.desk.swept) < sweepCounter || h != nightLook && (h < dayBegins || h >= dayEnds) {
		return nil
	}
	p.desk.swept = p.clock()
	if err := p.desk.Sweep(ctx); err != nil {
		return fmt.Errorf("the counter's job: %w", err)
	}
	return p.policies(ctx)
}

// errand does what somebody does at the counter.
func (p *Plant) errand(ctx context.Context, e *year.Errand) error {
	c := p.desk
	id, err := c.do(ctx, e, p.clock())
	if err != nil {
		return fmt.Errorf("%s of %s: %w", e.Do, e.Ref, err)
	}
	if id == "" || c.ids[e.Ref] != "" {
		return nil
	}
	c.ids[e.Ref] = id
	return p.Site.Store.Read(ctx, func(r *store.ReadTx) error {
		m, err := r.Matter(id)
		c.refs[m.First] = e.Ref
		return err
	})
}

// do gives the id of a matter that it has begun.
func (c *counter) do(ctx context.Context, e *year.Errand, now time.Time) (begun string, err error) {
	id, zone, person := c.ids[e.Ref], access.ZoneID(e.Zone), directory.PersonID(e.Person)
	holder := visit.Actor{Account: "holder", Person: person, From: "lan"}
	switch e.Do {
	case year.ApplyVisit, year.PhoneVisit:
		f := visit.Application{
			Type: visit.Delivery, Purpose: "点検", System: "空調", Zones: []access.ZoneID{zone}, FromMS: e.FromMS, UntilMS: e.UntilMS, Section: "施設管理課",
			Company: "多賀城設備株式会社", Attendee: person, Guests: []visit.Guest{{Name: e.Guest, Category: directory.Visitor}}, Heads: e.N,
		}
		if e.N > 0 {
			f.Type = visit.Tour
		}
		var v visit.Visit
		if e.Do == year.ApplyVisit {
			v, _, err = c.ApplyVisit(ctx, f, clerk)
		} else {
			v, _, err = c.UrgentVisit(ctx, f, person, clerk)
		}
		return v.ID, err
	case year.ApproveVisit:
		_, err = c.DecideVisit(ctx, id, true, "", chief)
	case year.ConfirmPhone, year.DenyPhone:
		_, err = c.ConfirmOral(ctx, id, e.Do == year.ConfirmPhone, "電話の件", chief)
	case year.Receive:
		f := app.ReceptionForm{Identity: visit.CompanyCard, Badge: e.Badge}
		if e.N > 0 {
			f.Declared = []visit.Declared{{What: "phone", Personal: true, Outside: e.N == 2}}
		}
		_, err = c.ReceiveGuest(ctx, id, f, clerk)
	case year.HeadsIn, year.HeadsOut:
		_, err = c.CountHeads(ctx, id, e.Do == year.HeadsOut, e.N, clerk)
	case year.BadgeBack, year.BadgeGone:
		_, err = c.ReturnBadge(ctx, e.Badge, e.Do == year.BadgeGone, "受付にて", clerk)
	case year.SaysLeft:
		_, err = c.CloseVisit(ctx, id, "立会者と退室した", clerk)
	case year.LendCard:
		m, err := c.IssueTemporary(ctx, app.TemporaryForm{Person: person, Identity: visit.KnownInPerson, Badge: e.Badge, Reason: "忘れた"}, clerk)
		return m.ID, err
	case year.CardBack:
		_, err = c.ReturnTemporary(ctx, e.Badge, false, "", clerk)
	case year.StopCard:
		m, err := c.SuspendCard(ctx, directory.CardID("c-"+e.Person), false, time.UnixMilli(e.FromMS), "見当たらない", clerk)
		return m.ID, err
	case year.AnswerUses:
		err = c.answer(ctx, id, e.N, holder)
	case year.AskCard:
		_, err = c.AskResume(ctx, id, "見つかった", clerk)
	case year.GiveCard:
		_, err = c.ResumeCard(ctx, id, "", chief)
	case year.BreakGlass, year.AskEmergency:
		m, err := c.DeclareEmergency(ctx, []access.ZoneID{zone}, []directory.PersonID{person}, 0, "漏水", e.Do == year.BreakGlass, chief)
		return m.ID, err
	case year.EndEmergency:
		_, err = c.EndEmergency(ctx, id, "", chief)
	case year.Report:
		_, err = c.ReportEmergency(ctx, id, "止水した", chief)
	case year.CarryIn, year.CarryOut:
		return c.carry(ctx, e)
	case year.CarryList:
		_, _, err = c.SetCarryItems(ctx, id, []visit.Item{{What: "測定器", Serial: e.Key}}, clerk)
	case year.CarryShut:
		_, err = c.ShutCarry(ctx, id, clerk)
	case year.CarrySettle:
		_, err = c.SettleCarry(ctx, id, "確認した", clerk)
	case year.LendKey:
		m, err := c.LendKey(ctx, visit.KeyLoan{Key: e.Key, Person: person, Purpose: "点検"}, clerk)
		return m.ID, err
	case year.KeyBack, year.KeyGone:
		_, err = c.ReturnKey(ctx, id, e.Do == year.KeyGone, "受付にて", clerk)
	case year.SayPurpose:
		err = c.purpose(ctx, e, now, holder)
	default:
		err = errors.New("BUG: nobody knows how")
	}
	return "", err
}

// answer is what a holder says of the uses of a stopped card: that all were theirs but one, from 1; 0 = all.
func (c *counter) answer(ctx context.Context, id string, but int, holder visit.Actor) error {
	list, err := c.Suspensions(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].ID != id {
			continue
		}
		if len(list[i].Entries) == 0 {
			return errors.New("no use of the card stands there")
		}
		for n := range list[i].Entries {
			if _, err := c.AnswerEntry(ctx, id, n, n+1 != but, "", holder); err != nil {
				return err
			}
		}
		return nil
	}
	return store.ErrNotFound
}

// carry is a thing that goes in, or the same that comes out in a session of its own.
func (c *counter) carry(ctx context.Context, e *year.Errand) (string, error) {
	m := visit.Carry{
		Direction: visit.CarryIn, Zone: access.ZoneID(e.Zone), Doors: []access.DoorID{access.DoorID(e.Door)}, Purpose: "測定",
		Impact: visit.Impact{Result: "none", Checker: directory.PersonID(e.Person)}, Attendee: directory.PersonID(e.Person),
	}
	if e.Key != "" {
		m.Items = []visit.Item{{What: "測定器", Serial: e.Key}}
	}
	if e.Do == year.CarryIn {
		m, _, err := c.OpenCarry(ctx, m, clerk)
		return m.ID, err
	}
	m.Direction = visit.CarryOut
	out, _, err := c.OpenCarry(ctx, m, clerk)
	if err == nil {
		_, err = c.ShutCarry(ctx, out.ID, clerk)
	}
	return "", err
}

// purpose says what the entries of a day were for.
func (c *counter) purpose(ctx context.Context, e *year.Errand, now time.Time, holder visit.Actor) error {
	day := directory.DateOf(time.UnixMilli(e.FromMS).In(now.Location())).String()
	list, err := c.BlankOf(ctx, holder.Person, day)
	if err == nil && len(list) == 0 {
		err = store.ErrNotFound
	}
	for i := range list {
		if _, more := c.StatePurpose(ctx, list[i].Attempt, "書類の閲覧", holder); more != nil {
			err = errors.Join(err, more)
		}
	}
	return err
}

// grantBy gives somebody a right, on the account of whoever writes it.
func (p *Plant) grantBy(tx *store.Tx, a *year.Act) ([]directory.Change, error) {
	account := "of-" + a.By
	if _, err := tx.AccountByID(account); errors.Is(err, store.ErrNotFound) {
		if err := tx.InsertAccount(store.Account{ID: account, Login: account, FullName: account, Person: a.By, CreatedMS: p.wallMS(), PasswordHash: "x"}); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	changes, err := directory.Update(tx, directory.Actor{Account: account, From: "lan"}, "a made year", p.wallMS(), func(s *directory.Snapshot) error {
		today := directory.DateOf(p.clock().In(p.Year.Zone))
		g := directory.Grant{Person: directory.PersonID(a.Person), Zone: access.ZoneID(a.Word), Schedule: "always", ValidFrom: today, ValidUntil: today.AddDays(30)}
		g.ID = directory.MakeGrantID(g.Person, g.Zone, g.Schedule)
		s.Grants = append(s.Grants, g)
		return nil
	})
	if err == nil {
		err = p.Site.MarkOwn(tx, changes, account)
	}
	return changes, err
}
