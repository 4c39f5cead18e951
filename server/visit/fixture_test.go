package visit

import (
	"errors"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
)

// hall is a small city hall on Tuesday 24 November 2026.
func hall(t *testing.T) *Site {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	own := func(id directory.CardID, p directory.PersonID, n byte) directory.Credential {
		return directory.Credential{ID: id, Person: p, Ref: card.Ref{n}, KeyVersion: 1, Masked: "****0001", Status: access.CredentialActive, Assurance: card.UIDOnly}
	}
	until := directory.Date{Year: 2027, Month: 3, Day: 31}
	recovery, err := directory.MakeRecoveryCards([]directory.CardID{"C-9", "C-1R"})
	if err != nil {
		t.Fatal(err)
	}
	return &Site{
		Zone: zone, Settings: DefaultSettings(),
		Dir: &directory.Snapshot{
			People: []directory.Person{
				{ID: "1001", Name: "髙橋 健一", Section: "情報政策課", Category: directory.Staff, Active: true, MayEscort: true},
				{ID: "1002", Name: "﨑山 美咲", Section: "情報政策課", Category: directory.Staff, Active: true},
				{ID: "1003", Name: "渡邉 恵", Section: "総務課", Category: directory.Staff, Active: true},
				{ID: "1004", Name: "葛󠄀城 優", Section: "総務課", Category: directory.Staff},
				{ID: "K-1", Name: "𠮷田 誠", Company: "保守工業", Section: "情報政策課", Category: directory.Contractor, Active: true, ContractUntil: until},
			},
			Credentials: []directory.Credential{own("C-1", "1001", 1), own("C-1R", "1001", 2), own("C-2", "1002", 3), own("C-9", "1003", 9)},
			Zones:       []directory.Zone{{ID: "office", Name: "執務室", Level: 1}, {ID: "server-room", Name: "サーバ室", Level: 2}, {ID: "media", Name: "媒体庫", Level: 2}},
			Doors: []directory.Door{
				{ID: "front", Enter: "server-room", Recovery: recovery, GuardsServer: true}, {ID: "store", Enter: "media", Exit: "server-room"},
			},
			Contracts: []directory.Contract{{
				ID: "K2026-1", Name: "保守", Company: "保守工業", Section: "情報政策課", Tier: 1, Workers: []directory.PersonID{"K-1"},
				ValidFrom: directory.Date{Year: 2026, Month: 4, Day: 1}, ValidUntil: until,
			}},
			Conditions: []directory.Conditions{{Version: 4, Text: "遵守事項"}, {Version: 5, Text: "遵守事項 改"}},
			Items:      []directory.Item{{ID: "KEY-1", Kind: directory.ItemKey, Name: "正鍵", Doors: "front store", State: directory.ItemPresent}},
			ClosedDays: []directory.ClosedDay{{Day: directory.Date{Year: 2026, Month: 11, Day: 23}, Name: "勤労感謝の日"}},
		},
	}
}

// at is a time of November 2026 in Tokyo, UTC ms.
func (s *Site) at(day, hour, minute int) int64 {
	return time.Date(2026, 11, day, hour, minute, 0, 0, s.Zone).UnixMilli()
}

var (
	applicant = Actor{Account: "app", Person: "1002", From: "lan"}
	approver  = Actor{Account: "mgr", Person: "1001", From: "lan"}
	reception = Actor{Account: "rec", Person: "1003", From: "lan"}
	guard     = Actor{Account: "grd", From: "lan"}
)

func (s *Site) work() Application {
	return Application{
		Type: Work, Purpose: "ディスク交換", System: "住民情報システム", Zones: []access.ZoneID{"server-room"}, FromMS: s.at(24, 9, 0), UntilMS: s.at(24, 12, 0),
		Section: "情報政策課", Company: "保守工業", Contract: "K2026-1", Attendee: "1002",
		Guests: []Guest{{Name: "𠮷田 誠", Person: "K-1", Category: directory.Contractor}},
	}
}

func (s *Site) permit() Permit {
	return Permit{
		Type: Cleaning, Purpose: "定期清掃", System: "なし", Zones: []access.ZoneID{"server-room"}, Days: directory.DayWeekdays, FromS: 6 * 3600, ToS: 7 * 3600,
		Section: "管財課", Attendee: "1001", Guests: []Guest{{Name: "清掃 花子", Category: directory.Visitor}},
	}
}

func (s *Site) tour(names ...string) Application {
	app := s.work()
	app.Type, app.Contract, app.Company, app.Guests = Meeting, "", "議会事務局", nil
	for _, n := range names {
		app.Guests = append(app.Guests, Guest{Name: n, Category: directory.Visitor})
	}
	return app
}

func badge(n byte) *Badge {
	return &Badge{
		ID: string([]byte{'B', '-', '0' + n}), Label: string([]byte{'0' + n}), Kind: VisitorBadge, Look: "黄", Ref: card.Ref{100 + n}, KeyVersion: 1, Masked: "****0100",
		Assurance: card.UIDOnly, Status: BadgeActive,
	}
}

func plain(n byte) *Badge {
	b := badge(n)
	b.Ref, b.KeyVersion, b.Masked = card.Ref{}, 0, ""
	return b
}

func nobody(string) string { return "" }

func outside(int) bool { return false }

func refused(t *testing.T, err error, want *Error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %s", err, want.Word)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// approved is a visit that was applied for at 08:00 and approved.
func (s *Site) approved(t *testing.T, app Application) Visit {
	t.Helper()
	v, _, err := Apply(app, applicant, s.at(24, 8, 0), s)
	must(t, err)
	v.ID = "visit-2026-00001"
	must(t, v.Approve(approver, s.at(24, 8, 10), ""))
	return v
}
