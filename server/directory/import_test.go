package directory

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/japanese"

	"monban/firmware/access"
	"monban/firmware/card"
)

// testCards makes references without a key: equal cards have equal references.
type testCards struct{}

func (testCards) Card(format string, facility, number uint64) (card.Ref, string, error) {
	if format != "H10301" || facility > 255 || number > 65535 {
		return card.Ref{}, "", errors.New("no such card in this format")
	}
	return sha256.Sum256(fmt.Appendf(nil, "%s %d %d", format, facility, number)), "****" + fmt.Sprint(number%100), nil
}

func (testCards) PIN(ref card.Ref, digits string) (card.PINRef, error) {
	if len(digits) < 4 || len(digits) > 8 || strings.Trim(digits, "0123456789") != "" {
		return card.PINRef{}, errors.New("not a PIN")
	}
	return sha256.Sum256(append(ref[:], digits...)), nil
}

func (testCards) Version() uint32 { return 1 }

var update = flag.Bool("update", false, "write the expected problems of testdata/broken")

var tokyo = time.FixedZone("Asia/Tokyo", 9*3600)

func testConfig() ImportConfig {
	return ImportConfig{Now: time.Date(2026, 11, 24, 9, 0, 0, 0, tokyo), Zone: tokyo, Cards: testCards{}, Relative: true}
}

func sampleSite(t testing.TB) Snapshot {
	t.Helper()
	files, err := SampleFiles()
	if err != nil {
		t.Fatal(err)
	}
	site, _, err := Import(Snapshot{}, files, testConfig())
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func TestSampleSite(t *testing.T) {
	site := sampleSite(t)
	if got, want := len(site.People), 11; got != want {
		t.Errorf("%d people, want %d", got, want)
	}
	// Names are stored as typed, never normalised.
	var names []string
	for _, p := range site.People {
		names = append(names, p.Name)
	}
	for _, want := range []string{"髙橋 健一", "﨑山 直子", "𠮷田 誠", "渡邉 美咲", "葛\U000e0100城 亮", "\ufa19谷 由紀", "𩸽 浩"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %q among %q", want, names)
		}
	}
	// AD-6: without an end a grant ends on 31 March of the fiscal year.
	for _, g := range site.Grants {
		want := Date{2027, time.March, 31}
		if g.Person == "1007" {
			want = Date{2026, time.November, 23}
		}
		if g.ValidUntil != want {
			t.Errorf("grant %s ends %v, want %v", g.ID, g.ValidUntil, want)
		}
	}
}

func TestImportAgainChangesNothing(t *testing.T) {
	site := sampleSite(t)
	files, err := SampleFiles()
	if err != nil {
		t.Fatal(err)
	}
	next, changes, err := Import(site, files, testConfig())
	if err != nil || len(changes) != 0 {
		t.Fatalf("second import: %d changes (%v), err %v", len(changes), changes, err)
	}
	if diff := Diff(site, next); len(diff) > 0 {
		t.Error(diff)
	}
	// After 1 April the same file renews nothing: an empty end keeps the end a grant has.
	cfg := testConfig()
	cfg.Now = time.Date(2027, 4, 2, 9, 0, 0, 0, tokyo)
	files = slices.DeleteFunc(files, func(f File) bool { return f.Kind != KindGrants })
	files[0].Data = []byte("person_id,zone_id,schedule_id\n1001,server-room,always\n")
	_, changes, err = Import(site, files, cfg)
	if err != nil || len(changes) != 0 {
		t.Errorf("import in the next fiscal year: %v, err %v", changes, err)
	}
}

func TestImportCP932(t *testing.T) {
	text := "職員番号,氏名,所属,区分\n2001,髙橋 﨑,情報政策課①,職員\n"
	cp932, err := japanese.ShiftJIS.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"utf-8": text, "bom": "\ufeff" + text, "cp932": cp932} {
		t.Run(name, func(t *testing.T) {
			site, _, err := Import(Snapshot{}, []File{{"people.csv", KindPeople, []byte(data)}}, testConfig())
			if err != nil {
				t.Fatal(err)
			}
			want := []Person{{ID: "2001", Name: "髙橋 﨑", Section: "情報政策課①", Category: Staff, Active: true}}
			if diff := cmp.Diff(want, site.People); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each file of testdata/broken has what is expected beside it; every broken row is reported.
func TestBrokenFiles(t *testing.T) {
	site := sampleSite(t)
	files, err := filepath.Glob("testdata/broken/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			kind, ok := KindOf(name)
			if !ok {
				t.Fatal("of no kind")
			}
			cfg := testConfig()
			cfg.Relative = false
			next, changes, err := Import(site, []File{{filepath.Base(name), kind, data}}, cfg)
			if err == nil {
				t.Fatal("was imported")
			}
			golden := strings.TrimSuffix(name, ".csv") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), err.Error()); diff != "" {
				t.Error(diff)
			}
			if changes != nil || len(Diff(site, next)) > 0 {
				t.Error("something was taken over from a broken file") // all or nothing
			}
		})
	}
}

func TestHostileFiles(t *testing.T) {
	head := "person_id,name,section,category\n"
	for name, data := range map[string]string{
		"empty":         "",
		"nul":           head + "1,a\x00b,x,staff\n",
		"10 kB cell":    head + "1," + strings.Repeat("あ", 3500) + ",x,staff\n",
		"open quote":    head + "1,\"a,x,staff\n",
		"bare quote":    head + "1,a\"b,x,staff\n",
		"ragged":        head + "1,a,x\n2,b,x,staff,y\n",
		"formula":       head + "1,=HYPERLINK(\"http://x\"),x,staff\n",
		"line break":    head + "1,\"a\nb\",x,staff\n",
		"direction":     head + "1,a\u202eb,x,staff\n",
		"utf-16":        "\xff\xfep\x00e\x00",
		"bom then bad":  "\ufeff" + head + "1,\x82\xa0,x,staff\n",
		"neither":       head + "1,\xff\xff\xfd,x,staff\n",
		"no header":     "1,a,x,staff\n",
		"header twice":  "person_id,name,name,section,category\n1,a,a,x,staff\n",
		"unnamed":       "person_id,name,section,category,\n1,a,x,staff,y\n",
		"17 MiB":        head + strings.Repeat("x", 17<<20),
		"too long name": head + "1," + strings.Repeat("a", 101) + ",x,staff\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Import(Snapshot{}, []File{{"people.csv", KindPeople, []byte(data)}}, testConfig())
			var probs Problems
			if !errors.As(err, &probs) || len(probs) == 0 {
				t.Fatalf("err %v, want problems", err)
			}
			for _, p := range probs {
				if len(p.String()) > 400 {
					t.Errorf("message of %d bytes", len(p.String()))
				}
			}
		})
	}
}

// PR-2, D9: a card number or PIN is in no message and nowhere in the result, whatever is wrong.
func TestNumbersAreNeverEchoed(t *testing.T) {
	site := sampleSite(t)
	const secret = "54321"
	head := "card_id,person_id,format,facility_code,card_number,assurance,status,pin\n"
	for name, data := range map[string]string{
		"good":          head + "X-1,1001,H10301,7," + secret + ",uid_only,active," + secret + "\n",
		"no header":     "X-1,1001,H10301,7," + secret + ",uid_only,active,1234\n",
		"shifted":       head + "X-1,1001,H10301,7,,5," + secret + ",x\nX-2," + secret + ",H10301,7,1,uid_only,active,\nX-3,1001," + secret + ",7,1,uid_only,active,\n",
		"wrong format":  head + "X-1,1001,H99999,7," + secret + ",uid_only,active,\n",
		"not a number":  head + "X-1,1001,H10301,7," + secret + "x,uid_only,active,\n",
		"bad pin":       head + "X-1,1001,H10301,7,1,uid_only,active," + secret + "x\n",
		"twice":         head + "X-1,1001,H10301,7," + secret + ",uid_only,active,\nX-2,1002,H10301,7," + secret + ",uid_only,active,\n",
		"quote":         head + "X-1,1001,H10301,7,\"" + secret + "\"x,uid_only,active,\n",
		"ragged":        head + "X-1,1001,H10301,7," + secret + "\n",
		"unknown names": "a,b,c," + secret + "\n",
		"bad date":      "card_id,person_id,format,facility_code,card_number,valid_until\nX-1,1001,H10301,7,1," + secret + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			next, changes, err := Import(site, []File{{"cards.csv", KindCards, []byte(data)}}, testConfig())
			text := fmt.Sprintf("%v %+v", err, next)
			for i := range changes {
				text += changes[i].String()
			}
			if (err == nil) != (name == "good") {
				t.Errorf("err %v", err)
			}
			if strings.Contains(text, secret) {
				t.Errorf("the number is repeated: %v", err)
			}
		})
	}
}

// AD-17, D27: a file takes rights away and gives none back.
func TestImportNeverReactivates(t *testing.T) {
	site := sampleSite(t)
	row := func(id, number, status string) []File {
		return []File{{"cards.csv", KindCards, []byte("card_id,person_id,format,facility_code,card_number,status\n" + id + ",1001,H10301,123," + number + "," + status + "\n")}}
	}
	site.Credentials[0].Status = access.CredentialLost
	if _, _, err := Import(site, row("C-001", "4567", "active"), testConfig()); err == nil {
		t.Error("a lost card was re-activated by a file")
	}
	if next, changes, err := Import(site, row("C-001", "4567", ""), testConfig()); err != nil || len(changes) != 0 || next.Credentials[0].Status != access.CredentialLost {
		t.Errorf("an empty status changed something: %v %v", changes, err)
	}
	next, changes, err := Import(site, row("C-001", "4567", "revoked"), testConfig())
	if err != nil || len(changes) != 1 || next.Credentials[0].Status != access.CredentialRevoked {
		t.Errorf("revoking by file: %v %v", changes, err)
	}
}

func FuzzImport(f *testing.F) {
	files, err := SampleFiles()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range files {
		f.Add(string(s.Kind), s.Data)
	}
	f.Add("people", []byte("\xef\xbb\xbfperson_id,name\n\"a\n"))
	f.Add("transfers", []byte("person_id,day,section,leave,overlap_days\n1001,2026-11-24,総務課,,5\n1002,2026-11-01,,yes,\n1003,2027-04-01,x,,\n"))
	f.Add("groups", []byte("group_id,name,section,person_id\njoho,a,情報政策課,1009\n"))
	f.Add("zones", []byte("zone_id,name,level,parent\na,a,1,b\nb,b,2,floor-3\n"))
	f.Add("cards", []byte("\x83J\x81[\x83h\n"))
	site := sampleSite(f)
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		next, changes, err := Import(site, []File{{"x.csv", Kind(kind), data}}, testConfig())
		if err != nil {
			if changes != nil || len(Diff(site, next)) > 0 {
				t.Fatal("an import with problems changed something")
			}
			return
		}
		if probs := next.Validate(); len(probs) > 0 {
			t.Fatalf("an accepted import is not valid: %v", probs)
		}
		// D27: what acts at once gives nobody more at level 2 or 3, and with what waits it is the whole.
		now, wait := Split(&site, &next, changes)
		part := site.clone()
		part.Put(now)
		if adds := AddsRights(&site, &part, now); len(wait) > 0 && len(adds) > 0 {
			t.Fatalf("acts at once and adds rights: %v", adds)
		}
		part.Put(wait)
		part.sort()
		if diff := Diff(part, next); len(diff) > 0 {
			t.Fatalf("the parts are not the whole: %v", diff)
		}
		// Accepted once, accepted again, and then without effect.
		_, again, err := Import(next, []File{{"x.csv", Kind(kind), data}}, testConfig())
		if err != nil || len(again) > 0 {
			t.Fatalf("importing again: %v %v", again, err)
		}
	})
}

// AD-4: a new zone that does not say what a card must prove there is refused with its line: it would pass, and then
// no policy could be made of the site. One that is known keeps what it has.
func TestZoneNeedsAssurance(t *testing.T) {
	site := sampleSite(t)
	zones := func(text string) error {
		_, _, err := Import(site, []File{{"zones.csv", KindZones, []byte(text)}}, testConfig())
		return err
	}
	for _, text := range []string{"zone_id,name,level\nnew,書庫,1\n", "zone_id,name,level,min_assurance\nnew,書庫,1,\n"} {
		if err := zones(text); err == nil || !strings.Contains(err.Error(), `zones.csv:2: column "min_assurance"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
	z := site.Zones[0]
	if err := zones(fmt.Sprintf("zone_id,name,level\n%s,%s,%d\n", z.ID, z.Name, z.Level)); err != nil {
		t.Errorf("known zone: %v", err)
	}
}
