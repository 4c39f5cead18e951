package webtest

import (
	"context"
	"strings"

	"monban/firmware/access"
	"monban/server/web"
)

// Rounds implements web.Recertifications: one open round, one closed, one zone that waits.
func (r *Rules) Rounds(context.Context) (web.RoundBook, error) {
	return web.RoundBook{
		Rounds: []web.RuleRound{
			{ID: "server-room-2026-11-01", Zone: "server-room", ZoneName: "サーバ室", Opened: "2026-11-01", Due: "2026-11-30", Answers: []web.RoundAnswer{
				{Person: "1001", Name: "髙橋 健一", Section: "情報政策課", Word: "keep", Day: "2026-11-02"}, {Person: "1002", Name: "﨑山 健太", Section: "情報政策課", Word: "open"},
				{Person: "K-12", Name: "渡邉 さくら", Section: "株式会社 北浜システムズ", Word: "remove", Day: "2026-11-03"}}},
			{ID: "media-store-2026-04-10", Zone: "media-store", ZoneName: "媒体保管庫", Opened: "2026-04-10", Due: "2026-05-10", Closed: "2026-05-11", Answers: []web.RoundAnswer{{Person: "1003", Name: "𠮷田 誠", Section: "総務課", Word: "suspended", Day: "2026-05-11"}}},
		},
		Due: []web.RoundWaiting{{Zone: "media-store", ZoneName: "媒体保管庫", Last: "2026-04-10", Due: "2026-10-10"}},
	}, nil
}

// OpenRound implements web.Recertifications.
func (r *Rules) OpenRound(_ context.Context, zone access.ZoneID, _ string, act web.Action) error {
	switch {
	case strings.Contains(act.Reason, "123456789018"):
		return web.ErrBadReason
	case zone == "server-room":
		return web.ErrState
	case zone != "media-store":
		return web.ErrNotFound
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return r.m.record(act)
}

// AnswerRound implements web.Recertifications.
func (r *Rules) AnswerRound(_ context.Context, _ string, _ map[string]bool, act web.Action) (web.RuleOutcome, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return web.RuleOutcome{}, r.m.record(act)
}

// Renewals implements web.Recertifications.
func (r *Rules) Renewals(context.Context) (web.RenewalBook, error) {
	return web.RenewalBook{Open: true, Until: "2027-03-31",
		Grants: []web.RenewalGrant{
			{ID: "1001:server-room:office", Holder: "髙橋 健一", People: 1, Zone: "サーバ室", ZoneID: "server-room", Schedule: "開庁時間", Ends: "2027-03-31", From: "2027-04-01", To: "2028-03-31"},
			{ID: "@ops:media-store:always", Holder: "運用班", People: 4, Zone: "媒体保管庫", ZoneID: "media-store", Schedule: "常時", Ends: "2027-03-31", From: "2027-04-01", To: "2028-03-31"}},
		Gaps: []web.RenewalGap{{Zone: "server-room", Name: "サーバ室", Day: "2027-04-01", People: []string{"髙橋 健一"}}, {Zone: "media-store", Name: "媒体保管庫", Day: "2027-04-01"}}}, nil
}

// Renew implements web.Recertifications.
func (r *Rules) Renew(_ context.Context, ids []string, act web.Action) (web.RuleOutcome, error) {
	for _, id := range ids {
		if id != "1001:server-room:office" && id != "@ops:media-store:always" {
			return web.RuleOutcome{}, web.ErrNotFound
		}
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return web.RuleOutcome{Proposal: AttemptID(0x54)}, r.m.record(act)
}

// moreRules are the rows of lists and forms.
var moreRules = map[web.RuleKind][]web.RuleRow{
	web.RuleGroups: {{ID: "ops", Name: "運用班", Values: map[string]string{"name": "運用班", "section": "情報政策課", "members": "1001 1002"}}},
	web.RuleContracts: {
		{ID: "K-2026-3", Name: "サーバ等保守", Values: map[string]string{"name": "サーバ等保守", "company": "株式会社 北浜システムズ", "section": "情報政策課", "valid_from": "2026-04-01", "valid_until": "2099-03-31", "tier": "1", "workers": "K-12"}},
		{ID: "K-2026-3-2", Values: map[string]string{"company": "多賀城電設工業", "section": "情報政策課", "valid_from": "2025-04-01", "valid_until": "2026-03-31", "tier": "2", "approval": "情政第88号"}}},
	web.RuleExceptions: {
		{ID: "EX-03", Values: map[string]string{"subject": "zone", "subject_id": "media-store", "what": "pin_always", "reason": "読取機にテンキーがないため更新まで", "approver": "情報政策課長", "valid_from": "2026-04-01", "valid_until": "2099-03-31", "review": "2026-10-01", "basis": "対策基準 例外措置"}},
		{ID: "EX-09", Values: map[string]string{"subject": "person", "subject_id": "1002", "what": "研修の期限", "reason": "育児休業中のため", "approver": "情報政策課長", "valid_from": "2025-04-01", "valid_until": "2026-03-31"}}},
}
