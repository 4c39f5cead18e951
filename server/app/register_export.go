package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/privacy"
	"monban/server/store"
	"monban/server/web"
)

// ExportRegister implements web.Registers.
func (p *pages) ExportRegister(ctx context.Context, cells [][]string, use string, shiftJIS bool, act web.Action) (data []byte, err error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return nil, bad
	}
	if data, err = directory.WriteCSV(cells); err != nil {
		return nil, err
	}
	if shiftJIS {
		data, _ = directory.ShiftJIS(strings.TrimPrefix(string(data), "\ufeff"))
	}
	err = p.store.Write(ctx, func(tx *store.Tx) error {
		if err := checkUse(tx.Reader, privacy.Use(use)); err != nil {
			return err
		}
		leaf := entrylog.Action{
			Account: act.Actor, Verb: string(web.ActionRegisterExported), Target: "zone", ID: act.Target, From: originOf(act), Result: "ok", Reason: true,
			AtMS: act.At.UnixMilli(),
		}
		_, err := tx.AppendAction(leaf, &entrylog.Opening{
			Address: addressOf(act), Text: fmt.Sprintf("%s\npurpose %s\n%d rows, SHA-256 %x", act.Reason, use, max(len(cells)-1, 0), sha256.Sum256(data)),
		})
		return err
	})
	if errors.Is(err, privacy.ErrNotRegistered) || errors.Is(err, privacy.ErrNoPurpose) {
		return nil, web.FormFault{{Field: "use", Word: "required"}}
	}
	return data, err
}

// Spoilt implements web.Registers.
func (p *pages) Spoilt(text string) bool {
	_, lost := directory.ShiftJIS(text)
	return lost > 0
}
