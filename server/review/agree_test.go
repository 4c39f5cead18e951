package review

import (
	"reflect"
	"slices"
	"testing"
)

// VR-1: whatever number asks for fewer findings waits for somebody's word; whatever asks for more counts at once. Every field of Settings is
// one of the numbers, so that a new one cannot be forgotten.
func TestWeakerNumbersWait(t *testing.T) {
	base := DefaultSettings()
	base.AloneMS = [4]int64{0, 5 * hour, 5 * hour, 4 * hour}
	base.WarmUpMS = 30 * day
	names := map[string]bool{}
	for _, n := range Numbers() {
		names[n.Name] = true
		for _, change := range []int64{-1, 1} {
			asked := base
			v := n.Of(&base) + change
			n.set(&asked, v)
			now, waits := Settle(base, asked)
			weaker := n.weaker(n.Of(&base), v)
			if weaker != slices.Equal(waits, []string{n.Name}) || weaker == now.Same(&asked) || weaker != now.Same(&base) {
				t.Errorf("%s %+d: weaker %v, waits %v", n.Name, change, weaker, waits)
			}
		}
	}
	fields := 0
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Settings]()) {
		switch {
		case f.Name == "Walks":
		case f.Type.Kind() == reflect.Array:
			fields += 3 // levels 1–3
		default:
			fields++
		}
	}
	if fields != len(names) {
		t.Errorf("%d fields, %d numbers", fields, len(names))
	}
	off := base
	off.OverstayMS[3], off.FirstUseMS = 0, 0
	if now, waits := Settle(base, off); !slices.Equal(waits, []string{"overstay_level_3", "first_use"}) || !now.Same(&base) {
		t.Errorf("not watched any more: %v", waits)
	}
	if now, waits := Settle(off, base); waits != nil || !now.Same(&base) {
		t.Errorf("watched again: %v", waits)
	}
	base.Walks = []Walk{{"a", "b", 60_000}, {"b", "c", 60_000}}
	less := base
	less.Walks = []Walk{{"b", "a", 30_000}, {"c", "d", 1000}}
	now, waits := Settle(base, less)
	if want := []Walk{{"b", "a", 60_000}, {"c", "d", 1000}, {"b", "c", 60_000}}; !slices.Equal(waits, []string{"walk"}) || !slices.Equal(now.Walks, want) {
		t.Errorf("walks: %v %v", waits, now.Walks)
	}
	late := base
	late.UsualFrom, late.UsualUntil = 21*60, 23*60 // the end is weaker, the beginning alone would stand behind the old end
	if now, _ := Settle(base, late); now.Validate() != nil {
		t.Errorf("hours %d to %d", now.UsualFrom, now.UsualUntil)
	}
}
