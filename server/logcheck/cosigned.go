package logcheck

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/witness"
	"monban/server/entrylog"
)

// Cosigner is a witness and how far it has cosigned the log.
type Cosigner struct {
	VKey   string // name of its key and key id: name+hash
	Size   int64  // largest size that it cosigned
	AtMS   int64  // when, by its own clock, UTC ms
	Policy string // the policy's name for it, "" = the policy does not name it
}

// signers are the keys that signature lines are looked up in.
type signers struct {
	log    note.Verifier
	given  []*witness.Verifier // from what is checked
	policy *Policy             // may be nil
}

// newSigners reads the witnesses' keys that came with what is checked.
func newSigners(vkeys []string, policy *Policy) (s signers, err error) {
	s.policy = policy
	for _, text := range vkeys {
		v, err := witness.NewVerifier(text)
		if err != nil {
			return s, err
		}
		s.given = append(s.given, v)
	}
	return s, nil
}

// open checks a checkpoint with every signature line under it, strictly: each must be of a key that is known and must hold,
// so that there is no byte that nobody vouches for. The log's own must be there.
func (s *signers) open(signed string) (c entrylog.Checkpoint, by []Cosigner, err error) {
	if s.log == nil {
		return c, nil, errors.New("the public key of its log is not at hand")
	}
	text, lines, ok := strings.Cut(signed, "\n\n")
	if !ok || !strings.HasSuffix(lines, "\n") {
		return c, nil, errors.New("not a signed note")
	}
	if c, err = entrylog.OpenCheckpoint([]byte(signed), s.log); err != nil {
		return c, nil, err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(lines) {
		rest, dash := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "— ")
		name, sig, space := strings.Cut(rest, " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(sig)
		if !dash || !space || err != nil || len(raw) < 5 {
			return c, nil, errors.New("a malformed signature line")
		}
		id := fmt.Sprintf("%s+%08x", name, raw[:4])
		if seen[id] {
			return c, nil, fmt.Errorf("%s has signed twice", name)
		}
		seen[id] = true
		if id == keyName(s.log) {
			continue // checked above
		}
		v, in := s.of(id)
		if v == nil {
			return c, nil, fmt.Errorf("nobody's key fits the signature line of %s", name)
		}
		if !v.Verify([]byte(text+"\n"), raw[4:]) {
			return c, nil, fmt.Errorf("the signature of %s does not hold", name)
		}
		seconds, _ := v.Seconds(text + "\n\n" + line)
		by = append(by, Cosigner{VKey: id, Size: c.Size, AtMS: int64(min(seconds, maxSeconds)) * 1000, Policy: in})
	}
	if !seen[keyName(s.log)] {
		return c, nil, errors.New("is not signed by its log")
	}
	return c, by, nil
}

// maxSeconds is the last second of the year 9999; beyond it times have no date.
const maxSeconds = 253402300799

func keyName(v note.Verifier) string { return fmt.Sprintf("%s+%08x", v.Name(), v.KeyHash()) }

// of finds the key of a signature line and what the policy calls it.
func (s *signers) of(id string) (v *witness.Verifier, policy string) {
	if s.policy != nil {
		for _, w := range s.policy.Witnesses {
			if keyName(w.Key) == id {
				return w.Key, w.Name
			}
		}
	}
	for _, v := range s.given {
		if keyName(v) == id {
			return v, ""
		}
	}
	return nil, ""
}

// cosignedLine is a line of a bundle: a checkpoint with cosignatures.
func (w *walk) cosignedLine(rest []byte) error {
	size, text, ok := bytes.Cut(rest, []byte(" "))
	n, err := parseIndex(size)
	if !ok || err != nil {
		return errors.New("a cosigned checkpoint without its size")
	}
	signed, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("cosigned checkpoint: %w", err)
	}
	w.openingMissing()
	w.signers.log = w.c.keys.Of(w.c.origin)
	c, by, err := w.signers.open(string(signed))
	root, known := w.c.tree.Root()
	switch {
	case err != nil:
		w.rep.Result.Add("cosigned", Key(n), "%v", err)
	case c.Size != n || n != w.c.Next():
		w.rep.Result.Add("cosigned", Key(n), "is of %d leaves and stands after %d", c.Size, w.c.Next())
	case !known:
		w.rep.Result.Add("cosigned", Key(n), "cannot be compared: a leaf before it is missing or changed")
	case root != c.Root:
		w.rep.Result.Add("cosigned", Key(n), "names another root: this is not the log that was shown to its witnesses; a leaf before %d was changed, taken out or put in", n)
	default:
		w.rep.cosigned(by)
	}
	return nil
}

// cosigned keeps of each witness the largest size.
func (r *Report) cosigned(by []Cosigner) {
	if r.Cosigners == nil {
		r.Cosigners = map[string]Cosigner{}
	}
	for _, c := range by {
		if old, ok := r.Cosigners[c.VKey]; !ok || c.Size >= old.Size {
			r.Cosigners[c.VKey] = c
		}
	}
}

// judge holds who cosigned against the auditor's policy: that no leaf of the bundle is covered is a finding, that the newest
// are not yet is for the page to say.
func (r *Report) judge(p *Policy) {
	if !p.Asks() {
		return
	}
	r.Asked = true
	r.Quorum = p.covered(func(name string) (size int64) {
		for _, c := range r.Cosigners {
			if c.Policy == name {
				size = max(size, c.Size)
			}
		}
		return size
	})
	if r.Quorum <= r.Head.From {
		r.Result.Add("policy", "quorum", "no leaf here was cosigned by those whom the policy asks for")
	}
}

// cosignersBy gives those whom the auditor's policy names, or those whose keys only came with the file; who cosigned the most first.
func cosignersBy(policy bool, list []Cosigner) []Cosigner {
	list = slices.DeleteFunc(slices.Clone(list), func(c Cosigner) bool { return (c.Policy != "") != policy })
	slices.SortFunc(list, func(a, b Cosigner) int { return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.VKey, b.VKey)) })
	return list
}

// sayCosigned tells who of the policy cosigned and what it makes of that. Who is not in it proves nothing: anybody can make a key of any name.
func (r *Report) sayCosigned(say sayFunc, day func(int64) string) {
	list := cosignersBy(true, slices.Collect(maps.Values(r.Cosigners)))
	for i, c := range list {
		if i == pageFindings {
			say("・ほかの証人 %d", "- and %d more witnesses", len(list)-i)
			break
		}
		say("・証人 %s が %d件時点のログに連署しています(%s、証人の時計)。", "- Witness %s has cosigned the log of %d leaves (%s by its own clock).", c.Policy, c.Size, day(c.AtMS))
	}
	if r.Asked && r.Quorum > r.Head.From {
		say("・%d番より前の記録は、ポリシーが求める証人の連署を満たしています。", "- The leaves before %d are cosigned by those whom the policy asks for.", r.Quorum)
	}
}

// sayNotCosigned tells what the cosignatures leave open.
func (r *Report) sayNotCosigned(say sayFunc, day func(int64) string) {
	sayUnknown(say, day, slices.Collect(maps.Values(r.Cosigners)))
	if r.Asked && r.Quorum < r.Head.To {
		say("・%d番以降の記録には、ポリシーが求める連署がまだありません。", "- The leaves from %d on are not yet cosigned by those whom the policy asks for.", max(r.Quorum, r.Head.From))
	}
}

// sayUnknown names who cosigned with a key that only the file brings.
func sayUnknown(say sayFunc, day func(int64) string, list []Cosigner) {
	list = cosignersBy(false, list)
	if len(list) == 0 {
		return
	}
	say("・次の連署をした鍵はこのファイルに入っていたものです。名前は誰でも付けられるため、誰の証人かは分かりません。--policy で信頼する証人を指定してください。",
		"- The witnesses' keys below came with the file: anybody can make one of any name, nothing shows whose they are. Name those that you trust (--policy).")
	for i, c := range list {
		if i == pageFindings {
			say("  ほか %d", "  and %d more", len(list)-i)
			break
		}
		name, id, _ := strings.Cut(c.VKey, "+")
		say("  %q と名乗る鍵 %s: %d件時点のログに連署(%s、その鍵の時計)", "  a key that calls itself %q, id %s: the log of %d leaves (%s by its own clock)", name, id, c.Size, day(c.AtMS))
	}
}
