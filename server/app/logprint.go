package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
)

// printedLeaf is one line of `log --json`.
type printedLeaf struct {
	Index   int64           `json:"index"`
	Kind    string          `json:"kind"`
	Body    json.RawMessage `json:"body"`
	Opening json.RawMessage `json:"opening,omitempty"`
}

// PrintLog lists every leaf. With openings it shows people's names, so the act itself becomes a leaf
// first (RA-4).
func (s *Site) PrintLog(ctx context.Context, w io.Writer, asJSON, openings bool) error {
	if openings {
		err := s.Store.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.AppendAction(entrylog.Action{Verb: "view_openings", Target: "log", From: "cli", Result: "ok", AtMS: time.Now().UnixMilli()}, nil)
			return err
		})
		if err != nil {
			return err
		}
	}
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
				line := printedLeaf{Index: l.Idx, Kind: string(l.Kind), Body: l.Body}
				if openings {
					_, raw, _, err := r.OpeningRaw(l.Idx)
					switch {
					case err == nil:
						line.Opening = raw
					case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrErased):
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
