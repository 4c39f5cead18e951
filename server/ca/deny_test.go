package ca

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func (h *hall) events() (out []Event) {
	h.Helper()
	if err := h.ca.Drain(func(e []Event) error { out = append(out, e...); return nil }); err != nil {
		h.Fatal(err)
	}
	return out
}

func denials(events []Event) (out []Event) {
	for _, e := range events {
		if e.Verb == "gateway_denied" {
			out = append(out, e)
		}
	}
	return out
}

// RA-4: a denial without a leaf does not exist. When the process that denies dies on the way, the server ends what was begun and logs who
// wanted it and why.
func TestDenialIsFinished(t *testing.T) {
	t.Parallel()
	for name, denied := range map[string]bool{"nothing denied yet": false, "denied, not logged": true} {
		h := newHall(t)
		is, err := h.ca.IssueGateway("gw-1", DefaultValidity, h.now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.ca.Invite("gw-1", By{User: "admin"}, "x", time.Minute, false, h.now); err != nil {
			t.Fatal(err)
		}
		_ = h.events()
		line, err := json.Marshal(denying{Event{Verb: "gateway_denied", Gateway: "gw-1", By: By{User: "髙橋"}, Reason: "stolen", At: h.now}, true})
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(h.ca.dir, inviteDir), "gw-1"+denyingMark, line)
		put(t, filepath.Join(h.ca.dir, inviteDir), "gw-2"+denyingMark, line[:20]) // torn: nobody was told of success
		if denied {
			if _, err := h.ca.DenyGateway("gw-1", h.now); err != nil {
				t.Fatal(err)
			}
		}
		got := denials(h.events())
		if len(got) != 1 || got[0].User != "髙橋" || got[0].Reason != "stolen" || !h.ca.Denied(is.Serial) {
			t.Errorf("%s: events %+v, denied %v", name, got, h.ca.Denied(is.Serial))
		}
		if left, err := h.ca.Invites(); err != nil || len(left) != 0 {
			t.Errorf("%s: %d invites are left, %v", name, len(left), err)
		}
		if again := denials(h.events()); len(again) != 0 {
			t.Errorf("%s: logged again: %+v", name, again)
		}
		if marks, _ := filepath.Glob(filepath.Join(h.ca.dir, inviteDir, "*"+denyingMark)); len(marks) != 0 {
			t.Errorf("%s: left behind: %v", name, marks)
		}
	}
}

// A gateway that was only invited can be refused; one that is not known at all is an error, and nothing is logged.
func TestRefuseWithoutCertificate(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	if _, err := h.ca.Refuse("gw-7", "admin", "x", h.now); !errors.Is(err, ErrNoCertificate) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := h.ca.Invite("gw-7", By{User: "admin"}, "x", time.Minute, false, h.now); err != nil {
		t.Fatal(err)
	}
	if n, err := h.ca.Refuse("gw-7", "admin", "x", h.now); n != 0 || err != nil {
		t.Errorf("invited: %d, %v", n, err)
	}
	if got := denials(h.events()); len(got) != 1 {
		t.Errorf("%d denials are logged, want one", len(got))
	}
	if _, err := os.Stat(filepath.Join(h.ca.dir, inviteDir, "gw-7"+denyingMark)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// OP-9: `invite --replace` for a gateway that never had a certificate enrols it; for one that had, the old certificate is refused and both
// things are logged.
func TestReplaceEnrols(t *testing.T) {
	t.Parallel()
	for _, had := range []bool{false, true} {
		h := newHall(t)
		serial := ""
		if had {
			is, err := h.ca.IssueGateway("gw-1", DefaultValidity, h.now)
			if err != nil {
				t.Fatal(err)
			}
			serial = is.Serial
		}
		code, err := h.ca.Invite("gw-1", By{User: "admin"}, "x", time.Minute, true, h.now)
		if err != nil {
			t.Fatal(err)
		}
		d := h.device("gw-1")
		ask := enrolRequest{Gateway: "gw-1", Code: secretOf(t, code), CSR: d.csr, NoteKey: d.vkey}
		status, a := h.post("/1/enrol", nil, ask)
		if status != 202 {
			t.Fatalf("had %v: %d %+v", had, status, a)
		}
		if err := h.ca.Confirm("gw-1", a.Fingerprint, By{User: "admin"}, h.now); err != nil {
			t.Fatal(err)
		}
		if status, a = h.post("/1/enrol", nil, ask); status != 200 || a.Cert == "" {
			t.Fatalf("had %v: %d %+v", had, status, a)
		}
		if had && !h.ca.Denied(serial) {
			t.Error("the old certificate is not refused")
		}
		want := 0
		if had {
			want = 1
		}
		if got := denials(h.events()); len(got) != want {
			t.Errorf("had %v: %d denials are logged, want %d", had, len(got), want)
		}
	}
}

// OP-1: the end of a gateway's certificate is that of the newest one which is not refused, also after another process wrote the list.
func TestGatewayEnds(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	issue := func(id string, validity time.Duration) Issued {
		t.Helper()
		is, err := h.ca.IssueGateway(id, validity, h.now)
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	want := func(when string, ends map[string]time.Duration) {
		t.Helper()
		got := h.ca.GatewayEnds()
		if len(got) != len(ends) {
			t.Errorf("%s: %v, want %v", when, got, ends)
		}
		for id, after := range ends {
			if !got[id].Equal(h.now.Add(after).Truncate(time.Second)) {
				t.Errorf("%s: %s ends on %v, want %v", when, id, got[id], h.now.Add(after))
			}
		}
	}
	want("none issued", nil)
	issue("gw-1", 24*time.Hour)
	want("one issued", map[string]time.Duration{"gw-1": 24 * time.Hour})
	issue("gw-2", 48*time.Hour)
	issue("gw-1", 72*time.Hour)
	issue("gw-1", 36*time.Hour) // the earlier end of a shorter one does not hide the other
	want("renewed", map[string]time.Duration{"gw-1": 72 * time.Hour, "gw-2": 48 * time.Hour})
	if _, err := h.ca.DenyGateway("gw-2", h.now); err != nil {
		t.Fatal(err)
	}
	want("gw-2 refused", map[string]time.Duration{"gw-1": 72 * time.Hour})
	if err := os.WriteFile(filepath.Join(h.ca.dir, issuedFile), []byte("ab\tgw-3\tyesterday\nhalf a li"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("damaged", nil)
}

// I4, RA-4: a denial that a running server cannot read is not passed over: what of the list can be read counts, no gateway comes in anew
// until it is mended, and ListErr says why. The server's own connection stays.
func TestUnreadableListLocks(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string, line []byte) error{
		"a torn line before it": func(path string, line []byte) error {
			return os.WriteFile(path, append([]byte("2f\tgw\n"), line...), 0o600)
		},
		"not to be read at all": func(path string, _ []byte) error { return os.Mkdir(path, 0o700) },
	} {
		h := newHall(t)
		is, err := h.ca.IssueGateway("gw-1", DefaultValidity, h.now)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.ca.admits("gw-2", "77"); err != nil || h.ca.ListErr() != nil {
			t.Fatalf("before: %v, %v", err, h.ca.ListErr())
		}
		path := filepath.Join(h.ca.dir, deniedFile)
		if err := spoil(path, []byte(is.Serial+"\tgw-1\t2026-11-24T09:00:00Z\n")); err != nil {
			t.Fatal(err)
		}
		h.ca.deny.looked = time.Time{}
		if err := h.ca.admits("gw-2", "77"); err == nil || errors.Is(err, ErrDenied) || h.ca.ListErr() == nil {
			t.Errorf("%s: a new connection comes in: %v, list %v", name, err, h.ca.ListErr())
		}
		if h.ca.Denied("77") {
			t.Errorf("%s: a living connection would end", name)
		}
		if name != "not to be read at all" && !h.ca.Denied(is.Serial) {
			t.Errorf("%s: the line that can be read does not count", name)
		}
		if err := h.ca.admits(ServerName, "1"); err != nil {
			t.Errorf("%s: the server's own: %v", name, err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := appendLine(path, is.Serial, "gw-1", h.now); err != nil {
			t.Fatal(err)
		}
		h.ca.deny.looked = time.Time{}
		if err := h.ca.admits("gw-2", "77"); err != nil || !h.ca.Denied(is.Serial) {
			t.Errorf("%s: mended: %v", name, err)
		}
	}
}
