package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

func isUnknownCard(f *Fact) bool {
	return f.Event == door.EventDenied && f.Reason == access.ReasonUnknownCredential
}

// unknownCards: the third† unknown card at one door within the window. It is told again only when there have been fewer
// within a window in between, so that one evening's trying is one item.
type unknownCards struct {
	set  *Settings
	door *memory[access.DoorID, tally]
}

func newUnknownCards(book *journal, set *Settings) *unknownCards {
	return &unknownCards{set, newMemory[access.DoorID, tally](book, set.WindowMS)}
}

func (r *unknownCards) step(f *Fact) []Finding {
	if !isUnknownCard(f) {
		return nil
	}
	t, _ := r.door.get(f.Door)
	told := t.add(uint64(f.Leaf), f.AtMS, r.set.WindowMS, r.set.UnknownCards)
	r.door.set(f.ReceivedMS, f.Door, t)
	if !told {
		return nil
	}
	return []Finding{f.about(UnknownCardRepeated, "")}
}
