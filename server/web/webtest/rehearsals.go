package webtest

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/server/web"
)

// Rehearsable implements web.Rehearsals: a proposal and a draft.
func (r *Rules) Rehearsable(context.Context, string) ([]web.RehearsalChoice, error) {
	return []web.RehearsalChoice{{ID: "proposal/" + AttemptID(0x51), Reason: "22時以降の入室をやめる", At: time.Now().Add(-time.Hour), Rows: 2},
		{ID: "import/" + importSample, Files: "people.csv, grants.csv", At: time.Now(), Rows: 2}}, nil
}

// StartRehearsal implements web.Rehearsals.
func (r *Rules) StartRehearsal(_ context.Context, q web.RehearsalQuery, act web.Action) (string, error) {
	switch q.What {
	case "proposal/" + AttemptID(0x51), "import/" + importSample:
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		return "DONE", r.m.record(act)
	case "proposal/stale":
		return "", web.ErrStale
	}
	return "", web.ErrNotFound
}

// RehearsalByID implements web.Rehearsals: one that is done, one that runs, one that broke.
func (r *Rules) RehearsalByID(_ context.Context, _, id string) (web.Rehearsal, error) {
	out := web.Rehearsal{Query: web.RehearsalQuery{What: "x", From: "2026-11-01", Until: "2026-11-25"}, Days: 25, Of: 25, Done: true}
	switch id {
	case "RUNS":
		out.Done, out.Days = false, 7
	case "BROKEN":
		out.Fault = "broken"
	case "DONE":
		at := time.Date(2026, 11, 24, 22, 30, 0, 0, time.UTC)
		out.Compared, out.AlreadyOtherwise, out.Unreadable, out.More = 1204, 3, 2, 4
		out.Entries = []web.RehearsalEntry{
			{Attempt: AttemptID(9), At: at, Person: "1002", Name: "﨑山 健太", Door: "媒体保管庫 扉", Was: access.Granted, Is: access.Denied, Why: access.ReasonOutsideSchedule},
			{Attempt: AttemptID(8), At: at, Door: "サーバ室 正面扉", Was: access.Denied, WasWhy: access.ReasonNoGrant, Is: access.NeedPIN},
		}
		out.Rights = []web.RehearsalRight{{Person: "1002", Name: "﨑山 健太", Zone: "媒体保管庫", Effect: "changes", Before: []string{"mon tue 00:00–24:00 –2027-03-31"}, After: []string{"mon tue 00:00–22:00 –2027-03-31"}},
			{Person: "1009", Name: "葛\U000E0100城 蓮", Zone: "サーバ室", Effect: "gains", After: []string{"mon 08:30–17:15 –2027-03-31"}}, {Person: "1001", Name: "髙橋 健一", Zone: "サーバ室", Effect: "loses", Before: []string{"mon 08:30–17:15 –2027-03-31"}}}
	default:
		return out, web.ErrNotFound
	}
	return out, nil
}
