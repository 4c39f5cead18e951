package story

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"monban/server/directory"
)

// nouns are the lines that make the site: one row of the CSV import each. The first word after the noun is
// the id column, the other columns are key=value; what is required and not given has these defaults.
var nouns = map[string]struct {
	kind     directory.Kind
	id       string
	defaults map[string]string
	alias    map[string]string
}{
	"zone": {directory.KindZones, "zone_id", map[string]string{
		"name": "*", "level": "1", "min_assurance": "uid_only", "pin_always": "no", "two_person_within": "0s", "escort": "none", "carry_in": "free",
	}, nil},
	"gateway": {directory.KindGateways, "gateway_id", map[string]string{"name": "*"}, nil},
	"door": {directory.KindDoors, "door_id", map[string]string{
		"name": "*", "kind": "controlled", "exit": "handle", "offline": "deny", "max_age": "1h",
	}, map[string]string{"zone": "enter_zone", "gateway": "gateway_id"}},
	"group": {directory.KindGroups, "group_id", map[string]string{"name": "*"}, map[string]string{"person": "person_id"}},
	"contract": {directory.KindContracts, "contract_id", map[string]string{"company": "*", "section": "-"}, map[string]string{
		"person": "person_id", "from": "valid_from", "until": "valid_until",
	}},
	"schedule": {directory.KindSchedules, "schedule_id", map[string]string{"name": "*"}, nil},
	"closed":   {directory.KindClosedDays, "date", map[string]string{"name": "*"}, nil},
	"person":   {directory.KindPeople, "person_id", map[string]string{"name": "*", "section": "-", "category": "staff"}, nil},
	"card": {directory.KindCards, "card_id", map[string]string{
		"format": "H10301", "facility_code": "123", "card_number": "#", "assurance": "uid_only",
	}, map[string]string{"person": "person_id"}},
	"key":        {directory.KindItems, "item_id", map[string]string{"kind": "key", "name": "*"}, nil},
	"conditions": {directory.KindConditions, "version", map[string]string{"text": "*"}, nil},
	"exception": {directory.KindExceptions, "exception_id", map[string]string{
		"subject": "site", "what": "*", "reason": "story", "approver": "story", "valid_from": "today", "valid_until": "today+30",
	}, map[string]string{"from": "valid_from", "until": "valid_until"}},
	"transfer": {directory.KindTransfers, "person_id", map[string]string{}, nil},
	"grant": {directory.KindGrants, "person_id", map[string]string{"schedule_id": "always"}, map[string]string{
		"zone": "zone_id", "schedule": "schedule_id", "from": "valid_from", "until": "valid_until",
	}},
}

// firstNumber is inside the first card that a story makes; the next has the next.
const firstNumber = 50_000

// row makes an import file of one line.
func row(l Line, number int) (directory.File, error) {
	n := nouns[l.Words[0]]
	plain, opts := options(l.Words[1:])
	if len(plain) != 1 {
		return directory.File{}, l.fault("a %s is written: %s ID key=value …, with the columns of %s.csv as keys", l.Words[0], l.Words[0], n.kind)
	}
	values := map[string]string{n.id: plain[0]}
	for k, v := range n.defaults {
		switch v {
		case "*":
			v = plain[0]
		case "#":
			v = strconv.Itoa(number)
		}
		values[k] = v
	}
	for k, v := range opts {
		if name, ok := n.alias[k]; ok {
			k = name
		}
		values[k] = v
	}
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	cells := make([]string, len(keys))
	for i, k := range keys {
		cells[i] = values[k]
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(keys) // a bytes.Buffer does not fail
	at := slices.Index(keys, "person_id")
	for _, person := range members(n.kind, values["person_id"]) {
		if at >= 0 {
			cells[at] = person
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return directory.File{Name: l.File + ":" + strconv.Itoa(l.Number), Kind: n.kind, Data: b.Bytes()}, nil
}

// members are the persons of a group or contract, each a row of its own; any other line is one row.
func members(k directory.Kind, list string) []string {
	if k == directory.KindGroups || k == directory.KindContracts {
		return strings.Split(list, ",")
	}
	return []string{list}
}

// setAside makes the exceptions of a story's zone: it asks for what its line says, whatever its level.
func setAside(l Line) directory.File {
	var b strings.Builder
	b.WriteString("exception_id,subject,subject_id,what,reason,approver,valid_from,valid_until\n")
	for i, c := range directory.Controls() {
		fmt.Fprintf(&b, "story-%d-%d,zone,%s,%s,story,story,today,today+300\n", l.Number, i, l.Words[1], c)
	}
	return directory.File{Name: l.File + ":" + strconv.Itoa(l.Number), Kind: directory.KindExceptions, Data: []byte(b.String())}
}

// folder reads a folder of import files.
func folder(l Line, dir string) ([]directory.File, error) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(l.File), dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, l.fault("the site's folder cannot be read: %v", err)
	}
	var out []directory.File
	for _, e := range entries {
		if e.IsDir() || !strings.EqualFold(filepath.Ext(e.Name()), ".csv") {
			continue
		}
		kind, ok := directory.KindOf(e.Name())
		if !ok {
			return nil, l.fault("%s is no file the import knows; it reads %v (each with .csv)", filepath.Join(dir, e.Name()), directory.Kinds())
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, l.fault("%v", err)
		}
		out = append(out, directory.File{Name: filepath.Join(dir, e.Name()), Kind: kind, Data: data})
	}
	if len(out) == 0 {
		return nil, l.fault("%s holds no CSV file; the import reads %v (each with .csv)", dir, directory.Kinds())
	}
	return out, nil
}

// told turns the import's problems into faults of the story: a row made of a line is that line.
func told(l Line, err error) error {
	var ps directory.Problems
	if !errors.As(err, &ps) {
		return l.fault("the site cannot be made: %v", err)
	}
	for i := range ps {
		if strings.HasPrefix(ps[i].File, l.File+":") {
			ps[i].Line = 0
		}
	}
	return ps
}
