package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/store"
)

// printedLeaf is one line of `log --json`.
type printedLeaf struct {
	Index   int64           `json:"index"`
	Kind    string          `json:"kind"`
	Body    json.RawMessage `json:"body"`
	Opening json.RawMessage `json:"opening,omitempty"`
}

// PrintLog lists every leaf, without what the leaves commit to.
func (s *Site) PrintLog(ctx context.Context, w io.Writer, asJSON bool) error {
	return s.printLeaves(ctx, w, s.Store.Size(), asJSON, false)
}

// PrintOpenings is PrintLog with names of people: an export as any other (RR-5, RA-4). That it is made, by whom and why, is a leaf before,
// and the SHA-256 of what is printed is another one, before the first byte is printed.
func (s *Site) PrintOpenings(ctx context.Context, w io.Writer, asJSON bool, o ExportOptions) (sum string, err error) {
	if err := o.check(); err != nil {
		return "", err
	}
	n := exportNote{Verb: "view_openings", Target: "log", By: o.By, Reason: o.Reason}
	if _, err := cliNote(ctx, s.Store, n, o.Now); err != nil {
		return "", err
	}
	to := s.Store.Size()
	h := sha256.New() // the log is read twice: names in clear would lie on the disk otherwise, or all of a long log in memory
	if err := s.printLeaves(ctx, h, to, asJSON, true); err != nil {
		return "", err
	}
	sum = hex.EncodeToString(h.Sum(nil))
	n.Verb, n.Target, n.ID = "view_openings_hash", "listing", sum
	if _, err := cliNote(ctx, s.Store, n, o.Now); err != nil {
		return "", err
	}
	h.Reset()
	if err := s.printLeaves(ctx, io.MultiWriter(w, h), to, asJSON, true); err != nil {
		return "", err
	}
	if hex.EncodeToString(h.Sum(nil)) != sum {
		return "", errors.New("export: what was printed is not what was read before: its hash is not the one in the log")
	}
	return sum, nil
}

// printLeaves lists the leaves before to.
func (s *Site) printLeaves(ctx context.Context, w io.Writer, to int64, asJSON, openings bool) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	err := s.Store.Read(ctx, func(r *store.ReadTx) error {
		const page = 500
		for from := int64(0); ; {
			leaves, err := r.Leaves(from, page)
			if err != nil || len(leaves) == 0 {
				return err
			}
			from = leaves[len(leaves)-1].Idx + 1 // some between may have been disposed of
			for _, l := range leaves {
				if l.Idx >= to {
					return nil
				}
				line := printedLeaf{Index: l.Idx, Kind: string(l.Kind), Body: l.Body}
				if openings {
					if line.Opening, err = listedOpening(r.Reader, l.Idx); err != nil {
						return err
					}
				}
				if asJSON {
					err = enc.Encode(line)
				} else {
					_, err = fmt.Fprintf(out, "%8d %-8s %s %s\n", line.Index, line.Kind, line.Body, line.Opening)
				}
				if err != nil {
					return err
				}
			}
		}
	})
	return errors.Join(err, out.Flush())
}

// listedOpening is a leaf's opening as a listing shows it: nothing when its use is suspended, and never the inputs of a decision, in clear
// or sealed, whoever asks: they tell a PIN under duress (D10). Left out of all, that they are missing tells nothing.
func listedOpening(r store.Reader, idx int64) (json.RawMessage, error) {
	o, err := usable(r, idx)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrErased), errors.Is(err, errRestricted):
		return nil, nil
	case err != nil:
		return nil, err
	}
	o.Private, o.PrivateSalt, o.Inputs = nil, nil, nil
	raw, err := o.Append(nil)
	if err != nil {
		return nil, err
	}
	if text, ok := bytes.CutSuffix(raw, []byte(`,"private":null,"private_salt":null,"inputs":null}`)); ok { // null would say that there are none
		raw = append(text, '}')
	}
	return raw, nil
}

// SetCardStatus changes a card from the command line and publishes at once. To re-activate one may wait for a
// second person: then the proposal's id is given back.
func (s *Site) SetCardStatus(ctx context.Context, card, status, reason string) (proposal string, err error) {
	st, err := access.ParseCredentialStatus(status)
	if err != nil {
		return "", err
	}
	reg, err := s.registry(time.Now)
	if err != nil {
		return "", err
	}
	out, err := reg.SetCardStatus(ctx, directory.Actor{From: "cli"}, reason, directory.CardID(card), st)
	return out.Proposal, err
}
