package app

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/casework"
	"monban/server/datarequest"
	"monban/server/entrylog"
	"monban/server/privacy"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// rolesIn says what the person is in a visit, "" = nothing. Whoever received the guests is no part of it: that is an act of theirs.
func (p *personPack) rolesIn(v *visit.Visit) string {
	guest, escort := false, slices.ContainsFunc(v.Carriers, func(c visit.Carrier) bool { return c.Person == p.id })
	for i := range v.Guests {
		guest = guest || v.PersonID(i) == p.id
		escort = escort || v.Guests[i].Escort == p.id
	}
	approver := p.mine(v.Decided) && v.State != visit.Withdrawn || v.Oral != nil && v.Oral.Approver == p.id
	return joinRoles(guest, v.Attendee == p.id, escort, p.mine(v.Asked), approver)
}

func (p *personPack) rolesInPermit(x *visit.Permit) string {
	guest := slices.ContainsFunc(x.Guests, func(g visit.Guest) bool { return g.Person == p.id })
	return joinRoles(guest, x.Attendee == p.id, false, p.mine(x.Asked), p.mine(x.Decided))
}

func joinRoles(guest, attendee, escort, applicant, approver bool) string {
	var out []string
	for _, r := range []struct {
		is   bool
		name string
	}{{guest, "来訪者 visitor"}, {attendee, "立会者 attendee"}, {escort, "付添者 escort"}, {applicant, "申請者 applicant"}, {approver, "承認者 approver"}} {
		if r.is {
			out = append(out, r.name)
		}
	}
	return strings.Join(out, "; ")
}

// others says how many other people there are, and nothing of who they are.
func othersCell(n int) string {
	if n <= 0 {
		return ""
	}
	return maskedOther + " × " + strconv.Itoa(n)
}

// visitLists writes visits and standing permits: what the person is in them, and of a guest what was taken down about them.
func (p *personPack) visitLists() error {
	rows := [][]string{{"番号 number", "立場 as", "種類 type", "状態 state", "開始 from", "終了 until", "区域 zones", "目的 purpose", "会社 company", "ほかの来訪者 other guests", "本人確認 identified by", "受付 received", "名札 badge", "返却 returned", "持込品 brought in"}}
	for i := range p.visits {
		v := &p.visits[i]
		row := []string{v.ID, p.rolesIn(v), p.words.Say("visit_type", string(v.Type)), p.words.Say("visit_state", string(v.State)), p.time(v.FromMS), p.time(v.UntilMS), p.zones(v.Zones), v.Purpose}
		others, own := 0, []string{"", "", "", "", ""}
		company := ""
		for j := range v.Guests {
			g := &v.Guests[j]
			if v.PersonID(j) != p.id {
				others++
				continue
			}
			company = cmpCompany(g.Company, v.Company)
			var brought []string
			for _, d := range g.Declared {
				brought = append(brought, strings.TrimSpace(p.words.Say("declared", d.What)+" "+d.Serial))
			}
			own = []string{p.words.Say("identity", string(g.Identity)), p.time(g.Checked.AtMS), g.Label, p.time(g.Returned.AtMS), strings.Join(brought, "; ")}
		}
		rows = append(rows, slices.Concat(row, []string{company, othersCell(others + v.Heads)}, own))
	}
	for i := range p.permits {
		x := &p.permits[i]
		others := len(x.Guests)
		if slices.ContainsFunc(x.Guests, func(g visit.Guest) bool { return g.Person == p.id }) {
			others--
		}
		rows = append(rows, []string{x.ID, p.rolesInPermit(x), "継続入室 standing permit: " + p.words.Say("visit_type", string(x.Type)), p.words.Say("permit_state", x.Head().State), x.First.String(), x.Last.String(), p.zones(x.Zones), x.Purpose, "", othersCell(others), "", "", "", "", ""})
	}
	return p.putList("visits.csv", rows)
}

func cmpCompany(own, all string) string {
	if own != "" {
		return own
	}
	return all
}

// loans lists badges, temporary cards and keys that were lent to the person.
func (p *personPack) loans() error {
	rows := [][]string{{"種類 kind", "番号 number", "貸出物 thing", "目的 purpose", "貸出 lent", "期限 due", "返却 returned", "状態 state", "渡した人 lent by"}}
	state := func(returned visit.Step, lost bool) string {
		switch {
		case lost:
			return "紛失 lost"
		case returned.Done():
			return "返却済 returned"
		}
		return "貸出中 lent"
	}
	for i := range p.visits {
		v := &p.visits[i]
		for j := range v.Guests {
			if g := &v.Guests[j]; v.PersonID(j) == p.id && g.Lent.Done() {
				rows = append(rows, []string{p.words.Say("badge_kind", "visitor"), v.ID, g.Label, "", p.time(g.Lent.AtMS), p.time(v.UntilMS), p.time(g.Returned.AtMS), state(g.Returned, g.Lost), p.by(g.Lent)})
			}
		}
	}
	err := eachMatter(p, visit.KindTemporary, func(t *visit.TemporaryCard, row store.Matter) error {
		if t.Person == p.id && !p.over(&row, t.Returned) {
			p.matters[row.First] = true
			reason := ""
			if p.mine(t.Issued) {
				reason = t.Reason
			}
			rows = append(rows, []string{p.words.Say("badge_kind", "temporary"), t.ID, t.Label, reason, p.time(t.Issued.AtMS), p.time(t.UntilMS), p.time(t.Returned.AtMS), state(t.Returned, t.Lost), p.by(t.Issued)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = eachMatter(p, visit.KindKeyLoan, func(k *visit.KeyLoan, row store.Matter) error {
		if k.Person == p.id {
			p.matters[row.First] = true
			rows = append(rows, []string{"鍵 key", k.ID, k.Label, k.Purpose, p.time(k.Out.AtMS), p.time(k.DueMS), p.time(k.Returned.AtMS), state(k.Returned, k.Lost), p.by(k.Out)})
		}
		return nil
	})
	return errors.Join(err, p.putList("loans.csv", rows))
}

// otherMatters lists stopped cards, emergency entries, equipment and corrections. What others wrote about them is left out, but for what the
// person was told.
func (p *personPack) otherMatters() error {
	rows := [][]string{{"種類 kind", "番号 number", "状態 state", "開始 from", "終了 until", "場所 place", "内容 content", "行った人 by"}}
	add := func(kind string, m visit.Matter, row *store.Matter, state, place, content string, by visit.Step) {
		p.matters[row.First] = true
		h := m.Head()
		rows = append(rows, []string{kind, h.ID, state, p.time(h.FromMS), p.time(h.UntilMS), place, content, p.by(by)})
	}
	own := func(s visit.Step) string { // a note of the person's own
		if p.mine(s) {
			return s.Note
		}
		return ""
	}
	err := errors.Join(
		eachMatter(p, visit.KindSuspension, func(x *visit.Suspension, row store.Matter) error {
			if x.Person != p.id {
				return nil
			}
			words := []string{"カード card " + string(x.Card)}
			if x.Lost {
				words = append(words, "紛失 lost")
			}
			if p.mine(x.Stopped) {
				words = append(words, x.Reason)
			}
			for _, e := range x.Entries {
				if e.Answered.Done() {
					words = append(words, p.time(e.AtMS)+" "+p.door(e.Door)+": "+map[string]string{"yes": "自分 mine", "no": "自分でない not mine"}[e.Mine]+" "+own(e.Answered))
				}
			}
			add("カードの停止 card stopped", x, &row, p.words.Say("stopped_state", x.Head().State), "", strings.Join(words, "; "), x.Stopped)
			return nil
		}),
		eachMatter(p, visit.KindEmergency, func(x *visit.Emergency, row store.Matter) error {
			declared := p.mine(x.Declared) || p.mine(x.Agreed)
			if !declared && !slices.Contains(x.Persons, p.id) {
				return nil
			}
			words := othersCell(len(x.Persons) - min(1, len(x.Persons)))
			if !slices.Contains(x.Persons, p.id) {
				words = othersCell(len(x.Persons))
			}
			if p.mine(x.Declared) {
				words = strings.TrimSpace(x.Reason + " " + words)
			}
			add("災害時等の入室 emergency entry", x, &row, p.words.Say("emergency_state", x.Head().State), p.zones(x.Zones), words, x.Declared)
			return nil
		}),
		eachMatter(p, visit.KindCarry, func(x *visit.Carry, row store.Matter) error {
			if x.Attendee != p.id && x.Impact.Checker != p.id && !p.mine(x.Opened) {
				return nil
			}
			words := []string{x.Purpose}
			for _, i := range x.Items {
				words = append(words, strings.TrimSpace(i.What+" "+i.Serial+" "+i.Asset))
			}
			add("持込・持出 "+p.words.Say("carry_direction", string(x.Direction)), x, &row, map[bool]string{true: "終了 closed", false: "開始 open"}[x.Closed.Done()], p.zoneName(x.Zone), strings.Join(words, "; "), x.Opened)
			return nil
		}),
		eachMatter(p, visit.KindCorrection, func(x *visit.Correction, row store.Matter) error {
			if x.Person != p.id || p.over(&row, x.Asked, x.Decided) {
				return nil
			}
			if tell, err := p.mayTell(x.Attempt); err != nil || !tell {
				return err
			}
			var words []string
			if x.Right.Name != "" {
				words = append(words, "氏名 name "+p.nameOr(x.Right.Name))
			}
			for _, w := range [][2]string{{"名札 badge", x.Right.Badge}, {"目的 purpose", x.Right.Purpose}, {"入室 entered", p.time(x.Right.InMS)}, {"退室 left", p.time(x.Right.OutMS)}, {"申出の理由 asked because", own(x.Asked)}} {
				if w[1] != "" {
					words = append(words, w[0]+" "+w[1])
				}
			}
			by := x.Asked
			if !by.Done() {
				by = x.Decided
			} else if x.Decided.Note != "" {
				words = append(words, "回答 answer "+x.Decided.Note)
			}
			add("訂正 correction", x, &row, map[string]string{"asked": "申出 asked", "refused": "認めない refused", "made": "追記済 appended"}[x.Head().State], p.zoneName(x.Zone), strings.Join(words, "; "), by)
			return nil
		}))
	return errors.Join(err, p.putList("matters.csv", rows))
}

// nameOr is a name that somebody typed, when it is the person's.
func (p *personPack) nameOr(name string) string {
	if x := p.person(); x != nil && unspaced(x.Name) == unspaced(name) {
		return name
	}
	return maskedOther
}

// requests lists the person's own requests about their data, with what they were told, as /me/data does.
func (p *personPack) requests() error {
	rows := [][]string{{"番号 number", "請求 request", "受付 received", "状態 state", "日時 time", "経過 step", "内容 words"}}
	err := eachMatter(p, datarequest.Kind, func(x *datarequest.Record, row store.Matter) error {
		own := x.Own(visit.Actor{Person: p.id})
		for _, a := range p.accounts {
			own = own || x.Own(visit.Actor{Account: a.ID})
		}
		if !own {
			return nil
		}
		p.matters[row.First] = true
		for _, t := range x.Turns {
			words := ""
			switch {
			case t.Done == datarequest.Asked || t.Done == datarequest.Received:
				words = x.Text
			case t.Told():
				words = t.Step.Note
			}
			rows = append(rows, []string{x.ID, p.words.Say("data_want", string(x.Want)), x.Received, p.words.Say("data_state", x.State()), p.time(t.Step.AtMS), p.words.Say("data_done", string(t.Done)), words})
		}
		return nil
	})
	return errors.Join(err, p.putList("requests.csv", rows))
}

// findings lists what had to be looked into about the person and is closed. What is open, what became an incident, and a PIN under duress is in no
// pack, and the readme says so whether there is any or not (ADR 0100).
func (p *personPack) findings() error {
	rows := [][]string{{"日時 time", "種類 kind", "扉 door", "結果 result", "終了 closed"}}
	const page = 500
	q := store.FindingList{Closed: true, FromMS: p.fromMS, ToMS: p.toMS, Limit: page}
	for more := true; more; {
		list, next, err := p.r.FindingPage(q)
		if err != nil {
			return err
		}
		for i := range list {
			f := &list[i]
			q.After = &store.FindingPlace{AtMS: f.AtMS, Idx: f.Idx}
			if review.Kind(f.Kind) == review.PINLocked {
				continue // as a PIN under duress: no alarm about PINs is in a pack
			}
			mine, err := p.concerns(f)
			if err != nil {
				return err
			}
			if !mine {
				continue
			}
			acts, err := p.r.FindingActs(f.Idx)
			if err != nil {
				return err
			}
			var folded []casework.Act
			for _, a := range acts {
				folded = append(folded, casework.Act{Idx: a.Idx, Kind: casework.Kind(a.Kind), AtMS: a.AtMS})
			}
			c := casework.Read(folded)
			if c.Closed == nil || c.Verdict == casework.Incident {
				continue
			}
			rows = append(rows, []string{p.time(f.AtMS), p.words.Finding(review.Kind(f.Kind)), p.door(access.DoorID(f.Door)), p.words.Say("case_verdict", string(c.Verdict)), p.time(c.Closed.AtMS)})
		}
		more = next
	}
	return p.putList("findings.csv", rows)
}

// concerns reports whether a finding is about an entry, a matter or a deed of the person.
func (p *personPack) concerns(f *attempt.Finding) (bool, error) {
	if f.Attempt != [16]byte{} {
		return p.entries[hex.EncodeToString(f.Attempt[:])], nil
	}
	if f.Cause < 0 {
		return false, nil
	}
	if p.matters[f.Cause] {
		return true, nil
	}
	c := caseFile{finding: *f, accounts: map[string]store.Account{}}
	for _, a := range p.accounts {
		c.accounts[a.ID] = a
	}
	if _, err := p.r.MatterBegunBy(f.Cause); !errors.Is(err, store.ErrNotFound) {
		return false, err // of others
	}
	err := c.didCause(p.r)
	return slices.ContainsFunc(c.facts.Accounts, func(id string) bool { return c.accounts[id].ID != "" }), err
}

// over reports whether a matter ended before the days, and each of these steps was taken before.
func (p *personPack) over(row *store.Matter, steps ...visit.Step) bool {
	return row.FromMS < p.fromMS && !row.Open && row.UntilMS != 0 && row.UntilMS <= p.fromMS && !slices.ContainsFunc(steps, func(s visit.Step) bool { return s.AtMS >= p.fromMS })
}

// returned are the steps in which the person gave badges back.
func (p *personPack) returned(v *visit.Visit) (out []visit.Step) {
	for i := range v.Guests {
		if v.PersonID(i) == p.id {
			out = append(out, v.Guests[i].Returned)
		}
	}
	return out
}

// mayTell reports whether what was said of an entry may be told: it is of the days, or before them the person's, and its use is not suspended.
func (p *personPack) mayTell(id string) (bool, error) {
	if p.entries[id] {
		return true, nil
	}
	key, valid := attemptKey(id)
	row, err := p.r.AttemptRow(key)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!valid || row.Opening < 0 || row.Day >= p.days.From.String()) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	o, err := usable(p.r, row.Opening)
	if nobodyReads(err) {
		return false, nil
	}
	return o.Person == string(p.id), err
}

// toldOfExceptions are the fields of an exception that the person is told: not who agreed to it, nor why.
var toldOfExceptions = []string{"subject", "subject_id", "what", "valid_from", "valid_until", "review"}

// changedFields gives what a change may tell. A change of nothing but PINs is not told at all (D10), and whose a card was before names nobody.
func (p *personPack) changedFields(noun string, all []string) (fields []string, tell bool) {
	for _, f := range all {
		if name, _, _ := strings.Cut(f, " "); noun == "exception" && !slices.Contains(toldOfExceptions, name) {
			continue // a reason may have a comma: what follows it is no field
		}
		if slices.ContainsFunc(aboutPINs, func(word string) bool { return strings.HasPrefix(f, word+" ") }) {
			continue
		}
		if who, of := strings.CutPrefix(f, "person_id "); of {
			ids := strings.Split(who, " → ")
			for i := range ids {
				if ids[i] != string(p.id) && ids[i] != "(none)" {
					ids[i] = maskedOther
				}
			}
			f = "person_id " + strings.Join(ids, " → ")
		}
		fields = append(fields, f)
	}
	return fields, len(fields) > 0 || len(all) == 0
}

// lookForKeys notes that a key of the days, or of a year since, is missing. Entries of such a year are found under nobody's number.
func (p *personPack) lookForKeys() error {
	lost, err := p.r.LostKeys()
	for _, x := range lost {
		p.unread = p.unread || x.FiscalYear >= entrylog.FiscalYear(p.fromMS, p.zone)
	}
	return err
}

// readme says in Japanese and in English what the pack is, for what and how long such data is held, what each list is, and what is left out and why.
func (p *personPack) readme() error {
	kept, err := keptYears(p.r)
	if err != nil {
		return err
	}
	uses, err := purposes(p.r)
	if err != nil {
		return err
	}
	var b strings.Builder
	ja, en := p.words.Held(kept)
	write := func(english bool, held []web.HeldData) {
		t := readmeJA
		if english {
			t = readmeEN
		}
		fmt.Fprintf(&b, t.head, p.id, p.days.From, p.days.To, p.time(p.nowMS))
		if p.unread {
			b.WriteString(t.unread)
		}
		b.WriteString(t.held)
		for _, h := range held {
			fmt.Fprintf(&b, t.kind, h.Name, h.Text, h.Kept)
		}
		b.WriteString(t.uses)
		for _, line := range privacy.Notice(uses, english) {
			b.WriteString("- " + line + "\n")
		}
		b.WriteString(t.files + t.left)
	}
	write(false, ja)
	b.WriteString("\n----\n\n")
	write(true, en)
	return p.out.Put("README.txt", []byte("\ufeff"+strings.ReplaceAll(b.String(), "\n", "\r\n")))
}
