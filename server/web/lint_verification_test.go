package web

// verificationFamilies are words of the page of verification that a value chooses.
var verificationFamilies = map[string][]string{
	"people_fault":       {"leaf"},
	"verification_state": {"none", "running", "clean", "found", "failed"},
}
