package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"monban/firmware/calendar"
	"monban/server/attempt"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/store"
)

// PackExport is what ExportPack writes.
type PackExport struct {
	Kind     string // audit, day, person
	From, To calendar.Date
	Person   directory.PersonID // of kind person
	Names    bool               // audit, day: with openings, as far as they may be shown
	Verifier []string           // audit: files of monban-verify, whose hashes go in
}

// ExportPack writes a pack and gives the hash of its MANIFEST, which the log holds.
func ExportPack(ctx context.Context, cfg *config.Config, p PackExport, o ExportOptions, log *slog.Logger) (sum string, err error) {
	names := p.Names || p.Kind == "person"
	err = withExporter(ctx, cfg, &o, names, log, func(ctx context.Context, x *exporter) error {
		return intoFile(o.Out, func(f *os.File) (err error) {
			sum, err = x.pack(ctx, f, p, exportNote{By: o.By, Reason: o.Reason}, nil)
			return err
		})
	})
	return sum, err
}

func sumOf(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// mayShow says whether an opening may leave the house: none with the inputs of a decision, in clear or as the gateway sealed them, whoever
// asks. They tell a PIN under duress from the right one, which is for the security officer alone (D10); were only those left out, that one
// is missing would tell it. Decisions are replayed inside the house only.
func mayShow(_ entrylog.Kind, o *entrylog.Opening) bool {
	return len(o.Inputs) == 0 && len(o.Private) == 0
}

// mayShowTo says whether an opening may be handed to the person whom its record is about: it names nobody else.
func mayShowTo(person directory.PersonID) func(entrylog.Kind, *entrylog.Opening) bool {
	return func(kind entrylog.Kind, o *entrylog.Opening) bool {
		about := o.Person == string(person) || o.Person == "" && o.Name == ""
		return (kind == entrylog.KindRecord || kind == entrylog.KindDecision) && about && o.Escort == "" && o.Subject == "" && o.Text == "" && mayShow(kind, o)
	}
}

// packProgress is told now and then how far a pack is.
type packProgress func(done, of int)

// pack writes one pack: a leaf that it is begun, its files, the leaf that holds its hash, and that leaf's proof.
func (x *exporter) pack(ctx context.Context, w io.Writer, p PackExport, n exportNote, progress packProgress) (sum string, err error) {
	if p.To.Before(p.From) {
		return "", errors.New("export: the last day is before the first")
	}
	begun := n
	begun.Verb, begun.Target, begun.ID, begun.Subject = p.Kind+"_export_begun", "log", p.From.String()+"/"+p.To.String(), string(p.Person)
	begun.Reason += "\n" + p.words()
	if _, err := x.note(ctx, begun); err != nil {
		return "", err
	}
	out := logcheck.NewPackWriter(w, p.Kind, x.software(), x.now())
	err = x.read(ctx, func(r store.Reader) error {
		switch p.Kind {
		case "audit":
			return x.audit(ctx, r, out, &p, progress)
		case "day":
			return errors.Join(x.logPart(ctx, r, out, &p, progress), x.lines(ctx, r, out, &p))
		case "person":
			return x.person(ctx, r, out, &p, progress)
		}
		return fmt.Errorf("export: no pack of kind %q", p.Kind)
	})
	if err != nil {
		return "", err
	}
	if sum, err = out.Manifest(); err != nil {
		return "", err
	}
	n.Verb, n.Target, n.ID, n.Subject = logcheck.PackVerb, logcheck.PackTarget, sum, string(p.Person)
	leaf, err := x.note(ctx, n)
	if err != nil {
		return "", err
	}
	return sum, x.read(ctx, func(r store.Reader) error {
		proof, err := r.Proof(leaf, store.ProofOptions{Keys: x.keys})
		if err != nil {
			return err
		}
		return out.Close(proof)
	})
}

// words says what is in a pack, for the leaf's opening.
func (p *PackExport) words() string {
	what := "without names"
	if p.Names || p.Kind == "person" {
		what = "with names"
	}
	return fmt.Sprintf("%s, %s to %s, %s", p.Kind, p.From, p.To, what)
}

// span is the range of leaves of the days: all that were written in them, and all of the lines of these days, whenever they came.
func (x *exporter) span(r store.Reader, p *PackExport) (from, to int64, err error) {
	at := func(d calendar.Date) int64 { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, x.zone).UnixMilli() }
	if from, err = r.LeafAt(at(p.From)); err != nil {
		return 0, 0, err
	}
	if to, err = r.LeafAt(at(p.To.AddDays(1))); err != nil {
		return 0, 0, err
	}
	first, last, err := r.DayLeaves(p.From.String(), p.To.String())
	if err != nil {
		return 0, 0, err
	}
	if last > 0 {
		from, to = min(from, first), max(to, last)
	}
	if from >= to {
		return 0, 0, fmt.Errorf("export: the log has nothing of %s to %s", p.From, p.To)
	}
	return from, to, nil
}

// logPart puts the leaves of the days in, with the openings that may be shown, the witnesses' cosignatures and what the gateways were
// watched.
func (x *exporter) logPart(ctx context.Context, r store.Reader, out *logcheck.PackWriter, p *PackExport, progress packProgress) error {
	from, to, err := x.span(r, p)
	if err != nil {
		return err
	}
	w, err := out.Create(logcheck.BundleName)
	if err != nil {
		return err
	}
	o := store.BundleOptions{From: from, To: to, Keys: x.keys, Software: x.software(), NowMS: x.now().UnixMilli()}
	var failed error
	if p.Names {
		o.Show = func(idx int64, kind entrylog.Kind, o *entrylog.Opening) bool {
			if !mayShow(kind, o) {
				return false
			}
			no, err := r.Restricted(idx)
			if err != nil {
				failed = err
			}
			return err == nil && !no
		}
	}
	if progress != nil {
		o.Progress = func(done, of int64) { progress(int(100*done/max(of, 1)), 100) }
	}
	_, _, err = r.WriteBundle(ctx, w, o)
	return errors.Join(err, failed)
}

// audit is the pack of RR-5: the log of the days, what the doors decided by, lists of rights, exceptions, inventories and training as they
// stand, who signed which day, and the hashes of the program that checks all this.
func (x *exporter) audit(ctx context.Context, r store.Reader, out *logcheck.PackWriter, p *PackExport, progress packProgress) error {
	if err := x.logPart(ctx, r, out, p, progress); err != nil {
		return err
	}
	from, to, err := x.span(r, p)
	if err != nil {
		return err
	}
	err = r.EachPolicy(0, to, func(gateway, part string, v store.PolicyVersion) error {
		if v.Idx < from {
			return nil // its leaf is not here
		}
		return out.Put(logcheck.PolicyFolder+cmp.Or(gateway, "_")+"/"+part+"/"+strconv.FormatUint(v.Version, 10), v.Bytes)
	})
	if err != nil {
		return err
	}
	dir, err := r.Directory()
	if err != nil {
		return err
	}
	for _, k := range directory.ExportKinds() {
		if !p.Names && k == "people" {
			continue
		}
		data, err := dir.Export(k)
		if err != nil {
			return err
		}
		if err := out.Put("lists/"+string(k)+".csv", data); err != nil {
			return err
		}
	}
	return errors.Join(x.lines(ctx, r, out, p), x.signed(r, out, &dir, p), putVerifiers(out, p.Verifier), out.Put("policy.txt", x.suggestedPolicy(r)))
}

// signed lists who looked at and signed which day and month of which zone.
func (x *exporter) signed(r store.Reader, out *logcheck.PackWriter, dir *directory.Snapshot, p *PackExport) error {
	rows := [][]string{{"区域 zone", "日 day", "操作 act", "アカウント account", "時刻 time", "記録番号 leaf", "閲覧した件数 up to"}}
	for i := range dir.Zones {
		for _, span := range [][2]string{{p.From.String(), p.To.String()}, {p.From.String()[:7], p.To.String()[:7]}} {
			acts, err := r.DayActs(string(dir.Zones[i].ID), span[0], span[1])
			if err != nil {
				return err
			}
			for _, a := range acts {
				rows = append(rows, []string{a.Zone, a.Day, a.Kind, a.Account, x.time(a.AtMS), strconv.FormatInt(a.Idx, 10), strconv.FormatInt(a.Upto, 10)})
			}
		}
	}
	return putCSV(out, "lists/signed-days.csv", rows)
}

func (x *exporter) time(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).In(x.zone).Format("2006-01-02 15:04:05")
}

func putCSV(out *logcheck.PackWriter, name string, rows [][]string) error {
	data, err := directory.WriteCSV(rows)
	if err != nil {
		return err
	}
	return out.Put(name, data)
}

// lines lists the lines of the days for people to read. Without names nobody is named.
func (x *exporter) lines(ctx context.Context, r store.Reader, out *logcheck.PackWriter, p *PackExport) error {
	var who func(*entrylog.Opening) (name, section, escort string)
	if p.Names {
		who = func(o *entrylog.Opening) (name, section, escort string) { return o.Name, o.Section, o.Escort }
	}
	w, err := out.Create("lists/lines.csv")
	if err != nil {
		return err
	}
	var head []byte                                      // of the file, which is not repeated each day
	for d := p.From; !p.To.Before(d); d = d.AddDays(1) { // memory holds a day, not the years of an audit
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := r.Lines(d.String(), d.String())
		if err != nil {
			return err
		}
		if len(list) == 0 && d != p.From {
			continue
		}
		rows, err := x.readable(r, list, who)
		if err != nil {
			return err
		}
		data, err := directory.WriteCSV(rows)
		if err != nil {
			return err
		}
		if head == nil {
			if head, err = directory.WriteCSV(rows[:1]); err != nil {
				return err
			}
		} else {
			data = bytes.TrimPrefix(data, head)
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return nil
}

// What stands in place of the name in a line whose opening nobody reads.
const (
	erasedCell    = "消去済 erased"
	suspendedCell = "利用停止 suspended"
)

// readable makes lines readable; who says how much of the people in a line's opening is shown, nil = nothing, and no opening is opened.
func (x *exporter) readable(r store.Reader, list []attempt.Row, who func(*entrylog.Opening) (name, section, escort string)) ([][]string, error) {
	rows := [][]string{{"日 day", "時刻 time", "扉 door", "側 side", "氏名 name", "所属 section", "同行者 escort", "結果 outcome", "理由 reason", "通行 passage", "通行時刻 passed", "記録番号 leaves"}}
	for _, row := range list {
		leaves, err := r.AttemptLeaves(row.First)
		if err != nil {
			return nil, err
		}
		var name, section, escort string
		if row.Opening >= 0 && who != nil {
			o, err := usable(r, row.Opening)
			switch {
			case err == nil:
				name, section, escort = who(&o)
			case errors.Is(err, store.ErrKeyMissing):
				name = "鍵なし key missing"
			case errors.Is(err, store.ErrErased), errors.Is(err, store.ErrNotFound):
				name = erasedCell
			case errors.Is(err, errRestricted):
				name = suspendedCell
			default:
				return nil, err
			}
		}
		text := ""
		for i, l := range leaves {
			if i > 0 {
				text += " "
			}
			text += strconv.FormatInt(l, 10)
		}
		rows = append(rows, []string{row.Day, x.time((row.FromMS + row.ToMS) / 2), row.Door, row.Side, name, section, escort, row.Outcome, row.Reason, row.Passage, x.time(row.PassedMS), text})
	}
	return rows, nil
}

// putVerifiers puts the hashes of the program that checks packs in.
func putVerifiers(out *logcheck.PackWriter, files []string) error {
	var b bytes.Buffer
	for _, name := range files {
		sum, err := sumFile(name)
		if err != nil {
			return fmt.Errorf("export: monban-verify: %w", err)
		}
		fmt.Fprintf(&b, "%s  %s\n", sum, filepath.Base(name))
	}
	return out.Put(logcheck.VerifierName, b.Bytes())
}

// FindVerifier lists the files of monban-verify beside this program.
func FindVerifier() (out []string) {
	own, err := os.Executable()
	if err != nil {
		return nil
	}
	for _, name := range []string{"monban-verify", "monban-verify.exe"} {
		path := filepath.Join(filepath.Dir(own), name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			out = append(out, path)
		}
	}
	return out
}

// suggestedPolicy is a tlog-policy with all witnesses that this server knows, for the auditor to check and change.
func (x *exporter) suggestedPolicy(r store.Reader) []byte {
	var b bytes.Buffer
	b.WriteString("# Who has cosigned, as the server says. Whom you trust is your choice: check each key with its holder, delete the rest.\n")
	for _, k := range x.keys {
		fmt.Fprintf(&b, "log %s\n", k)
	}
	list, err := r.Cosignatures("", 1000)
	if err != nil {
		list = nil // a suggestion only
	}
	var names []string
	seen := map[string]bool{}
	for _, c := range list {
		if !seen[c.VKey] {
			seen[c.VKey] = true
			names = append(names, c.VKey)
		}
	}
	slices.Sort(names)
	members := ""
	for i, k := range names {
		fmt.Fprintf(&b, "witness w%d %s\n", i+1, k)
		members += fmt.Sprintf(" w%d", i+1)
	}
	if members == "" {
		b.WriteString("quorum none\n")
	} else {
		fmt.Fprintf(&b, "group all any%s\nquorum all\n", members)
	}
	return b.Bytes()
}
