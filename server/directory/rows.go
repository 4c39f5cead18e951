package directory

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

// columnsOf lists the columns of each kind of file: English name, Japanese name, required.
func columnsOf(k Kind) []column {
	switch k {
	case KindPeople:
		return []column{
			{"person_id", "職員番号", true}, {"name", "氏名", true}, {"name_reduced", "縮退氏名", false},
			{"kana", "フリガナ", false}, {"romaji", "ローマ字", false}, {"section", "所属", true},
			{"company", "会社名", false}, {"category", "区分", true}, {"active", "有効", false},
			{"valid_from", "有効開始日", false}, {"valid_until", "有効期限", false},
			{"contract_from", "契約開始日", false}, {"contract_until", "契約終了日", false}, {"kind", "種別", false},
			{"training_until", "研修有効期限", false}, {"conditions", "遵守事項確認版", false}, {"may_escort", "付添い可", false},
		}
	case KindCards:
		return []column{
			{"card_id", "カード管理番号", true}, {"person_id", "職員番号", true}, {"format", "形式", true},
			{"facility_code", "施設コード", true}, {"card_number", "カード番号", true},
			{"assurance", "保証水準", false}, {"status", "状態", false},
			{"valid_from", "有効開始日", false}, {"valid_until", "有効期限", false},
			{"pin", "暗証番号", false}, {"duress_pin", "強要時暗証番号", false},
		}
	case KindZones:
		return []column{
			{"zone_id", "区域番号", true}, {"name", "区域名", true}, {"name_en", "英語名", false},
			{"level", "レベル", true}, {"min_assurance", "最低保証水準", false}, {"pin_always", "常に暗証番号", false},
			{"offline_grant_and_flag", "オフライン時許可", false}, {"parent", "上位区域", false},
			{"anti_passback", "二重入室防止", false}, {"anti_passback_for", "再入室禁止時間", false},
			{"max_inside", "最大人数", false}, {"min_inside", "最小人数", false},
			{"two_person_within", "二人入室の間隔", false}, {"two_person_always", "常に二人", false}, {"staff_needed", "職員必須", false},
			{"escort", "付添い", false}, {"escort_ratio", "付添い一人当たり人数", false}, {"escort_within", "付添いの間隔", false},
			{"escort_grace", "付添い離席猶予", false}, {"training", "研修", false}, {"conditions", "遵守事項版", false},
			{"carry_in", "持込み", false}, {"basis", "根拠", false},
		}
	case KindGateways:
		return []column{{"gateway_id", "ゲートウェイ番号", true}, {"name", "名称", true}, {"key_mode", "鍵の保管", false}}
	case KindDoors:
		return []column{
			{"door_id", "扉番号", true}, {"name", "扉名", true}, {"name_en", "英語名", false},
			{"gateway_id", "ゲートウェイ番号", true}, {"enter_zone", "入室側区域", true}, {"exit_zone", "退室側区域", false},
			{"kind", "種類", true}, {"exit", "退室検知", true}, {"offline", "オフライン動作", false},
			{"max_age", "規則の最大経過時間", false}, {"mode", "モード", false},
			{"guards_server", "サーバを守る扉", false}, {"recovery_cards", "復旧カード", false}, {"remote_unlock", "遠隔解錠", false},
			{"interlock", "インターロック扉", false},
		}
	case KindSchedules:
		return []column{
			{"schedule_id", "時間帯番号", true}, {"name", "時間帯名", true}, {"name_en", "英語名", false},
			{"days", "曜日", true}, {"from", "開始", true}, {"to", "終了", true},
			{"date", "特定日", false}, {"first_day", "適用開始日", false}, {"last_day", "適用終了日", false},
		}
	case KindGrants:
		return []column{
			{"person_id", "職員番号", false}, {"group_id", "グループ番号", false}, {"zone_id", "区域番号", true}, {"schedule_id", "時間帯番号", true},
			{"valid_from", "有効開始日", false}, {"valid_until", "有効期限", false}, {"basis", "根拠", false},
		}
	case KindClosedDays:
		return []column{{"date", "国民の祝日・休日月日", true}, {"name", "国民の祝日・休日名称", true}}
	}
	return ruleColumns(k)
}

func (d *draft) readZone(r *row) {
	id := access.ZoneID(r.need("zone_id"))
	old, known := d.zones[id]
	d.name(r, KindZones, "zone_id", string(id))
	z := old
	z.ID, z.Name, z.NameEN, z.Level = id, r.need("name"), r.get("name_en"), int(r.number("level", 1, 3))
	if !known || z.Level != old.Level {
		z.raise()
	}
	d.zoneRows[id] = r
	z.MinAssurance = oneOf(r, "min_assurance", assurances(), z.MinAssurance)
	if z.MinAssurance == card.AssuranceUnknown && !r.bad {
		// Nobody would get in, and no policy can be made of it. What a card must prove is a person's choice (AD-4).
		r.check("min_assurance", "is empty; write uid_only, card_auth or mutual_auth: what a card must prove here")
	}
	z.PINAlways = oneOf(r, "pin_always", yesNo(), z.PINAlways)
	z.OfflineGrantAndFlag = oneOf(r, "offline_grant_and_flag", yesNo(), z.OfflineGrantAndFlag)
	d.readZoneRules(r, &z)
	r.check("zone_id", z.validate())
	if !r.bad {
		d.zones[id] = z
	}
}

func (d *draft) readGateway(r *row) {
	id := access.GatewayID(r.need("gateway_id"))
	g := Gateway{ID: id, Name: r.need("name"), KeyMode: oneOf(r, "key_mode", keyModes(), d.gateways[id].KeyMode)}
	d.name(r, KindGateways, "gateway_id", string(g.ID))
	r.check("gateway_id", g.validate())
	if !r.bad {
		d.gateways[g.ID] = g
	}
}

// readSchedule reads one window; rows with the same schedule_id add up. The first row of a schedule
// in a file replaces the windows it had.
func (d *draft) readSchedule(r *row, cleared map[ScheduleID]bool) {
	id := ScheduleID(r.need("schedule_id"))
	s := d.schedules[id]
	if !cleared[id] {
		s = Schedule{ID: id, NameEN: s.NameEN, ValidFrom: s.ValidFrom, ValidUntil: s.ValidUntil}
		if d.cfg.whole {
			s.ValidFrom, s.ValidUntil = Date{}, Date{}
		}
		cleared[id] = true
		d.named[string(KindSchedules)+" "+string(id)] = fmt.Sprintf("%s:%d", r.t.file, r.line)
	}
	if name := r.need("name"); s.Name == "" {
		s.Name = name
	} else if name != s.Name && name != "" {
		r.fail("name", "differs from the row before; all rows of one schedule have the same name")
	}
	s.NameEN = d.text(r, "name_en", s.NameEN)
	s.ValidFrom, s.ValidUntil = d.date(r, "first_day", s.ValidFrom), d.date(r, "last_day", s.ValidUntil)
	if r.get("date") != "" {
		s.Dates = d.dateHours(r, s.Dates)
	} else {
		s.Windows = append(slices.Clone(s.Windows), r.window(r.days("days")))
	}
	r.check("schedule_id", s.validate())
	if !r.bad {
		d.schedules[id] = s
	}
}

// dateHours reads a row of one date: its hours in place of the week's; without hours nobody enters on it.
func (d *draft) dateHours(r *row, list []DateHours) []DateHours {
	day := d.date(r, "date", Date{})
	if r.get("days") != "" {
		r.fail("days", "stands beside a date; a row is of one of them")
	}
	at, there := slices.BinarySearchFunc(list, day, func(h DateHours, day Date) int { return cmp.Compare(h.Day.String(), day.String()) })
	list = slices.Clone(list)
	if !there {
		list = slices.Insert(list, at, DateHours{Day: day})
	} else if r.get("from") == "" || len(list[at].Windows) == 0 {
		r.fail("date", "stands twice, once without hours; keep one row")
	}
	if r.get("from") != "" || r.get("to") != "" {
		list[at].Windows = append(slices.Clone(list[at].Windows), r.window(0))
	}
	return list
}

// window reads the hours of a row.
func (r *row) window(days Day) Window {
	w := Window{Days: days, From: r.clock("from", false), To: r.clock("to", true)}
	if !r.bad && w.From == w.To {
		r.fail("to", "is the same as the start; write 0:00 and 24:00 for a whole day")
	}
	if !r.bad && w.To == 0 {
		w.To = 86400 // "22:00–0:00" ends at midnight
	}
	return w
}

func (d *draft) readClosedDay(r *row) {
	if r.need("date") == "" {
		return
	}
	c := ClosedDay{Day: d.date(r, "date", Date{}), Name: r.need("name")}
	d.name(r, KindClosedDays, "date", c.Day.String())
	if !r.bad {
		d.closed[c.Day] = c
	}
}

func (d *draft) readPerson(r *row) {
	id := PersonID(r.need("person_id"))
	old, existed := d.people[id]
	d.name(r, KindPeople, "person_id", string(id))
	p := Person{
		ID: id, Name: r.need("name"), NameReduced: r.get("name_reduced"), Kana: r.get("kana"), Romaji: r.get("romaji"),
		Section: r.need("section"), Company: r.get("company"),
		Active:    oneOf(r, "active", yesNo(), old.Active || !existed),
		ValidFrom: d.date(r, "valid_from", old.ValidFrom), ValidUntil: d.date(r, "valid_until", old.ValidUntil),
		ContractFrom: d.date(r, "contract_from", old.ContractFrom), ContractUntil: d.date(r, "contract_until", old.ContractUntil),
		TrainingUntil: d.date(r, "training_until", old.TrainingUntil), MayEscort: oneOf(r, "may_escort", yesNo(), old.MayEscort),
		Conditions: uint32(r.optional("conditions", uint64(old.Conditions), 0, 1<<16)), Kind: old.Kind,
	}
	if r.need("category") != "" {
		p.Category = oneOf(r, "category", categories(), "")
	}
	if p.Category != old.Category {
		p.Kind = "" // the old kind need not be one of the new category
	}
	p.Kind = oneOf(r, "kind", personKinds(p.Category), p.Kind)
	r.check("person_id", p.validate())
	if !r.bad {
		d.people[id] = p
	}
}

func (d *draft) readDoor(r *row) {
	id := access.DoorID(r.need("door_id"))
	old := d.doors[id]
	d.name(r, KindDoors, "door_id", string(id))
	x := Door{
		ID: id, Name: r.need("name"), NameEN: r.get("name_en"), Gateway: access.GatewayID(r.need("gateway_id")),
		Enter: access.ZoneID(r.need("enter_zone")), Exit: access.ZoneID(r.get("exit_zone")),
		Offline: oneOf(r, "offline", offlineModes(), old.Offline), Mode: oneOf(r, "mode", doorModes(), old.Mode),
		GuardsServer: oneOf(r, "guards_server", yesNo(), old.GuardsServer), Recovery: r.recovery("recovery_cards", old.Recovery),
	}
	x.Remote = RemoteTwo
	if _, known := d.doors[id]; known {
		x.Remote = old.Remote
	}
	x.Remote = oneOf(r, "remote_unlock", remoteUnlocks(), x.Remote)
	x.Interlock = old.Interlock
	if v := r.get("interlock"); v == "none" || v == "なし" {
		x.Interlock = ""
	} else if v != "" {
		x.Interlock = access.DoorID(v)
	}
	if r.need("kind") != "" {
		x.Kind = oneOf(r, "kind", doorKinds(), door.KindObserve)
	}
	if r.need("exit") != "" {
		x.Sensing = oneOf(r, "exit", sensings(), door.ExitNone)
	}
	_, ok := d.gateways[x.Gateway]
	d.refers(r, KindGateways, "gateway_id", string(x.Gateway), ok)
	enter, ok := d.zones[x.Enter]
	d.refers(r, KindZones, "enter_zone", string(x.Enter), ok)
	_, ok = d.zones[x.Exit]
	d.refers(r, KindZones, "exit_zone", string(x.Exit), ok)
	for _, id := range x.Recovery.List() {
		c, ok := d.cards[id]
		d.refers(r, KindCards, "recovery_cards", string(id), ok)
		if ok && c.PIN == (card.PINRef{}) {
			r.fail("recovery_cards", "names a card without a PIN; give it one in cards.csv (AD-18)")
		}
	}
	x.MaxAge = r.duration("max_age", defaultMaxAge(old.MaxAge, enter.Level), minMaxAge, maxMaxAge)
	r.check("door_id", x.validate())
	if !r.bad {
		d.doors[id] = x
	}
}

// defaultMaxAge keeps what a door has, else takes D12's: one hour at level 3, a day elsewhere.
func defaultMaxAge(old time.Duration, level int) time.Duration {
	if old > 0 {
		return old
	}
	if level == 3 {
		return time.Hour
	}
	return 24 * time.Hour
}

// readCard turns a card row into references. The number and the PINs live in this function only.
func (d *draft) readCard(r *row) {
	id := CardID(r.need("card_id"))
	old, existed := d.cards[id]
	d.name(r, KindCards, "card_id", string(id))
	person := PersonID(r.need("person_id"))
	_, ok := d.people[person]
	d.refers(r, KindPeople, "person_id", string(person), ok)
	c := old
	c.ID, c.Person, c.Format = id, person, r.need("format")
	c.Assurance = oneOf(r, "assurance", assurances(), old.Assurance)
	c.ValidFrom, c.ValidUntil = d.date(r, "valid_from", old.ValidFrom), d.date(r, "valid_until", old.ValidUntil)
	if !existed {
		c.Status = access.CredentialActive
	}
	c.Status = d.importedStatus(r, c.Status, existed)
	facility, number := r.number("facility_code", 0, 1<<32-1), r.number("card_number", 0, 1<<63-1)
	if d.cfg.Cards == nil {
		r.fail("card_number", "cannot be imported here: no card key is at hand")
	}
	if r.bad {
		return
	}
	ref, masked, err := d.cfg.Cards.Card(c.Format, facility, number)
	if err != nil {
		r.fail("card_number", err.Error()+"; check format, facility_code and card_number")
		return
	}
	if other, taken := d.byRef[ref]; taken && other != id {
		r.fail("card_number", fmt.Sprintf("is the same card as %s; one card is one row", other))
		return
	}
	if existed && old.Ref != ref {
		r.fail("card_number", "is another card than the one with this card_id; give the new card a new card_id and revoke the old one")
		return
	}
	c.Ref, c.Masked, c.KeyVersion = ref, masked, d.cfg.Cards.Version()
	c.PIN, c.Duress = d.pin(r, "pin", ref, old.PIN), d.pin(r, "duress_pin", ref, old.Duress)
	r.check("card_id", c.validate())
	if !r.bad {
		d.cards[id] = c
		d.byRef[ref] = id
	}
}

// importedStatus reads the status column. A file may take rights away; it gives none back: an old
// file imported again must not make a lost card open doors (AD-17, D27).
func (d *draft) importedStatus(r *row, now access.CredentialStatus, existed bool) access.CredentialStatus {
	s := oneOf(r, "status", statuses(), now)
	if existed && s != now && s == access.CredentialActive {
		r.fail("status", fmt.Sprintf("is active here but the card is %s; a file cannot give a card back its rights, activate it by name", now))
	}
	if existed && now == access.CredentialRevoked && s != now && s != access.CredentialActive {
		r.fail("status", "cannot change: the card is revoked for good")
	}
	return s
}

func (d *draft) pin(r *row, column string, ref card.Ref, old card.PINRef) card.PINRef {
	digits := r.get(column)
	if digits == "" {
		return old
	}
	p, err := d.cfg.Cards.PIN(ref, digits)
	if err != nil {
		r.fail(column, "is not a PIN of 4–8 digits 0–9")
		return old
	}
	return p
}

func (d *draft) readGrant(r *row) {
	g := Grant{
		Person: PersonID(r.get("person_id")), Group: GroupID(r.get("group_id")),
		Zone: access.ZoneID(r.need("zone_id")), Schedule: ScheduleID(r.need("schedule_id")),
	}
	column := "person_id"
	switch {
	case g.Person == "" && g.Group == "":
		r.fail("person_id", "is empty; fill it in, or group_id")
	case g.Person != "" && g.Group != "":
		r.fail("group_id", "stands beside a person_id; a grant is of one of them")
	case g.Group != "":
		column = "group_id"
		_, ok := d.groups[g.Group]
		d.refers(r, KindGroups, "group_id", string(g.Group), ok)
	}
	person, ok := d.people[g.Person]
	d.refers(r, KindPeople, "person_id", string(g.Person), ok)
	_, ok = d.zones[g.Zone]
	d.refers(r, KindZones, "zone_id", string(g.Zone), ok)
	_, ok = d.schedules[g.Schedule]
	d.refers(r, KindSchedules, "schedule_id", string(g.Schedule), ok)
	g.ValidFrom = d.date(r, "valid_from", Date{})
	g.ID = nameGrant(g, func(id GrantID) (old Grant, ok bool) { old, ok = d.grants[id]; return old, ok })
	if !r.bad {
		d.name(r, KindGrants, column, string(g.ID))
	}
	old := d.grants[g.ID]
	g.ValidFrom, g.Suspended = firstSet(g.ValidFrom, old.ValidFrom), old.Suspended
	if g.Basis = r.get("basis"); g.Basis == "" {
		g.Basis = old.Basis
	}
	// An empty end keeps the end a grant has, so that the same file imported after 1 April renews
	// nothing; a new grant ends with the fiscal year, or with the contract if that is earlier (AD-6).
	g.ValidUntil = d.date(r, "valid_until", firstSet(old.ValidUntil, DefaultExpiry(laterDay(d.today, g.ValidFrom), person)))
	r.check("valid_until", g.validate())
	if !r.bad {
		d.grants[g.ID] = g
	}
}

// MakeGrantID names the grant of a person for a zone at the hours of a schedule.
func MakeGrantID(p PersonID, z access.ZoneID, s ScheduleID) GrantID {
	return GrantID(string(p) + ":" + string(z) + ":" + string(s))
}

// MakeGroupGrantID names the grant of a group for a zone at the hours of a schedule.
func MakeGroupGrantID(g GroupID, z access.ZoneID, s ScheduleID) GrantID {
	return MakeGrantID(PersonID("@"+string(g)), z, s)
}

// nameGrant finds the name of a grant: that of its person, zone and schedule, or, when it begins only after
// the one of that name has ended, that name with its first day (AD-19).
func nameGrant(g Grant, find func(GrantID) (Grant, bool)) GrantID {
	id := MakeGrantID(g.Person, g.Zone, g.Schedule)
	if g.Group != "" {
		id = MakeGroupGrantID(g.Group, g.Zone, g.Schedule)
	}
	if g.ValidFrom.IsZero() {
		return id
	}
	dated := GrantID(string(id) + ":" + g.ValidFrom.String())
	if _, ok := find(dated); ok {
		return dated
	}
	if old, ok := find(id); ok && old.ValidUntil.Before(g.ValidFrom) {
		return dated
	}
	return id
}

func laterDay(a, b Date) Date {
	if b.IsZero() || b.Before(a) {
		return a
	}
	return b
}

// DefaultExpiry is the last day of a grant given on day today to p when nobody says otherwise:
// 31 March of the fiscal year, a contractor's contract end if that comes first (AD-6).
func DefaultExpiry(today Date, p Person) Date {
	end := today.FiscalYearEnd()
	if !p.ContractUntil.IsZero() && p.ContractUntil.Before(end) {
		return p.ContractUntil
	}
	return end
}

// firstSet gives the first of two dates that is set.
func firstSet(a, b Date) Date {
	if !a.IsZero() {
		return a
	}
	return b
}

// check reports what a validation of the row's value found, unless the row is known to be bad.
func (r *row) check(column string, fault string) {
	if fault != "" && !r.bad {
		r.fail(column, fault)
	}
}
