package directory

import (
	"fmt"
	"slices"
	"strings"

	"monban/firmware/access"
)

// ruleColumns are the columns of the files that hold what zone rules need.
func ruleColumns(k Kind) []column {
	switch k {
	case KindConditions:
		return []column{{"version", "版", true}, {"text", "本文", true}, {"text_en", "英文", false}, {"valid_from", "有効開始日", false}}
	case KindGroups:
		return []column{{"group_id", "グループ番号", true}, {"name", "グループ名", true}, {"name_en", "英語名", false}, {"section", "所属", false}, {"person_id", "職員番号", false}}
	case KindContracts:
		return []column{
			{"contract_id", "契約番号", true}, {"name", "件名", false}, {"company", "会社名", true}, {"section", "所管課", true},
			{"valid_from", "契約開始日", true}, {"valid_until", "契約終了日", true}, {"tier", "再委託段階", false}, {"approval", "承認番号", false},
			{"person_id", "職員番号", false},
		}
	case KindExceptions:
		return []column{
			{"exception_id", "例外番号", true}, {"subject", "対象区分", true}, {"subject_id", "対象番号", false}, {"what", "例外とする規則", true},
			{"reason", "理由", true}, {"approver", "承認者", true}, {"valid_from", "有効開始日", true}, {"valid_until", "有効期限", true},
			{"review", "見直し日", false}, {"basis", "根拠", false},
		}
	case KindItems:
		return []column{
			{"item_id", "管理番号", true}, {"kind", "種類", true}, {"name", "名称", true}, {"refers", "機器カード番号", false}, {"doors", "扉番号", false},
			{"place", "保管場所", false}, {"owner", "所管課", false}, {"every_days", "棚卸間隔日数", false}, {"state", "状態", false}, {"proof", "廃棄証明", false},
			{"counted", "最終確認日", false}, {"remote", "庁外", false}, {"approval", "庁外設置承認", false},
		}
	case KindEnrolments:
		return []column{
			{"person_id", "職員番号", true}, {"reader", "読取装置", true}, {"reference", "登録番号", true}, {"consent", "同意日", true},
			{"fallback", "代替手段", true}, {"deleted", "削除日", false},
		}
	case KindTransfers:
		return []column{
			{"person_id", "職員番号", true}, {"day", "異動日", true}, {"section", "新所属", false}, {"leave", "退職", false}, {"overlap_days", "引継日数", false},
		}
	}
	return nil
}

// readZoneRules reads the columns of a zone that say what it asks; an empty cell keeps what z has.
func (d *draft) readZoneRules(r *row, z *Zone) {
	if v := r.get("parent"); v == "none" || v == "なし" {
		z.Parent = ""
	} else if v != "" {
		z.Parent = access.ZoneID(v)
		d.later = append(d.later, func() {
			_, ok := d.zones[access.ZoneID(v)]
			d.refers(r, KindZones, "parent", v, ok)
			if ok && d.circle(z.ID) {
				r.fail("parent", "makes the zone lie in itself by way of its parents; correct one of them")
			}
		})
	}
	z.AntiPassback = oneOf(r, "anti_passback", antiPassbacks(), z.AntiPassback)
	if z.AntiPassback != PassbackTimed {
		z.AntiPassbackFor = 0
	}
	z.AntiPassbackFor = r.duration("anti_passback_for", z.AntiPassbackFor, 0, maxPassback)
	z.MaxInside = uint32(r.optional("max_inside", uint64(z.MaxInside), 0, maxCount))
	z.MinInside = uint32(r.optional("min_inside", uint64(z.MinInside), 0, maxCount))
	z.TwoPersonWithin = r.duration("two_person_within", z.TwoPersonWithin, 0, maxZoneSpan)
	if z.TwoPersonWithin == 0 {
		z.TwoPersonAlways, z.StaffNeeded = false, false
	}
	z.TwoPersonAlways = oneOf(r, "two_person_always", yesNo(), z.TwoPersonAlways)
	z.StaffNeeded = oneOf(r, "staff_needed", yesNo(), z.StaffNeeded)
	z.Escort = oneOf(r, "escort", escorts(), z.Escort)
	if z.Escort == EscortNone {
		z.EscortRatio, z.EscortWithin, z.EscortGrace = 0, 0, 0
	}
	z.EscortRatio = uint32(r.optional("escort_ratio", uint64(z.EscortRatio), 0, maxRatio))
	z.EscortWithin = r.duration("escort_within", z.EscortWithin, 0, maxZoneSpan)
	z.EscortGrace = r.duration("escort_grace", z.EscortGrace, 0, maxZoneSpan)
	z.Training = oneOf(r, "training", trainings(), z.Training)
	z.Conditions = uint32(r.optional("conditions", uint64(z.Conditions), 0, 1<<16))
	if _, ok := d.conditions[z.Conditions]; !ok && z.Conditions != 0 {
		r.fail("conditions", "is a version that does not exist; import it with conditions.csv first or correct it")
	}
	z.CarryIn = oneOf(r, "carry_in", carryIns(), z.CarryIn)
	z.Basis = d.text(r, "basis", z.Basis)
}

// circle reports whether a zone lies in itself.
func (d *draft) circle(id access.ZoneID) bool {
	at := d.zones[id].Parent
	for range len(d.zones) {
		if at == "" {
			return false
		}
		if at == id {
			return true
		}
		at = d.zones[at].Parent
	}
	return true
}

func (d *draft) readConditions(r *row) {
	c := Conditions{
		Version: uint32(r.number("version", 1, 1<<16)), Text: lines(r.need("text")), TextEN: lines(r.get("text_en")), From: d.date(r, "valid_from", Date{}),
	}
	d.name(r, KindConditions, "version", fmt.Sprint(c.Version))
	r.check("text", c.validate())
	if old, there := d.conditions[c.Version]; there && !r.bad {
		c.From, c.TextEN = firstSet(c.From, old.From), orOld(c.TextEN, old.TextEN)
		if old != c {
			r.fail("version", "exists with another text or day; somebody may have acknowledged it, so give the new text a new version")
		}
	}
	if !r.bad {
		d.conditions[c.Version] = c
	}
}

// lines makes line breaks those of Unix.
func lines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

func orOld(s, old string) string {
	if s == "" {
		return old
	}
	return s
}

// readGroup reads one member; rows with the same group_id add up. The first row of a group in a file
// replaces the members it had; a row without person_id adds nobody.
func (d *draft) readGroup(r *row, fresh map[string]bool) {
	id := GroupID(r.need("group_id"))
	g := d.groups[id]
	first := !fresh[string(id)]
	if first {
		g = Group{ID: id, NameEN: g.NameEN, Section: g.Section}
		fresh[string(id)] = true
		d.named[string(KindGroups)+" "+string(id)] = fmt.Sprintf("%s:%d", r.t.file, r.line)
	}
	g.Name = d.sameInAllRows(r, "name", g.Name, r.need("name"))
	g.NameEN = d.text(r, "name_en", g.NameEN)
	g.Section = d.text(r, "section", g.Section)
	g.Members = d.addPerson(r, g.Members)
	r.check("group_id", g.validate())
	if !r.bad {
		d.groups[id] = g
	}
}

// addPerson adds the person of a row to a sorted list.
func (d *draft) addPerson(r *row, list []PersonID) []PersonID {
	id := PersonID(r.get("person_id"))
	if id == "" {
		return list
	}
	_, ok := d.people[id]
	d.refers(r, KindPeople, "person_id", string(id), ok)
	at, twice := slices.BinarySearch(list, id)
	if twice {
		r.fail("person_id", "stands twice; keep one row")
		return list
	}
	return slices.Insert(slices.Clone(list), at, id)
}

// sameInAllRows insists that the rows of one group or contract agree.
func (d *draft) sameInAllRows(r *row, column, before, now string) string {
	if before != "" && now != "" && before != now {
		r.fail(column, "differs from the row before; all rows with one number are the same here")
	}
	return orOld(now, before)
}

// readContract reads one worker, as readGroup does a member.
func (d *draft) readContract(r *row, fresh map[string]bool) {
	id := ContractID(r.need("contract_id"))
	c := d.contracts[id]
	if !fresh[string(id)] {
		c = Contract{ID: id, Name: c.Name, Tier: c.Tier, Approval: c.Approval}
		if r.get("name") != "" || d.cfg.whole {
			c.Name = ""
		}
		if r.get("approval") != "" || d.cfg.whole {
			c.Approval = ""
		}
		fresh[string(id)] = true
		d.named[string(KindContracts)+" "+string(id)] = fmt.Sprintf("%s:%d", r.t.file, r.line)
	}
	c.Name = d.sameInAllRows(r, "name", c.Name, r.get("name"))
	c.Company = d.sameInAllRows(r, "company", c.Company, r.need("company"))
	c.Section = d.sameInAllRows(r, "section", c.Section, r.need("section"))
	c.Approval = d.sameInAllRows(r, "approval", c.Approval, r.get("approval"))
	r.need("valid_from")
	r.need("valid_until")
	c.ValidFrom, c.ValidUntil = d.date(r, "valid_from", Date{}), d.date(r, "valid_until", Date{})
	c.Tier = int(r.optional("tier", uint64(max(c.Tier, 1)), 1, maxTier))
	c.Workers = d.addPerson(r, c.Workers)
	r.check("contract_id", c.validate())
	if !r.bad {
		d.contracts[id] = c
	}
}

func (d *draft) readException(r *row) {
	x := Exception{
		ID: ExceptionID(r.need("exception_id")), Subject: oneOf(r, "subject", exceptionSubjects(), ""), SubjectID: r.get("subject_id"),
		What: r.need("what"), Reason: r.need("reason"), Approver: r.need("approver"), Basis: r.get("basis"),
		From: d.date(r, "valid_from", Date{}), Until: d.date(r, "valid_until", Date{}), Review: d.date(r, "review", Date{}),
	}
	d.name(r, KindExceptions, "exception_id", string(x.ID))
	switch x.Subject {
	case "zone":
		_, ok := d.zones[access.ZoneID(x.SubjectID)]
		d.refers(r, KindZones, "subject_id", x.SubjectID, ok)
	case "person":
		_, ok := d.people[PersonID(x.SubjectID)]
		d.refers(r, KindPeople, "subject_id", x.SubjectID, ok)
	case "door":
		_, ok := d.doors[access.DoorID(x.SubjectID)]
		d.refers(r, KindDoors, "subject_id", x.SubjectID, ok)
	}
	r.check("exception_id", x.validate())
	if !r.bad {
		d.exceptions[x.ID] = x
	}
}

func (d *draft) readItem(r *row) {
	id := ItemID(r.need("item_id"))
	old, existed := d.items[id]
	d.name(r, KindItems, "item_id", string(id))
	x := old
	x.ID, x.Name = id, r.need("name")
	if r.need("kind") != "" {
		x.Kind = oneOf(r, "kind", itemKinds(), "")
	}
	if !existed {
		x.State = ItemPresent
	}
	x.State = oneOf(r, "state", itemStates(), x.State)
	x.Refers, x.Place, x.Owner, x.Proof = orOld(r.get("refers"), old.Refers), orOld(r.get("place"), old.Place), orOld(r.get("owner"), old.Owner), orOld(r.get("proof"), old.Proof)
	x.Counted, x.Remote, x.Approval = d.date(r, "counted", old.Counted), oneOf(r, "remote", yesNo(), old.Remote), orOld(r.get("approval"), old.Approval)
	x.Every = int(r.optional("every_days", uint64(old.Every), 0, maxItemEvery))
	if v := r.get("doors"); v != "" {
		ids := slices.Compact(slices.Sorted(slices.Values(strings.FieldsFunc(v, func(c rune) bool { return strings.ContainsRune(" \u3000・、;/", c) }))))
		for _, id := range ids {
			_, ok := d.doors[access.DoorID(id)]
			d.refers(r, KindDoors, "doors", id, ok)
		}
		x.Doors = strings.Join(ids, " ")
	}
	switch x.Kind {
	case ItemCard:
		_, ok := d.cards[CardID(x.Refers)]
		d.refers(r, KindCards, "refers", x.Refers, ok)
	case ItemGateway:
		_, ok := d.gateways[access.GatewayID(x.Refers)]
		d.refers(r, KindGateways, "refers", x.Refers, ok)
	case ItemPlace:
		_, ok := d.zones[access.ZoneID(x.Refers)]
		d.refers(r, KindZones, "refers", x.Refers, ok)
	}
	r.check("item_id", x.validate())
	if !r.bad {
		d.items[id] = x
	}
}

func (d *draft) readEnrolment(r *row) {
	e := Enrolment{Person: PersonID(r.need("person_id")), Reader: r.need("reader"), Reference: r.need("reference")}
	old := d.enrolments[e.key()]
	_, ok := d.people[e.Person]
	d.refers(r, KindPeople, "person_id", string(e.Person), ok)
	d.name(r, KindEnrolments, "person_id", e.key())
	e.Consent, e.Deleted = d.date(r, "consent", old.Consent), d.date(r, "deleted", old.Deleted)
	e.Fallback = oneOf(r, "fallback", fallbacks(), old.Fallback)
	r.check("reference", e.validate())
	if !r.bad {
		d.enrolments[e.key()] = e
	}
}
