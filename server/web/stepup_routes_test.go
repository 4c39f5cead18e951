package web

import (
	"strings"
	"testing"
)

// addsRights are the acts after which somebody can do or enter more than before: each takes a fresh check of identity (D28). The acts of
// the register and of keys to the site's data are not here; they ask too, for reasons of their own.
var addsRights = []string{
	"POST /accounts", "POST /accounts/requests/{id}/agree", "POST /accounts/{id}/resume", "POST /accounts/{id}/reset", "POST /accounts/{id}/roles",
	"POST /accounts/{id}/factors", "POST /accounts/{id}/person", "POST /desks", "POST /desks/{desk}/bind", "POST /updates/resume", "POST /accounts/{id}/source", "POST /closed-days", "POST /closed-days/{day}/remove", "POST /commands", "POST /commands/{id}/agree",
	"POST /emergency", "POST /emergency/{id}/agree", "POST /grants", "POST /grants/+change", "POST /import", "POST /import/{draft}", "POST /me/tokens",
	"POST /people", "POST /people/{person}", "POST /people/{person}/cards", "POST /people/{person}/cards/{card}/lift",
	"POST /people/{person}/cards/{card}/pin", "POST /people/{person}/cards/{card}/reactivate", "POST /people/{person}/forgive",
	"POST /people/{person}/start", "POST /permits/{id}/approve", "POST /proposals/{id}/confirm", "POST /renewals",
	"POST /schedules/new", "POST /schedules/{schedule}/edit", "POST /schedules/{schedule}/remove", "POST /stopped/{id}/resume", "POST /temporary",
	"POST /visits/{id}/approve", "POST /visits/{id}/extend", "POST /visits/{id}/oral", "POST /zones/new", "POST /zones/{zone}/edit",
}

const (
	removes  = "takes rights away, which must not wait (D27)"
	asks     = "asks for something that somebody else decides"
	approved = "carries out what was approved, with an identity check of the guest"
	notes    = "writes down what has happened; nobody may do more by it"
	signsIn  = "is itself a proof of identity, or needs none"
	looks    = "changes nothing"
)

// without are the acts that take no fresh check, each with the reason.
var without = map[string]string{
	"POST /setup": signsIn, "POST /login": signsIn, "POST /login/second": signsIn, "POST /login/passkey/options": signsIn, "POST /login/passkey": signsIn,
	"POST /login/desk": signsIn, "POST /login/desk/done": signsIn, "POST /step-up/desk": signsIn, "POST /step-up/desk/done": signsIn,
	"POST /accounts/{id}/sessions/end": removes, "POST /desks/{desk}/remove": removes, "POST /desks/{desk}/unbind": removes, "POST /updates/stop": removes,
	"POST /login/provider": signsIn, "POST /logout": signsIn, "POST /step-up": signsIn, "POST /step-up/passkey/options": signsIn, "POST /step-up/passkey": signsIn,
	"POST /me/password": "asks for the old password itself", "POST /me/sessions/revoke": removes, "POST /me/tokens/{id}/revoke": removes,
	"POST /language": looks, "POST /rehearse": looks, "POST /thresholds/preview": looks, "POST /verification/check": looks, "POST /alerts/channels/{channel}/test": looks,

	"POST /commands/{id}/withdraw": removes, "POST /commands/{id}/confirm": notes, "POST /accounts/requests/{id}/withdraw": removes,
	"POST /people/{person}/stop": removes, "POST /people/{person}/cards/{card}/suspend": removes, "POST /people/{person}/cards/{card}/lost": removes,
	"POST /grants/+end": removes, "POST /proposals/{id}/withdraw": removes, "POST /stopped": removes, "POST /stopped/{id}/revoke": removes,
	"POST /stopped/{id}/ask": asks, "POST /me/own/stop": removes, "POST /emergency/{id}/end": removes,

	"POST /applications/new": asks, "POST /applications/permit": asks, "POST /visits/{id}/worker": asks,
	"POST /visits/urgent":                  "names an approver who answers for it afterwards; the guest waits at the desk (VE-12)",
	"POST /visits/{id}/receive/identity":   approved,
	"POST /visits/{id}/receive/conditions": approved, "POST /visits/{id}/receive/badges": approved, "POST /permits/{id}/receive": approved,
	"POST /visits/{id}/handover": "another who may escort takes over; no more may be entered by it",
	"POST /visits/{id}/refuse":   removes, "POST /visits/{id}/oral-denied": removes, "POST /visits/{id}/withdraw": removes, "POST /visits/{id}/close": removes,
	"POST /permits/{id}/refuse": removes, "POST /permits/{id}/end": removes, "POST /visits/return": removes, "POST /temporary/return": removes,
	"POST /visits/{id}/heads": notes, "POST /visits/{id}/left": notes,

	"POST /equipment": notes, "POST /equipment/{id}/shut": notes, "POST /equipment/{id}/items": notes, "POST /equipment/{id}/settle": notes,
	"POST /ledgers/keys": notes, "POST /ledgers/keys/{id}/return": notes, "POST /ledgers/forms": "the names of forms", "POST /ledgers/purposes/{zone}": "what keys stand for",
	"POST /ledgers/badges":             "a badge opens nothing before it is lent",
	"POST /ledgers/badges/{id}/status": "a badge opens nothing before it is lent",

	"POST /findings/{id}": notes, "POST /alerts/{id}/acknowledge": notes, "POST /alerts/silences/{id}/end": "alerts are told again",
	"POST /incidents": notes, "POST /incidents/{id}": notes, "POST /emergency/{id}/report": notes, "POST /dues/exits/{id}/confirm": notes, "POST /review/{zone}/{day}/exits/{id}": notes,
	"POST /outages": notes, "POST /outages/{id}/end": notes, "POST /outages/paper": notes, "POST /outages/paper/{id}/compare": notes,
	"POST /outages/drills": notes, "POST /outages/drills/{id}/end": notes, "POST /review/{zone}/{day}/reconcile": notes,
	"POST /me/own/purpose": notes, "POST /me/own/exit": notes, "POST /me/own/answer": notes, "POST /me/own/correction": asks,
	"POST /me/data": asks, "POST /me/data/{id}/withdraw": removes,
}

// D28: each act that adds rights takes a fresh check of identity; each that takes none is listed with the reason. A new route that
// is in neither list fails here: decide which it is.
func TestStepUpOfEveryAct(t *testing.T) {
	adds := map[string]bool{}
	for _, p := range addsRights {
		adds[p] = true
	}
	there := map[string]bool{}
	for _, rt := range routes() {
		if !strings.HasPrefix(rt.pattern, "POST ") || rt.api { // a token for acts is made with a fresh check (POST /me/tokens)
			continue
		}
		there[rt.pattern] = true
		reason := without[rt.pattern]
		switch {
		case adds[rt.pattern] && reason != "":
			t.Errorf("%s is in both lists", rt.pattern)
		case adds[rt.pattern] && rt.stepUp != stepUpFull:
			t.Errorf("%s adds rights and asks for no fresh check of identity", rt.pattern)
		case reason != "" && rt.stepUp != stepUpNone:
			t.Errorf("%s asks for a fresh check and is listed without one (%s)", rt.pattern, reason)
		case !adds[rt.pattern] && reason == "" && rt.stepUp == stepUpNone:
			t.Errorf("%s is not listed: does it add rights (then stepUp: stepUpFull), and if not, why not?", rt.pattern)
		}
	}
	for p := range adds {
		if !there[p] {
			t.Errorf("%s is listed and is no route", p)
		}
	}
	for p := range without {
		if !there[p] {
			t.Errorf("%s is listed and is no route", p)
		}
	}
	for _, rt := range routes() { // a form that somebody fills in before they are asked loses what was typed
		if adds["POST "+strings.TrimPrefix(rt.pattern, "GET ")] && strings.HasPrefix(rt.pattern, "GET ") && strings.Contains(rt.pattern, "+") && rt.stepUp != stepUpFull {
			t.Errorf("%s is the form of an act that asks: it has to ask first", rt.pattern)
		}
	}
}
