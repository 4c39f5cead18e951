package ingest

import (
	"errors"
	"strconv"

	"monban/firmware/door"
	"monban/server/store"
	"monban/server/visit"
)

// purpose puts what was keyed in at the reader into the record's opening: the code, and what it means at this door's zone now, so that
// a later change of the table does not change what was said (RR-7). A code that nobody has named stands as a code alone.
func (b *batch) purpose(r *parsed, s *secret) error {
	if r.body.Event != door.EventPurposeKeyed || s.opening == nil || s.private.Purpose == 0 {
		return nil
	}
	s.opening.Text = strconv.Itoa(int(s.private.Purpose))
	text, err := b.tx.Setting(visit.SettingsKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	settings, err := visit.ParseSettings(text)
	if err != nil {
		return err
	}
	if x := b.site.Door(r.body.Door); x != nil {
		s.opening.Purpose = settings.KeyedPurpose(x.Enter, int(s.private.Purpose))
	}
	return nil
}
