package visit

import "testing"

// FuzzDecode: a stored matter and the settings of visits are read or refused.
func FuzzDecode(f *testing.F) {
	kinds := []string{KindVisit, KindPermit, KindTemporary, KindSuspension, KindEmergency, KindCarry, KindKeyLoan, KindPurpose, "other"}
	for i := range kinds {
		f.Add(uint8(i), `{"id":"v1","visitors":[{"name":"渡邉"}],"from_ms":1,"until_ms":2}`)
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		if m, err := Decode(kinds[int(kind)%len(kinds)], []byte(text)); err == nil {
			m.Head()
			m.Subject()
		}
		if s, err := ParseSettings(text); err == nil && s.Validate() != nil {
			t.Error("settings that are not valid were read")
		}
	})
}
