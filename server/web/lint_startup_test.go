package web

// startupFamilies are words of the page of set-up that a value chooses.
var startupFamilies = map[string][]string{
	"done":          {"gateway_confirmed"},
	"invite_state":  {"none", "invited", "came", "confirmed", "enrolled"},
	"startup_life":  {"n15", "n60", "n480", "n1440"},
	"startup_level": {"n1", "n2", "n3"},
	"startup_kind":  {"observe", "controlled"},
	"startup_exit":  {"reader", "button", "handle", "none"},
}
