package app

import (
	"testing"

	"monban/server/web"
)

// RA-4: a look leaves its trace also when its address is no text: it is neither lost nor a fault of the server.
func TestTraceOfOddAddress(t *testing.T) {
	c := newCounter(t)
	size := c.site.Store.Size()
	a := accounts{store: c.site.Store}
	if err := a.RecordAction(t.Context(), web.Action{At: c.at, Kind: web.ActionViewRegister, Actor: chief.Account, Target: "media-store", Filter: "zone=\xff\xfe&q=\u202e"}); err != nil || c.site.Store.Size() != size+1 {
		t.Errorf("%v, %d leaves", err, c.site.Store.Size()-size)
	}
}
