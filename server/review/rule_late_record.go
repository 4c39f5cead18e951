package review

// lateRecord: a record came more than a minute after what it tells (EV-7). After a lost link there are many: those of one
// gateway that come on one day are one item that says how many there were.
func lateRecord(f Fact) (Finding, bool) {
	if !f.Late {
		return Finding{}, false
	}
	found := New(LateRecord, f.Leaf)
	found.Once = OncePerArrivalDay
	return found, true
}
