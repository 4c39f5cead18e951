package web

// verificationFamilies are words of the page of verification that a value chooses.
var verificationFamilies = map[string][]string{
	"people_fault":       {"leaf"},
	"pack_kind":          {PackForAudit, PackOfDay, PackOfPerson},
	"pack_text":          {PackForAudit, PackOfDay, PackOfPerson},
	"pack_state":         {string(PackWaiting), string(PackRunning), string(PackDone), string(PackFailed)},
	"verification_state": {"none", "running", "clean", "found", "failed"},
}
