package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/downlink"
	"monban/server/signer"
	"monban/server/store"
	"monban/server/web"
)

// sealing is a link that seals what it is given and sends it nowhere.
type sealing struct {
	sign note.Signer
	last error
	n    int
}

// Order implements sender, as the link's machine does.
func (s *sealing) Order(gw access.GatewayID, c wire.Command) error {
	c.Gateway, c.ServerMS, c.Boot, c.Challenge = gw, time.Now().UnixMilli(), wire.BootID{1}, wire.Challenge{1}
	if _, s.last = wire.Seal(s.sign, "city-hall", gw, wire.KindCommand, wire.AppendCommand(nil, &c)); s.last != nil {
		return &downlink.NotOrderedError{Why: "seal"}
	}
	s.n++
	return nil
}

// D18, RA-2, ADR 0031: with a signer of its own a server that asks for a command without approvals gets none, whatever it
// says of itself; the product's own orders are signed: two persons, one for a self-test, and one for an unlock only at a door of
// the signer's own list, whatever the directory says.
func TestSignerWantsApprovals(t *testing.T) {
	cfg := testSite(t)
	cfg.Signer = config.Signer{Socket: filepath.Join(t.TempDir(), "s"), KeysDir: filepath.Join(t.TempDir(), "signer")}
	if err := SplitSigner(cfg); err != nil {
		t.Fatal(err)
	}
	start := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- RunSigner(ctx, cfg, quiet) }()
		until(t, "the signer's socket", func() bool { _, err := os.Stat(cfg.Signer.Socket); return err == nil })
		time.Sleep(1100 * time.Millisecond) // it signs no order that may be older than itself
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	end := start()
	a, _, stop := running(t, cfg)
	sign, err := a.site.Signer.NoteSigner(signer.RoleCommand)
	if err != nil {
		t.Fatal(err)
	}
	link := &sealing{sign: sign}
	remote := directory.RemoteTwo
	c := *a.orders
	c.link, c.wait = link, 0 // no gateway answers
	c.directory = func() directory.Snapshot {
		s := *a.pub.Site().Directory()
		s.Doors = slices.Clone(s.Doors)
		for i := range s.Doors {
			if s.Doors[i].ID == lab {
				s.Doors[i].Remote = remote
			}
		}
		return s
	}
	err = a.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		var errs []error
		for _, id := range []string{"A", "B"} {
			errs = append(errs, tx.InsertAccount(store.Account{ID: id, Login: "login-" + id, FullName: "﨑山 " + id, CreatedMS: 1, PasswordHash: "x"}))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	act := func(who string) web.Action {
		return web.Action{At: time.Now(), Actor: who, Address: "192.0.2.1", Reason: "業者の入室"}
	}
	ask := func(k door.CommandKind) web.Command {
		t.Helper()
		x, err := c.AskCommand(t.Context(), web.CommandOrder{Door: lab, Action: k}, act("A"))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	signed := func(what string, want int) {
		t.Helper()
		if link.n != want || link.last != nil {
			t.Fatalf("%s: %d commands signed, want %d: %v", what, link.n, want, link.last)
		}
	}
	refused := func(what string, x web.Command) {
		t.Helper()
		if x.State != web.CommandNotSent || x.Detail != whyNotApproved {
			t.Errorf("%s: %v %q, want not sent, %s", what, x.State, x.Detail, whyNotApproved)
		}
	}

	// The product's own way.
	x := ask(door.CommandUnlock)
	signed("asked by one", 0)
	if _, err := c.AgreeCommand(t.Context(), x.ID, act("B")); err != nil {
		t.Fatal(err)
	}
	signed("agreed by another", 1)
	ask(door.CommandSelfTest)
	signed("a self-test by one", 2)

	// Whoever has taken over the server: no leaves; leaves of another command; the same order again.
	id, err := commandID(x.ID)
	if err != nil {
		t.Fatal(err)
	}
	var had store.Command
	if err := a.site.Store.Read(t.Context(), func(r *store.ReadTx) (err error) { had, err = r.Command(id); return err }); err != nil {
		t.Fatal(err)
	}
	hostile := wire.Command{Door: lab, Action: door.CommandUnlock, TTLMS: wire.MaxCommandMS}
	for what, order := range map[string]uint64{"no leaf": 0, "a leaf that orders something else": uint64(had.OrderedIdx), "a leaf to come": 1 << 40} {
		_, _ = rand.Read(hostile.ID[:])
		hostile.Order = order
		if err := link.Order("gw-1", hostile); err == nil || !errors.Is(link.last, signer.ErrNotApproved) {
			t.Errorf("%s: %v", what, link.last)
		}
	}
	hostile.ID, hostile.Order = id, uint64(had.OrderedIdx)
	if err := link.Order("gw-1", hostile); err == nil || !errors.Is(link.last, signer.ErrNotApproved) {
		t.Errorf("the same order again: %v", link.last)
	}
	if err := c.approve(t.Context(), had); !errors.Is(err, signer.ErrNotApproved) {
		t.Errorf("shown again: %v", err)
	}

	// One person: what the directory says does not count, only what the signer's own file says.
	remote, link.last = directory.RemoteOne, nil
	refused("unlock by one", ask(door.CommandUnlock))
	signed("unlock by one", 2)
	end()
	cfg.Signer.OnePersonDoors = []string{string(lab)}
	end = start()
	ask(door.CommandUnlock)
	signed("unlock by one at a door of the list", 3)

	// Without a signer there is no command either.
	end()
	if x := ask(door.CommandSelfTest); x.State != web.CommandNotSent {
		t.Errorf("without a signer: %v", x.State)
	}
	signed("without a signer", 3)
	end = start()
	if err := stop(); err != nil {
		t.Error(err)
	}
	end()
	var out bytes.Buffer
	if n, err := Verify(t.Context(), VerifyOptions{Database: cfg.Path(databaseFile), Openings: true, Out: &out}); err != nil || n != 0 {
		t.Errorf("verify: %d findings, %v\n%s", n, err, out.String())
	}
}
