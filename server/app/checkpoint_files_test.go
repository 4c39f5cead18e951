package app

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
	"monban/server/timestamp"
	"monban/server/witness"
)

// timeAuthority is openssl ts in a folder, with its own certificate as what is trusted; it answers requests.
func timeAuthority(t *testing.T) (certificate string, answer func(request []byte) []byte) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	conf := "[tsa]\ndefault_tsa = one\n[one]\nserial = ./serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "tsa.cnf"), []byte(conf), 0o600), os.WriteFile(filepath.Join(dir, "serial"), []byte("01\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "30", "-subj", "/CN=Time 1",
		"-addext", "extendedKeyUsage=critical,timeStamping", "-addext", "keyUsage=critical,digitalSignature", "-addext", "basicConstraints=critical,CA:FALSE")
	return filepath.Join(dir, "tsa.pem"), func(request []byte) []byte {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "q.tsq"), request, 0o600); err != nil {
			t.Fatal(err)
		}
		run("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q.tsq", "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "r.tsr")
		data, err := os.ReadFile(filepath.Join(dir, "r.tsr"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
}

// EV-10: a time stamp by files, beside a running server and without one; a foreign authority's, another request's and a second answer
// are refused; verify asks whose they are when it is told whom to believe.
func TestTimestampByFiles(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	cert, answer := timeAuthority(t)
	other, foreign := timeAuthority(t)
	cfg.Timestamp = config.Timestamp{CAFile: cert, Policies: []string{"1.2.3.4.1"}}
	take := func() CheckpointFile {
		t.Helper()
		q, err := StampAsk(t.Context(), cfg, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := StampTake(t.Context(), cfg, foreign(q.Data), quiet); err == nil || !strings.Contains(err.Error(), "authority") {
			t.Errorf("a foreign authority's: %v", err)
		}
		a := answer(q.Data)
		got, err := StampTake(t.Context(), cfg, a, quiet)
		if err != nil || got.Size != q.Size || got.Who != "CN=Time 1" || time.Since(time.UnixMilli(got.AtMS)).Abs() > 5*time.Minute {
			t.Fatalf("%+v: %v", got, err)
		}
		if _, err := StampTake(t.Context(), cfg, a, quiet); err == nil {
			t.Error("taken twice")
		}
		return got
	}
	first := take()
	_, _, stop := running(t, cfg)
	second := take()
	if second.Size <= first.Size {
		t.Errorf("sizes %d, %d", first.Size, second.Size)
	}
	if _, err := StampTake(t.Context(), cfg, []byte("no stamp"), quiet); err == nil || !strings.Contains(err.Error(), ".tsr") {
		t.Errorf("garbage: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	bare := *cfg
	bare.Timestamp = config.Timestamp{}
	if _, err := StampTake(t.Context(), &bare, []byte("x"), quiet); err == nil || !strings.Contains(err.Error(), "timestamp.ca_file") {
		t.Errorf("without an authority: %v", err)
	}
	check := func(authority string) (findings int, text string) {
		t.Helper()
		var out strings.Builder
		n, err := Verify(t.Context(), VerifyOptions{Database: cfg.Path(databaseFile), Stamps: authority, Out: &out})
		if err != nil {
			t.Fatal(err)
		}
		return n, out.String()
	}
	if n, text := check(cert); n != 0 {
		t.Errorf("verify: %s", text)
	}
	if n, text := check(""); n != 0 {
		t.Errorf("verify without certificates: %s", text)
	}
	if n, text := check(other); n != 2 || !strings.Contains(text, "timestamp") {
		t.Errorf("verify with a foreign authority: %d findings\n%s", n, text)
	}
}

// EV-10: a stamp of a time before the checkpoint's newest entry, or still to come, is not kept.
func TestTimestampTime(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	cert, answer := timeAuthority(t)
	cfg.Timestamp.CAFile = cert
	withSite(t, cfg, func(s *Site) {
		for _, x := range []struct {
			off  time.Duration
			want error
		}{{-time.Hour, store.ErrStampTime}, {0, nil}} {
			now := time.Now().Add(x.off)
			o := openOutside(t, s, &now)
			q, err := o.stampAsk(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.stampTake(t.Context(), cfg, answer(q.Data)); !errors.Is(err, x.want) {
				t.Errorf("server's clock %v off: %v", x.off, err)
			}
		}
		late := time.Now().Add(time.Hour)
		o := openOutside(t, s, &late)
		leaf := func(tx *store.Tx) error { // by a clock that is an hour ahead
			_, err := tx.AppendSystem(entrylog.System{Name: entrylog.SystemKeys, AtMS: late.UnixMilli(), Values: []string{"1", "00"}}, nil)
			return err
		}
		if err := s.Store.Write(t.Context(), leaf); err != nil {
			t.Fatal(err)
		}
		q, err := o.stampAsk(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.stampTake(t.Context(), cfg, answer(q.Data)); !errors.Is(err, store.ErrStampTime) {
			t.Errorf("before the newest entry: %v", err)
		}
	})
}

// EV-4: a witness on a machine that is never connected: its cosignatures count as those of others, from nothing, from what it holds,
// and after it lost what it held; another's and another checkpoint's do not.
func TestWitnessByFiles(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	w := newHouse(t, filepath.Join(t.TempDir(), "state"))
	cfg.Witness = []config.Witness{{VKey: w.VKey()}}
	withSite(t, cfg, func(s *Site) {
		now := time.Now()
		o := openOutside(t, s, &now)
		w.Know(o.keys.Log)
		if err := o.age(t.Context()); err == nil {
			t.Error("nothing is missed before the first cosignature")
		}
		var last string
		for round := range 3 {
			if err := s.Store.Write(t.Context(), gapLeaf); err != nil {
				t.Fatal(err)
			}
			f, err := o.cosignAsk(t.Context(), "", 0)
			if err != nil {
				t.Fatal(err)
			}
			status, answer := w.Add(string(f.Data))
			if status != 200 {
				t.Fatalf("round %d: the witness answers %d %s", round, status, answer)
			}
			if round == 1 { // exported once more in between; the first answer is still taken
				if _, err := o.cosignAsk(t.Context(), o.list[0].Name(), 0); err != nil {
					t.Fatal(err)
				}
			}
			got, err := o.cosignTake(t.Context(), answer)
			if err != nil || got.Size != f.Size {
				t.Fatalf("round %d: %+v %v", round, got, err)
			}
			held, err := o.held(t.Context(), o.list[0].Name())
			if err != nil || held != f.Size {
				t.Errorf("held %d of %d: %v", held, f.Size, err)
			}
			last = answer
		}
		if err := errors.Join(o.age(t.Context()), s.verifyLog(t.Context())); err != nil {
			t.Errorf("%v", err)
		}
		if n := countFindings(t, s.Store, review.WitnessMissing); n != 0 {
			t.Errorf("%d findings", n)
		}
		for name, bad := range map[string]string{"garbage": "x", "empty": "", "spoilt": strings.Replace(last, "A", "B", 1), "two lines of nobody": "— a b\n— c d\n"} {
			if _, err := o.cosignTake(t.Context(), bad); !errors.Is(err, witness.ErrCosignature) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := o.cosignTake(t.Context(), "12\n"); err == nil || !strings.Contains(err.Error(), "--old 12") {
			t.Errorf("a 409: %v", err)
		}
		if _, err := o.cosignAsk(t.Context(), "witness.example/none", 0); err == nil {
			t.Error("a witness that is not set up")
		}
		if _, err := o.cosignAsk(t.Context(), "", 1_000_000); !errors.Is(err, witness.ErrBehind) {
			t.Errorf("more than there is: %v", err)
		}
	})
	if _, err := doCheckpoint(t.Context(), cfg, checkpointAsk{Op: opCosignTake, Data: make([]byte, timestamp.MostAnswer+1)}, quiet); err == nil {
		t.Error("a file that is too long")
	}
}
