package review

import "monban/firmware/access"

// IsDuress reports whether somebody was let in with a PIN given under duress (AD-13). Only who holds the
// request can say so: no fact, leaf or answer tells it from a right PIN (D10).
func IsDuress(r access.Request, o access.Outcome) bool {
	return r.PIN == access.PINDuress && r.Side == access.SideEnter && o != access.Denied && o != access.NeedPIN
}
