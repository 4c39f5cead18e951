package store

import "testing"

// I2, I3, I8: what the store writes verifies from genesis, openings included.
func TestVerifyClean(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 60)
	res, err := st.Verify(t.Context(), s.verifyOptions(true))
	must(t, err)
	wantClean(t, res)
	must(t, st.Close())
	res = s.verify(t, true)
	wantClean(t, res)
	if res.Leaves < 200 || res.Checkpoints < 6 || res.Openings < 100 || res.Erased != 0 {
		t.Errorf("checked only %d leaves, %d checkpoints, %d openings (%d erased)", res.Leaves, res.Checkpoints, res.Openings, res.Erased)
	}
}
