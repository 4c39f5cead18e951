package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/witness"
	"monban/server/entrylog"
	"monban/server/logcheck"
)

// ProofOptions of Proof.
type ProofOptions struct {
	Keys    []string // public keys, that of the newest log first
	Opening bool     // with what the leaf commits to, in clear
}

// cosignedPoint is a checkpoint with the cosignatures of all who have cosigned it.
type cosignedPoint struct {
	size   int64
	origin string
	signed string   // log's line first
	vkeys  []string // of the witnesses
}

// cosignedPoints lists what witnesses have cosigned of sizes from < size ≤ to, rising; one entry for those who cosigned the same.
// What they cosigned of an earlier log beyond its succession stands there and is left out.
func (r Reader) cosignedPoints(from, to int64) ([]cosignedPoint, error) {
	rows, err := r.query(`SELECT witness, vkey, origin, size, at_ms, note, received_ms FROM cosignature WHERE size > ? AND size <= ? ORDER BY size, origin, witness, day`, from, to)
	if err != nil {
		return nil, fmt.Errorf("read cosignatures: %w", err)
	}
	list, err := scanCosignatures(rows)
	if err != nil {
		return nil, err
	}
	var out []cosignedPoint
	for _, c := range list {
		if n := len(out); n > 0 && out[n-1].size == c.Size && out[n-1].origin == c.Origin {
			out[n-1].join(&c)
			continue
		}
		origin, err := (&bundle{r: r}).originAt(c.Size)
		if err != nil {
			return nil, err
		}
		if origin == c.Origin {
			out = append(out, cosignedPoint{size: c.Size, origin: c.Origin, signed: c.Note, vkeys: []string{c.VKey}})
		}
	}
	return out, nil
}

// join adds the line of another witness of the same checkpoint. What does not fit is left out: nothing is lost by it but a witness.
func (p *cosignedPoint) join(c *Cosignature) {
	head := func(signed string) string { // text and the log's line
		text, _, _ := strings.Cut(signed, "\n\n")
		own, err := witness.LogLineNamed(signed, p.origin)
		if err != nil {
			return text
		}
		return own
	}
	own := head(p.signed)
	line, ok := strings.CutPrefix(c.Note, own)
	if !ok || line == "" || slices.Contains(p.vkeys, c.VKey) {
		return
	}
	p.signed += line
	p.vkeys = append(p.vkeys, c.VKey)
}

// Proof proves one leaf: with the checkpoint that most witnesses have cosigned, the newest of them; else with the newest that there is.
// ErrNotSigned when no checkpoint covers the leaf yet, ErrNotFound when there is no such leaf, ErrErased when its body was
// disposed of.
func (r Reader) Proof(idx int64, o ProofOptions) (*logcheck.Proof, error) {
	leaf, err := r.Leaf(idx)
	if err != nil {
		return nil, err
	}
	if _, gone := entrylog.DroppedBy(leaf.Body); gone {
		return nil, ErrErased
	}
	size, err := r.LogSize()
	if err != nil {
		return nil, err
	}
	p := &logcheck.Proof{Index: idx, Keys: o.Keys, Leaf: leaf.Body}
	if err := r.proofPoint(p, size); err != nil {
		return nil, err
	}
	text, err := entrylog.SignedText([]byte(p.Checkpoint))
	if err != nil {
		return nil, err
	}
	c, err := entrylog.ParseCheckpointText(text)
	if err != nil {
		return nil, err
	}
	if p.Path, err = entrylog.ProveRecord(c.Size, idx, r.hashes); err != nil {
		return nil, fmt.Errorf("prove leaf %d: %w", idx, err)
	}
	commit, err := entrylog.CommitOf(leaf.Body)
	if err != nil || commit == (entrylog.Hash{}) {
		return p, err
	}
	if p.Shown = logcheck.ShownClosed; !o.Opening {
		return p, nil
	}
	_, raw, salt, err := r.OpeningRaw(idx)
	switch {
	case err == nil:
		p.Shown, p.Salt, p.Opening = logcheck.ShownOpen, salt, raw
	case errors.Is(err, ErrKeyMissing): // not shown: that it was erased nobody may say
	case errors.Is(err, ErrErased):
		p.Shown = logcheck.ShownErased
	case errors.Is(err, ErrNotFound):
		if _, err := r.ErasedBy(idx); err == nil {
			p.Shown = logcheck.ShownErased
		}
	default:
		return nil, fmt.Errorf("prove leaf %d: %w", idx, err)
	}
	return p, nil
}

// proofPoint chooses the checkpoint of a proof.
func (r Reader) proofPoint(p *logcheck.Proof, size int64) error {
	points, err := r.cosignedPoints(p.Index, size)
	if err != nil {
		return err
	}
	slices.SortStableFunc(points, func(a, b cosignedPoint) int {
		if n := len(b.vkeys) - len(a.vkeys); n != 0 {
			return n
		}
		return int(min(max(b.size-a.size, -1), 1))
	})
	for _, x := range points {
		t, err := entrylog.Load(x.size, r.hashes)
		if err != nil {
			return err
		}
		c, err := signedPoint(x.signed)
		if err == nil && c.Root == t.Root() && r.namesKey(p.Keys, x.origin) {
			p.Checkpoint, p.Witnesses = x.signed, x.vkeys
			return nil
		}
	}
	signed, _, err := r.newestCheckpoint(p.Index)
	if err != nil {
		return err
	}
	if signed == "" {
		return ErrNotSigned
	}
	p.Checkpoint = signed
	return nil
}

func signedPoint(signed string) (entrylog.Checkpoint, error) {
	text, err := entrylog.SignedText([]byte(signed))
	if err != nil {
		return entrylog.Checkpoint{}, err
	}
	return entrylog.ParseCheckpointText(text)
}

// namesKey reports whether one of the keys is that of the log with this origin.
func (Reader) namesKey(keys []string, origin string) bool {
	return slices.ContainsFunc(keys, func(k string) bool {
		v, err := note.NewVerifier(k)
		return err == nil && v.Name() == origin
	})
}
