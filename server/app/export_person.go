package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/policypub"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// What stands for people in what somebody is handed about themselves (PR-3).
const (
	maskedOther = "第三者 (third party)"
	selfCell    = "本人 (yourself)"
	systemCell  = "システム (system)"
)

// personPack writes what somebody may ask for about themselves (PR-3, ADR 0100), a list for each kind of data. A kind of which there is nothing is an
// empty list.
type personPack struct {
	*exporter
	ctx    context.Context
	r      store.Reader
	out    *logcheck.PackWriter
	id     directory.PersonID
	days   *PackExport
	dir    *directory.Snapshot
	site   *visit.Site
	words  web.Both
	nowMS  int64
	fromMS int64 // [fromMS, toMS) are the days
	toMS   int64

	accounts []store.Account // of the person
	visits   []visit.Visit
	permits  []visit.Permit
	others   *nameMask       // full names of everybody else
	entries  map[string]bool // ids of the lines whose use is not suspended
	matters  map[int64]bool  // first leaves of the matters that are about the person
	rows     int             // of all lists so far
	unread   bool            // something could not be read since its key is missing: whose it is nobody knows
}

// person is the pack of kind person.
func (x *exporter) person(ctx context.Context, r store.Reader, out *logcheck.PackWriter, ask *PackExport, progress packProgress) error {
	if ask.Person == "" {
		return errors.New("export: no person named")
	}
	p := &personPack{exporter: x, ctx: ctx, r: r, out: out, id: ask.Person, days: ask, nowMS: x.now().UnixMilli(), entries: map[string]bool{}, matters: map[int64]bool{}}
	p.fromMS, p.toMS = directory.Date(ask.From).StartMS(x.zone), directory.Date(ask.To).EndMS(x.zone)
	if err := p.load(); err != nil {
		return err
	}
	if err := p.lines(progress); err != nil {
		return err
	}
	if err := p.lookForKeys(); err != nil {
		return err
	}
	for _, write := range []func() error{p.masterData, p.visitLists, p.loans, p.otherMatters, p.requests, p.findings, p.log, p.accountData} {
		if err := errors.Join(ctx.Err(), write()); err != nil {
			return err
		}
	}
	if p.person() == nil && p.rows == 0 && !p.unread { // a number typed wrong is no person of whom nothing is held
		return fmt.Errorf("export: nobody has the number %q in the directory, and nothing is held under it of these days: check the number", p.id)
	}
	return p.readme()
}

// load reads the directory, the person's accounts and visits, and who else there is.
func (p *personPack) load() (err error) {
	dir, err := p.r.Directory()
	if err != nil {
		return err
	}
	p.dir = &dir
	if p.words, err = web.InBoth(); err != nil {
		return err
	}
	if p.site, err = policypub.VisitSite(p.r, &dir, p.zone); err != nil {
		return err
	}
	all, err := p.r.Accounts()
	if err != nil {
		return err
	}
	names := newNameMask(p.person)
	words := placeWords(&dir)
	for i := range dir.People {
		if x := &dir.People[i]; x.ID != p.id {
			names.add(x.Name, x.NameReduced, x.Kana, x.Romaji)
			if !words[unspaced(x.Name)] {
				names.addShort(x.Name, x.NameReduced)
			}
		}
	}
	for _, a := range all {
		if a.Person == string(p.id) {
			p.accounts = append(p.accounts, a)
		} else if !words[unspaced(a.FullName)] { // several people's account may have their section's name
			names.add(a.FullName)
		}
	}
	guests := func(list []visit.Guest) {
		for i := range list {
			if g := &list[i]; g.Person != p.id {
				names.add(g.Name, g.Kana)
			}
		}
	}
	err = eachMatter(p, visit.KindVisit, func(v *visit.Visit, row store.Matter) error {
		if p.rolesIn(v) != "" && !p.over(&row, p.returned(v)...) {
			p.visits = append(p.visits, *v)
			p.matters[row.First] = true
			for i := range v.Guests {
				if g := &v.Guests[i]; v.PersonID(i) != p.id {
					names.add(g.Name, g.Kana)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = eachMatter(p, visit.KindPermit, func(x *visit.Permit, _ store.Matter) error {
		if p.rolesInPermit(x) != "" {
			p.permits = append(p.permits, *x)
			guests(x.Guests)
		}
		return nil
	})
	names.finish()
	p.others = names
	return err
}

// person gives the directory's row, nil = not there any more.
func (p *personPack) person() *directory.Person {
	if i := slices.IndexFunc(p.dir.People, func(x directory.Person) bool { return x.ID == p.id }); i >= 0 {
		return &p.dir.People[i]
	}
	return nil
}

// eachMatter gives the matters of a kind that count on the days; what was disposed of is not among them.
func eachMatter[T any, P interface {
	*T
	visit.Matter
}](p *personPack, kind string, f func(m P, row store.Matter) error) error {
	rows, err := p.r.MattersBetween(kind, 0, p.toMS)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if !slices.Contains([]string{visit.KindVisit, visit.KindTemporary, visit.KindCorrection}, kind) && p.over(&row) {
			continue // of the others f says: their steps are not in the row
		}
		m, err := read[T, P](p.r, row)
		if errors.Is(err, store.ErrErased) {
			p.unread = p.unread || errors.Is(err, store.ErrKeyMissing)
			continue
		}
		if err == nil {
			err = f(m, row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mine reports whether the person took a step.
func (p *personPack) mine(s visit.Step) bool {
	return s.Done() && (s.Person == p.id || slices.ContainsFunc(p.accounts, func(a store.Account) bool { return a.ID == s.Account }))
}

// by says who took a step: nobody else is named.
func (p *personPack) by(s visit.Step) string {
	switch {
	case !s.Done():
		return ""
	case p.mine(s):
		return selfCell
	case s.Account == "" && s.Person == "":
		return systemCell
	}
	return maskedOther
}

// putList writes a list; the full name of anybody else is masked in each cell, whoever typed it.
func (p *personPack) putList(name string, rows [][]string) error {
	p.rows += len(rows) - 1
	for _, row := range rows[1:] {
		for i := range row {
			row[i] = p.others.Replace(row[i])
		}
	}
	return putCSV(p.out, name, rows)
}

func (p *personPack) door(id access.DoorID) string {
	for i := range p.dir.Doors {
		if d := &p.dir.Doors[i]; d.ID == id {
			return inBoth(d.Name, d.NameEN)
		}
	}
	return string(id)
}

func (p *personPack) zoneName(id access.ZoneID) string {
	for i := range p.dir.Zones {
		if z := &p.dir.Zones[i]; z.ID == id {
			return inBoth(z.Name, z.NameEN)
		}
	}
	return string(id)
}

func inBoth(name, english string) string {
	if english == "" || english == name {
		return name
	}
	return name + " / " + english
}

func (p *personPack) zones(ids []access.ZoneID) string {
	var out []string
	for _, id := range ids {
		out = append(out, p.zoneName(id))
	}
	return strings.Join(out, "; ")
}

// lines writes the person's entries and denied attempts, readable, and the proof of each record. An opening that names somebody else is not
// shown: its record is proved all the same.
func (p *personPack) lines(progress packProgress) error {
	list, err := p.r.OfPerson(string(p.id), p.days.From.String(), p.days.To.String())
	if err != nil {
		return err
	}
	own, err := ownEntries(p.r, p.site, p.id, list, p.nowMS)
	if err != nil {
		return err
	}
	rows, err := p.readable(p.r, list, func(o *entrylog.Opening) (name, section, escort string) {
		if o.Escort != "" {
			escort = maskedOther
		}
		if o.Person != string(p.id) {
			return maskedOther, "", escort
		}
		return o.Name, o.Section, escort
	})
	if err != nil {
		return err
	}
	rows[0] = append(rows[0], "入室目的 purpose", "退室の申出 exit stated")
	for i := range own { // the same lines in the same order
		row := &rows[i+1]
		leaves, err := p.ownLeaves(&list[i])
		if err != nil {
			return err
		}
		(*row)[11] = strings.Trim(fmt.Sprint(leaves), "[]")
		withheld := (*row)[4] == erasedCell || (*row)[4] == suspendedCell
		e := &own[i]
		(*row)[2], (*row)[3] = p.door(e.Door), p.words.Say("side", (*row)[3])
		(*row)[7], (*row)[8], (*row)[9] = p.words.Say("event", (*row)[7]), p.words.Say("reason", (*row)[8]), p.words.Say("event", (*row)[9])
		if withheld {
			*row = append(*row, "", "")
			continue
		}
		p.entries[e.Attempt] = true
		*row = append(*row, e.Purpose, p.time(e.LeftMS))
	}
	if err := p.putList("lines.csv", rows); err != nil {
		return err
	}
	return p.proofs(list, progress)
}

// ownLeaves lists the leaves of an entry without those of findings: such a leaf says in clear that something is looked into, or that a PIN was
// given under duress (D10).
func (p *personPack) ownLeaves(row *attempt.Row) (out []int64, err error) {
	all, err := p.r.AttemptLeaves(row.First)
	if err != nil {
		return nil, err
	}
	for _, idx := range all {
		l, err := p.r.Leaf(idx)
		if err != nil {
			return nil, err
		}
		if l.Kind == entrylog.KindRecord || l.Kind == entrylog.KindDecision {
			out = append(out, idx)
		}
	}
	return out, nil
}

func (p *personPack) proofs(list []attempt.Row, progress packProgress) error {
	about := mayShowTo(p.id)
	show := func(kind entrylog.Kind, o *entrylog.Opening) bool {
		return about(kind, o) && p.others.Replace(o.Purpose) == o.Purpose
	}
	for i := range list {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if progress != nil {
			progress(i, len(list))
		}
		leaves, err := p.ownLeaves(&list[i])
		if err != nil {
			return err
		}
		for _, leaf := range leaves {
			proof, err := provedLeaf(p.r, leaf, p.keys, true, show)
			if errors.Is(err, store.ErrNotSigned) || errors.Is(err, store.ErrErased) {
				continue // its line says which leaf; of one not signed yet the next pack has the proof
			}
			if err != nil {
				return err
			}
			if err := p.out.Put(fmt.Sprintf("proofs/leaf-%d.tlog-proof", leaf), proof.Text()); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownRows is the part of the directory that is about the person. Of lists of people it has this one alone.
func (p *personPack) ownRows() (own directory.Snapshot) {
	if x := p.person(); x != nil {
		own.People = append(own.People, *x)
	}
	for _, c := range p.dir.Credentials {
		if c.Person == p.id {
			own.Credentials = append(own.Credentials, c)
		}
	}
	only := []directory.PersonID{p.id}
	for _, g := range p.dir.Groups {
		if slices.Contains(g.Members, p.id) {
			g.Members = only
			own.Groups = append(own.Groups, g)
		}
	}
	for _, c := range p.dir.Contracts {
		if slices.Contains(c.Workers, p.id) {
			c.Workers = only
			own.Contracts = append(own.Contracts, c)
		}
	}
	for _, x := range p.dir.Exceptions {
		if x.Subject == "person" && x.SubjectID == string(p.id) {
			x.Approver, x.Reason = maskedOther, ""
			own.Exceptions = append(own.Exceptions, x)
		}
	}
	for _, e := range p.dir.Enrolments {
		if e.Person == p.id {
			own.Enrolments = append(own.Enrolments, e)
		}
	}
	for _, t := range p.dir.Transfers {
		if t.Person == p.id {
			own.Transfers = append(own.Transfers, t)
		}
	}
	for _, x := range p.dir.Rounds {
		x.Answers = slices.DeleteFunc(slices.Clone(x.Answers), func(a directory.Answer) bool { return a.Person != p.id })
		if len(x.Answers) > 0 {
			own.Rounds = append(own.Rounds, x)
		}
	}
	return own
}

// aboutPINs are fields that nobody is told: whether there is a PIN for duress is told to nobody who may stand behind the person (D10).
var aboutPINs = []string{"pin", "duress_pin"}

// masterData lists what the directory says, as it stands.
func (p *personPack) masterData() error {
	rows := [][]string{{"種類 kind", "番号 number", "項目 item", "内容 value"}}
	for _, c := range directory.Diff(directory.Snapshot{}, p.ownRows()) {
		for _, f := range c.Values() {
			if f.Is == "" || slices.Contains(aboutPINs, f.Name) {
				continue
			}
			name, value := p.words.Value(f)
			if f.Name == "zone" {
				value = p.zoneName(access.ZoneID(f.Is))
			}
			rows = append(rows, []string{p.words.Say("change_noun", c.Noun()), c.ID(), name, value})
		}
	}
	return p.putList("person.csv", rows)
}

// rights lists why the person may enter where, as it stands, and when each right was given.
func (p *personPack) rights(past *directory.Past) error {
	given := map[directory.GrantID]directory.Giving{}
	for _, r := range past.Rights() {
		if r.Person == p.id {
			g := r.Given
			if r.Joined.Leaf > g.Leaf {
				g = r.Joined
			}
			given[r.Grant.ID] = g
		}
	}
	schedules := map[directory.ScheduleID]string{}
	for i := range p.dir.Schedules {
		schedules[p.dir.Schedules[i].ID] = inBoth(p.dir.Schedules[i].Name, p.dir.Schedules[i].NameEN)
	}
	rows := [][]string{{"区域 zone", "許可 by", "グループ group", "時間帯 hours", "初日 from", "末日 until", "状態 state", "根拠 basis", "付与 given", "付与した人 given by"}}
	for _, r := range p.dir.RightsOf(p.id, directory.DateOf(time.UnixMilli(p.nowMS).In(p.zone))) {
		g, by, group := given[r.Grant.ID], "own", ""
		if r.Group != nil {
			by, group = "group", inBoth(r.Group.Name, r.Group.NameEN)
		}
		rows = append(rows, []string{p.zoneName(r.Grant.Zone), p.words.Say("right_by", by), group, cmp.Or(schedules[r.Grant.Schedule], string(r.Grant.Schedule)), r.Grant.ValidFrom.String(), r.Grant.ValidUntil.String(),
			p.words.Say("right_state", cmp.Or(r.Why, "holds")), r.Grant.Basis, p.time(g.AtMS), p.by(visit.Step{Account: cmp.Or(g.Account, "cli"), AtMS: g.AtMS})})
	}
	return p.putList("rights.csv", rows)
}

var opWords = map[directory.Op]string{directory.OpAdd: "追加 added", directory.OpChange: "変更 changed", directory.OpRemove: "削除 removed"}

// log walks through what people did: what changed about the person, and what the person did on the pages.
func (p *personPack) log() error {
	past := directory.NewPast()
	changes := [][]string{{"日時 time", "種類 kind", "操作 change", "番号 number", "内容 values", "操作した人 by"}}
	acts := [][]string{{"日時 time", "操作 act", "対象 target", "結果 result", "経路 from", "アドレス address", "操作した人 by"}}
	own := map[string]bool{}
	for _, a := range p.accounts {
		own[a.ID] = true
	}
	err := eachAction(p.ctx, p.r, func(leaf int64, act *entrylog.Action) error {
		in := act.AtMS >= p.fromMS && act.AtMS < p.toMS
		d := directory.Deed{Leaf: leaf, AtMS: act.AtMS, Account: act.Account, Verb: act.Verb, Noun: act.Target, ID: act.ID}
		op, changed := d.Op()
		changed = changed && act.Result == "ok" && slices.Contains([]string{"person", "card", "grant", "group", "enrolment", "transfer", "exception"}, act.Target)
		about := in && (own[act.Account] || act.Target == "account" && own[act.ID])
		if !about && !(changed && in) && !past.Concerns(act.Target) {
			return nil
		}
		o, err := usable(p.r, leaf)
		if err != nil && !nobodyReads(err) {
			return err
		}
		p.unread = p.unread || errors.Is(err, store.ErrKeyMissing)
		d.ID, d.Text = cmp.Or(d.ID, o.Target), o.Text
		by := p.by(visit.Step{Account: cmp.Or(act.Account, act.From), AtMS: act.AtMS})
		if act.From == "job" {
			by = systemCell
		}
		was := past.Member(directory.GroupID(d.ID), p.id)
		if past.Concerns(act.Target) && act.Result == "ok" {
			past.Add(d)
		}
		if is := past.Member(directory.GroupID(d.ID), p.id); act.Target == "group" && in && was != is {
			op = directory.OpAdd
			if was {
				op = directory.OpRemove
			}
			changes = append(changes, []string{p.time(act.AtMS), p.words.Say("change_noun", "group"), opWords[op], d.ID, "", by})
		}
		if changed && in && act.Target != "group" && o.Subject == string(p.id) {
			if fields, tell := p.changedFields(act.Target, d.Fields()); tell {
				changes = append(changes, []string{p.time(act.AtMS), p.words.Say("change_noun", act.Target), opWords[op], d.ID, strings.Join(fields, ", "), by})
			}
		}
		if about {
			address := ""
			if own[act.Account] {
				address = o.Address // another's is theirs
			}
			acts = append(acts, []string{p.time(act.AtMS), act.Verb, act.Target, act.Result, act.From, address, by})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(p.rights(past), p.putList("changes.csv", changes), p.putList("acts.csv", acts))
}

// accountData lists the accounts of the person and what belongs to them. No secret is among it: of keys and tokens the names.
func (p *personPack) accountData() error {
	rows := [][]string{{"種類 kind", "名称 name", "内容 value", "開始 from", "終了 until", "最後の使用 last used"}}
	for _, a := range p.accounts {
		add := func(kind, name, value string, from, until int64, last string) {
			rows = append(rows, []string{kind, name, value, p.time(from), p.time(until), last})
		}
		add("アカウント account", a.Login, a.FullName, a.CreatedMS, 0, p.time(a.LastLoginMS))
		if a.Suspended {
			add("停止中 suspended", a.Login, "", 0, 0, "")
		}
		for _, r := range a.Roles {
			add("役割 role", p.words.Say("role", r.Role), p.zoneName(access.ZoneID(r.Zone)), r.FromMS, r.UntilMS, "")
		}
		asked, err := p.r.AccountRequestsFor(a.ID)
		if err != nil {
			return err
		}
		for _, q := range asked {
			why := ""
			if q.AskedBy == a.ID {
				why = q.Why
			}
			add("アカウントの申請 request", strings.TrimSpace(q.Kind+" "+p.words.Say("role", q.Role)), strings.TrimSpace(q.State+" "+why), q.AskedMS, q.UntilMS, p.time(q.DecidedMS))
		}
		keys, err := p.r.Passkeys(a.ID)
		if err != nil {
			return err
		}
		for _, k := range keys {
			add("パスキー passkey", k.Name, k.RP, k.CreatedMS, 0, p.time(k.UsedMS))
		}
		code, err := p.r.TOTP(a.ID)
		if err == nil {
			add("確認コード one-time codes", "", "", code.CreatedMS, 0, p.time(code.UsedMS))
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		left, err := p.r.RecoveryCodesLeft(a.ID)
		if err != nil {
			return err
		}
		if left > 0 {
			add("予備コード recovery codes", "", strconv.Itoa(left), 0, 0, "")
		}
		elsewhere, err := p.r.ExternalIdentities(a.ID)
		if err != nil {
			return err
		}
		for _, e := range elsewhere {
			add("外部の認証 identity elsewhere", e[0], e[1], 0, 0, "")
		}
		sessions, err := p.r.AccountSessions(a.ID, p.nowMS)
		if err != nil {
			return err
		}
		for _, s := range sessions {
			add("接続中 session", s.Address, s.Agent, s.CreatedMS, s.ExpiresMS, p.time(s.SeenMS))
		}
		tokens, err := p.r.AccountTokens(a.ID)
		if err != nil {
			return err
		}
		for _, k := range tokens {
			add("API トークン token", k.Name, strings.Join(k.Roles, " "), k.CreatedMS, cmp.Or(k.RevokedMS, k.ExpiresMS), k.UsedDay)
		}
	}
	return p.putList("accounts.csv", rows)
}
