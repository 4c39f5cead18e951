package app

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/attempt"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/store"
)

// someEntries logs decisions: of the person asked for, of one who is escorted by another, of one under duress.
func someEntries(t *testing.T, s *store.Store, at time.Time) {
	t.Helper()
	for i, o := range []entrylog.Opening{
		{Person: "p-asks", Name: "髙橋 花子", Section: "税務課"},
		{Person: "p-asks", Name: "髙橋 花子", Section: "税務課", Escort: "p-other"},
		{Person: "p-other", Name: "渡邉 一郎", Section: "委託業者"},
		{Person: "p-asks", Name: "髙橋 花子", Section: "税務課", Inputs: access.AppendInputs(nil, access.View{}, access.Request{PIN: access.PINDuress})},
		{Person: "p-asks", Name: "髙橋 花子", Section: "税務課", Inputs: access.AppendInputs(nil, access.View{}, access.Request{PIN: access.PINOK})},
	} {
		d := entrylog.Decision{Gateway: "gw-1", Door: "D-1", Side: "enter", Outcome: "granted", Reason: "granted", AtMS: at.UnixMilli() + int64(i), Assurance: "uid_only"}
		d.Ask[0], d.Attempt[0] = byte(i+1), byte(i+1)
		if err := s.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.AppendDecision(d, &o); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SignNow(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func thisDay(cfg *config.Config) calendar.Date { return calendar.DateOf(time.Now().In(cfg.Location())) }

func unzip(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// shownIn is all the text that a pack shows: of proofs, what their extra line holds.
func shownIn(files map[string][]byte) string {
	var b strings.Builder
	for _, data := range files {
		b.Write(data)
		for line := range strings.Lines(string(data)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "extra "); ok {
				raw, _ := base64.StdEncoding.DecodeString(text)
				b.Write(raw)
			}
		}
	}
	return b.String()
}

// RR-5, PR-3, EV-5, RA-4: beside a running server proofs and packs of a day, of a person and for an audit are made; each asks why, is a
// leaf and leaves its hash in the log; what a person gets names nobody else; and a PC with nothing but monban-verify and the file checks it.
func TestPacksBesideTheServer(t *testing.T) {
	cfg := testSite(t)
	a, _, stop := running(t, cfg)
	defer func() { _ = stop() }()
	someEntries(t, a.site.Store, time.Now())
	if err := a.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		f := attempt.Finding{Kind: "duress", Severity: "high", Door: "D-1", Attempt: [16]byte{4}, Cause: attempt.NoIndex, AtMS: time.Now().UnixMilli()}
		_, err := tx.AppendFinding(f, nil)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := a.site.Store.SignNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	day := thisDay(cfg)
	dir := t.TempDir()
	verifier := filepath.Join(dir, "monban-verify")
	if out, err := exec.Command("go", "build", "-o", verifier, "../monban-verify").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	o := func(name string) ExportOptions {
		return ExportOptions{Out: filepath.Join(dir, name), Reason: "監査委員の依頼", By: "Kato", Version: "1", Now: time.Now()}
	}
	var first int64
	if err := a.site.Store.Read(t.Context(), func(r *store.ReadTx) error {
		list, err := r.OfPerson("p-asks", day.String(), day.AddDays(1).String())
		if err == nil && len(list) != 4 {
			err = fmt.Errorf("%d lines", len(list))
		}
		first = list[0].First
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := ExportProof(t.Context(), cfg, first, true, ExportOptions{Out: filepath.Join(dir, "no"), By: "Kato", Now: time.Now()}, quiet); err == nil {
		t.Error("a proof without a reason")
	}
	sum, err := ExportProof(t.Context(), cfg, first, true, o("one.tlog-proof"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := sumFile(filepath.Join(dir, "one.tlog-proof")); got != sum {
		t.Errorf("hash %s of %s: %v", sum, got, err)
	}
	if _, err := ExportProof(t.Context(), cfg, 1<<40, true, o("none.tlog-proof"), quiet); err == nil {
		t.Error("a proof of a leaf that is not there")
	}
	if _, _, err := ExportBundle(t.Context(), cfg, BundleExport{Openings: true}, o("all.monban"), quiet); err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for name, p := range map[string]PackExport{
		"day.zip":      {Kind: "day", Names: true},
		"nameless.zip": {Kind: "day"},
		"person.zip":   {Kind: "person", Person: "p-asks"},
		"audit.zip":    {Kind: "audit", Names: true, Verifier: []string{verifier}},
	} {
		p.From, p.To = day.AddDays(-1), day.AddDays(1)
		if sums[name], err = ExportPack(t.Context(), cfg, p, o(name), quiet); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for name, sum := range sums { // each hash is in the log
		if !hasAction(t, cfg, logcheck.PackVerb, sum) {
			t.Errorf("%s: its hash %s is not in the log", name, sum)
		}
	}

	// The clean PC: an empty folder, the program, the file.
	key := cfg.Path(keysDir, "log.vkey")
	for _, name := range []string{"one.tlog-proof", "all.monban", "day.zip", "nameless.zip", "person.zip", "audit.zip"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, with := range [][]string{nil, {"--key", "log.vkey"}} {
			pc := t.TempDir()
			for n, from := range map[string]string{"monban-verify": verifier, "log.vkey": key} {
				if err := copyExecutable(from, filepath.Join(pc, n)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(pc, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
			code, text := onPC(t, pc, append(append([]string{"--lang", "en"}, with...), name)...)
			if code != 0 || strings.Contains(text, "came with the file") == (with != nil) {
				t.Errorf("%s %v: exit %d\n%s", name, with, code, text)
			}
			if want := "this program is in it"; name == "audit.zip" && !strings.Contains(text, want) {
				t.Errorf("%s: does not say %q:\n%s", name, want, text)
			}
			spoilt := bytes.Clone(data)
			spoilt[len(spoilt)/2] ^= 1
			if err := os.WriteFile(filepath.Join(pc, name), spoilt, 0o600); err != nil {
				t.Fatal(err)
			}
			if code, text := onPC(t, pc, append(with, name)...); code == 0 {
				t.Errorf("%s: holds with a bit changed\n%s", name, text)
			}
		}
		n, err := Verify(t.Context(), VerifyOptions{Database: filepath.Join(dir, name), Keys: cfg.DataDir, Out: io.Discard})
		if err != nil || n != 0 {
			t.Errorf("verify %s: %d findings, %v", name, n, err)
		}
	}

	// PR-3: nobody but the person; third parties are masked, their records' proofs hold all the same.
	files := unzip(t, filepath.Join(dir, "person.zip"))
	text := shownIn(files)
	for _, n := range []string{"渡邉", "p-other", "委託業者"} {
		if strings.Contains(text, n) {
			t.Errorf("what a person gets names %s", n)
		}
	}
	if text := shownIn(files); strings.Contains(text, `duress"`) {
		t.Error("what a person gets says that a PIN was given under duress") // D10
	}
	for _, list := range []string{"README.txt", "person.csv", "rights.csv", "changes.csv", "visits.csv", "loans.csv", "matters.csv", "findings.csv", "requests.csv", "acts.csv", "accounts.csv"} {
		if len(files[list]) == 0 {
			t.Errorf("the pack has no %s", list)
		}
	}
	proofs, opened := 0, 0
	for name, data := range files {
		if !strings.HasPrefix(name, "proofs/") {
			continue
		}
		p, err := logcheck.ParseProof(data)
		if err != nil {
			t.Fatal(err)
		}
		if proofs++; p.Shown == logcheck.ShownOpen {
			opened++
		}
	}
	if n := strings.Count(string(files["lines.csv"]), maskedOther); proofs != 4 || opened != 1 || !strings.Contains(text, "髙橋 花子") || n != 1 {
		t.Errorf("%d proofs, %d with their openings, want 4 and 1; %d masked", proofs, opened, n)
	}
	if text := shownIn(unzip(t, filepath.Join(dir, "nameless.zip"))); strings.Contains(text, "髙橋") || strings.Contains(text, "渡邉") {
		t.Error("a pack without names has names") // PR-2
	}
	// RR-5: what the audit pack must hold; D10: no inputs of a decision, so neither an opening nor a missing one tells a PIN under duress.
	files = unzip(t, filepath.Join(dir, "audit.zip"))
	for _, want := range []string{logcheck.BundleName, logcheck.VerifierName, "policy.txt", "lists/grants.csv", "lists/people.csv", "lists/lines.csv", "lists/signed-days.csv", logcheck.ManifestName} {
		if files[want] == nil {
			t.Errorf("the audit pack has no %s", want)
		}
	}
	if _, err := logcheck.ParsePolicy(files["policy.txt"]); err != nil {
		t.Error(err)
	}
	policies := 0
	for name := range files {
		if strings.HasPrefix(name, logcheck.PolicyFolder) {
			policies++
		}
	}
	if policies == 0 {
		t.Error("the audit pack has no policy")
	}
	shown := 0
	for line := range strings.Lines(string(files[logcheck.BundleName])) {
		if !strings.HasPrefix(line, "opening ") {
			continue
		}
		o, err := entrylog.ParseOpening([]byte(strings.TrimSpace(strings.SplitN(line, " ", 3)[2])))
		if err != nil {
			t.Fatal(err)
		}
		if shown++; len(o.Inputs) > 0 {
			t.Error("has the inputs of a decision")
		}
	}
	if shown < 3 {
		t.Errorf("%d openings", shown)
	}
}

func hasAction(t *testing.T, cfg *config.Config, verb, id string) (found bool) {
	t.Helper()
	withSite(t, cfg, func(s *Site) {
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			list, err := r.ActionLeaves(0, 100_000)
			for _, l := range list {
				if a, err := entrylog.ParseAction(l.Body); err == nil && a.Verb == verb && a.ID == id && a.Reason {
					found = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	return found
}

func copyExecutable(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o700)
}

// onPC runs monban-verify in a folder, with nothing of this machine's environment.
func onPC(t *testing.T, dir string, args ...string) (code int, text string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "./monban-verify", args...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// RR-5: a pack in which a file was changed, put in, taken out or swapped, its MANIFEST made anew, does not hold: the log has another hash.
func TestChangedPack(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) { someEntries(t, s.Store, time.Now()) })
	path := filepath.Join(t.TempDir(), "a.zip")
	p := PackExport{Kind: "audit", Names: true, From: thisDay(cfg).AddDays(-1), To: thisDay(cfg).AddDays(1)}
	if _, err := ExportPack(t.Context(), cfg, p, ExportOptions{Out: path, Reason: "監査", By: "Kato", Now: time.Now()}, quiet); err != nil {
		t.Fatal(err)
	}
	files := unzip(t, path)
	check := func(files map[string][]byte) (clean bool, err error) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, data := range files {
			w, err := z.Create(name)
			if err == nil {
				_, err = w.Write(data)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()), logcheck.Options{})
		if err != nil {
			return false, err
		}
		return rep.Clean(), nil
	}
	if clean, err := check(files); !clean || err != nil {
		t.Fatalf("the true one: %v %v", clean, err)
	}
	// listed makes the MANIFEST of the files as they are, as who changes a pack can.
	listed := func(files map[string][]byte) {
		var b bytes.Buffer
		w := logcheck.NewPackWriter(&b, "audit", "x", time.Now())
		for name, data := range files {
			if name != logcheck.ManifestName && name != "MANIFEST.tlog-proof" {
				if err := w.Put(name, data); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := w.Manifest(); err != nil {
			t.Fatal(err)
		}
		proof, err := logcheck.ParseProof(files["MANIFEST.tlog-proof"])
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(proof); err != nil {
			t.Fatal(err)
		}
		tmp := filepath.Join(t.TempDir(), "x.zip")
		if err := os.WriteFile(tmp, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		files[logcheck.ManifestName] = unzip(t, tmp)[logcheck.ManifestName]
	}
	for name, change := range map[string]func(f map[string][]byte){
		"a list changed": func(f map[string][]byte) {
			f["lists/grants.csv"] = append(bytes.Clone(f["lists/grants.csv"]), "x\r\n"...)
		},
		"a file more": func(f map[string][]byte) { f["lists/more.csv"] = []byte("x") },
		"a file less": func(f map[string][]byte) { delete(f, "lists/signed-days.csv") },
		"two files swapped": func(f map[string][]byte) {
			f["lists/lines.csv"], f["lists/people.csv"] = f["lists/people.csv"], f["lists/lines.csv"]
		},
		"another verifier": func(f map[string][]byte) { f[logcheck.VerifierName] = []byte("00  monban-verify\n") },
		"no log":           func(f map[string][]byte) { delete(f, logcheck.BundleName) },
		"no proof":         func(f map[string][]byte) { delete(f, "MANIFEST.tlog-proof") },
		"a policy changed": func(f map[string][]byte) {
			for n := range f {
				if strings.HasPrefix(n, logcheck.PolicyFolder) {
					f[n] = append(bytes.Clone(f[n]), 0)
				}
			}
		},
	} {
		for _, anew := range []bool{false, true} {
			f := map[string][]byte{}
			for n, d := range files {
				f[n] = d
			}
			change(f)
			if anew && f["MANIFEST.tlog-proof"] != nil {
				listed(f)
			}
			if clean, err := check(f); err == nil && clean {
				t.Errorf("%s, MANIFEST made anew %v: holds", name, anew)
			}
		}
	}
}
