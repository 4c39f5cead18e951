package review

import "monban/firmware/door"

// pinLocked: the fifth wrong PIN in a row locked a card out (AD-13).
func pinLocked(f Fact) (Finding, bool) { return on(f, door.EventPINLocked, PINLocked) }
