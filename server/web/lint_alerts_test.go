package web

// alertFamilies are words of the page of alerts that a value chooses.
var alertFamilies = map[string][]string{
	"done":           {"alert_acknowledged", "alerts_silenced", "silence_ended", "alert_test_sent", "alert_test_waits"},
	"alerts_kind":    {"mail", "webhook", "syslog", "mqtt"},
	"alerts_held":    {"hours", "low", "silenced", "inhibited", "burst", "nobody"},
	"alerts_what":    {"alert", "more", "escalation"},
	"self_item":      {"log", "witness", "clock", "disk", "backup", "certificates", "holidays", "folders", "other"},
	"self_job":       {"canary", "canary_check", "checkpoint", "self_test", "digest", "upkeep", "backup", "other"},
	"alerts_message": {"sent", "waiting", "given_up"},
}
