package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/attempt"
	"monban/server/keystore"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
)

// childVar makes the test binary the process that is killed: DIR SMTP-ADDRESS, or with "drain" one that finds nothing new.
const childVar = "MONBAN_ALERT_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVar); dir != "" {
		if err := child(dir, os.Getenv(childVar+"_SMTP"), os.Getenv(childVar+"_DRAIN") != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func openAt(dir string) (*store.Store, error) {
	ks, err := keystore.Open(filepath.Join(dir, "keystore.json"), filepath.Join(dir, "master.key"), rand.Reader)
	if err != nil {
		return nil, err
	}
	return store.Open(filepath.Join(dir, "monban.db"), store.Options{Zone: jst, Keys: ks})
}

// child finds forced doors all the time and tells of them by mail; it ends when nothing more is to be found or sent.
func child(dir, addr string, drain bool) error {
	s, err := openAt(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	words, err := NewWords(func(_ string, k review.Kind) string { return string(k) }, jst, "test-city", nil)
	if err != nil {
		return err
	}
	n := New(Config{
		Store: s, Site: "test-city", Now: time.Now, Log: quiet,
		Tree:   route.Tree{Root: route.Route{Hours: []string{"poc"}}, Limits: route.Defaults, Hours: calendar.Hours{Open: 0, Close: 86400}, Zone: jst, Every: []string{"poc"}},
		Closed: func() calendar.Calendar { return calendar.Calendar{} }, ZoneOf: func(string) string { return "" },
		Channels: []Named{{"poc", "mail", NewMail(MailConfig{Server: addr, Security: "none", From: "m@city.example", To: []string{"poc@city.example"}}, words)}},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); n.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for i := 0; !drain; i++ {
		err := s.Write(ctx, func(tx *store.Tx) error {
			f := attempt.Finding{Kind: "forced_open", Severity: "high", Door: fmt.Sprintf("d-%d-%d", os.Getpid(), i), Cause: review.NoCause, AtMS: time.Now().UnixMilli()}
			_, err := tx.AppendFinding(f, nil)
			return err
		})
		if err != nil {
			return err
		}
		n.Wake()
		time.Sleep(time.Duration(mrand.IntN(8)) * time.Millisecond)
	}
	for {
		idle := false
		err := s.Read(ctx, func(r *store.ReadTx) error {
			cursor, err := r.AlertCursor()
			if err != nil {
				return nil //nolint:nilerr // the routing has not begun
			}
			due, err := r.AlertsDue(cursor, time.Now())
			if err != nil {
				return err
			}
			state, err := r.ChannelState("poc")
			idle = !due && state.Waiting == 0
			return err
		})
		if err != nil || idle {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// AL-1: a process that finds and tells is killed again and again. In the end everything that was found has arrived, every copy
// under the same Message-ID, and no kill made more than one copy.
func TestKillsLoseNothing(t *testing.T) {
	kills := 6
	if n, err := strconv.Atoi(os.Getenv("MONBAN_ALERT_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	if err := keystore.Create(filepath.Join(dir, "keystore.json"), filepath.Join(dir, "master.key"), rand.Reader); err != nil {
		t.Fatal(err)
	}
	box, addr := startSMTP(t, nil, "")
	box.linger = 3 * time.Millisecond // so that kills meet it
	start := func(drain string) *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childVar+"="+dir, childVar+"_SMTP="+addr, childVar+"_DRAIN="+drain)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range kills {
		c := start("")
		before := len(box.list())
		for limit := time.Now().Add(time.Minute); len(box.list()) < before+5; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatal("nothing arrives")
			}
		}
		time.Sleep(time.Duration(mrand.IntN(50)) * time.Millisecond) // any moment
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
	}
	if err := start("1").Wait(); err != nil {
		t.Fatal(err)
	}
	s, err := openAt(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	copies := map[string]int{}
	for _, l := range box.list() {
		copies[l.id]++
	}
	found, doubled := 0, 0
	err = s.Read(t.Context(), func(r *store.ReadTx) error {
		list, err := r.FindingsAfter(-1, 1_000_000)
		for _, f := range list {
			found++
			name, err := key(r.Reader, "a%d.alert.1", f.Idx)
			if err != nil {
				return err
			}
			id := "<" + name + ".poc@test-city.monban.invalid>"
			if copies[id] == 0 {
				t.Errorf("finding %d was not told", f.Idx)
			}
			doubled += max(0, copies[id]-1)
			delete(copies, id)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(copies) > 0 {
		t.Errorf("messages about nothing: %v", copies)
	}
	if doubled > kills {
		t.Errorf("%d copies after %d kills", doubled, kills)
	}
	t.Logf("%d kills, %d findings, all told, %d copies", kills, found, doubled)
}
