package ingest_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/store"
)

// details lists kind and detail of every finding, oldest first.
func (h *harness) details() []string {
	h.t.Helper()
	var out []string
	h.Read(func(r *store.ReadTx) error {
		list, _, err := r.Findings(true, 0, 1000)
		slices.SortFunc(list, func(a, b attempt.Finding) int { return cmp.Compare(a.Idx, b.Idx) })
		for _, f := range list {
			out = append(out, f.Kind+" "+f.Detail)
		}
		return err
	})
	return out
}

func (h *harness) wantDetails(want ...string) {
	h.t.Helper()
	if got := h.details(); !slices.Equal(got, want) {
		h.t.Errorf("findings %q\nwant     %q", got, want)
	}
}

func (h *harness) status(id directory.CardID, s access.CredentialStatus) {
	h.t.Helper()
	if err := h.SetCardStatus(h.t.Context(), directory.Actor{From: "cli"}, "reported", id, s); err != nil {
		h.t.Fatal(err)
	}
}

// AD-18: what a recovery card opened is a finding of its own and no mismatch, at whatever hour and
// without a grant; a card that was lost meanwhile is both.
func TestRecoveryIsAFinding(t *testing.T) {
	h := newHarness(t)
	failed := access.ReasonSet(0).With(access.ReasonPolicyExpired).With(access.ReasonClockUntrusted).With(access.ReasonRecoveryCard)
	beyond := func(q *access.Request) { q.AgeMS, q.Clock = math.MaxInt64, access.ClockNone }
	b := newBox(h.Site, "gw-1", 1).alone("server-room-1", 4567, 1, 1, failed, beyond)
	h.take(b.all())
	h.wantDetails("recovery_used clock_untrusted/policy_expired")
	h.status("C-001", access.CredentialLost)
	b.alone("server-room-1", 4567, 2, 1, failed, beyond)
	h.take(b.batch(2, 2))
	h.wantDetails("recovery_used clock_untrusted/policy_expired",
		"decision_mismatch credential_lost:rules-1-2:late-0s", "recovery_used clock_untrusted/policy_expired")
	// A gateway that says so of a card that is none: not even its own rules let it in.
	b.alone("server-room-1", 4568, 3, 1, failed, beyond)
	h.take(b.batch(3, 3))
	if got := h.details(); got[3] != "decision_mismatch policy_expired:held-clock_untrusted:late-0s" {
		t.Errorf("an ordinary card as recovery card: %q", got[3:])
	}
}

// AD-7, D8: a grant that a gateway gave alone is judged by the rules it held and by those of now; the
// finding says what changed in between and how late the record came.
func TestJudgedThenAndNow(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	b.stamp.WallMS -= 90 * 60_000
	b.alone("media-store-1", 4567, 1, 1, 0, func(*access.Request) {})
	b.stamp.WallMS, b.stamp.BoottimeNS = nowMS, b.stamp.BoottimeNS+90*60_000_000_000
	b.alone("media-store-1", 4567, 2, 2, 0, func(*access.Request) {})                                // by the new rules it should have refused
	b.alone("media-store-1", 4568, 3, 1, 0, func(*access.Request) {})                                // nothing changed for this card
	b.alone("media-store-1", 4568, 4, 2, 0, func(q *access.Request) { q.AgeMS = 25 * 3600_000 })     // I5: it forgot max_age
	b.alone("media-store-1", 4568, 5, 2, 0, func(q *access.Request) { q.Clock = access.ClockFloor }) // D12: and the clock
	b.alone("media-store-1", 4575, 6, 77, 0, func(*access.Request) {})                               // by rules that never were
	b.alone("media-store-1", 4568, 7, 77, 0, func(*access.Request) {})                               // the same, but the server agrees
	h.status("C-001", access.CredentialRevoked)
	h.take(b.all())
	h.wantDetails(
		"decision_mismatch credential_revoked:rules-1-2:late-5400s", "late_record 2026-11-24",
		"decision_mismatch credential_revoked:held-credential_revoked:late-0s",
		"decision_mismatch granted:held-policy_expired:late-0s",
		"decision_mismatch granted:held-clock_untrusted:late-0s",
		"decision_mismatch no_grant:unknown-77-2:late-0s",
	)
}

// D13: a door that was locked while its gateway was away and let somebody in is a mismatch that says so.
func TestJudgedMode(t *testing.T) {
	h := newHarness(t)
	_, err := h.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.SetDoorMode(tx, directory.Actor{From: "cli"}, "drill", nowMS, "media-store-1", access.ModeLockdown)
	})
	if err != nil {
		t.Fatal(err)
	}
	h.take(newBox(h.Site, "gw-2", 1).granted("media-store-1", 4567, 1).all())
	h.wantDetails("decision_mismatch lockdown:mode:late-0s")
}
