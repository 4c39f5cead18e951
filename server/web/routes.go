package web

import (
	"net/http"
	"slices"
	"sync"
)

// Groups of roles by the letters of their screens (D26).
const (
	groupF = RoleSet(1<<RoleZoneManager | 1<<RoleSectionManager | 1<<RoleReviewer)
	groupS = RoleSet(1 << RoleCSIRT)
	groupR = RoleSet(1 << RoleReception)
	groupA = RoleSet(1 << RoleAuditor)
	groupC = RoleSet(1<<RoleCISO | 1<<RoleChiefSecurity)
	groupD = RoleSet(1 << RoleSystemAdmin)
	desk   = groupF | groupS | groupR | groupA | groupC | groupD
	all    = desk | 1<<RoleApplicant | 1<<RoleFacilitySection
)

// route is one line of the table. Without roles, account and public nobody gets in.
type route struct {
	pattern string // "METHOD /path" of http.ServeMux
	public  bool   // no login needed
	account bool   // any account that is signed in, even without a role in force
	roles   RoleSet
	// passive routes are fetched by the page itself: they do not count as activity of a person,
	// and without a session they answer 401 instead of showing the login page.
	passive bool
	// enrol routes are open to an account that has to set up a second factor first (RA-3).
	enrol bool
	// stepUp is how fresh and strong a proof of identity the route needs (D28).
	stepUp stepUpLevel
	// api routes are for programs: a token is asked for and no cookie is looked at, errors are
	// application/problem+json, and a query parameter that is not in query is refused.
	api   bool
	query []string
	// body is the most that a request may send; 0 = maxBody.
	body  int64
	serve func(*Handler, http.ResponseWriter, *request) error
}

// routes is the whole of the site. A path that is not here is 403, whoever asks.
func routes() []route {
	return slices.Concat(pageRoutes(), ruleRoutes(), visitRoutes(), alertRoutes(), startupRoutes(), verificationRoutes(), packRoutes(), rolloutRoutes(), reportRoutes(), retentionRoutes(), dataRoutes(), apiRoutes())
}

// table is the routes by pattern, for links and forms that depend on who may follow them: each page asks some fifty times.
// It is filled when it is first asked: the handlers in it ask it themselves.
var table struct {
	once      sync.Once
	byPattern map[string]route
}

// routeOf finds a route by its pattern; ok is false when there is none.
func routeOf(pattern string) (rt route, ok bool) {
	table.once.Do(func() {
		list := routes()
		table.byPattern = make(map[string]route, len(list))
		for _, rt := range list {
			table.byPattern[rt.pattern] = rt
		}
	})
	rt, ok = table.byPattern[pattern]
	return rt, ok
}

func pageRoutes() []route {
	return []route{
		{pattern: "GET /static/{file...}", public: true, passive: true, serve: (*Handler).getStatic},
		{pattern: "GET /setup", public: true, serve: (*Handler).getSetup},
		{pattern: "POST /setup", public: true, serve: (*Handler).postSetup},
		{pattern: "GET /login", public: true, serve: (*Handler).getLogin},
		{pattern: "POST /login", public: true, serve: (*Handler).postLogin},
		{pattern: "GET /login/second", public: true, serve: (*Handler).getSecond},
		{pattern: "POST /login/second", public: true, serve: (*Handler).postSecond},
		{pattern: "POST /login/passkey/options", public: true, serve: (*Handler).postLoginOptions},
		{pattern: "POST /login/passkey", public: true, serve: (*Handler).postLoginPasskey},
		{pattern: "POST /login/desk", public: true, serve: (*Handler).postDesk},
		{pattern: "GET /login/desk", public: true, serve: (*Handler).getDesk},
		{pattern: "GET /login/desk/stage", public: true, passive: true, serve: (*Handler).getDeskStage},
		{pattern: "POST /login/desk/done", public: true, serve: (*Handler).postDeskDone},
		{pattern: "GET /login/provider", public: true, serve: (*Handler).getProvider},
		{pattern: "GET /login/provider/back", public: true, serve: (*Handler).getProviderBack},
		{pattern: "POST /login/provider", public: true, serve: (*Handler).postProvider},
		{pattern: "POST /language", public: true, serve: (*Handler).postLanguage},
		{pattern: "POST /logout", account: true, serve: (*Handler).postLogout},

		{pattern: "GET /{$}", roles: all, serve: (*Handler).getHome},
		{pattern: "GET /live", roles: desk, serve: (*Handler).getLive},
		{pattern: "GET /live/fragment", roles: desk, passive: true, serve: (*Handler).getLiveFragment},
		{pattern: "GET /events", roles: desk, passive: true, serve: (*Handler).events},
		{pattern: "GET /log", roles: groupF | groupS | groupA | groupD, serve: (*Handler).getLog},
		{pattern: "GET /log/{attempt}", roles: groupF | groupS | groupA | groupD, serve: (*Handler).getAttempt},
		{pattern: "GET /register", roles: registerRoles, serve: (*Handler).getRegister},
		{pattern: "GET /present", roles: presentRoles, serve: (*Handler).getPresent},
		{pattern: "GET /review", roles: reviewRoles, serve: (*Handler).getReviews},
		{pattern: "POST /review", roles: signRoles, stepUp: stepUpFull, serve: (*Handler).postQuiet},
		{pattern: "POST /review/month", roles: signRoles, stepUp: stepUpFull, serve: (*Handler).postMonth},
		{pattern: "GET /review/calendar", roles: reviewRoles, serve: (*Handler).getReviewCalendar},
		{pattern: "POST /review/rule", roles: reviewRuleRoles, stepUp: stepUpFull, serve: (*Handler).postReviewRule},
		{pattern: "GET /review/{zone}/{day}/addition", roles: reviewRoles, serve: (*Handler).getReviewAddition},
		{pattern: "GET /review/{zone}/{day}/reconcile", roles: signRoles, serve: (*Handler).getReconcile},
		{pattern: "POST /review/{zone}/{day}/reconcile", roles: signRoles, serve: (*Handler).postReconcile},
		{pattern: "GET /review/{zone}/{day}/correct", roles: signRoles, serve: (*Handler).getCorrect},
		{pattern: "POST /review/{zone}/{day}/correct", roles: signRoles, stepUp: stepUpFull, serve: (*Handler).postCorrect},
		{pattern: "POST /review/{zone}/{day}/exits/{id}", roles: confirmRoles, serve: (*Handler).postReviewExit},
		{pattern: "POST /corrections/{zone}/{id}", roles: signRoles, stepUp: stepUpFull, serve: (*Handler).postCorrectionAnswer},
		{pattern: "GET /review/{zone}/{day}", roles: reviewRoles, serve: (*Handler).getReview},
		{pattern: "POST /review/{zone}/{day}", roles: signRoles, stepUp: stepUpFull, serve: (*Handler).postReview},
		{pattern: "GET /findings", roles: caseRoles | groupC, serve: (*Handler).getFindings},
		{pattern: "GET /findings/{id}", roles: caseRoles | groupC, serve: (*Handler).getCase},
		{pattern: "POST /findings/{id}", roles: groupF | groupS, serve: (*Handler).postCase},
		{pattern: "GET /incidents", roles: incidentRoles, serve: whole((*Handler).getIncidents)},
		{pattern: "POST /incidents", roles: csirtRoles, serve: whole((*Handler).postIncident)},
		{pattern: "GET /incidents/{id}", roles: incidentRoles, serve: whole((*Handler).getIncident)},
		{pattern: "POST /incidents/{id}", roles: csirtRoles, serve: whole((*Handler).postIncidentStep)},
		{pattern: "POST /incidents/{id}/bundle", roles: csirtRoles, stepUp: stepUpFull, serve: whole((*Handler).postIncidentBundle)},
		{pattern: "GET /doors", roles: groupS | groupD, serve: (*Handler).getDoors},

		{pattern: "GET /doors/{door}/last-denial", roles: denialRoles, serve: (*Handler).getLastDenial},

		{pattern: "GET /commands", roles: desk, serve: (*Handler).getCommands},
		{pattern: "POST /commands", roles: testRoles, stepUp: stepUpFull, serve: (*Handler).postCommand},
		{pattern: "POST /commands/{id}/agree", roles: agreeRoles, stepUp: stepUpFull, serve: (*Handler).postAgree},
		{pattern: "POST /commands/{id}/withdraw", roles: agreeRoles, serve: (*Handler).postWithdraw},
		{pattern: "POST /commands/{id}/confirm", roles: agreeRoles, serve: (*Handler).postConfirm},

		{pattern: "GET /privacy", roles: groupF | groupA | groupC | groupD, serve: (*Handler).getPrivacy},
		{pattern: "POST /privacy", roles: groupC, stepUp: stepUpFull, serve: (*Handler).postPurpose},
		{pattern: "POST /privacy/{use}/end", roles: groupC, stepUp: stepUpFull, serve: (*Handler).postPurposeEnd},

		{pattern: "GET /people", roles: peopleRoles, serve: (*Handler).getPeople},
		{pattern: "POST /people", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).postPersonNew},
		{pattern: "GET /people/+new", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).getPersonNew},
		{pattern: "GET /people/+export", roles: exportRoles, serve: (*Handler).getExport},
		{pattern: "POST /people/+export", roles: exportRoles, stepUp: stepUpFull, serve: (*Handler).postExport},
		{pattern: "GET /people/{person}", roles: peopleRoles, serve: (*Handler).getPerson},
		{pattern: "POST /people/{person}", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).postPerson},
		{pattern: "GET /people/{person}/edit", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).getPersonEdit},
		{pattern: "POST /people/{person}/stop", roles: keepRoles, serve: (*Handler).postPersonStop},
		{pattern: "POST /people/{person}/start", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).postPersonStart},
		{pattern: "POST /people/{person}/forgive", roles: mendRoles, stepUp: stepUpFull, serve: (*Handler).postForgive},
		{pattern: "POST /people/{person}/cards/{card}/lift", roles: mendRoles, stepUp: stepUpFull, serve: (*Handler).postLiftPIN},
		{pattern: "GET /people/{person}/cards/+new", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).getCardNew},
		{pattern: "POST /people/{person}/cards", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).postCardNew},
		{pattern: "POST /people/{person}/cards/{card}/suspend", roles: suspendRoles, serve: (*Handler).postCardSuspend},
		{pattern: "POST /people/{person}/cards/{card}/lost", roles: suspendRoles, serve: (*Handler).postCardLost},
		{pattern: "POST /people/{person}/cards/{card}/reactivate", roles: reactivateRoles, stepUp: stepUpFull, serve: (*Handler).postCardBack},
		{pattern: "GET /people/{person}/cards/{card}/pin", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).getPIN},
		{pattern: "POST /people/{person}/cards/{card}/pin", roles: keepRoles, stepUp: stepUpFull, serve: (*Handler).postPIN},

		{pattern: "GET /grants", roles: rightsRoles, serve: (*Handler).getGrants},
		{pattern: "POST /grants", roles: grantEditRoles, stepUp: stepUpFull, serve: (*Handler).postGrant},
		{pattern: "GET /grants/+new", roles: grantEditRoles, stepUp: stepUpFull, serve: (*Handler).getGrantNew},
		{pattern: "GET /grants/+change", roles: grantEditRoles, stepUp: stepUpFull, serve: (*Handler).getGrantChange},
		{pattern: "POST /grants/+change", roles: grantEditRoles, stepUp: stepUpFull, serve: (*Handler).postGrantChange},
		{pattern: "POST /grants/+end", roles: grantEditRoles, serve: (*Handler).postGrantEnd},

		{pattern: "GET /proposals", roles: rightsRoles, serve: (*Handler).getProposals},
		{pattern: "GET /proposals/{id}", roles: rightsRoles, serve: (*Handler).getProposal},
		{pattern: "POST /proposals/{id}/confirm", roles: grantEditRoles, stepUp: stepUpFull, serve: (*Handler).postProposalConfirm},
		{pattern: "POST /proposals/{id}/withdraw", roles: withdrawRoles, serve: (*Handler).postProposalWithdraw},

		{pattern: "GET /judge", roles: groupF | groupS | groupA | groupC, serve: (*Handler).getJudge},

		{pattern: "GET /accounts", roles: groupC | groupD, serve: (*Handler).getAccounts},
		{pattern: "POST /accounts", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postAccount},
		{pattern: "POST /accounts/{id}/suspend", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postSuspend},
		{pattern: "POST /accounts/{id}/resume", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postResume},
		{pattern: "POST /accounts/{id}/reset", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postReset},

		{pattern: "POST /accounts/{id}/roles", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postRoleAsked},
		{pattern: "POST /accounts/{id}/roles/remove", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postRoleRemoved},
		{pattern: "POST /accounts/{id}/factors", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postFactorsAsked},
		{pattern: "POST /accounts/{id}/person", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postPersonAsked},
		{pattern: "GET /accounts/{id}/sessions", roles: groupC | groupD, serve: (*Handler).getSessions},
		{pattern: "POST /accounts/{id}/sessions/end", roles: groupC | groupD, serve: (*Handler).postSessionsEnd},
		{pattern: "POST /accounts/{id}/source", roles: groupC | groupD, stepUp: stepUpFull, serve: (*Handler).postSource},
		{pattern: "POST /accounts/requests/{id}/agree", roles: grantRoles, stepUp: stepUpFull, serve: (*Handler).postRequestAgreed},
		{pattern: "POST /accounts/requests/{id}/withdraw", roles: grantRoles, serve: (*Handler).postRequestWithdrawn},

		{pattern: "GET /desks", roles: groupD, serve: (*Handler).getDesks},
		{pattern: "POST /desks", roles: groupD, stepUp: stepUpFull, serve: sitewide(groupD, (*Handler).postDeskNew)},
		{pattern: "POST /desks/{desk}/remove", roles: groupD, serve: sitewide(groupD, (*Handler).postDeskRemove)},
		{pattern: "POST /desks/{desk}/bind", roles: groupD, stepUp: stepUpFull, serve: sitewide(groupD, (*Handler).postDeskBind)},
		{pattern: "POST /desks/{desk}/unbind", roles: groupD, serve: sitewide(groupD, (*Handler).postDeskUnbind)},

		{pattern: "GET /step-up", roles: all, enrol: true, serve: (*Handler).getStepUp},
		{pattern: "POST /step-up", roles: all, enrol: true, serve: (*Handler).postStepUp},
		{pattern: "POST /step-up/passkey/options", roles: all, serve: (*Handler).postStepUpOptions},
		{pattern: "POST /step-up/passkey", roles: all, serve: (*Handler).postStepUpPasskey},
		{pattern: "POST /step-up/desk", roles: all, enrol: true, serve: (*Handler).postStepUpDesk},
		{pattern: "GET /step-up/desk", roles: all, enrol: true, serve: (*Handler).getStepUpDesk},
		{pattern: "GET /step-up/desk/stage", roles: all, enrol: true, passive: true, serve: (*Handler).getStepUpDeskStage},
		{pattern: "POST /step-up/desk/done", roles: all, enrol: true, serve: (*Handler).postStepUpDeskDone},

		{pattern: "GET /me/factors", roles: all, enrol: true, serve: (*Handler).getFactors},
		{pattern: "POST /me/factors/passkeys/options", roles: all, enrol: true, stepUp: stepUpOwn, serve: (*Handler).postPasskeyOptions},
		{pattern: "POST /me/factors/passkeys", roles: all, enrol: true, stepUp: stepUpOwn, serve: (*Handler).postPasskey},
		{pattern: "POST /me/factors/passkeys/{id}/delete", roles: all, stepUp: stepUpOwn, serve: (*Handler).postPasskeyDelete},
		{pattern: "POST /me/factors/totp", roles: all, enrol: true, stepUp: stepUpOwn, serve: (*Handler).postTOTP},
		{pattern: "GET /me/factors/totp", roles: all, enrol: true, serve: (*Handler).getTOTP},
		{pattern: "GET /me/factors/totp/code.svg", roles: all, enrol: true, passive: true, serve: (*Handler).getTOTPCode},
		{pattern: "POST /me/factors/totp/confirm", roles: all, enrol: true, stepUp: stepUpOwn, serve: (*Handler).postTOTPConfirm},
		{pattern: "POST /me/factors/totp/delete", roles: all, stepUp: stepUpOwn, serve: (*Handler).postTOTPDelete},
		{pattern: "POST /me/factors/codes", roles: all, stepUp: stepUpOwn, serve: (*Handler).postCodes},

		{pattern: "GET /me/tokens", roles: all, serve: (*Handler).getTokens},
		{pattern: "POST /me/tokens", roles: all, stepUp: stepUpFull, serve: (*Handler).postToken},
		{pattern: "POST /me/tokens/{id}/revoke", roles: all, serve: (*Handler).postTokenRevoke},

		{pattern: "GET /me", roles: all, serve: (*Handler).getMe},
		{pattern: "POST /me/password", roles: all, serve: (*Handler).postPassword},
		{pattern: "POST /me/sessions/revoke", roles: all, serve: (*Handler).postRevoke},
	}
}

// Patterns lists the patterns of the route table, for the test that tries them all.
func Patterns() []string {
	var out []string
	for _, rt := range routes() {
		out = append(out, rt.pattern)
	}
	return out
}
