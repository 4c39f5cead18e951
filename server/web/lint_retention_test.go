package web

// retentionFamilies are words of the pages of retention that a value chooses.
var retentionFamilies = map[string][]string{
	"done":            {"retention_set", "disposal_asked", "disposal_approved", "disposal_withdrawn", "hold_placed", "hold_released"},
	"retention_class": {"all", "register", "action", "violation", "directory", "system"},
	"retention_run":   {"asked", "approved", "started", "done", "withdrawn", "void"},
	"retention_hold":  {"held", "release_asked", "released"},
}
