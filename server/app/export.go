package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/store"
)

// ExportOptions of ExportBundle.
type ExportOptions struct {
	Out      string // new file
	From, To int64  // leaves from ≤ index < to; To 0 = to the end
	Openings bool   // with personal data in clear
	Reason   string // in words; goes into the log
	By       string // who; goes into the log
	Version  string // of this program
	Now      time.Time
}

// ExportBundle writes a part of the log, or all of it, into a file that monban-verify checks on a PC without a
// server. That it is made is a leaf before it is made, and its hash is one after: who finds such a file can tell
// whether it left the server on purpose, and for what (RA-4).
func (s *Site) ExportBundle(ctx context.Context, o ExportOptions) (head logcheck.BundleHead, sum string, err error) {
	switch {
	case strings.TrimSpace(o.Reason) == "":
		return head, "", errors.New("export: no reason given: it goes into the log")
	case o.By == "":
		return head, "", errors.New("export: nobody named who does it: it goes into the log")
	}
	verb := "bundle_exported"
	if o.Openings {
		verb = "bundle_openings_exported"
	}
	if err := s.exportLeaf(ctx, verb, fmt.Sprintf("%d-%d", o.From, o.To), "log", o); err != nil {
		return head, "", err
	}
	if err := s.Store.SignNow(ctx); err != nil {
		return head, "", fmt.Errorf("export: %w", err)
	}
	keys, err := logKeyLines(s.Config.Path(keysDir))
	if err != nil {
		return head, "", err
	}
	f, err := os.OpenFile(o.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return head, "", fmt.Errorf("export: %w (an existing file is not overwritten)", err)
	}
	head, sum, err = s.Store.WriteBundle(ctx, f, store.BundleOptions{
		From: o.From, To: o.To, Openings: o.Openings, Keys: keys, Software: "monban-server/" + o.Version, NowMS: o.Now.UnixMilli(),
	})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return head, "", errors.Join(err, os.Remove(o.Out)) // half a bundle is none
	}
	return head, sum, s.exportLeaf(ctx, verb+"_hash", sum, "bundle", o)
}

func (s *Site) exportLeaf(ctx context.Context, verb, id, target string, o ExportOptions) error {
	return s.Store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.AppendAction(entrylog.Action{Verb: verb, Target: target, ID: id, From: "cli", Result: "ok", Reason: true, AtMS: o.Now.UnixMilli()},
			&entrylog.Opening{Name: o.By, Text: o.Reason})
		return err
	})
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
