package logcheck

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
)

// A pack is several files that were handed over together: a zip with a MANIFEST of each file's hash, and the proof of the leaf
// that holds the MANIFEST's hash (docs/log-format.md, Packs).
const (
	packHead     = "monban-pack 1"
	ManifestName = "MANIFEST"
	manifestLeaf = "MANIFEST.tlog-proof"
	BundleName   = "log.monban"    // the part of the log
	VerifierName = "verifier.txt"  // SHA-256 of monban-verify, a line each: hash, name
	PolicyFolder = "policies/"     // GATEWAY/PART/VERSION: what the gateways decided by
	PackVerb     = "pack_exported" // of the leaf that holds the MANIFEST's hash
	PackTarget   = "pack"
	proofTail    = ".tlog-proof"
	maxPackFiles = 100_000
	maxManifest  = 32 << 20
	maxSmall     = 1 << 20 // of a file that is read whole
)

// PackFile is a line of a MANIFEST.
type PackFile struct {
	Sum  string // SHA-256, hex
	Size int64
	Path string
}

// PackHead is what a MANIFEST says first.
type PackHead struct {
	Kind     string // audit, day, person
	Made     string // UTC, RFC 3339
	Software string
}

// PackWriter writes a pack; memory holds none of its files.
type PackWriter struct {
	zip   *zip.Writer
	head  PackHead
	made  time.Time
	files []PackFile
	cur   packCounter
	sum   string
}

type packCounter struct {
	w io.Writer
	h hash.Hash
	n int64
}

func (c *packCounter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.h.Write(b[:n])
	c.n += int64(n)
	return n, err
}

// NewPackWriter begins a pack.
func NewPackWriter(w io.Writer, kind, software string, made time.Time) *PackWriter {
	made = made.UTC().Truncate(time.Second)
	return &PackWriter{zip: zip.NewWriter(w), made: made, head: PackHead{kind, made.Format(time.RFC3339), software}}
}

// Create begins a file, which the next call ends.
func (p *PackWriter) Create(path string) (io.Writer, error) {
	p.end()
	if !validName(path) || p.sum != "" {
		return nil, fmt.Errorf("pack: no file %q may be here", path)
	}
	w, err := p.zip.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Deflate, Modified: p.made})
	if err != nil {
		return nil, err
	}
	p.files = append(p.files, PackFile{Path: path})
	p.cur = packCounter{w: w, h: sha256.New()}
	return &p.cur, nil
}

// Put is Create with all of the file.
func (p *PackWriter) Put(path string, data []byte) error {
	w, err := p.Create(path)
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// validName reports whether a file of a pack may have that name: a path inside it, that a list of lines and a screen can show.
func validName(path string) bool {
	return fs.ValidPath(path) && !strings.Contains(path, `\`) && isPlain(path)
}

func (p *PackWriter) end() {
	if p.cur.h != nil {
		f := &p.files[len(p.files)-1]
		f.Sum, f.Size = hex.EncodeToString(p.cur.h.Sum(nil)), p.cur.n
	}
	p.cur = packCounter{}
}

// Manifest ends the files and gives the MANIFEST's hash in hex, for the leaf. A second call gives the same.
func (p *PackWriter) Manifest() (sum string, err error) {
	if p.sum != "" {
		return p.sum, nil
	}
	p.end()
	slices.SortFunc(p.files, func(a, b PackFile) int { return strings.Compare(a.Path, b.Path) })
	text := packText(p.head, p.files)
	w, err := p.zip.CreateHeader(&zip.FileHeader{Name: ManifestName, Method: zip.Deflate, Modified: p.made})
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	h := sha256.Sum256([]byte(text))
	p.sum = hex.EncodeToString(h[:])
	return p.sum, err
}

// Close puts the proof of the leaf that holds the MANIFEST's hash behind it. It does not close what it writes to.
func (p *PackWriter) Close(proof *Proof) error {
	w, err := p.zip.CreateHeader(&zip.FileHeader{Name: manifestLeaf, Method: zip.Deflate, Modified: p.made})
	if err == nil {
		_, err = w.Write(proof.Text())
	}
	return errors.Join(err, p.zip.Close())
}

func packText(h PackHead, files []PackFile) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nkind %s\nmade %s\nsoftware %s\n", packHead, h.Kind, h.Made, h.Software)
	for _, f := range files {
		fmt.Fprintf(&b, "%s %d %s\n", f.Sum, f.Size, f.Path)
	}
	return b.String()
}

// IsPack reports whether a file that begins so may be a pack.
func IsPack(begin []byte) bool { return bytes.HasPrefix(begin, []byte("PK\x03\x04")) }

// PackReport is what a pack's check came to.
type PackReport struct {
	Head     PackHead
	Files    int
	Sum      string // SHA-256 of the MANIFEST, hex
	OwnKeys  bool
	Result   entrylog.Result // of everything in it
	Manifest *ProofReport    // nil when it could not be read
	Log      *Report         // of the part of the log in it, nil = none
	Proofs   int             // of records, that hold
	Quorate  int             // of those, cosigned as the policy asks
	Lacking  []string        // the first of the others
	Held     int             // of Proofs, by a checkpoint that was given
	Given    int             // checkpoints that were given
	Asked    bool
	Policies int      // that the log names
	Verifier []string // lines of VerifierName
}

// Clean reports whether nothing was found.
func (r *PackReport) Clean() bool { return r.Result.Clean() }

// CheckPack checks a pack: that its files are those of its MANIFEST, that the log holds the MANIFEST's hash, and every proof and bundle in
// it. An error says that it could not be checked.
func CheckPack(ctx context.Context, in io.ReaderAt, size int64, opt Options) (*PackReport, error) {
	z, err := zip.NewReader(in, size)
	if err != nil {
		return nil, err
	}
	if len(z.File) > maxPackFiles {
		return nil, fmt.Errorf("more than %d files", maxPackFiles)
	}
	c := packCheck{opt: opt, rep: &PackReport{Asked: opt.Policy.Asks(), Given: len(opt.Held)}, files: map[string]*zip.File{}, hashed: map[string]string{}}
	for _, f := range z.File {
		if c.files[f.Name] != nil || !validName(f.Name) {
			c.rep.Result.Add("pack", f.Name, "stands in the pack twice, or has a name that it may not have")
		}
		c.files[f.Name] = f
	}
	c.opt.State, c.opt.Save = nil, nil
	if err := c.bounded(size); err != nil {
		c.rep.Result.Add("pack", "zip", "%v", err)
		return c.rep, nil
	}
	return c.rep, c.run(ctx, size)
}

type packCheck struct {
	opt    Options
	rep    *PackReport
	files  map[string]*zip.File
	listed []PackFile
	done   int64             // bytes of the zip that were looked at
	hashed map[string]string // "GATEWAY/PART/VERSION" → sum of a policy that a leaf of the log names
}

func (c *packCheck) run(ctx context.Context, size int64) error {
	text, err := c.whole(ManifestName, maxManifest)
	if err != nil {
		c.rep.Result.Add("pack", ManifestName, "%v", err)
		return nil
	}
	h := sha256.Sum256(text)
	c.rep.Sum = hex.EncodeToString(h[:])
	err = c.manifest(string(text))
	if err == nil {
		err = c.fits(size)
	}
	if err != nil {
		c.rep.Result.Add("pack", ManifestName, "%v", err)
		return nil
	}
	if ok, err := c.leaf(); err != nil || !ok {
		return err // a list for which the log does not vouch is no reason to unpack anything
	}
	if c.opt.Stamps != nil && !slices.ContainsFunc(c.listed, func(f PackFile) bool { return f.Path == BundleName }) {
		return fmt.Errorf("certificates of time stamps were given, and this pack has no %s, which alone has time stamps", BundleName)
	}
	for _, f := range c.listed {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.file(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	for name := range c.files {
		_, found := slices.BinarySearchFunc(c.listed, name, func(f PackFile, n string) int { return strings.Compare(f.Path, n) })
		if !found && name != ManifestName && name != manifestLeaf {
			c.rep.Result.Add("pack", name, "is not in the MANIFEST: somebody put it in")
		}
	}
	c.policies()
	if c.rep.Asked && c.rep.Proofs > 0 && c.rep.Quorate == 0 {
		c.rep.Result.Add("policy", "quorum", "no record's proof was cosigned by those whom the policy asks for")
	}
	return nil
}

func (c *packCheck) whole(name string, most int64) ([]byte, error) {
	f := c.files[name]
	if f == nil {
		return nil, errors.New("is missing")
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close() // only read
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("is larger than %d bytes", most)
	}
	return data, err
}

// manifest reads the list strictly: what is not written as PackWriter writes it is refused.
func (c *packCheck) manifest(text string) error {
	lines := strings.Split(text, "\n")
	if len(lines) < 5 || lines[0] != packHead {
		return errors.New("is not the list of a pack that this program knows")
	}
	c.rep.Head = PackHead{strings.TrimPrefix(lines[1], "kind "), strings.TrimPrefix(lines[2], "made "), strings.TrimPrefix(lines[3], "software ")}
	if made, err := time.Parse(time.RFC3339, c.rep.Head.Made); err != nil || made.UTC().Format(time.RFC3339) != c.rep.Head.Made {
		return errors.New("does not say when the pack was made")
	}
	if !slices.Contains([]string{"audit", "day", "person"}, c.rep.Head.Kind) {
		return errors.New("is of a kind of pack that this program does not know")
	}
	for _, line := range lines[4 : len(lines)-1] {
		part := strings.SplitN(line, " ", 3)
		if len(part) != 3 {
			return errors.New("has a line that is not one of a file")
		}
		n, err := strconv.ParseInt(part[1], 10, 64)
		if err != nil || !validName(part[2]) {
			return errors.New("has a line that is not one of a file")
		}
		c.listed = append(c.listed, PackFile{part[0], n, part[2]})
	}
	c.rep.Files = len(c.listed)
	if packText(c.rep.Head, c.listed) != text || !slices.IsSortedFunc(c.listed, func(a, b PackFile) int { return strings.Compare(a.Path, b.Path) }) {
		return errors.New("is not written as this program writes it")
	}
	return nil
}

// leaf checks that the log holds the MANIFEST's hash. Its keys count for all of the pack when the auditor has none.
func (c *packCheck) leaf() (ok bool, err error) {
	text, err := c.whole(manifestLeaf, MaxProof)
	if err != nil {
		c.rep.Result.Add("pack", manifestLeaf, "%v", err)
		return false, nil
	}
	opt := c.opt
	opt.Held = nil
	if opt.Policy != nil { // the leaf is as old as the pack: nobody can have cosigned it yet
		opt.Keys, opt.Policy = append(slices.Clone(opt.Keys), opt.Policy.Logs...), nil
	}
	m, err := CheckProof(text, opt)
	if err != nil {
		return false, fmt.Errorf("%s: %w", manifestLeaf, err)
	}
	c.rep.Manifest, c.rep.OwnKeys = m, m.OwnKeys
	for _, f := range m.Result.Findings {
		c.rep.Result.Add("pack", manifestLeaf, "%s", f)
	}
	if !m.Clean() {
		return false, nil
	}
	if a := m.Parsed.Action; m.Parsed.Kind != entrylog.KindAction || a.Verb != PackVerb || a.Target != PackTarget || a.ID != c.rep.Sum {
		c.rep.Result.Add("pack", ManifestName, "is not the list whose hash the log holds: a file was changed after the pack was made")
		return false, nil
	}
	if m.OwnKeys {
		for _, k := range m.Proof.Keys {
			v, err := note.NewVerifier(k)
			if err != nil {
				return false, err // CheckProof has read it
			}
			c.opt.Keys = append(c.opt.Keys, v)
		}
	}
	return true, nil
}

// file checks one listed file: its hash, and what it proves.
func (c *packCheck) file(ctx context.Context, f PackFile) error {
	z := c.files[f.Path]
	if z == nil {
		c.rep.Result.Add("pack", f.Path, "is missing")
		return nil
	}
	if int64(z.UncompressedSize64) != f.Size {
		c.rep.Result.Add("pack", f.Path, "is not the file that was put in: its length is another")
		return nil
	}
	r, err := z.Open()
	if err != nil {
		c.rep.Result.Add("pack", f.Path, "%v", err)
		return nil
	}
	defer r.Close() // only read
	h := sha256.New()
	defer func() { c.done += int64(z.CompressedSize64) }()
	in := io.TeeReader(&packFileReader{ctx: ctx, in: io.LimitReader(r, f.Size), c: c, z: z}, h)
	switch {
	case f.Path == BundleName:
		err = c.log(ctx, in)
	case strings.HasSuffix(f.Path, proofTail):
		err = c.proof(f.Path, in)
	case f.Path == VerifierName:
		err = c.verifier(in)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in) // to its end, where the zip's own sum is compared
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if got := hex.EncodeToString(h.Sum(nil)); err != nil || got != f.Sum {
		c.rep.Result.Add("pack", f.Path, "is not the file that was put in")
	} else if name, ok := strings.CutPrefix(f.Path, PolicyFolder); ok {
		c.hashed[name] = got + c.hashed[name] // compared in policies, when the leaves are known
	}
	return nil
}

func (c *packCheck) log(ctx context.Context, in io.Reader) error {
	opt := c.opt
	opt.Progress = nil // told by the reader
	opt.leaf = func(p *entrylog.Parsed) {
		if p.Kind == entrylog.KindSystem && p.System.Name == entrylog.SystemPolicy {
			y := &p.System
			name := cmp.Or(y.Value("gateway"), "_") + "/" + y.Value("part") + "/" + y.Value("version")
			c.hashed[name] += " " + y.Value("sum")
		}
	}
	rep, err := CheckBundle(ctx, in, opt)
	if err != nil {
		return err
	}
	rep.OwnKeys = rep.OwnKeys || c.rep.OwnKeys // the pack's own key is not from elsewhere
	c.rep.Log = rep
	for _, f := range rep.Result.Findings {
		c.rep.Result.Add(f.Table, f.Key, "%s", f.What)
	}
	c.rep.Result.More += rep.Result.More
	return nil
}

func (c *packCheck) proof(name string, in io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(in, MaxProof+1))
	if err != nil {
		return nil // its hash will not fit
	}
	opt, p := c.opt, c.opt.Policy
	if p != nil { // what the quorum has not seen yet is counted, not refused
		opt.Keys = append(slices.Clone(opt.Keys), p.Logs...)
		opt.Policy = &Policy{Witnesses: p.Witnesses, groups: p.groups, quorum: noQuorum}
	}
	rep, err := CheckProof(text, opt)
	if err != nil {
		return err
	}
	for _, f := range rep.Result.Findings {
		c.rep.Result.Add("proof", name, "%s", f)
	}
	if rep.Clean() {
		c.rep.Proofs++
		if rep.HeldMet > 0 {
			c.rep.Held++
		}
		switch {
		case !p.Asks():
		case p.Met(rep.cosignedAs):
			c.rep.Quorate++
		case len(c.rep.Lacking) < pageFindings:
			c.rep.Lacking = append(c.rep.Lacking, name)
		}
	}
	return nil
}

func (c *packCheck) verifier(in io.Reader) error {
	sc := bufio.NewScanner(io.LimitReader(in, maxSmall))
	for sc.Scan() {
		sum, name, ok := strings.Cut(sc.Text(), "  ")
		if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size || !validName(name) {
			c.rep.Result.Add("pack", VerifierName, "has a line that is not a hash and the name of a program")
			return nil
		}
		c.rep.Verifier = append(c.rep.Verifier, sc.Text())
	}
	return nil // one that is no text has no lines
}

// policies compares each policy with the leaf that names its hash. c.hashed holds of each name the hash of the file, if there is one,
// and behind a space the hashes that leaves say.
func (c *packCheck) policies() {
	for name, sums := range c.hashed {
		file, leaves, _ := strings.Cut(sums, " ")
		switch {
		case file == "":
		case slices.Contains(strings.Fields(leaves), file):
			c.rep.Policies++
		case leaves == "" && c.rep.Log != nil && c.rep.Log.Head.From > 0:
			// its leaf may stand before the part of the log that is here
		default:
			c.rep.Result.Add("pack", PolicyFolder+name, "no leaf of the log names this policy")
		}
	}
}
