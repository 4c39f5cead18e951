package web

// rolloutFamilies are words of the page that a value chooses.
var rolloutFamilies = map[string][]string{
	"updates_state": {"running", "stopped", "done"},
	"updates_cause": {"rolled_back", "refused", "no_word", "gone", "person"},
	"updates_stage": {"waiting", "turn", "done", "skipped", "left_out", "stopped"},
	"updates_word":  {"none", "idle", "fetching", "waiting", "trial", "kept", "failed", "refused"},
	"done":          {"rollout_stopped", "rollout_resumed", "rollout_over"},
}
