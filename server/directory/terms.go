package directory

import "monban/firmware/card"

// Terms are the numbers of the rules that a site sets in its configuration. The zero value stands for the defaults.
type Terms struct {
	RoundMonths int   // between two recertifications of a zone, 1–24; 0 = 6 (VR-5)
	RoundDays   int   // from opening one to its due day, when nobody says otherwise, 1–180; 0 = 30
	RoundKeeps  bool  // who was not confirmed in time keeps the rights and is only listed; false = suspended there
	PINTries    uint8 // consecutive wrong PINs that lock a card out, 2–10; 0 = access.DefaultPINLimit (AD-13)
	// Assurance is the least that a card must prove in a zone of level 1, 2 and 3; index 0 is not used (AD-3, AD-4). A zone may ask for
	// more, never for less.
	Assurance [4]card.Assurance
}

func (t *Terms) roundMonths() int { return orElse(t.RoundMonths, 6) }

func (t *Terms) roundDays() int { return orElse(t.RoundDays, 30) }

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// Least is the least that a card must prove in a zone: what the zone says or what its level does, whichever is more. An unknown level
// counts as 3.
func (t *Terms) Least(z *Zone) card.Assurance {
	level := z.Level
	if level < 1 || level >= len(t.Assurance) {
		level = len(t.Assurance) - 1
	}
	return max(z.MinAssurance, t.Assurance[level])
}
