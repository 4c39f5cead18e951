package review

import (
	"hash/fnv"

	"monban/firmware/access"
	"monban/firmware/door"
)

// opensNothing reports whether a refusal says that the card opens no door at all: nobody ought to carry it.
func opensNothing(f *Fact) bool {
	switch f.Reason {
	case access.ReasonUnknownCredential, access.ReasonCredentialLost, access.ReasonCredentialSuspended, access.ReasonCredentialRevoked,
		access.ReasonCredentialExpired, access.ReasonPersonInactive:
		return f.Event == door.EventDenied && f.Card != 0
	}
	return false
}

// cardScan: five† different cards that open nothing at one door within the window, or one card refused at four† different
// doors (VR-7): somebody tries what opens.
type cardScan struct {
	set  *Settings
	card *memory[uint64, tally]
	door *memory[access.DoorID, tally]
}

func newCardScan(book *journal, set *Settings) *cardScan {
	return &cardScan{set, newMemory[uint64, tally](book, set.WindowMS), newMemory[access.DoorID, tally](book, set.WindowMS)}
}

func (r *cardScan) step(f *Fact) (out []Finding) {
	nothing := opensNothing(f)
	if nothing {
		d, _ := r.door.get(f.Door)
		if d.add(f.Card, f.AtMS, r.set.WindowMS, r.set.ScanCards) {
			out = append(out, f.about(CardScan, "cards"))
		}
		r.door.set(f.ReceivedMS, f.Door, d)
	}
	if nothing || refusedHolder(f) {
		c, _ := r.card.get(f.Card)
		if c.add(placeNumber(f.Door), f.AtMS, r.set.WindowMS, r.set.ScanDoors) {
			out = append(out, f.about(CardScan, "doors"))
		}
		r.card.set(f.ReceivedMS, f.Card, c)
	}
	return out
}

// placeNumber tells doors apart in a tally.
func placeNumber(id access.DoorID) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return h.Sum64()
}
