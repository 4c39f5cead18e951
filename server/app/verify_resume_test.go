package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// untilSaved is cancelled as soon as a state lies in a folder, as by somebody who has waited long enough.
type untilSaved struct {
	context.Context
	states string // pattern
}

func (u untilSaved) Done() <-chan struct{} { return nil }

func (u untilSaved) Err() error {
	if list, _ := filepath.Glob(u.states); len(list) > 0 {
		return context.Canceled
	}
	return nil
}

// EV-1: who breaks off a long check of a database is told how to go on, goes on there and reads on what the result relies; nothing that was
// encrypted lies in the state, and none is left when the check has come to its end.
func TestVerifyGoesOn(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) { someEntries(t, s.Store, time.Now()) })
	withSite(t, cfg, func(s *Site) { someEntries(t, s.Store, time.Now()) }) // closing signs what there is
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	states := filepath.Join(cache, "monban-server", "*.state")
	db := cfg.Path(databaseFile)
	check := func(ctx context.Context, o VerifyOptions) (string, error) {
		t.Helper()
		var out bytes.Buffer
		o.Database, o.Openings, o.Out, o.Every = db, true, &out, 1
		n, err := Verify(ctx, o)
		if n != 0 {
			t.Errorf("%d findings\n%s", n, out.String())
		}
		return out.String(), err
	}
	breakOff := func() (state string) {
		t.Helper()
		_, err := check(untilSaved{t.Context(), states}, VerifyOptions{})
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "go on with --resume") {
			t.Fatalf("broken off: %v", err)
		}
		list, _ := filepath.Glob(states)
		if len(list) != 1 {
			t.Fatalf("states: %v", list)
		}
		return list[0]
	}
	state := breakOff()
	info, err := os.Stat(state)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	data, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("花子")) || !bytes.Contains(data, []byte(`"openings"`)) {
		t.Error("the state holds what was decrypted")
	}
	for _, c := range []struct {
		o    VerifyOptions
		want []string
	}{
		{VerifyOptions{Resume: true}, []string{"everything fits", "note: taken up at leaf"}},
		{VerifyOptions{Resume: true, Words: true}, []string{"RESULT: nothing was found.", "taken up again", "were hashed again", "run it without --resume"}},
		{VerifyOptions{Resume: true, Words: true, Japanese: true}, []string{"【結果】異常は見つかりませんでした。", "続きから再開", "ハッシュを計算し直しました"}},
	} {
		if err := os.WriteFile(state, data, 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := check(t.Context(), c.o)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("does not say %q:\n%s", w, text)
			}
		}
		if list, _ := filepath.Glob(states); len(list) != 0 {
			t.Errorf("a finished check left %v", list)
		}
	}
	// Without being asked to, nobody goes on; with nothing to go on from the check begins anew; what cannot be a state is refused.
	breakOff()
	if text, err := check(t.Context(), VerifyOptions{}); err != nil || strings.Contains(text, "taken up") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err := check(t.Context(), VerifyOptions{Resume: true}); err != nil || strings.Contains(text, "taken up") {
		t.Errorf("%v\n%s", err, text)
	}
	if err := os.WriteFile(state, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := check(t.Context(), VerifyOptions{Resume: true}); err == nil || !strings.Contains(err.Error(), "without --resume the check begins anew") {
		t.Errorf("half a state: %v", err)
	}
}
