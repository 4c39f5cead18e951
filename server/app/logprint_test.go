package app

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"monban/server/entrylog"
	"monban/server/store"
)

// RR-5, D10, PR-3: a list of openings asks for a reason, which stands with who asked in the openings of its two leaves; it holds no inputs
// of a decision, which tell a PIN under duress, nothing sealed, and nobody whose record's use is suspended.
func TestOpeningsListed(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		someEntries(t, s.Store, time.Now())
		var held, sealed int
		var open []int64
		if err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			list, err := r.Leaves(0, 10_000)
			for _, l := range list {
				if o, err := r.Opening(l.Idx); err == nil {
					open = append(open, l.Idx)
					if len(o.Inputs) > 0 {
						held++
					}
					if len(o.Private) > 0 {
						sealed++
					}
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if held == 0 || len(open) < 4 {
			t.Fatalf("%d openings, %d with inputs, %d sealed", len(open), held, sealed)
		}
		id := [16]byte{3}
		twoPersons(t, s.Store)
		if _, err := s.Retainer().Restrict(t.Context(), hex.EncodeToString(id[:]), "本人の申出", kato); err != nil {
			t.Fatal(err)
		}
		size := s.Store.Size()
		var none bytes.Buffer
		for _, o := range []ExportOptions{{By: "kato", Now: time.Now()}, {Reason: " ", By: "kato", Now: time.Now()}, {Reason: "点検", Now: time.Now()}} {
			if _, err := s.PrintOpenings(t.Context(), &none, true, o); err == nil || none.Len() > 0 || s.Store.Size() != size {
				t.Errorf("%q by %q: listed %d bytes, %d leaves, %v", o.Reason, o.By, none.Len(), s.Store.Size()-size, err)
			}
		}
		for _, asJSON := range []bool{true, false} {
			size := s.Store.Size()
			var got bytes.Buffer
			sum, err := s.PrintOpenings(t.Context(), &got, asJSON, ExportOptions{Reason: "監査の点検", By: "kato", Now: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			text := got.String()
			for _, no := range []string{`"inputs"`, `"private"`, `"private_salt"`, "渡邉 一郎", `"person":"p-other"`} {
				if strings.Contains(text, no) {
					t.Errorf("json %v: the list has %s", asJSON, no)
				}
			}
			if !strings.Contains(text, "髙橋 花子") || strings.Count(text, `"opening":1`) < len(open)-2 {
				t.Errorf("json %v: nobody is named, or openings are missing:\n%s", asJSON, text)
			}
			if s.Store.Size() != size+2 {
				t.Fatalf("json %v: %d leaves", asJSON, s.Store.Size()-size)
			}
			if err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
				for i, verb := range []string{"view_openings", "view_openings_hash"} {
					list, err := r.Leaves(size+int64(i), 1)
					if err != nil {
						return err
					}
					a, err := entrylog.ParseAction(list[0].Body)
					if err != nil {
						return err
					}
					o, err := r.Opening(size + int64(i))
					if a.Verb != verb || !a.Reason || o.Text != "監査の点検" || o.Name != "kato" || (i == 1 && (a.ID != sum || sum != sumOf(got.Bytes()))) {
						t.Errorf("json %v: %+v, %+v, of the list %s", asJSON, a, o, sumOf(got.Bytes()))
					}
					if err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	})
}
