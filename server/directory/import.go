package directory

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
)

// Kind says what an import file holds.
type Kind string

// Kinds of import file, in the order in which they are read: a file may refer to what an earlier
// one brings.
const (
	KindZones      Kind = "zones"
	KindGateways   Kind = "gateways"
	KindSchedules  Kind = "schedules"
	KindClosedDays Kind = "closed_days"
	KindPeople     Kind = "people"
	KindCards      Kind = "cards"
	KindDoors      Kind = "doors"
	KindGrants     Kind = "grants"
	KindConditions Kind = "conditions"
	KindGroups     Kind = "groups"
	KindContracts  Kind = "contracts"
	KindExceptions Kind = "exceptions"
	KindItems      Kind = "inventory"
	KindEnrolments Kind = "biometrics"
	KindTransfers  Kind = "transfers"
)

var kinds = [...]Kind{
	KindConditions, KindZones, KindGateways, KindSchedules, KindClosedDays, KindPeople, KindGroups, KindContracts, KindCards, KindDoors,
	KindExceptions, KindGrants, KindItems, KindEnrolments, KindTransfers,
}

// Kinds lists every kind of import file in reading order.
func Kinds() []Kind { return slices.Clone(kinds[:]) }

// KindOf guesses the kind from a file name: "people.csv", "2027-people.csv" → people.
func KindOf(name string) (Kind, bool) {
	stem := strings.ToLower(strings.TrimSuffix(path.Base(strings.ReplaceAll(name, `\`, "/")), path.Ext(name)))
	for _, k := range kinds {
		if strings.HasSuffix(stem, string(k)) {
			return k, true
		}
	}
	return "", false
}

// File is one CSV file to import. Data is wiped by nobody: the caller drops it.
type File struct {
	Name string // shown in problems
	Kind Kind
	Data []byte
}

// CardMaker turns what is printed on cards into references; it holds the site's keys (D9, D10). Its
// errors must not repeat a number.
type CardMaker interface {
	// Card gives the reference and the masked form of a card of a Wiegand format.
	Card(format string, facility, number uint64) (ref card.Ref, masked string, err error)
	// PIN gives the reference of a PIN of 4–8 digits used with that card.
	PIN(ref card.Ref, digits string) (card.PINRef, error)
	// Version is the version of the site card key in use, ≥ 1.
	Version() uint32
}

// ImportConfig is what an import needs beside the files.
type ImportConfig struct {
	Now   time.Time      // the moment of the import; its day in Zone decides default expiry dates
	Zone  *time.Location // the site's time zone
	Cards CardMaker      // may be nil when no card file is imported
	// Relative allows dates such as today, today+30, today-1 and fy_end; the sample site uses them,
	// real files are refused with them.
	Relative bool
	whole    bool // of a form: an empty text is meant (ImportForm)
}

// Import reads files on top of base and returns the directory as it would be and what changed. It is
// pure: nothing is written (a dry run is an import whose result is thrown away). It is all or
// nothing: with any problem, err is Problems and next is base. Importing the same files again
// changes nothing. A row that is missing removes nothing: rights are taken away by name.
func Import(base Snapshot, files []File, cfg ImportConfig) (next Snapshot, changes []Change, err error) {
	var probs Problems
	d := newDraft(base, cfg, &probs)
	for _, f := range files {
		if !slices.Contains(kinds[:], f.Kind) {
			probs = append(probs, Problem{File: f.Name, Text: "is not a kind of file the import knows; name it like people.csv, cards.csv, doors.csv"})
		}
	}
	for _, k := range kinds {
		for _, f := range files {
			if f.Kind == k {
				d.read(f)
			}
		}
	}
	if len(probs) > 0 {
		return base, nil, probs
	}
	next = d.snapshot()
	if slices.ContainsFunc(files, func(f File) bool { return f.Kind == KindTransfers }) {
		next = next.clone()
		next.CarryOutTransfers(d.today)
		next.sort()
	}
	if slices.ContainsFunc(files, func(f File) bool { return f.Kind == KindItems }) {
		next = next.clone()
		next.endItemCards(&base)
	}
	for _, w := range weakened(&base, &next, d.today) {
		text := fmt.Sprintf(needsException, w.control)
		if r := d.zoneRows[w.zone]; r != nil {
			r.fail(w.control.column(), text)
			continue
		}
		probs = append(probs, Problem{Text: fmt.Sprintf("zone %s: %s %s", w.zone, w.control, text)})
	}
	if len(probs) > 0 {
		return base, nil, probs
	}
	if ps := next.Validate(); len(ps) > 0 {
		return base, nil, ps
	}
	return next, Diff(base, next), nil
}

// draft is a directory being changed by an import: one map a noun, and where each identifier was
// named, good or bad, so that one broken row does not make a hundred others look broken.
type draft struct {
	cfg        ImportConfig
	today      Date
	probs      *Problems
	people     map[PersonID]Person
	cards      map[CardID]Credential
	zones      map[access.ZoneID]Zone
	doors      map[access.DoorID]Door
	gateways   map[access.GatewayID]Gateway
	schedules  map[ScheduleID]Schedule
	grants     map[GrantID]Grant
	closed     map[Date]ClosedDay
	groups     map[GroupID]Group
	contracts  map[ContractID]Contract
	exceptions map[ExceptionID]Exception
	conditions map[uint32]Conditions
	items      map[ItemID]Item
	enrolments map[string]Enrolment
	rounds     []Round
	transfers  map[PersonID]Transfer
	zoneRows   map[access.ZoneID]*row
	later      []func()          // what can only be judged when the whole file was read
	named      map[string]string // kind + id → "FILE:LINE" of this import
	byRef      map[card.Ref]CardID
}

func newDraft(base Snapshot, cfg ImportConfig, probs *Problems) *draft {
	d := &draft{
		cfg: cfg, today: DateOf(cfg.Now.In(cfg.Zone)), probs: probs,
		people: map[PersonID]Person{}, cards: map[CardID]Credential{}, zones: map[access.ZoneID]Zone{},
		doors: map[access.DoorID]Door{}, gateways: map[access.GatewayID]Gateway{},
		schedules: map[ScheduleID]Schedule{}, grants: map[GrantID]Grant{}, closed: map[Date]ClosedDay{},
		groups: map[GroupID]Group{}, contracts: map[ContractID]Contract{}, exceptions: map[ExceptionID]Exception{},
		conditions: map[uint32]Conditions{}, items: map[ItemID]Item{}, enrolments: map[string]Enrolment{}, rounds: base.Rounds, zoneRows: map[access.ZoneID]*row{},
		named: map[string]string{}, byRef: map[card.Ref]CardID{},
	}
	d.transfers = map[PersonID]Transfer{}
	for _, v := range base.Transfers {
		d.transfers[v.Person] = v
	}
	for _, v := range base.Groups {
		d.groups[v.ID] = v
	}
	for _, v := range base.Contracts {
		d.contracts[v.ID] = v
	}
	for _, v := range base.Exceptions {
		d.exceptions[v.ID] = v
	}
	for _, v := range base.Conditions {
		d.conditions[v.Version] = v
	}
	for _, v := range base.Items {
		d.items[v.ID] = v
	}
	for _, v := range base.Enrolments {
		d.enrolments[v.key()] = v
	}
	for _, v := range base.People {
		d.people[v.ID] = v
	}
	for _, v := range base.Credentials {
		d.cards[v.ID] = v
		d.byRef[v.Ref] = v.ID
	}
	for _, v := range base.Zones {
		d.zones[v.ID] = v
	}
	for _, v := range base.Doors {
		d.doors[v.ID] = v
	}
	for _, v := range base.Gateways {
		d.gateways[v.ID] = v
	}
	for _, v := range base.Schedules {
		d.schedules[v.ID] = v
	}
	for _, v := range base.Grants {
		d.grants[v.ID] = v
	}
	for _, v := range base.ClosedDays {
		d.closed[v.Day] = v
	}
	return d
}

func (d *draft) read(f File) {
	first := len(*d.probs)
	defer func() { // rows are judged after all of them were read: report them line by line all the same
		slices.SortStableFunc((*d.probs)[first:], func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	}()
	t, ok := readTable(f.Name, f.Data, columnsOf(f.Kind), f.Kind == KindCards, d.probs)
	if !ok {
		return
	}
	clear := map[ScheduleID]bool{}
	fresh := map[string]bool{} // groups and contracts whose list this file has begun anew
	for i := range t.rows {
		r := &t.rows[i]
		switch f.Kind {
		case KindZones:
			d.readZone(r)
		case KindGateways:
			d.readGateway(r)
		case KindSchedules:
			d.readSchedule(r, clear)
		case KindClosedDays:
			d.readClosedDay(r)
		case KindPeople:
			d.readPerson(r)
		case KindDoors:
			d.readDoor(r)
		case KindCards:
			d.readCard(r)
		case KindGrants:
			d.readGrant(r)
		case KindConditions:
			d.readConditions(r)
		case KindGroups:
			d.readGroup(r, fresh)
		case KindContracts:
			d.readContract(r, fresh)
		case KindExceptions:
			d.readException(r)
		case KindItems:
			d.readItem(r)
		case KindEnrolments:
			d.readEnrolment(r)
		case KindTransfers:
			d.readTransfer(r)
		}
	}
	for _, judge := range d.later {
		judge()
	}
	d.later = nil
}

// name notes that a row speaks of an identifier. A second row of one import with the same one is a
// problem: which of the two would count?
func (d *draft) name(r *row, kind Kind, column, id string) {
	if id == "" {
		return
	}
	key := string(kind) + " " + id
	if first, twice := d.named[key]; twice {
		r.fail(column, "stands twice, first at "+first+"; keep one row")
		return
	}
	d.named[key] = fmt.Sprintf("%s:%d", r.t.file, r.line)
}

// refers checks that an identifier exists, in the directory or in a row of this import (even a
// broken one, which has its own problem).
func (d *draft) refers(r *row, kind Kind, column, id string, exists bool) {
	if id == "" || exists {
		return
	}
	if _, named := d.named[string(kind)+" "+id]; named {
		r.bad = true
		return
	}
	r.failValue(column, fmt.Sprintf("is not in the directory; import it with %s.csv first or correct it", kind))
}

// snapshot gives the draft as sorted slices.
func (d *draft) snapshot() Snapshot {
	return Snapshot{
		People: sorted(d.people), Credentials: sorted(d.cards), Zones: sorted(d.zones), Doors: sorted(d.doors),
		Gateways: sorted(d.gateways), Schedules: sorted(d.schedules), Grants: sorted(d.grants),
		Groups: sorted(d.groups), Contracts: sorted(d.contracts), Exceptions: sorted(d.exceptions), Conditions: sorted(d.conditions),
		Items: sorted(d.items), Enrolments: sorted(d.enrolments), Rounds: d.rounds,
		Transfers: sorted(d.transfers),
		ClosedDays: slices.SortedFunc(maps.Values(d.closed), func(a, b ClosedDay) int {
			return cmp.Compare(a.Day.String(), b.Day.String())
		}),
	}
}

// sorted gives a map's values in the order of its keys; nil when empty, as a store returns it.
func sorted[K cmp.Ordered, V any](m map[K]V) []V {
	var out []V
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}
