package store

import (
	"encoding/json"
	"fmt"
	"slices"

	"monban/server/attempt"
)

// findingZones are the zones of the row of finding beside it, when that has neither door nor gateway: the zone whose day it tells of, else
// that of the matter that it is about, else those that the matter's doors lead into, as of a key. They are derived here alone (ADR 0092):
// who sees and works a finding, whose day it stands on and who is told of it ask the same.
const findingZones = `(SELECT substr(finding.detail, 1, length(finding.detail) - 11) AS zone
		WHERE finding.kind IN ('unsigned_day', 'purpose_blank') AND finding.detail LIKE '_%/____-__-__'
	UNION ALL SELECT zone FROM matter WHERE first_idx = finding.cause AND zone <> ''
	UNION ALL SELECT door.enter_zone FROM matter JOIN door ON instr(' ' || matter.doors || ' ', ' ' || door.id || ' ') > 0
		WHERE first_idx = finding.cause AND matter.zone = '')`

// findingDay is the day on which the row of finding stands: an unsigned day's is that day itself, or each would put one on the next.
const findingDay = `CASE WHEN kind = 'unsigned_day' AND detail LIKE '_%/____-__-__' THEN substr(detail, -10) ELSE day END`

// FindingZones lists the zones of a finding that has neither door nor gateway, sorted; none: it is the whole site's. The zone of another
// is that of its door.
func (r Reader) FindingZones(f *attempt.Finding) (out []string, err error) {
	if f.Door != "" || f.Gateway != "" {
		return nil, nil
	}
	var list string
	if err := r.row(`SELECT (SELECT json_group_array(zone) FROM `+findingZones+`) FROM finding WHERE idx = ?`, f.Idx).Scan(&list); err != nil {
		return nil, fmt.Errorf("zones of finding %d: %w", f.Idx, found(err))
	}
	if err := json.Unmarshal([]byte(list), &out); err != nil {
		return nil, fmt.Errorf("zones of finding %d: %w", f.Idx, err)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
