package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
	"monban/server/store"
)

// exportTime ends an export that hangs: while it reads, the database's file of changes cannot be taken in.
const exportTime = 2 * time.Hour

// ExportOptions are what each export asks for.
type ExportOptions struct {
	Out      string // new file
	Reason   string // in words; goes into the log
	By       string // who; goes into the log
	Version  string // of this program
	Now      time.Time
	Progress io.Writer // a sign of life each two seconds; nil = none
}

func (o *ExportOptions) check() error {
	switch {
	case strings.TrimSpace(o.Reason) == "":
		return errors.New("export: no reason given: it goes into the log")
	case o.By == "":
		return errors.New("export: nobody named who does it: it goes into the log")
	}
	return nil
}

// exportNote is a leaf about an export. What names a person stands in the opening (PR-2).
type exportNote struct {
	Verb    string `json:"verb"`
	Target  string `json:"target"`
	ID      string `json:"id,omitempty"`
	Subject string `json:"subject,omitempty"` // person id
	By      string `json:"by"`
	Reason  string `json:"reason"`
}

// exportVerbs are the leaves that a command may have the running server write.
var exportVerbs = map[string]string{
	"bundle_exported": "log", "bundle_exported_hash": "bundle", "bundle_openings_exported": "log", "bundle_openings_exported_hash": "bundle",
	"proof_exported": "leaf", "proof_exported_hash": "proof", "audit_export_begun": "log", "day_export_begun": "log", "person_export_begun": "log", logcheck.PackVerb: logcheck.PackTarget,
	"view_openings": "log", "view_openings_hash": "listing",
}

func (n *exportNote) check() error {
	if target, ok := exportVerbs[n.Verb]; !ok || target != n.Target || strings.TrimSpace(n.Reason) == "" || n.By == "" {
		return errors.New("not a note of an export")
	}
	return nil
}

// exporter makes files for somebody who checks the log elsewhere: from a command line, beside a running server or not, and from the
// pages.
type exporter struct {
	read    func(ctx context.Context, fn func(r store.Reader) error) error
	note    func(ctx context.Context, n exportNote) (leaf int64, err error) // committed and signed when this returns
	keys    []string                                                        // public keys of the log, the newest's first
	zone    *time.Location
	version string
	now     func() time.Time
}

// writeExportNote writes the leaf and has it signed.
func writeExportNote(ctx context.Context, s *store.Store, a entrylog.Action, o entrylog.Opening) (leaf int64, err error) {
	err = s.Write(ctx, func(tx *store.Tx) error {
		leaf, err = tx.AppendAction(a, &o)
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := s.SignNow(ctx); err != nil {
		return 0, fmt.Errorf("export: %w", err)
	}
	return leaf, nil
}

// cliNote is writeExportNote of what a command asked for.
func cliNote(ctx context.Context, s *store.Store, n exportNote, at time.Time) (int64, error) {
	if err := n.check(); err != nil {
		return 0, err
	}
	a := entrylog.Action{Verb: n.Verb, Target: n.Target, ID: n.ID, From: "cli", Result: "ok", Reason: true, AtMS: at.UnixMilli()}
	return writeExportNote(ctx, s, a, entrylog.Opening{Name: n.By, Subject: n.Subject, Text: n.Reason})
}

// withExporter gives an exporter for the site of a configuration. A running server writes the leaves and signs; the log is read beside
// it. Of a stopped one, the site is opened. With names the year keys are opened too.
func withExporter(ctx context.Context, cfg *config.Config, o *ExportOptions, names bool, log *slog.Logger, fn func(ctx context.Context, x *exporter) error) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, exportTime)
	defer stop()
	x := &exporter{zone: cfg.Location(), version: o.Version, now: func() time.Time { return o.Now }}
	if x.keys, err = logKeyLines(cfg.Path(keysDir)); err != nil {
		return err
	}
	quiet := tellProgress(o.Progress)
	defer quiet()
	l, err := lock(cfg.Path(lockFile))
	if errors.Is(err, syscall.EWOULDBLOCK) {
		var keys *keystore.KeyStore
		if names {
			if keys, err = keystore.Open(cfg.Path(keyStoreFile), cfg.Path(masterFile), rand.Reader); err != nil {
				return err
			}
		}
		x.read = func(ctx context.Context, fn func(r store.Reader) error) error {
			return store.ReadFile(ctx, cfg.Path(databaseFile), keys, cfg.Terms(), func(r *store.ReadTx) error { return fn(r.Reader) })
		}
		x.note = func(ctx context.Context, n exportNote) (int64, error) {
			a, err := askServer(ctx, cfg.Path(requestDir), request{Export: &n})
			return a.Leaf, err
		}
		return fn(ctx, x)
	}
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	s, err := OpenSite(cfg, time.Now(), log)
	if err != nil {
		return err
	}
	s.exportFrom(x, o)
	return errors.Join(fn(ctx, x), s.Close())
}

// exportFrom has an exporter read and write an open site.
func (s *Site) exportFrom(x *exporter, o *ExportOptions) {
	x.read = func(ctx context.Context, fn func(r store.Reader) error) error {
		return s.Store.Read(ctx, func(r *store.ReadTx) error { return fn(r.Reader) })
	}
	x.note = func(ctx context.Context, n exportNote) (int64, error) { return cliNote(ctx, s.Store, n, o.Now) }
}

// intoFile has a new file written, readable by nobody else, and takes it away when that fails: half an export is none.
func intoFile(path string, write func(f *os.File) error) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w (an existing file is not overwritten)", err)
	}
	err = write(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// BundleExport is what ExportBundle writes.
type BundleExport struct {
	From, To int64 // leaves from ≤ index < to; To 0 = to the end
	Openings bool  // with personal data in clear
}

// ExportBundle writes a part of the log, or all of it, into a file that monban-verify checks on a PC without a
// server. That it is made is a leaf before it is made, and its hash is one after: who finds such a file can tell
// whether it left the server on purpose, and for what (RA-4).
func ExportBundle(ctx context.Context, cfg *config.Config, b BundleExport, o ExportOptions, log *slog.Logger) (head logcheck.BundleHead, sum string, err error) {
	err = withExporter(ctx, cfg, &o, b.Openings, log, func(ctx context.Context, x *exporter) error {
		head, sum, err = x.bundle(ctx, b, &o)
		return err
	})
	return head, sum, err
}

// exportBundle is ExportBundle of a site that this process has open.
func (s *Site) exportBundle(ctx context.Context, b BundleExport, o ExportOptions) (head logcheck.BundleHead, sum string, err error) {
	if err := o.check(); err != nil {
		return head, "", err
	}
	x := &exporter{zone: s.Config.Location(), version: o.Version, now: func() time.Time { return o.Now }}
	if x.keys, err = logKeyLines(s.Config.Path(keysDir)); err != nil {
		return head, "", err
	}
	s.exportFrom(x, &o)
	return x.bundle(ctx, b, &o)
}

func (x *exporter) bundle(ctx context.Context, b BundleExport, o *ExportOptions) (head logcheck.BundleHead, sum string, err error) {
	verb := "bundle_exported"
	if b.Openings {
		verb = "bundle_openings_exported"
	}
	if _, err := x.note(ctx, exportNote{Verb: verb, Target: "log", ID: fmt.Sprintf("%d-%d", b.From, b.To), By: o.By, Reason: o.Reason}); err != nil {
		return head, "", err
	}
	err = intoFile(o.Out, func(f *os.File) error {
		err := x.read(ctx, func(r store.Reader) (err error) {
			head, sum, err = r.WriteBundle(ctx, f, store.BundleOptions{
				From: b.From, To: b.To, Openings: b.Openings, Keys: x.keys, Software: x.software(), NowMS: o.Now.UnixMilli(),
			})
			return err
		})
		if err != nil {
			return err
		}
		_, err = x.note(ctx, exportNote{Verb: verb + "_hash", Target: "bundle", ID: sum, By: o.By, Reason: o.Reason})
		return err
	})
	return head, sum, err
}

func (x *exporter) software() string { return "monban-server/" + x.version }

// ExportProof writes the proof of one leaf, with its opening when that is asked for, and gives the SHA-256 of the file.
func ExportProof(ctx context.Context, cfg *config.Config, leaf int64, opening bool, o ExportOptions, log *slog.Logger) (sum string, err error) {
	err = withExporter(ctx, cfg, &o, opening, log, func(ctx context.Context, x *exporter) error {
		data, got, err := x.proof(ctx, leaf, opening, mayShow, exportNote{By: o.By, Reason: o.Reason})
		if err != nil {
			return err
		}
		sum = got
		return intoFile(o.Out, func(f *os.File) error {
			_, err := f.Write(data)
			return err
		})
	})
	return sum, err
}

// proof makes the proof of a leaf: the leaf of it is written before, its hash after. show says whether the opening may
// be shown at all.
func (x *exporter) proof(ctx context.Context, leaf int64, opening bool, show func(entrylog.Kind, *entrylog.Opening) bool, n exportNote) (data []byte, sum string, err error) {
	n.Verb, n.Target, n.ID = "proof_exported", "leaf", fmt.Sprint(leaf)
	if _, err := x.note(ctx, n); err != nil {
		return nil, "", err
	}
	err = x.read(ctx, func(r store.Reader) error {
		p, err := provedLeaf(r, leaf, x.keys, opening, show)
		if err == nil {
			data = p.Text()
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", fmt.Errorf("export: the log has no leaf %d: %w", leaf, err)
	}
	if err != nil {
		return nil, "", err
	}
	sum = sumOf(data)
	n.Verb, n.Target, n.ID = "proof_exported_hash", "proof", sum
	_, err = x.note(ctx, n)
	return data, sum, err
}

// provedLeaf proves a leaf; its opening is shown when that is asked for, its use is not suspended and show has nothing
// against it.
func provedLeaf(r store.Reader, leaf int64, keys []string, opening bool, show func(entrylog.Kind, *entrylog.Opening) bool) (*logcheck.Proof, error) {
	p, err := r.Proof(leaf, store.ProofOptions{Keys: keys, Opening: opening})
	if err != nil || p.Shown != logcheck.ShownOpen {
		return p, err
	}
	suspended, err := r.Restricted(leaf)
	if err != nil {
		return nil, err
	}
	o, err := entrylog.ParseOpening(p.Opening)
	if err != nil {
		return nil, err
	}
	kind, err := entrylog.KindOf(p.Leaf)
	if err != nil {
		return nil, err
	}
	if suspended || !show(kind, &o) {
		p.Shown, p.Opening, p.Salt = logcheck.ShownClosed, nil, [32]byte{}
	}
	return p, nil
}

// logKeyLines are the public keys of this log and of those it has followed, the newest log's first.
func logKeyLines(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "log-*.vkey"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range append([]string{filepath.Join(dir, "log.vkey")}, names...) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("public log key: %w", err)
		}
		out = append(out, firstLine(text))
	}
	return out, nil
}
