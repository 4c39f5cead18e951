package visit

import (
	"testing"

	"monban/firmware/access"
)

// OP-1: only approved work or an inspection, in its window and zones, says that something is meant to be switched off.
func TestPlans(t *testing.T) {
	const from, until = 10_000_000, 20_000_000
	good := Visit{Type: Work, State: Approved, Zones: []access.ZoneID{"hall", "room"}, FromMS: from, UntilMS: until}
	for name, c := range map[string]struct {
		edit func(*Visit)
		at   int64
		zone access.ZoneID
		want bool
	}{
		"in it":         {func(*Visit) {}, from, "room", true},
		"running":       {func(v *Visit) { v.State = Running }, until - 1, "room", true},
		"inspection":    {func(v *Visit) { v.Type = Inspection }, from, "hall", true},
		"over":          {func(*Visit) {}, until, "room", false},
		"long before":   {func(*Visit) {}, from - earlyWork - 1, "room", false},
		"elsewhere":     {func(*Visit) {}, from, "other", false},
		"no zone":       {func(*Visit) {}, from, "", false},
		"only asked":    {func(v *Visit) { v.State = Applied }, from, "room", false},
		"closed":        {func(v *Visit) { v.State = Closed }, from, "room", false},
		"only visitors": {func(v *Visit) { v.Type = Tour }, from, "room", false},
	} {
		v := good
		c.edit(&v)
		if got := v.Plans([]access.ZoneID{c.zone}, c.at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
