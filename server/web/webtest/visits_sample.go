package webtest

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/web"
)

var errNotFound = web.ErrNotFound

// Clerks of the sample.
var (
	deskApplicant = visit.Actor{Account: "APPLICANT0", Person: "1002", From: "lan"}
	deskChief     = visit.Actor{Account: "CISO0", Person: "1003", From: "lan"}
	deskClerk     = visit.Actor{Account: "RECEPTION0", From: "lan"}
)

// sampleDesk fills the desk with a small city hall, four visits around now and the things of an ordinary day.
func sampleDesk(d *Desk, now time.Time) {
	tokyo := Zone()
	year := directory.DateOf(now.In(tokyo)).FiscalYearEnd().AddDays(366) // so that a test runs on 31 March, too
	own := func(id directory.CardID, p directory.PersonID, n byte) directory.Credential {
		return directory.Credential{ID: id, Person: p, Ref: card.Ref{n}, KeyVersion: 1, Masked: "****45" + string('0'+rune(n/10)) + string('0'+rune(n%10)), Status: access.CredentialActive, Assurance: card.CardAuth, ValidUntil: year}
	}
	staff := func(id directory.PersonID, name, kana, section string, escort bool) directory.Person {
		return directory.Person{ID: id, Name: name, Kana: kana, Section: section, Category: directory.Staff, Kind: directory.Regular, Active: true, MayEscort: escort, TrainingUntil: year}
	}
	worker := func(id directory.PersonID, name, kana string) directory.Person {
		return directory.Person{ID: id, Name: name, Kana: kana, Company: "株式会社 塩竈設備", Section: "施設管理課", Category: directory.Contractor, Kind: directory.Outsourcer, Active: true, ContractUntil: year}
	}
	d.Site = &visit.Site{Zone: tokyo, Settings: visit.DefaultSettings(), Dir: &directory.Snapshot{
		People: []directory.Person{
			staff("1001", "髙橋 健一", "タカハシ ケンイチ", "情報政策課", true), staff("1002", "﨑山 美咲", "サキヤマ ミサキ", "情報政策課", true),
			staff("1003", "渡邉 恵", "ワタナベ メグミ", "総務課", false), staff("1004", "髙橋 太郎", "タカハシ タロウ", "会計課", false), staff("1005", "葛\U000E0100城 優", "カツラギ ユウ", "施設管理課", true),
			worker("K-1", "𠮷田 誠", "ヨシダ マコト"), worker("K-2", "渡邉 大地", "ワタナベ ダイチ"), worker("K-3", "\uFA19谷 陽子", "カミヤ ヨウコ"),
		},
		Credentials: []directory.Credential{own("C-1", "1001", 1), own("C-2", "1002", 2), own("C-3", "1003", 3), own("C-4", "1004", 4), own("C-5", "1005", 5)},
		Zones: []directory.Zone{
			{ID: "corridor", Name: "管理廊下", NameEN: "Corridor", Level: 1},
			{ID: "server-room", Name: "サーバ室", NameEN: "Server room", Level: 3, Parent: "corridor", Escort: directory.EscortOutsiders, Conditions: 2, PINAlways: true},
			{ID: "media-store", Name: "媒体保管庫", NameEN: "Media store", Level: 2, Parent: "corridor"},
		},
		Doors: []directory.Door{
			{ID: "server-room-1", Name: "サーバ室 正面", NameEN: "Server room, front", Enter: "server-room", Exit: "corridor"},
			{ID: "media-store", Name: "媒体保管庫", NameEN: "Media store", Enter: "media-store", Exit: "corridor"},
		},
		Contracts: []directory.Contract{{ID: "K2026-1", Name: "空調設備の保守", Company: "株式会社 塩竈設備", Section: "施設管理課", Tier: 1, Workers: []directory.PersonID{"K-1", "K-2", "K-3"},
			ValidFrom: directory.DateOf(now.In(tokyo)).AddDays(-200), ValidUntil: year}},
		Conditions: []directory.Conditions{{Version: 1, Text: "旧"}, {Version: 2,
			Text:   "1 名札を見えるところに着けてください。\n2 付添者から離れないでください。\n3 許可のない機器・撮影機材は持ち込めません。\n4 飲食はできません。",
			TextEN: "1 Wear the badge where it can be seen.\n2 Stay with your escort.\n3 Bring in no device or camera without permission.\n4 Do not eat or drink."}},
		Items: []directory.Item{
			{ID: "KEY-1", Kind: directory.ItemKey, Name: "サーバ室 正鍵", Doors: "server-room-1", State: directory.ItemPresent, Place: "警備室", Every: 30},
			{ID: "KEY-2", Kind: directory.ItemKey, Name: "ラック3 扉鍵", State: directory.ItemPresent, Place: "情報政策課"},
		},
		Grants: []directory.Grant{{ID: "1001/server-room/always", Person: "1001", Zone: "server-room", Schedule: "always", ValidUntil: year, Basis: "申請 12"},
			{ID: "1002/server-room/office", Person: "1002", Zone: "server-room", Schedule: "office", ValidUntil: year, Basis: "申請 13"}, {ID: "1002/corridor/always", Person: "1002", Zone: "corridor", Schedule: "always", ValidUntil: year}},
		Schedules: []directory.Schedule{{ID: "always", Name: "常時", NameEN: "always"}, {ID: "office", Name: "開庁時間", NameEN: "office hours"}},
	}}
	d.Site.Settings.BringIn = map[access.ZoneID]visit.BringIn{"server-room": visit.BringInFlag}
	for n := byte(1); n <= 6; n++ {
		b := visit.Badge{ID: "B-" + string('0'+rune(n)), Label: "10" + string('0'+rune(n)), Kind: visit.VisitorBadge, Look: "黄色", Status: visit.BadgeActive, Ref: card.Ref{100 + n}, KeyVersion: 1, Masked: "****0100", Assurance: card.CardAuth}
		switch n {
		case 4:
			b.Ref, b.KeyVersion, b.Masked, b.Look = card.Ref{}, 0, "", "白" // a name plate
		case 5, 6:
			b.Kind, b.Look, b.Label = visit.TemporaryKind, "", "仮-"+string('0'+rune(n-4))
		}
		d.Badges = append(d.Badges, b)
	}
	d.sampleVisits(now)
}

// must is for the sample only: what cannot be made is a fault of the sample.
func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

func (d *Desk) sampleVisits(now time.Time) {
	at := now
	d.Clock = func() time.Time { return at }
	defer func() { d.Clock = nil }()
	ms := func(dt time.Duration) int64 { return now.Add(dt).UnixMilli() }
	ctx := context.Background()
	app := visit.Application{Type: visit.Work, Purpose: "空調機の点検", System: "空調設備", Zones: []access.ZoneID{"server-room"}, FromMS: ms(-20 * time.Minute), UntilMS: ms(2 * time.Hour),
		Section: "施設管理課", Company: "株式会社 塩竈設備", Contract: "K2026-1", Attendee: "1001",
		Guests: []visit.Guest{{Name: "𠮷田 誠", Kana: "ヨシダ マコト", Person: "K-1", Category: directory.Contractor}, {Name: "渡邉 大地", Kana: "ワタナベ ダイチ", Person: "K-2", Category: directory.Contractor}}}
	at = now.Add(-20 * time.Hour)
	first, _, err := d.ApplyVisit(ctx, app, deskApplicant)
	must(first, err)
	must(d.DecideVisit(ctx, first.ID, true, "", deskChief))
	app.Purpose, app.System, app.Contract, app.Company, app.Type = "定例監査", "文書管理", "", "北浜監査法人", visit.Meeting
	app.Guests = []visit.Guest{{Name: "神崎 花", Kana: "カンザキ ハナ", Category: directory.Visitor, Kind: directory.Inspector}}
	app.FromMS, app.UntilMS = ms(-90*time.Minute), ms(time.Hour)
	running, _, err := d.ApplyVisit(ctx, app, deskApplicant)
	must(running, err)
	must(d.DecideVisit(ctx, running.ID, true, "", deskChief))
	at = now.Add(-80 * time.Minute)
	must(d.ReceiveGuest(ctx, running.ID, visit.ReceptionForm{Identity: visit.CompanyCard, Conditions: 2, Badge: "101", Carrier: "1002",
		Declared: []visit.Declared{{What: "computer", Serial: "PF-3391"}}}, deskClerk))
	d.Passages = append(d.Passages, visit.Passage{Attempt: AttemptID(0x71), AtMS: ms(-75 * time.Minute), Door: "server-room-1", Zone: "server-room", In: true, Person: directory.PersonID(running.ID + ".1")})
	app.Purpose, app.Company = "見積りの下見", "𩸽商会"
	app.Guests = []visit.Guest{{Name: "大崎 海斗", Kana: "オオサキ カイト", Category: directory.Visitor, Kind: directory.Supplier}}
	app.FromMS, app.UntilMS = ms(3*time.Hour), ms(4*time.Hour)
	waiting, _, err := d.ApplyVisit(ctx, app, deskApplicant)
	must(waiting, err)
	app.Purpose, app.Company, app.FromMS, app.UntilMS = "消火器の交換", "松島防災", ms(-70*time.Minute), ms(-20*time.Minute)
	app.Guests = []visit.Guest{{Name: "高城 蓮", Kana: "タカギ レン", Category: directory.Visitor, Kind: directory.Supplier}}
	late, _, err := d.UrgentVisit(ctx, app, "1003", deskClerk)
	must(late, err)
	must(d.ReceiveGuest(ctx, late.ID, visit.ReceptionForm{Identity: visit.DrivingLicence, Conditions: 2, Badge: "102", Carrier: "1001"}, deskClerk))
	d.samplePermit(now)
}

// samplePermit is a standing permit for cleaning at the hours around now.
func (d *Desk) samplePermit(now time.Time) {
	local := now.In(d.Site.Zone)
	s := local.Hour()*3600 + local.Minute()*60
	p := visit.Permit{Type: visit.Cleaning, Purpose: "床の清掃", System: "なし", Zones: []access.ZoneID{"media-store"}, Days: 0xff, FromS: max(s-3600, 0), ToS: min(s+3600, 86400), Section: "施設管理課",
		Company: "株式会社 塩竈設備", Contract: "K2026-1", Attendee: "1005", Guests: []visit.Guest{{Name: "\uFA19谷 陽子", Kana: "カミヤ ヨウコ", Person: "K-3", Category: directory.Contractor}}}
	x, _, err := d.ApplyPermit(context.Background(), p, deskApplicant)
	must(x, err)
	must(d.DecidePermit(context.Background(), x.ID, true, "", deskChief))
}
