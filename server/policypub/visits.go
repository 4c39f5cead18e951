package policypub

import (
	"errors"
	"time"

	"monban/server/directory"
	"monban/server/store"
	"monban/server/visit"
)

// Overlaid is a directory with what visits, temporary cards and emergency entries give at this moment (visit.Overlay). A
// matter that cannot be read gives nothing, which keeps a door locked; verify tells of it. It is no reason to stop publishing:
// a revocation must not wait for a damaged row (I5).
func Overlaid(r store.Reader, dir directory.Snapshot, zone *time.Location, nowMS int64) (directory.Snapshot, error) {
	site, err := VisitSite(r, &dir, zone)
	if err != nil {
		return dir, err
	}
	badges, err := r.Badges()
	if err != nil {
		return dir, err
	}
	var matters []visit.Matter
	for _, kind := range []string{visit.KindVisit, visit.KindTemporary, visit.KindEmergency} {
		rows, err := r.OpenMatters(kind)
		if err != nil {
			return dir, err
		}
		for _, row := range rows {
			if text, err := r.MatterText(row.Idx); err == nil {
				if m, err := visit.Decode(kind, text.Doc); err == nil {
					matters = append(matters, m)
				}
			}
		}
	}
	return visit.Overlay(dir, matters, badges, nowMS, site), nil
}

// VisitSite is what matters are judged by: the stored directory and the settings. Settings that cannot be read are the
// defaults: their page says what is wrong with them, and doors go on.
func VisitSite(r store.Reader, dir *directory.Snapshot, zone *time.Location) (*visit.Site, error) {
	text, err := r.Setting(visit.SettingsKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	settings, err := visit.ParseSettings(text)
	if err != nil {
		settings = visit.DefaultSettings()
	}
	return &visit.Site{Dir: dir, Settings: settings, Zone: zone}, nil
}
