package directory

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"monban/server/entrylog"
)

// Many changes at once are the same as one after the other: a row that is changed twice, taken out, put in again, not there.
func TestPut(t *testing.T) {
	site := sampleSite(t)
	p := func(op Op, id PersonID, name string) Change {
		return Change{Op: op, Person: &Person{ID: id, Name: name}}
	}
	changes := []Change{
		p(OpChange, "1001", "髙橋"), p(OpAdd, "new", "﨑山"), p(OpRemove, "1002", ""), p(OpRemove, "nobody", ""),
		p(OpChange, "1001", "𠮷田"), p(OpAdd, "1002", "渡邉"), p(OpAdd, "gone", "x"), p(OpRemove, "gone", ""),
		{Op: OpRemove, Grant: &site.Grants[0]},
	}
	before := site.clone()
	one, all := site, site
	for i := range changes {
		changes[i].Apply(&one)
	}
	all.Put(changes)
	if len(Diff(site, before)) > 0 {
		t.Fatal("the directory that was shared has changed")
	}
	if d := Diff(one, all); len(d) > 0 {
		t.Fatalf("one by one and at once differ: %v", d)
	}
	names := map[PersonID]string{}
	for _, x := range all.People {
		names[x.ID] = x.Name
	}
	if names["1001"] != "𠮷田" || names["1002"] != "渡邉" || names["new"] != "﨑山" || names["gone"] != "" || len(all.People) != len(site.People)+1 {
		t.Errorf("people %v", names)
	}
	if len(all.Grants) != len(site.Grants)-1 || slices.ContainsFunc(all.Grants, func(g Grant) bool { return g.ID == site.Grants[0].ID }) {
		t.Error("the grant is still there")
	}
}

// keepingTx takes what is written, without a database.
type keepingTx struct {
	ProposalTx
	s Snapshot
}

func (k keepingTx) Directory() (Snapshot, error)                                 { return k.s, nil }
func (keepingTx) ChangeDirectory(Change) error                                   { return nil }
func (keepingTx) AppendAction(entrylog.Action, *entrylog.Opening) (int64, error) { return 0, nil }
func (keepingTx) KeepPlaces(int64) error                                         { return nil }
func (keepingTx) InsertProposal(Proposal) error                                  { return nil }
func (keepingTx) ProposalWith([]byte) (p Proposal, ok bool, err error)           { return p, false, nil }

// AD-7 (a site of 100,000 cards, issue 3): an import takes memory for its rows, not for their square. It has been so that
// each row copied all that came before it, and 100,000 cards took minutes.
func TestImportGrowsWithItsRows(t *testing.T) {
	site := sampleSite(t)
	took := func(cards int, alone bool) uint64 {
		var people, list, grants strings.Builder
		people.WriteString("person_id,name,section,category\n")
		list.WriteString("card_id,person_id,format,facility_code,card_number,assurance,status\n")
		grants.WriteString("person_id,zone_id,schedule_id,valid_until\n")
		for i := range cards {
			fmt.Fprintf(&people, "p%d,渡邉,総務課,staff\n", i)
			fmt.Fprintf(&list, "c%d,p%d,H10301,%d,%d,uid_only,active\n", i, i, 130+i/60_000, i%60_000)
			fmt.Fprintf(&grants, "p%d,server-room,always,2027-03-31\n", i)
		}
		files := []File{file(KindPeople, people.String()), file(KindCards, list.String()), file(KindGrants, grants.String())}
		var was, is runtime.MemStats
		runtime.ReadMemStats(&was)
		out, err := ChangeOrPropose(keepingTx{s: site}, Actor{Account: "a"}, "import", testConfig().Now.UnixMilli(), DateOf(testConfig().Now), alone, "id", func(s *Snapshot) error {
			next, _, err := Import(*s, files, testConfig())
			if err == nil {
				*s = next
			}
			return err
		})
		runtime.ReadMemStats(&is)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(out.Applied) + len(out.Waiting); n != 3*cards {
			t.Fatalf("%d changes of %d rows", n, 3*cards)
		}
		return is.TotalAlloc - was.TotalAlloc
	}
	for _, alone := range []bool{true, false} { // before there is a second person, and after
		small, large := took(300, alone), took(3000, alone)
		t.Logf("alone %v: %d kB for 300 rows a file, %d kB for 3,000", alone, small/1000, large/1000)
		if large > 15*small { // ten times the rows; their square would be a hundred
			t.Errorf("alone %v: ten times the rows took %.1f times the memory", alone, float64(large)/float64(small))
		}
	}
}
