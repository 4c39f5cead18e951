package logcheck

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
)

// A proof is one leaf of the log in a file of its own: a C2SP tlog-proof. Its extra line holds the leaf, what it commits to,
// and the public keys of who signed: docs/log-format.md, Proofs. Nothing of it is believed: each part must be what the
// signed tree, a commitment or a key id says.
const (
	proofHead  = "c2sp.org/tlog-proof@v1"
	extraHead  = "monban-proof 1"
	lineClosed = "closed" // there is an opening and it is not shown
)

// MaxProof bounds a proof: a leaf, an opening, 63 hashes and some keys, in base64: bytes.
const MaxProof = 1 << 20

// Shown is what a proof shows of the opening that its leaf commits to.
type Shown int

// What is shown.
const (
	ShownNone   Shown = iota // the leaf commits to no opening
	ShownOpen                // the opening is there
	ShownClosed              // it is not shown
	ShownErased              // its key is gone
)

// Proof is a proof taken apart.
type Proof struct {
	Index      int64
	Path       tlog.RecordProof
	Checkpoint string   // signed note: the log's signature first, then those of witnesses
	Keys       []string // public keys of the log, that of the newest first
	Witnesses  []string // public keys of the witnesses whose lines stand in Checkpoint
	Leaf       []byte
	Shown      Shown
	Salt       [32]byte
	Opening    []byte
}

// Text gives the file.
func (p *Proof) Text() []byte {
	var x bytes.Buffer
	fmt.Fprintf(&x, "%s\n", extraHead)
	for _, k := range p.Keys {
		fmt.Fprintf(&x, "%s %s\n", lineKey, k)
	}
	for _, k := range p.Witnesses {
		fmt.Fprintf(&x, "%s %s\n", lineWitness, k)
	}
	fmt.Fprintf(&x, "%s %s\n", lineLeaf, p.Leaf)
	switch p.Shown {
	case ShownOpen:
		fmt.Fprintf(&x, "%s %x %s\n", lineOpening, p.Salt, p.Opening)
	case ShownClosed:
		fmt.Fprintf(&x, "%s\n", lineClosed)
	case ShownErased:
		fmt.Fprintf(&x, "%s\n", lineErased)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHead, base64.StdEncoding.EncodeToString(x.Bytes()), p.Index)
	for _, h := range p.Path {
		fmt.Fprintf(&b, "%s\n", h)
	}
	fmt.Fprintf(&b, "\n%s", p.Checkpoint)
	return b.Bytes()
}

// IsProof reports whether a file that begins so is a proof.
func IsProof(begin []byte) bool { return bytes.HasPrefix(begin, []byte(proofHead+"\n")) }

// ParseProof takes a proof apart. It accepts exactly what Text writes, byte by byte, and checks nothing else.
func ParseProof(data []byte) (*Proof, error) {
	if len(data) > MaxProof {
		return nil, fmt.Errorf("a proof of more than %d bytes", MaxProof)
	}
	begin, signed, ok := strings.Cut(string(data), "\n\n")
	lines := strings.Split(begin, "\n")
	if !ok || len(lines) < 3 || len(lines) > 3+63 || lines[0] != proofHead {
		return nil, errors.New("not a proof of one record of monban")
	}
	p := &Proof{Checkpoint: signed}
	text, ok := strings.CutPrefix(lines[1], "extra ")
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil {
		return nil, errors.New("the extra line, which holds the record, is missing or spoilt")
	}
	if err := p.extra(raw); err != nil {
		return nil, err
	}
	number, _ := strings.CutPrefix(lines[2], "index ")
	if p.Index, err = strconv.ParseInt(number, 10, 64); err != nil || p.Index < 0 {
		return nil, errors.New("the proof has no index")
	}
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return nil, errors.New("a hash of the proof is spoilt")
		}
		p.Path = append(p.Path, h)
	}
	if !bytes.Equal(p.Text(), data) {
		return nil, errors.New("the proof is not written as this log writes it")
	}
	return p, nil
}

func (p *Proof) extra(raw []byte) error {
	lines := strings.Split(string(raw), "\n")
	if len(lines) < 4 || lines[0] != extraHead || len(lines) > 2*maxKeys {
		return errors.New("the extra line is not one of this log")
	}
	for _, line := range lines[1 : len(lines)-1] { // Text puts them back in the one order there is
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case lineKey:
			p.Keys = append(p.Keys, rest)
		case lineWitness:
			p.Witnesses = append(p.Witnesses, rest)
		case lineLeaf:
			p.Leaf = []byte(rest)
		case lineOpening:
			salt, text, _ := strings.Cut(rest, " ")
			if len(salt) != 64 {
				return errors.New("an opening without its salt")
			}
			if _, err := hex.Decode(p.Salt[:], []byte(salt)); err != nil {
				return errors.New("an opening without its salt")
			}
			p.Shown, p.Opening = ShownOpen, []byte(text)
		case lineClosed:
			p.Shown = ShownClosed
		case lineErased:
			p.Shown = ShownErased
		default:
			return errors.New("the extra line is not one of this log")
		}
	}
	return nil
}

// ProofReport is what a proof's check came to.
type ProofReport struct {
	Proof      *Proof
	Result     entrylog.Result
	OwnKeys    bool                // no key of the log came from elsewhere
	Key        string              // name+id of the log's key that signed
	Checkpoint entrylog.Checkpoint // whose tree the leaf is in
	Parsed     entrylog.Parsed
	Opening    entrylog.Opening // when Proof.Shown is ShownOpen
	Cosigners  []Cosigner
	Asked      bool // a policy asks for cosignatures
	HeldMet    int64
	HeldPast   int64 // given checkpoints of other sizes
}

// Clean reports whether the proof holds.
func (r *ProofReport) Clean() bool { return r.Result.Clean() }

// CheckProof checks a proof. Of the options Keys, Held and Policy count. An error says that it could not be checked; what does not hold is
// in the report.
func CheckProof(data []byte, opt Options) (*ProofReport, error) {
	p, err := ParseProof(data)
	if err != nil {
		r := &ProofReport{}
		r.Result.Add("proof", "file", "%v", err)
		return r, nil
	}
	r := &ProofReport{Proof: p, OwnKeys: len(opt.Keys) == 0 && (opt.Policy == nil || len(opt.Policy.Logs) == 0)}
	bad := func(what string, err error) (*ProofReport, error) {
		r.Result.Add("proof", what, "%v", err)
		return r, nil
	}
	s, err := newSigners(p.Witnesses, opt.Policy)
	if err != nil {
		return bad("witness", err)
	}
	given := opt.Keys
	if opt.Policy != nil {
		given = append(given[:len(given):len(given)], opt.Policy.Logs...)
	}
	keys, err := proofKeys(p.Keys, given)
	if err != nil {
		return bad("key", err)
	}
	text, err := entrylog.SignedText([]byte(p.Checkpoint))
	if err != nil {
		return bad("checkpoint", err)
	}
	c, err := entrylog.ParseCheckpointText(text)
	if err != nil {
		return bad("checkpoint", err)
	}
	if s.log = keys.Of(c.Origin); s.log == nil {
		return nil, fmt.Errorf("the proof is of log %s, and no given key is that log's", c.Origin)
	}
	r.Key = keyName(s.log)
	held, err := OpenHeld(&keys, opt.Held)
	if err != nil {
		return nil, err
	}
	if r.Checkpoint, r.Cosigners, err = s.open(p.Checkpoint); err != nil {
		return bad("checkpoint", err)
	}
	if p.Index >= c.Size {
		return bad("index", fmt.Errorf("leaf %d is not in a log of %d", p.Index, c.Size))
	}
	if err := entrylog.CheckRecord(p.Path, c.Size, c.Root, p.Index, entrylog.LeafHash(p.Leaf)); err != nil {
		return bad("leaf", errors.New("the record is not what the signed tree holds at this place"))
	}
	r.shows()
	for _, h := range held {
		switch {
		case h.Checkpoint.Size != c.Size || h.Checkpoint.Origin != c.Origin:
			r.HeldPast++
		case h.Checkpoint.Root != c.Root:
			r.Result.Add("held", Key(c.Size), "%s names another root: this is not the log that was shown to its holder", h.Name)
		default:
			r.HeldMet++
		}
	}
	if r.Asked = opt.Policy.Asks(); r.Asked && !opt.Policy.Met(r.cosignedAs) {
		r.Result.Add("policy", "quorum", "the proof's checkpoint was not cosigned by those whom the policy asks for")
	}
	return r, nil
}

func (r *ProofReport) cosignedAs(name string) bool {
	for _, c := range r.Cosigners {
		if c.Policy == name {
			return true
		}
	}
	return false
}

// proofKeys gives the keys that count: those given, else the proof's own. Each of the proof's must be a key all the same.
func proofKeys(own []string, given []note.Verifier) (k Keys, err error) {
	list := given
	for _, text := range own {
		v, err := note.NewVerifier(text)
		if err == nil && !strings.HasPrefix(text, keyName(v)+"+") { // the id in capitals is read too, and nobody wrote it so
			err = errors.New("a key with another id")
		}
		if err != nil {
			return k, fmt.Errorf("public key in the proof: %w", err)
		}
		if len(given) == 0 {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		return k, errors.New("names no public key")
	}
	return Keys{Log: list[0], Before: list[1:]}, nil
}

// shows compares the opening with what the leaf, which is that of the tree, commits to.
func (r *ProofReport) shows() {
	p := r.Proof
	var err error
	if r.Parsed, err = entrylog.Parse(p.Leaf); err != nil {
		r.Result.Add("proof", "leaf", "%v", err)
		return
	}
	commit := r.Parsed.Commit()
	switch {
	case (p.Shown == ShownNone) != (commit == entrylog.Hash{}):
		r.Result.Add("opening", Key(p.Index), "the proof does not say what became of the opening, or shows one that the leaf does not commit to")
	case p.Shown == ShownOpen && entrylog.Commit(p.Salt, p.Opening) != commit:
		r.Result.Add("opening", Key(p.Index), "is not what the leaf commits to")
	case p.Shown == ShownOpen:
		if r.Opening, err = entrylog.ParseOpening(p.Opening); err != nil {
			r.Result.Add("opening", Key(p.Index), "%v", err)
		}
	}
}
