package app

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
)

// AD-7, I5: a lost card is reported from the command line beside a running server: the site of which
// policies are made has it when the command returns, within the seconds that the command takes. What is wrong is said, and a stopped
// server's card is changed as before.
func TestCardBesideTheServer(t *testing.T) {
	cfg := testSite(t)
	a, _, stop := running(t, cfg)
	card := func(id, status string) (string, error) {
		return SetCard(t.Context(), cfg, id, status, "紛失届", quiet)
	}
	status := func(id directory.CardID) access.CredentialStatus {
		for _, c := range a.pub.Site().Directory().Credentials {
			if c.ID == id {
				return c.Status
			}
		}
		t.Fatalf("no card %s", id)
		return 0
	}
	dir := a.pub.Site().Directory()
	id := dir.Credentials[0].ID
	began := time.Now()
	if _, err := card(string(id), "lost"); err != nil {
		t.Fatal(err)
	}
	t.Logf("%v from the command to the policy", time.Since(began))
	if status(id) != access.CredentialLost {
		t.Errorf("card %v in the published site", status(id))
	}
	if _, err := card("no-such-card", "lost"); err == nil || errors.Is(err, ErrNotKnown) {
		t.Errorf("unknown card: %v", err)
	}
	// Left by nobody we know: refused, and nothing else is.
	odd := filepath.Join(cfg.Path(requestDir), "00"+requestTail)
	if err := os.WriteFile(odd, []byte(`{"card":"x","to":"active"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var got answer
	until(t, "an answer", func() bool {
		b, err := os.ReadFile(strings.TrimSuffix(odd, requestTail) + answerTail)
		return err == nil && json.Unmarshal(b, &got) == nil
	})
	if got.Error != "not a request" {
		t.Errorf("answer %+v", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := card(string(dir.Credentials[1].ID), "suspended"); err != nil {
		t.Errorf("stopped server: %v", err)
	}
}

// A request that no server takes is taken back: nothing happens later, when nobody waits for it any more (I7's spirit for
// what people ask).
func TestCardRequestIsTakenBack(t *testing.T) {
	cfg := testSite(t)
	l, err := lock(cfg.Path(lockFile)) // somebody holds the directory and does not look at requests
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := SetCard(t.Context(), cfg, "C-1", "lost", "紛失届", quiet); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("no folder: %v", err)
	}
	if err := openRequests(cfg.Path(requestDir)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := SetCard(ctx, cfg, "C-1", "lost", "紛失届", quiet); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("nobody answers: %v", err)
	}
	if left, err := os.ReadDir(cfg.Path(requestDir)); len(left) > 0 || err != nil {
		t.Errorf("left: %v %v", left, err)
	}
}
