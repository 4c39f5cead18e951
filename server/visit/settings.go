package visit

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
)

// BringIn is what becomes of what somebody declares to bring into a zone (EQ-2). The zero one allows it.
type BringIn string

// Rules of a zone.
const (
	BringInFree BringIn = ""
	BringInFlag BringIn = "flag" // let in, and looked at afterwards
	BringInDeny BringIn = "deny" // reception refuses unless it stays outside or an exception is named
)

// Settings are the numbers marked † in the requirements. The zero value is not usable: see DefaultSettings.
type Settings struct {
	ClosingS       int                        `json:"closing_s"`       // closing time, seconds since midnight, 1–86400
	GraceMS        int64                      `json:"grace_ms"`        // after the end of a window until a badge is missed
	EarlyMS        int64                      `json:"early_ms"`        // reception may begin so long before the window
	MaxWindowMS    int64                      `json:"max_window_ms"`   // longest window of one visit
	EmergencyMS    int64                      `json:"emergency_ms"`    // longest emergency entry (AD-14)
	ReportMS       int64                      `json:"report_ms"`       // until its report is due
	TemporaryMonth int                        `json:"temporary_month"` // temporary cards a month from which use is noted (AD-16)
	KeyLoanMS      int64                      `json:"key_loan_ms"`     // longest key loan
	PurposeDays    int                        `json:"purpose_days"`    // open days to state a purpose afterwards (RR-7)
	PurposeLabels  map[access.ZoneID][]string `json:"purpose_labels"`  // label of keypad code 1–9 by zone
	BringIn        map[access.ZoneID]BringIn  `json:"bring_in"`        // EQ-2 by zone
	PurposeZones   []access.ZoneID            `json:"purpose_zones"`   // zones whose entries need a purpose (RR-7); null = every zone
	FormNames      map[string]string          `json:"form_names"`      // what the city's rules call a form, by Forms; missing = as DefaultFormNames
}

// Forms are the forms that have a name in the city's rules, in the order of their numbers.
func Forms() []string {
	return []string{"application", "permit", "reception", "badges", "temporary", "carry", "keys", "emergency"}
}

// DefaultFormNames are the numbers that the forms have where the city has not said otherwise.
func DefaultFormNames() map[string]string {
	return map[string]string{
		"application": "様式第1号 入室許可申請書", "permit": "様式第2号 定期入室許可申請書", "reception": "様式第3号 入退室管理簿(来訪者)", "badges": "様式第4号 名札貸出簿",
		"temporary": "様式第5号 仮カード貸出簿", "carry": "様式第6号 機器等持込・持出票", "keys": "様式第7号 鍵管理簿", "emergency": "様式第8号 災害時等入室報告書",
	}
}

// FormName is what the city calls a form.
func (s *Settings) FormName(form string) string {
	if name := s.FormNames[form]; name != "" {
		return name
	}
	return DefaultFormNames()[form]
}

// DefaultSettings are the proposals of the requirements.
func DefaultSettings() Settings {
	return Settings{
		ClosingS: 17*3600 + 15*60, GraceMS: 15 * 60_000, EarlyMS: 30 * 60_000, MaxWindowMS: 24 * 3_600_000,
		EmergencyMS: 4 * 3_600_000, ReportMS: 24 * 3_600_000, TemporaryMonth: 3, KeyLoanMS: 24 * 3_600_000, PurposeDays: 3,
	}
}

// SettingsKey is the setting of the store that holds them, as JSON; without it the defaults count.
const SettingsKey = "visit"

// ParseSettings reads what SettingsKey holds; "" gives the defaults, fields that are missing too.
func ParseSettings(text string) (Settings, error) {
	s := DefaultSettings()
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("setting %s: %w", SettingsKey, err)
	}
	return s, s.Validate()
}

// Validate says the first thing that is wrong.
func (s Settings) Validate() error {
	const day = 24 * time.Hour
	switch {
	case s.ClosingS < 1 || s.ClosingS > 86400:
		return fmt.Errorf("setting %s: closing_s %d is outside 1–86400", SettingsKey, s.ClosingS)
	case s.GraceMS < 0 || s.GraceMS > day.Milliseconds(), s.EarlyMS < 0 || s.EarlyMS > day.Milliseconds():
		return fmt.Errorf("setting %s: grace_ms or early_ms is outside one day", SettingsKey)
	case s.MaxWindowMS < 60_000 || s.MaxWindowMS > 7*day.Milliseconds():
		return fmt.Errorf("setting %s: max_window_ms is outside 1 minute to 7 days", SettingsKey)
	case s.EmergencyMS < 60_000 || s.EmergencyMS > 3*day.Milliseconds(), s.ReportMS < 60_000 || s.ReportMS > 30*day.Milliseconds():
		return fmt.Errorf("setting %s: emergency_ms or report_ms is out of range", SettingsKey)
	case s.TemporaryMonth < 1 || s.PurposeDays < 1 || s.KeyLoanMS < 60_000:
		return fmt.Errorf("setting %s: temporary_month, purpose_days or key_loan_ms is too small", SettingsKey)
	}
	for zone, labels := range s.PurposeLabels {
		if len(labels) > 9 {
			return fmt.Errorf("setting %s: zone %s has %d purposes, the keypad has 9", SettingsKey, zone, len(labels))
		}
		for _, l := range labels {
			if err := free("purpose_labels", l, maxName, false); err != nil {
				return fmt.Errorf("setting %s: zone %s: %w", SettingsKey, zone, err)
			}
		}
	}
	for form, name := range s.FormNames {
		if !slices.Contains(Forms(), form) {
			return fmt.Errorf("setting %s: form_names: %s is no form", SettingsKey, form)
		}
		if err := free("form_names", name, maxName, false); err != nil {
			return fmt.Errorf("setting %s: form %s: %w", SettingsKey, form, err)
		}
	}
	for zone, b := range s.BringIn {
		if b != BringInFree && b != BringInFlag && b != BringInDeny {
			return fmt.Errorf("setting %s: zone %s: bring_in is flag, deny or empty", SettingsKey, zone)
		}
	}
	return nil
}

// KeyedPurpose is what a code of the keypad means at a zone, "" when nobody has named it.
func (s *Settings) KeyedPurpose(z access.ZoneID, code int) string {
	if labels := s.PurposeLabels[z]; code >= 1 && code <= len(labels) {
		return labels[code-1]
	}
	return ""
}

// AsksPurpose reports whether entries of a zone need a purpose (RR-7).
func (s *Settings) AsksPurpose(z access.ZoneID) bool {
	return s.PurposeZones == nil || slices.Contains(s.PurposeZones, z)
}
