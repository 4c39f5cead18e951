package report

import (
	"fmt"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// codePoint writes a letter so that it can be looked up: U+20BB7.
func codePoint(r rune) string { return fmt.Sprintf("U+%04X", r) }
