package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// refusedHolder reports whether a refusal says that this holder has no right here and now. Refusals that have a finding of
// their own (unknown, lost, suspended, a wrong PIN) are not among them, nor those that say something of door, gateway or zone.
func refusedHolder(f *Fact) bool {
	if f.Event != door.EventDenied || f.Card == 0 {
		return false
	}
	switch f.Reason {
	case access.ReasonCredentialExpired, access.ReasonContractExpired, access.ReasonConditionsPending, access.ReasonTrainingExpired,
		access.ReasonNoGrant, access.ReasonGrantExpired, access.ReasonGrantNotYet, access.ReasonOutsideSchedule, access.ReasonAssuranceLow:
		return true
	}
	return false
}

// deniedBurst: one card refused five† times within the window, at whatever doors, or ten† such refusals at one door (VR-7).
type deniedBurst struct {
	set  *Settings
	card *memory[uint64, tally]
	door *memory[access.DoorID, tally]
}

func newDeniedBurst(book *journal, set *Settings) *deniedBurst {
	return &deniedBurst{set, newMemory[uint64, tally](book, set.WindowMS), newMemory[access.DoorID, tally](book, set.WindowMS)}
}

func (r *deniedBurst) step(f *Fact) (out []Finding) {
	if !refusedHolder(f) {
		return nil
	}
	c, _ := r.card.get(f.Card)
	if c.add(uint64(f.Leaf), f.AtMS, r.set.WindowMS, r.set.CardRefusals) {
		out = append(out, f.about(DeniedBurst, "card"))
	}
	r.card.set(f.ReceivedMS, f.Card, c)
	d, _ := r.door.get(f.Door)
	if d.add(uint64(f.Leaf), f.AtMS, r.set.WindowMS, r.set.DoorRefusals) {
		out = append(out, f.about(DeniedBurst, "door"))
	}
	r.door.set(f.ReceivedMS, f.Door, d)
	return out
}
