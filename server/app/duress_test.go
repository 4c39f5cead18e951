package app

import (
	"crypto/rand"
	"encoding/json"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/authority"
	"monban/server/policypub/sitetest"
	"monban/server/store"
	"monban/server/web"
)

// AD-13, D10: the live page, its list of what is open and its stream show the same after a PIN given under duress as after the
// right one, to everybody: what is told apart is for the security officer's list alone.
func TestDuressAtTheReception(t *testing.T) {
	look := func(digits string) string {
		d := newDesk(t)
		a := authority.New(d.Publisher)
		ask := wire.Ask{Gateway: "gw-1", Door: "server-room-1", Side: access.SideEnter, Card: d.Sealed("gw-1", 4568), Assurance: "uid_only", PINGiven: true}
		for _, b := range [][]byte{ask.ID[:], ask.Attempt[:]} {
			_, _ = rand.Read(b) // crypto/rand never fails
		}
		ask.PIN = d.Proof("gw-1", 4568, digits, ask.ID)
		from := uint64(d.Site.Store.Size())
		if err := d.Site.Store.Write(t.Context(), func(tx *store.Tx) error {
			ans, err := a.Answer(tx, &ask, sitetest.Now().UnixMilli())
			if err == nil && ans.Outcome != access.Granted {
				t.Errorf("%s: %v", digits, ans.Failed)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		page, err := d.Overview(t.Context(), web.Reach{All: true}, true)
		if err != nil {
			t.Fatal(err)
		}
		page.Size = 0 // the log also grows by each look at a name, each gap and each change
		stream, err := d.LiveFrom(t.Context(), from, 100)
		if err != nil || len(stream) == 0 {
			t.Fatalf("%v, %v", stream, err)
		}
		said := map[string]bool{}
		for _, e := range stream {
			said[e.Kind] = true
		}
		b, err := json.MarshalIndent(map[string]any{"page": page, "stream": said}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return regexp.MustCompile(`[0-9a-f]{32}`).ReplaceAllString(string(b), "attempt")
	}
	if diff := cmp.Diff(look("1357"), look("7531")); diff != "" {
		t.Error(diff)
	}
}
