package app

import (
	"strings"
	"testing"

	"monban/server/directory"
)

// M15, EQ-4: the doctor names what is due and what is away; only a thing outside of the building that nobody looked at in time is a fault.
func TestDoctorInventory(t *testing.T) {
	at := func(text string) directory.Date {
		d, err := directory.ParseDate(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	dir := directory.Snapshot{Items: []directory.Item{
		{ID: "GW-9", State: directory.ItemPresent, Every: 30, Counted: at("2026-11-01"), Remote: true, Approval: "CISO"},
		{ID: "KEY-1", State: directory.ItemPresent, Every: 180, Counted: at("2026-11-01")},
		{ID: "GW-8", State: directory.ItemRepair, Proof: "erased"},
	}}
	for day, c := range map[string]struct {
		bad  bool
		want []string
	}{
		"2026-11-30": {false, []string{"to be looked at: none", "repair: GW-8"}},
		"2026-12-01": {true, []string{"GW-9", "inventory.csv"}},
		"2027-05-01": {true, []string{"GW-9"}},
	} {
		got := inventory(&dir, at(day))
		if (got.Err != nil) != c.bad {
			t.Errorf("%s: %v", day, got.Err)
		}
		said := got.Note
		if got.Err != nil {
			said = got.Err.Error()
		}
		for _, w := range c.want {
			if !strings.Contains(said, w) {
				t.Errorf("%s: %q does not name %s", day, said, w)
			}
		}
	}
	dir.Items[0].Remote = false
	if got := inventory(&dir, at("2027-05-01")); got.Err != nil || !strings.Contains(got.Note, "GW-9, KEY-1") {
		t.Errorf("an ordinary count that is due: %q, %v", got.Note, got.Err)
	}
}
