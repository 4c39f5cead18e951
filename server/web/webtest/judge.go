package webtest

import (
	"context"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/web"
)

// Judge is a small town that answers the questions of web.Judge: two people with a right to one door.
type Judge struct{}

var judgePeople = []web.JudgePerson{
	{ID: "1001", Name: "髙橋 健一", Section: "情報政策課", Cards: 1}, {ID: "1003", Name: "𠮷田 誠", Section: "情報政策課", Cards: 2},
	{ID: "1004", Name: "髙橋 渡邉", Section: "総務課"},
}

const judgeDoor = access.DoorID("server-room-1")

// JudgeDoors implements web.Judge.
func (Judge) JudgeDoors(context.Context) ([]web.Choice, error) {
	return []web.Choice{{ID: string(judgeDoor), Name: "サーバ室 正面扉"}}, nil
}

// JudgePeople implements web.Judge.
func (Judge) JudgePeople(_ context.Context, text string, limit int) (list []web.JudgePerson, more bool, err error) {
	for _, p := range judgePeople {
		if p.ID == text {
			return []web.JudgePerson{p}, false, nil
		}
		if strings.Contains(p.Name, text) {
			list = append(list, p)
		}
	}
	return list[:min(limit, len(list))], len(list) > limit, nil
}

// Judge implements web.Judge.
func (Judge) Judge(_ context.Context, q web.JudgeQuery) ([]web.Judgement, error) {
	if q.Door != judgeDoor {
		return nil, web.ErrNotFound
	}
	all := []web.JudgeCheck{{Check: "door", Result: "passed"}, {Check: "grant", Result: "failed", Reasons: []access.Reason{access.ReasonOutsideSchedule}},
		{Check: "training", Result: "flagged", Reasons: []access.Reason{access.ReasonTrainingExpired}},
		{Check: "pin", Result: "asked", Reasons: []access.Reason{access.ReasonPINRequired}}, {Check: "zone", Result: "not_looked"}}
	return []web.Judgement{
		{Card: "C-001", Masked: "****4567", Outcome: access.Denied, Reason: access.ReasonOutsideSchedule, Checks: all,
			Rights: []web.JudgeRight{{Zone: "サーバ室", Schedule: "開庁時間", Hours: []web.RegWindow{{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: 30600, To: 62100}}, From: "2026-04-01", Until: "2027-03-31"}, {Zone: "サーバ室", Schedule: "常時", Hours: []web.RegWindow{{Days: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun", "closed"}, To: 86400}}, Until: "2027-03-31"}}},
		{Outcome: access.Denied, Reason: access.ReasonUnknownCredential},
	}, nil
}

// Entrants implements web.Judge.
func (Judge) Entrants(_ context.Context, door access.DoorID, _ time.Time) ([]web.JudgeEntrant, error) {
	if door != judgeDoor {
		return nil, web.ErrNotFound
	}
	var flags access.ReasonSet
	return []web.JudgeEntrant{
		{ID: "1001", Name: "髙橋 健一", Section: "情報政策課", Outcome: access.NeedPIN},
		{ID: "1003", Name: "𠮷田 誠", Section: "情報政策課", Outcome: access.Granted, Flags: flags.With(access.ReasonTrainingExpired)},
	}, nil
}
