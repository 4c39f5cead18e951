package store

import (
	"bytes"
	"encoding/base64"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/timestamp"
)

// EV-10, EV-5: a bundle has the time stamps on its checkpoints; the check believes them by the auditor's certificates alone and says in both languages
// what they prove; one that was changed, or moved to other leaves, is found; openssl takes the same bytes. Without one the bundle is of version 2 as ever.
func TestBundleHasTimeStamps(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	by, ca, answer := timeAuthority(t)
	foreign, _, _ := timeAuthority(t)
	s.fill(t, st, 10)
	must(t, st.SignNow(t.Context()))
	opt := logcheck.Options{Keys: []note.Verifier{s.log}}
	plain := bundleOf(t, st, s, BundleOptions{})
	if !bytes.HasPrefix(plain, []byte(`monban-bundle {"version":2,`)) || !checked(t, plain, opt).Clean() {
		t.Fatalf("without a time stamp: %.60s", plain)
	}
	q := StampRequest{Size: st.publishedSize(), Note: st.Checkpoint(), Nonce: []byte{0x41, 3}, AtMS: 1}
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.PutStamp(q, answer(q), by, time.Now())
		return err
	}))
	must(t, st.SignNow(t.Context()))
	data := bundleOf(t, st, s, BundleOptions{})
	if !bytes.HasPrefix(data, []byte(`monban-bundle {"version":3,`)) {
		t.Fatalf("with one: %.60s", data)
	}
	with := func(data []byte, trust *timestamp.Trust) *logcheck.Report {
		o := opt
		o.Stamps = trust
		return checked(t, data, o)
	}
	page := func(rep *logcheck.Report, lang logcheck.Lang) string {
		var out strings.Builder
		must(t, rep.Page(&out, lang, "log.monban"))
		return out.String()
	}
	rep := with(data, by)
	if !rep.Clean() || len(rep.Stamps) != 1 || rep.Stamps[0].Size != q.Size || !rep.Stamps[0].Trusted {
		t.Fatalf("%v %+v", rep.Result.Findings, rep.Stamps)
	}
	for lang, words := range map[logcheck.Lang][]string{
		logcheck.English:  {"so says a time stamp of CN=Time 2", "bear no time stamp yet", "not when it happened"},
		logcheck.Japanese: {"時刻認証局 CN=Time 2 のタイムスタンプ", "まだタイムスタンプがありません"},
	} {
		for _, w := range words {
			if text := page(rep, lang); !strings.Contains(text, w) {
				t.Errorf("does not say %q:\n%s", w, text)
			}
		}
	}
	if rep = with(data, nil); !rep.Clean() || rep.Stamps[0].Trusted || !strings.Contains(page(rep, logcheck.English), "prove no time") || strings.Contains(page(rep, logcheck.English), "so says a time stamp") {
		t.Errorf("with the certificate that it brings:\n%s", page(rep, logcheck.English))
	}
	if rep = with(data, foreign); rep.Clean() || !strings.Contains(rep.Result.Findings[0].What, "not by an authority") {
		t.Errorf("another authority's: %v", rep.Result.Findings)
	}

	// Each part of the line, changed; the line at another place.
	at := bytes.Index(data, []byte("\nstamp ")) + 1
	line, _, _ := bytes.Cut(data[at:], []byte("\n"))
	part := strings.Split(string(line), " ")
	noteText, err := base64.StdEncoding.DecodeString(part[2])
	must(t, err)
	tsr, err := base64.StdEncoding.DecodeString(part[4])
	must(t, err)
	spoilt := func(b []byte, i int) string {
		b = bytes.Clone(b)
		b[i] ^= 1
		return base64.StdEncoding.EncodeToString(b)
	}
	for what, other := range map[string]string{
		"nonce":         strings.Join([]string{part[0], part[1], part[2], "4104", part[4]}, " "),
		"a stamp's end": strings.Join([]string{part[0], part[1], part[2], part[3], spoilt(tsr, len(tsr)-1)}, " "),
		"note's end":    strings.Join([]string{part[0], part[1], spoilt(noteText, len(noteText)-3), part[3], part[4]}, " "),
		"size":          strings.Join([]string{part[0], "3", part[2], part[3], part[4]}, " "),
	} {
		if rep := with(bytes.Replace(data, line, []byte(other), 1), by); !strings.Contains(rep.Result.Findings[0].Table, "timestamp") {
			t.Errorf("%s changed: %v", what, rep.Result.Findings)
		}
	}
	moved := bytes.Replace(data, append(bytes.Clone(line), '\n'), nil, 1)
	end := bytes.LastIndex(moved, []byte("\nend ")) + 1
	moved = bytes.Join([][]byte{moved[:end], line, []byte("\n"), moved[end:]}, nil)
	if rep := with(moved, by); rep.Result.Findings[0].Table != "timestamp" {
		t.Errorf("moved: %v", rep.Result.Findings)
	}

	// Somebody with the log's key had the checkpoint of another log of as many leaves stamped: it is whole, but not of these leaves.
	elsewhere := entrylog.Checkpoint{Origin: s.log.Name(), Size: q.Size, Root: entrylog.LeafHash([]byte("another log"))}
	key, err := os.ReadFile(s.dir + "/sign/log.key")
	must(t, err)
	signer, err := note.NewSigner(string(trimmed(key)))
	must(t, err)
	signed, err := note.Sign(&note.Note{Text: elsewhere.Text()}, signer)
	must(t, err)
	forged := strings.Join([]string{part[0], part[1], base64.StdEncoding.EncodeToString(signed), part[3],
		base64.StdEncoding.EncodeToString(answer(StampRequest{Note: string(signed), Nonce: q.Nonce}))}, " ")
	if rep := with(bytes.Replace(data, line, []byte(forged), 1), by); len(rep.Stamps) != 0 || !strings.Contains(rep.Result.Findings[0].What, "names another root") {
		t.Errorf("another log's stamp: %v %+v", rep.Result.Findings, rep.Stamps)
	}

	// As docs/log-format.md shows it.
	dir := t.TempDir()
	for name, b := range map[string][]byte{"note": noteText, "note.tsr": tsr, "ca.pem": ca} {
		must(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	cmd := osexec.CommandContext(t.Context(), "openssl", "ts", "-verify", "-data", "note", "-in", "note.tsr", "-CAfile", "ca.pem")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
}
