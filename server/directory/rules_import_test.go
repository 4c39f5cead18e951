package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"monban/firmware/access"
)

func file(k Kind, text string) File {
	return File{Name: string(k) + ".csv", Kind: k, Data: []byte(text)}
}

// importInto imports one file into the sample site; a problem fails the test.
func importInto(t *testing.T, site Snapshot, k Kind, text string) Snapshot {
	t.Helper()
	next, _, err := Import(site, []File{file(k, text)}, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// Each hostile or wrong file is refused with a message that names file, line and what is wrong; nothing is applied.
func TestHostileRules(t *testing.T) {
	site := sampleSite(t)
	zones := "zone_id,name,level,parent,min_assurance\n"
	for _, c := range []struct{ name, kind, data, want string }{
		{"AD-2 school employee as staff", "people", "person_id,name,section,category,kind\n1,a,x,staff,school_employee\n", `people.csv:2: column "kind"`},
		{"AD-2 contractor kind of staff", "people", "person_id,name,section,category,kind\n1,a,x,staff,外部委託\n", `people.csv:2: column "kind"`},
		{"AD-6 end before start", "grants", "person_id,zone_id,schedule_id,valid_from,valid_until\n1009,floor-3,always,2027-02-01,2027-01-31\n", `grants.csv:2: column "valid_until"`},
		{"grant of nobody", "grants", "person_id,group_id,zone_id,schedule_id\n,,floor-3,always\n", `grants.csv:2: column "person_id"`},
		{"grant of two", "grants", "person_id,group_id,zone_id,schedule_id\n1001,joho,floor-3,always\n", `grants.csv:2: column "group_id"`},
		{"grant of a group that is not there", "grants", "group_id,zone_id,schedule_id\nnone,floor-3,always\n", `grants.csv:2: column "group_id"`},
		{"zone in itself", "zones", zones + "floor-3,a,1,floor-3,uid_only\n", `zones.csv:2: column "zone_id": lies in itself`},
		{"zones in a circle", "zones", zones + "a,a,1,b,uid_only\nb,b,1,c,uid_only\nc,c,1,a,uid_only\n", `zones.csv:2: column "parent": makes the zone lie in itself`},
		{"zone in none", "zones", zones + "a,a,1,nowhere,uid_only\n", `zones.csv:2: column "parent": "nowhere" is not in the directory`},
		{"AD-3 weaker than the level", "zones", "zone_id,name,level,escort,min_assurance\nx,x,3,none,uid_only\n", `zones.csv:2: column "escort": asks for less than the zone's level does`},
		{"AD-3 two persons off", "zones", "zone_id,name,level,two_person_within,min_assurance\nx,x,3,0s,uid_only\n", `zones.csv:2: column "two_person_within": asks for less`},
		{"D11 no exit reader", "zones", "zone_id,name,level,max_inside,min_assurance\nmedia-store,m,2,3,uid_only\n", "no exit reader"},
		{"AD-8 two persons and room for one", "zones", "zone_id,name,level,two_person_within,max_inside,min_assurance\nx,x,1,60s,1,uid_only\n", "two persons and lets one in"},
		{"AD-9 timed without a time", "zones", "zone_id,name,level,anti_passback,min_assurance\nx,x,1,timed,uid_only\n", "anti_passback_for"},
		{"VE-6 a version that is not there", "zones", "zone_id,name,level,conditions,min_assurance\nx,x,1,7,uid_only\n", `zones.csv:2: column "conditions"`},
		{"VE-6 a text changed", "conditions", "version,text\n1,別の文\n", `conditions.csv:2: column "version"`},
		{"VE-4 subcontractor without approval", "contracts", "contract_id,company,section,valid_from,valid_until,tier,person_id\nc,x,y,2026-04-01,2027-03-31,2,K-2001\n", "written approval"},
		{"VE-4 worker who is not there", "contracts", "contract_id,company,section,valid_from,valid_until,person_id\nc,x,y,2026-04-01,2027-03-31,K-9\n", `contracts.csv:2: column "person_id"`},
		{"A9 contract backwards", "contracts", "contract_id,company,section,valid_from,valid_until\nc,x,y,2027-04-01,2027-03-31\n", "ends before it begins"},
		{"VR-8 longer than a year", "exceptions", "exception_id,subject,subject_id,what,reason,approver,valid_from,valid_until\ne,zone,media-store,escort,r,a,2026-11-24,2027-11-24\n", "longer than one year"},
		{"VR-8 unknown control", "exceptions", "exception_id,subject,subject_id,what,reason,approver,valid_from,valid_until\ne,zone,media-store,all,r,a,2026-11-24,2027-03-31\n", "unknown control"},
		{"VR-8 without a reason", "exceptions", "exception_id,subject,subject_id,what,reason,approver,valid_from,valid_until\ne,zone,media-store,escort,,a,2026-11-24,2027-03-31\n", `column "reason": is empty`},
		{"EQ-4 disposed of without proof", "inventory", "item_id,kind,name,state\nK,key,鍵,disposed\n", "without proof"},
		{"PR-5 without consent", "biometrics", "person_id,reader,reference,consent,fallback\n1001,r,1,,card_pin\n", "agreed"},
		{"PR-5 a template", "biometrics", "person_id,reader,reference,consent,fallback\n1001,r," + strings.Repeat("QUJD", 40) + ",2026-11-01,card_pin\n", "reference"},
		{"RA-5 move without a section", "transfers", "person_id,day,section\n1001,2027-04-01,\n", "no new section"},
		{"VE-5 My Number as a name", "people", "person_id,name,section,category\n1,1234-5678-9018,x,staff\n", `people.csv:2: column "name": holds what can only be an Individual Number`},
		{"VE-5 My Number as a person's number", "people", "person_id,name,section,category\n123456789018,a,x,staff\n", "Individual Number"},
		{"VE-5 My Number in a reason", "exceptions", "exception_id,subject,subject_id,what,reason,approver,valid_from,valid_until\ne,zone,media-store,escort,番号は123456789018,a,2026-11-24,2027-03-31\n", "Individual Number"},
		{"control character", "groups", "group_id,name\ng,a\x07b\n", `groups.csv:2: column "name": holds a control character`},
		{"NUL", "contracts", "contract_id,company,section,valid_from,valid_until\nc,x\x00,y,2026-04-01,2027-03-31\n", `contracts.csv:2: column "company"`},
		{"RTL mark", "groups", "group_id,name\ng,a\u200fb\n", "invisible"},
		{"10 kB", "groups", "group_id,name\ng," + strings.Repeat("あ", 3500) + "\n", "bytes long"},
		{"formula", "groups", "group_id,name\ng,=1+1\n", "formula"},
		{"two names of one group", "groups", "group_id,name,person_id\ng,a,1001\ng,b,1002\n", `groups.csv:3: column "name"`},
		{"member twice", "groups", "group_id,name,person_id\ng,a,1001\ng,a,1001\n", `groups.csv:3: column "person_id"`},
		{"airlock of one", "doors", "door_id,name,gateway_id,enter_zone,kind,exit,interlock\nx,x,gw-1,floor-3,controlled,reader,server-room-1\n", "airlock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			next, changes, err := Import(site, []File{file(Kind(c.kind), c.data)}, testConfig())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("err %v, want %q", err, c.want)
			}
			if changes != nil || len(Diff(site, next)) > 0 {
				t.Error("something was applied")
			}
			if strings.Contains(err.Error(), "123456789018") {
				t.Error("the number is repeated")
			}
		})
	}
}

// VE-5: in serial-number and contract fields twelve digits are warned of, not refused.
func TestMyNumberInContractFieldWarns(t *testing.T) {
	p := PreviewImport(sampleSite(t), []File{file(KindContracts, "contract_id,company,section,valid_from,valid_until,tier,approval\n123456789018,x,y,2026-04-01,2027-03-31,2,1234-5678-9018\n")}, testConfig())
	if len(p.Problems) > 0 || len(p.Changes) != 1 || !slices.ContainsFunc(p.Warnings, func(w Warning) bool { return w.Noun == "contract" && strings.Contains(w.Text, "Individual Number") }) {
		t.Errorf("%v, %d changes, warnings %v", p.Problems, len(p.Changes), p.Warnings)
	}
}

// Overlapping grants are allowed and warned of; a successor that begins after the end does not overlap (AD-19).
func TestOverlappingGrantsWarn(t *testing.T) {
	site := sampleSite(t)
	warned := func(text string) bool {
		p := PreviewImport(site, []File{file(KindGrants, text)}, testConfig())
		if len(p.Problems) > 0 {
			t.Fatal(p.Problems)
		}
		return slices.ContainsFunc(p.Warnings, func(w Warning) bool { return w.Noun == "grant" && strings.Contains(w.Text, "overlaps") })
	}
	if !warned("person_id,zone_id,schedule_id\n1001,server-room,office\n") {
		t.Error("two schedules of one zone: no warning")
	}
	if !warned("group_id,zone_id,schedule_id\njoho,server-room,always\n") {
		t.Error("own and group's: no warning")
	}
	if warned("person_id,zone_id,schedule_id,valid_from\n1001,server-room,always,2027-04-01\n") {
		t.Error("a successor was warned of")
	}
	if warned("person_id,zone_id,schedule_id\n1009,floor-3,always\n") {
		t.Error("a lone grant was warned of")
	}
}

// AD-6, AD-19: a grant that begins in the next fiscal year stands beside this year's, ends with its own, and the file again
// changes nothing.
func TestFutureGrant(t *testing.T) {
	text := "person_id,zone_id,schedule_id,valid_from\n1001,server-room,always,2027-04-01\n"
	site := importInto(t, sampleSite(t), KindGrants, text)
	i := slices.IndexFunc(site.Grants, func(g Grant) bool { return g.ID == "1001:server-room:always:2027-04-01" })
	if i < 0 || site.Grants[i].ValidUntil != (Date{2028, time.March, 31}) {
		t.Fatalf("%+v", site.Grants)
	}
	if _, changes, err := Import(site, []File{file(KindGrants, text)}, testConfig()); err != nil || len(changes) > 0 {
		t.Errorf("again: %v %v", changes, err)
	}
}

// A preview guesses kind and encoding by the columns, shows no card number, and changes nothing.
func TestPreviewGuesses(t *testing.T) {
	site := sampleSite(t)
	cp932, err := japanese.ShiftJIS.NewEncoder().String("グループ番号,グループ名,職員番号\nsoumu,総務課,1006\n")
	if err != nil {
		t.Fatal(err)
	}
	p := PreviewImport(site, []File{
		{Name: "一覧.csv", Data: []byte(cp932)},
		{Name: "export (3).csv", Data: []byte("\ufeffcard_id,person_id,format,facility_code,card_number\nC-100,1009,H10301,7,54321\n")},
	}, testConfig())
	if len(p.Problems) > 0 || len(p.Files) != 2 || len(p.Changes) != 2 {
		t.Fatalf("%+v", p)
	}
	if f := p.Files[0]; f.Kind != KindGroups || f.Encoding != "Shift_JIS" || f.Rows != 1 || len(f.Sample) != 1 || f.Sample[0][1] != "総務課" {
		t.Errorf("%+v", f)
	}
	if f := p.Files[1]; f.Kind != KindCards || f.Encoding != "UTF-8 with BOM" || f.Rows != 1 || f.Sample != nil {
		t.Errorf("%+v", f)
	}
	if strings.Contains(fmt.Sprintf("%+v", p), "54321") {
		t.Error("a card number is in the preview")
	}
	if p := PreviewImport(site, []File{{Name: "x.csv", Data: []byte("a,b\n1,2\n")}}, testConfig()); len(p.Problems) == 0 {
		t.Error("a file of nothing was taken")
	}
}

// The list of a group or contract in a file replaces the one there was; another file's stays.
func TestListsReplace(t *testing.T) {
	site := importInto(t, sampleSite(t), KindGroups, "group_id,name,person_id\njoho,情報政策課,1002\njoho,情報政策課,1009\n")
	if g := site.Groups[0]; !slices.Equal(g.Members, []PersonID{"1002", "1009"}) || g.NameEN != "Information policy section" {
		t.Errorf("%+v", g)
	}
	if c := site.Contracts[0]; len(c.Workers) != 1 {
		t.Errorf("%+v", c)
	}
	site = importInto(t, site, KindGroups, "group_id,name\njoho,情報政策課\n")
	if g := site.Groups[0]; len(g.Members) != 0 {
		t.Errorf("%+v", g)
	}
}

// A cell that a spreadsheet would run is escaped, and an export of every kind can be read as CSV (A1).
func TestExportIsSafe(t *testing.T) {
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+81": "'+81", "-2": "'-2", "@x": "'@x", "\tx": "'\tx", " =x": "' =x", "=x": "'=x", "\u3000@x": "'\u3000@x",
		"髙橋": "髙橋", "": "", "a=b": "a=b", "2027-03-31": "2027-03-31", "\r=x": "'\r=x",
	} {
		if got := SafeCell(cell); got != want {
			t.Errorf("%q → %q, want %q", cell, got, want)
		}
	}
	site := sampleSite(t)
	site.Groups[0].Name = "=HYPERLINK(\"x\")"
	for _, k := range ExportKinds() {
		data, err := site.Export(k)
		if err != nil {
			t.Fatal(err)
		}
		var probs Problems
		if k != KindTransfers && (len(data) < 10 || strings.Count(string(data), "\r\n") < 2) {
			t.Errorf("%s: %q %v", k, data, probs)
		}
		if strings.Contains(string(data), ",=HYP") || strings.Contains(string(data), "4567,") {
			t.Errorf("%s: %q", k, data)
		}
	}
}

// AD-3: what each level asks for. A new zone of an import gets it without being told; a raised level raises a zone.
func TestLevelPresets(t *testing.T) {
	site := importInto(t, sampleSite(t), KindZones, "zone_id,name,level,min_assurance\nl1,a,1,uid_only\nl2,b,2,uid_only\nl3,c,3,uid_only\n")
	want := map[access.ZoneID][]any{
		"l1": {false, time.Duration(0), EscortNone, CarryInFree}, "l2": {true, time.Duration(0), EscortVisitors, CarryInDeclared},
		"l3": {true, time.Minute, EscortOutsiders, CarryInAttended},
	}
	for i := range site.Zones {
		z := &site.Zones[i]
		if w, ok := want[z.ID]; ok && !slices.Equal(w, []any{z.PINAlways, z.TwoPersonWithin, z.Escort, z.CarryIn}) {
			t.Errorf("%s: %+v", z.ID, z)
		}
	}
	site = importInto(t, site, KindZones, "zone_id,name,level\nl1,a,3\n")
	for i := range site.Zones {
		if z := &site.Zones[i]; z.ID == "l1" && len(z.Weaker()) > 0 {
			t.Errorf("raised to level 3 and weaker in %v", z.Weaker())
		}
	}
	if got := NewZone("x", "x", 99); len(got.Weaker()) > 0 || got.TwoPersonWithin == 0 {
		t.Errorf("unknown level: %+v", got)
	}
}

// AD-3: with an exception in the same import a zone may ask for less; a page's edit is held to the same.
func TestExceptionAllowsLess(t *testing.T) {
	site := sampleSite(t)
	zone := file(KindZones, "zone_id,name,level,min_assurance,escort,pin_always\nlab,実験室,2,uid_only,none,yes\n")
	rows := "exception_id,subject,subject_id,what,reason,approver,valid_from,valid_until\n"
	if _, _, err := Import(site, []File{zone, file(KindExceptions, rows+"e,zone,lab,escort,r,a,2026-11-24,2027-03-31\n")}, testConfig()); err != nil {
		t.Error(err)
	}
	for name, x := range map[string]string{
		"another control": "e,zone,lab,pin_always,r,a,2026-11-24,2027-03-31\n", "another zone": "e,zone,archive,escort,r,a,2026-11-24,2027-03-31\n",
		"one that is over": "e,zone,lab,escort,r,a,2026-04-01,2026-11-23\n",
	} {
		if _, _, err := Import(site, []File{zone, file(KindExceptions, rows+x)}, testConfig()); err == nil {
			t.Errorf("allowed by an exception of %s", name)
		}
	}
	var probs Problems
	_, _, _, err := plan(fakeTx{site}, "x", testConfig().Now.UnixMilli(), func(s *Snapshot) error {
		for i := range s.Zones {
			if s.Zones[i].ID == "archive" {
				s.Zones[i].PINAlways = false
			}
		}
		return nil
	})
	if !errors.As(err, &probs) || !strings.Contains(err.Error(), "archive") {
		t.Errorf("a page's edit: %v", err)
	}
}
