package webtest

import (
	"encoding/hex"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/web"
)

// Names with letters that lesser systems lose: variants outside JIS X 0208, outside the basic plane,
// compatibility ideographs and a variation selector.
var (
	Takahashi  = web.Who{Ref: "p-01", Name: "髙橋 美咲", Section: "総務部 情報政策課"}
	Sakiyama   = web.Who{Ref: "p-02", Name: "﨑山 健太", Section: "総務部 情報政策課"}
	Yoshida    = web.Who{Ref: "p-03", Name: "𠮷田 太郎", Section: "株式会社 北浜システムズ"}
	Watanabe   = web.Who{Ref: "p-04", Name: "渡邉 さくら", Section: "市民課"}
	Katsuragi  = web.Who{Ref: "p-05", Name: "葛\U000E0100城 蓮", Section: "会計課"}
	Kamiya     = web.Who{Ref: "p-06", Name: "\uFA19谷 陽子", Section: "施設管理課"}
	Hokke      = web.Who{Ref: "p-07", Name: "𩸽 海斗", Section: "株式会社 塩竈設備"}
	AllPersons = []web.Who{Takahashi, Sakiyama, Yoshida, Watanabe, Katsuragi, Kamiya, Hokke}
)

// AttemptID makes a readable attempt id.
func AttemptID(n byte) string {
	var b [16]byte
	for i := range b {
		b[i] = n
	}
	return hex.EncodeToString(b[:])
}

// Sample fills m with an ordinary morning that ends at now: one gateway linked, one not, a held
// door, a denial, a decision made offline and a late record.
func Sample(m *Memory, now time.Time) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const room, media, back = "server-room-1", "media-store", "server-room-2"
	m.Doors = []web.DoorName{{Door: room, Name: "サーバ室 正面"}, {Door: back, Name: "サーバ室 裏口"}, {Door: media, Name: "媒体保管庫"}}
	states := []web.DoorState{
		{Door: room, Name: "サーバ室 正面", Zone: "server-room", ZoneName: "サーバ室(レベル3)", Gateway: "gw-1", Kind: door.KindControlled, Known: true,
			State: door.Secured, Contact: "closed", Reader: "ok", Linked: true, Since: ago(4 * time.Second)},
		{Door: back, Name: "サーバ室 裏口", Zone: "server-room", ZoneName: "サーバ室(レベル3)", Gateway: "gw-1", Kind: door.KindControlled, Known: true,
			State: door.HeldOpen, Contact: "open", Reader: "ok", Linked: true, Since: ago(4 * time.Second)},
		{Door: media, Name: "媒体保管庫", Zone: "media-store", ZoneName: "保管庫(レベル2)", Gateway: "gw-2", Kind: door.KindObserve, Known: true,
			State: door.Secured, Contact: "closed", Reader: "lost", Linked: false, Since: ago(9 * time.Minute)},
	}
	rooms := []web.PlanRoom{{ID: "corridor", Name: "管理廊下"}, {ID: "server-room", Name: "サーバ室", Parent: "corridor"}, {ID: "media-store", Name: "媒体保管庫", Parent: "corridor"}, {ID: "archive", Name: "書庫"}}
	m.Alerts.Board, m.Tested = sampleAlerts(now), sampleSelfTest(now)
	m.Orders.At = []web.CommandDoor{
		{Door: room, Name: "サーバ室 正面", Enter: "server-room", Persons: 2, Linked: true, Known: true, State: door.Secured},
		{Door: back, Name: "サーバ室 裏口", Enter: "server-room", Persons: 1, Linked: true, Known: true, State: door.HeldOpen},
		{Door: media, Name: "媒体保管庫", Enter: "media-store", Observe: true},
	}
	m.Gateways = []web.Gateway{
		{ID: "gw-1", Name: "本庁舎3階", Linked: true, LastSeen: ago(time.Second), Software: "monban-gateway 0.3.1", Boot: ago(50 * time.Hour),
			Held: web.Versions{Rules: 41, Modes: 3, State: 977}, InForce: web.Versions{Rules: 41, Modes: 3, State: 977},
			Mains: "yes", Battery: "ok", CertificateEnds: now.Add(11*24*time.Hour + time.Hour), Clock: access.ClockServer, OffsetMS: -12, Doors: states[:2]},
		{ID: "gw-2", Name: "西分庁舎1階", LastSeen: ago(9 * time.Minute), Pending: 14, Software: "monban-gateway 0.3.0", Boot: ago(30 * time.Hour),
			Held: web.Versions{Rules: 40, Modes: 3, State: 951}, InForce: web.Versions{Rules: 41, Modes: 3, State: 977},
			Mains: "no", Battery: "low", CertificateEnds: now.Add(2*24*time.Hour + time.Hour), CertificateDue: true, Clock: access.ClockRTC, OffsetMS: 2400, Doors: states[2:]},
	}
	m.Desk.m = m
	sampleDesk(&m.Desk, now)
	m.actions = nil // what the sample did is not what a test does
	m.Day = []web.Attempt{
		{ID: AttemptID(9), At: ago(2 * time.Minute), Who: Sakiyama, Door: room, DoorName: "サーバ室 正面", Side: access.SideEnter,
			Result: web.ResultEntered, Reason: access.ReasonGranted, By: access.ByServer, Policy: 41, Leaf: 10422},
		{ID: AttemptID(8), At: ago(7 * time.Minute), Who: Watanabe, Door: room, DoorName: "サーバ室 正面", Side: access.SideEnter,
			Result: web.ResultDenied, Reason: access.ReasonOutsideSchedule, By: access.ByServer, Policy: 41, Leaf: 10415,
			Failed: access.ReasonSet(0).With(access.ReasonOutsideSchedule).With(access.ReasonAssuranceLow)},
		{ID: AttemptID(7), At: ago(12 * time.Minute), Who: Yoshida, Door: media, DoorName: "媒体保管庫", Side: access.SideEnter,
			Result: web.ResultEntered, Reason: access.ReasonGranted, By: access.ByGateway, Policy: 40, Leaf: 10401, Offline: true, Late: true, Mismatch: true},
		{ID: AttemptID(6), At: ago(15 * time.Minute), Who: Katsuragi, Door: back, DoorName: "サーバ室 裏口", Side: access.SideEnter,
			Result: web.ResultNoEntry, Reason: access.ReasonGranted, By: access.ByServer, Policy: 41, Leaf: 10398},
		{ID: AttemptID(5), At: ago(21 * time.Minute), Door: room, DoorName: "サーバ室 正面", Side: access.SideEnter,
			Result: web.ResultDenied, Reason: access.ReasonUnknownCredential, By: access.ByServer, Policy: 41, Leaf: 10391,
			Failed: access.ReasonSet(0).With(access.ReasonUnknownCredential)},
		{ID: AttemptID(4), At: ago(28 * time.Minute), Who: Hokke, Door: room, DoorName: "サーバ室 正面", Side: access.SideExit,
			Result: web.ResultExited, Reason: access.ReasonGranted, By: access.ByServer, Policy: 41, Leaf: 10380,
			Failed: access.ReasonSet(0).With(access.ReasonContractExpired)},
		{ID: AttemptID(3), At: ago(33 * time.Minute), Who: Kamiya, Door: room, DoorName: "サーバ室 正面", Side: access.SideEnter,
			Result: web.ResultEntered, Reason: access.ReasonGranted, By: access.ByServer, Policy: 41, Leaf: 10372},
		{ID: AttemptID(2), At: ago(40 * time.Minute), Who: Takahashi, Door: room, DoorName: "サーバ室 正面", Side: access.SideEnter,
			Result: web.ResultEntered, Reason: access.ReasonGranted, By: access.ByServer, Policy: 41, Leaf: 10365},
	}
	m.Gaps = []web.Gap{{Gateway: "gw-2", From: ago(9 * time.Minute)}, {Gateway: "gw-2", From: ago(24 * time.Minute), To: ago(18 * time.Minute)}}
	m.Details = make(map[string]web.AttemptDetail)
	for _, a := range m.Day {
		m.Details[a.ID] = detail(a)
	}
	m.Items = []web.Finding{
		{ID: "f-3", Kind: "held_open", Severity: web.SeverityHigh, At: ago(80 * time.Second), Door: back, DoorName: "サーバ室 裏口", Gateway: "gw-1", Open: true, Count: 1, Leaf: 10430},
		{ID: "f-2", Kind: "decision_mismatch", Severity: web.SeverityMedium, At: ago(8 * time.Minute), Door: media, DoorName: "媒体保管庫", Gateway: "gw-2",
			Who: Yoshida, Attempt: AttemptID(7), Open: true, Count: 1, Leaf: 10402},
		{ID: "f-1", Kind: "exit_invalid_card", Severity: web.SeverityLow, At: ago(28 * time.Minute), Door: room, DoorName: "サーバ室 正面", Gateway: "gw-1",
			Who: Hokke, Attempt: AttemptID(4), Open: true, Count: 3, Leaf: 10381},
		{ID: "f-0", Kind: "some_future_kind", At: ago(26 * time.Hour), Gateway: "gw-2", Count: 1, Leaf: 9021},
	}
	var recent []web.Event
	recent = append(recent,
		web.Event{Leaf: 10430, At: ago(80 * time.Second), Event: door.EventHeldOpen, Door: back, DoorName: "サーバ室 裏口", Gateway: "gw-1"},
		web.Event{Leaf: 10424, At: ago(110 * time.Second), Event: door.EventClosed, Door: room, DoorName: "サーバ室 正面", Gateway: "gw-1"})
	for _, a := range m.Day {
		recent = append(recent, eventOf(a))
		if a.ID == AttemptID(8) {
			recent = append(recent, web.Event{Leaf: 10410, At: ago(9 * time.Minute), Event: door.EventLinkLost, Gateway: "gw-2"})
		}
	}
	m.View = web.Overview{UpTo: now, Size: 10431, Doors: states, Rooms: rooms, Gateways: m.Gateways, Recent: recent, Open: m.Items[:3], OpenAll: 3}
}

func eventOf(a web.Attempt) web.Event {
	kind := map[web.Result]door.Event{web.ResultEntered: door.EventEntry, web.ResultExited: door.EventExit,
		web.ResultNoEntry: door.EventNoEntry, web.ResultDenied: door.EventDenied, web.ResultGranted: door.EventGranted, web.ResultDone: door.EventCommandDone}[a.Result]
	return web.Event{Leaf: a.Leaf, At: a.At, Event: kind, Who: a.Who, Door: a.Door, DoorName: a.DoorName, Side: a.Side,
		Reason: a.Reason, By: a.By, Offline: a.Offline, Attempt: a.ID}
}

func detail(a web.Attempt) web.AttemptDetail {
	d := web.AttemptDetail{Attempt: a, Gateway: "gw-1", Clock: access.ClockServer, Assurance: "card_auth"}
	first := eventOf(a)
	first.Event = door.EventGranted
	if a.Result == web.ResultDenied {
		first.Event = door.EventDenied
	}
	d.Events = []web.Event{first}
	if a.Result == web.ResultEntered {
		passed := eventOf(a)
		passed.At, passed.Leaf, passed.By, passed.Reason = a.At.Add(3*time.Second), a.Leaf+1, access.ByNobody, access.ReasonUndecided
		closed := passed
		closed.At, closed.Leaf, closed.Event = a.At.Add(9*time.Second), a.Leaf+2, door.EventClosed
		d.Events = append(d.Events, passed, closed)
	}
	if a.By == access.ByGateway {
		d.Gateway, d.Clock, d.PolicyAge, d.Spread = "gw-2", access.ClockRTC, 47*time.Minute, 800*time.Millisecond
	}
	return d
}
