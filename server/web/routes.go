package web

import "net/http"

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
	serve   func(*Handler, http.ResponseWriter, *request) error
}

// routes is the whole of the site. A path that is not here is 403, whoever asks.
func routes() []route {
	return []route{
		{pattern: "GET /static/{file...}", public: true, passive: true, serve: (*Handler).getStatic},
		{pattern: "GET /setup", public: true, serve: (*Handler).getSetup},
		{pattern: "POST /setup", public: true, serve: (*Handler).postSetup},
		{pattern: "GET /login", public: true, serve: (*Handler).getLogin},
		{pattern: "POST /login", public: true, serve: (*Handler).postLogin},
		{pattern: "POST /language", public: true, serve: (*Handler).postLanguage},
		{pattern: "POST /logout", account: true, serve: (*Handler).postLogout},

		{pattern: "GET /{$}", roles: all, serve: (*Handler).getHome},
		{pattern: "GET /live", roles: desk, serve: (*Handler).getLive},
		{pattern: "GET /live/fragment", roles: desk, passive: true, serve: (*Handler).getLiveFragment},
		{pattern: "GET /events", roles: desk, passive: true, serve: (*Handler).events},
		{pattern: "GET /log", roles: groupF | groupS | groupA | groupD, serve: (*Handler).getLog},
		{pattern: "GET /log/{attempt}", roles: groupF | groupS | groupA | groupD, serve: (*Handler).getAttempt},
		{pattern: "GET /findings", roles: groupF | groupS | groupA | groupD, serve: (*Handler).getFindings},
		{pattern: "GET /doors", roles: groupS | groupD, serve: (*Handler).getDoors},

		{pattern: "GET /commands", roles: desk, serve: (*Handler).getCommands},
		{pattern: "POST /commands", roles: testRoles, serve: (*Handler).postCommand},
		{pattern: "POST /commands/{id}/agree", roles: agreeRoles, serve: (*Handler).postAgree},
		{pattern: "POST /commands/{id}/withdraw", roles: agreeRoles, serve: (*Handler).postWithdraw},
		{pattern: "POST /commands/{id}/confirm", roles: agreeRoles, serve: (*Handler).postConfirm},

		{pattern: "GET /judge", roles: groupF | groupS | groupA | groupC, serve: (*Handler).getJudge},

		{pattern: "GET /accounts", roles: groupC | groupD, serve: (*Handler).getAccounts},
		{pattern: "POST /accounts", roles: groupC | groupD, serve: (*Handler).postAccount},
		{pattern: "POST /accounts/{id}/suspend", roles: groupC | groupD, serve: (*Handler).postSuspend},
		{pattern: "POST /accounts/{id}/resume", roles: groupC | groupD, serve: (*Handler).postResume},
		{pattern: "POST /accounts/{id}/reset", roles: groupC | groupD, serve: (*Handler).postReset},

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
