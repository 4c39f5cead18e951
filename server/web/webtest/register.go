package webtest

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/server/register"
	"monban/server/signoff"
	"monban/server/web"
)

// Registers is one day of one zone, with a row of each state.
type Registers struct{ now time.Time }

// RegisterZones implements web.Registers.
func (Registers) RegisterZones(context.Context) ([]web.ZoneName, error) {
	return []web.ZoneName{{ID: "server-room", Name: "サーバ室", Level: 3}, {ID: "media-store", Name: "媒体保管庫", Level: 2}}, nil
}

// ReachOf implements web.Registers: the media store has a door of its own, and a gateway that has a door of a zone without a name
// here too; the server room shares nothing; no zone lies in another.
func (Registers) ReachOf(_ context.Context, zones []access.ZoneID) (out web.Reach, err error) {
	for _, z := range zones {
		switch z {
		case "server-room":
			out.Doors, out.Gateways = append(out.Doors, "server-room-1", "server-room-2"), append(out.Gateways, "gw-1")
			out.Whole = append(out.Whole, "gw-1")
		case "media-store":
			out.Doors, out.Gateways = append(out.Doors, "media-store"), append(out.Gateways, "gw-2")
		default:
			continue
		}
		out.Zones = append(out.Zones, z)
	}
	return out, nil
}

// Register implements web.Registers.
func (r Registers) Register(_ context.Context, q web.RegisterQuery) (web.Register, error) {
	if q.Zone != "server-room" {
		return web.Register{Zone: web.ZoneName{ID: q.Zone}, UpTo: r.now}, nil
	}
	day, err := time.ParseInLocation("2006-01-02", q.From, r.now.Location())
	if err != nil {
		return web.Register{}, web.ErrNotFound
	}
	at := func(h, m int) time.Time { return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute) }
	row := func(who web.Who, s register.State) web.RegisterRow {
		return web.RegisterRow{State: s, Day: q.From, Who: who, Category: "staff", Door: "サーバ室 正面扉", Attempt: AttemptID(7)}
	}
	work := row(Takahashi, register.Complete)
	work.EnteredAt, work.ExitedAt, work.Purpose, work.PurposeSource, work.System = at(9, 2), at(11, 40), "無停電電源装置の電池交換", "approved_work", "基幹系サーバ"
	guest := row(web.Who{Name: "渡邉 一郎", Section: "東北システム保守株式会社"}, register.Complete)
	guest.Category, guest.EnteredAt, guest.ExitedAt, guest.Purpose, guest.PurposeSource = "contractor", at(9, 2), at(26, 10), work.Purpose, work.PurposeSource
	guest.System, guest.Approver, guest.Attendee, guest.Leader, guest.Badge, guest.Identity = work.System, "﨑山 健太", "髙橋 健一", "髙橋 健一", "12", "company_card"
	guest.Items = []string{"電池 A-1042", "工具箱"}
	still, forgot, unseen := row(Yoshida, register.Inside), row(Sakiyama, register.ExitNotRecorded), row(Kamiya, register.EntryNotRecorded)
	still.EnteredAt, still.Purpose, still.PurposeSource = at(13, 0), "定期点検", "stated"
	forgot.EnteredAt, forgot.ElsewhereAt, forgot.Late = at(14, 0), at(15, 30), true
	forgot.StatedAt, forgot.ConfirmedBy = at(14, 50), "髙橋 美咲"
	guest.Conditions = 4
	unseen.SeenAt, unseen.ExitedAt = at(15, 0), at(15, 40)
	nobody := row(web.Who{}, register.ExitUnattributed)
	nobody.Category, nobody.OtherAt = "", at(16, 0)
	opened, notIn, denied, erased := nobody, row(Takahashi, register.NoEntry), row(Katsuragi, register.Denied), row(web.Who{Ref: "e7"}, register.Complete)
	opened.State, opened.OtherAt = register.Unexplained, at(16, 10)
	notIn.OtherAt, denied.OtherAt = at(16, 20), at(16, 30)
	erased.EnteredAt, erased.ExitedAt, erased.Erased, erased.Category = at(17, 0), at(17, 5), true, ""
	out := web.Register{
		Zone: web.ZoneName{ID: "server-room", Name: "サーバ室"}, UpTo: r.now,
		Rows: []web.RegisterRow{work, guest, still, forgot, unseen, nobody, opened, notIn, denied, erased},
		Gaps: []web.Gap{{Gateway: "gw-1", From: at(10, 2), To: at(10, 7)}},
	}
	if q.Checks {
		out.Rows[0].Checked = web.RowCheck{Status: signoff.Done, By: []string{"鷗 花子"}}
		out.Rows[1].Checked = web.RowCheck{Status: signoff.Waiting, Exit: true}
		out.Rows[2].Checked.Status, out.Rows[3].Checked.Status = signoff.Additional, signoff.Waiting
	}
	if !q.Names {
		for i := range out.Rows {
			x := &out.Rows[i]
			x.Who.Name, x.Who.Section, x.Purpose, x.System, x.Approver, x.Attendee, x.Leader, x.Items = "", "", "", "", "", "", "", nil
		}
	}
	return out, nil
}

// Muster implements web.Registers.
func (r Registers) Muster(context.Context) web.MusterCopy {
	return web.MusterCopy{Code: "ABCD-EFGH-2345-6723", Next: "WXYZ-7654-KLMN-2222", Made: time.Now().Add(-time.Minute), End: time.Now().Add(4 * time.Hour)}
}

// Present implements web.Registers.
func (r Registers) Present(ctx context.Context, zone access.ZoneID, at time.Time, names bool) (web.Register, error) {
	out, err := r.Register(ctx, web.RegisterQuery{Zone: zone, From: at.In(r.now.Location()).Format("2006-01-02"), Names: names})
	if err == nil && len(out.Rows) > 0 {
		out.Rows, out.Gaps = out.Rows[2:3], nil
		r := &out.Rows[0]
		r.EnteredAt = at.Add(-95 * time.Minute)
		r.StatedAt, r.ConfirmedBy = at.Add(-time.Hour), "髙橋 美咲" // and was seen there since: LeftAt is zero
	}
	return out, err
}
