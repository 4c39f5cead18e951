package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/privacy"
	"monban/server/store"
)

// registryAt is the sample site's directory service at a moment, with accounts a-1 and a-2 of two people and
// a-3, a second account of the first.
func registryAt(t *testing.T, at *time.Time, accounts bool) (*Registry, *sitetest.Site) {
	t.Helper()
	s := sitetest.New(t)
	if accounts {
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			return errors.Join(
				tx.InsertAccount(store.Account{ID: "a-1", Login: "takahashi", Person: "1001", PasswordHash: "x"}),
				tx.InsertAccount(store.Account{ID: "a-2", Login: "sakiyama", Person: "1002", PasswordHash: "x"}),
				tx.InsertAccount(store.Account{ID: "a-3", Login: "takahashi2", Person: "1001", PasswordHash: "x"}),
			)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return newRegistry(s.Store, s.Publisher, func() directory.CardMaker { return s.Keys }, func() time.Time { return *at }), s
}

func grantOf(p directory.PersonID, z access.ZoneID) directory.Grant {
	return directory.Grant{Person: p, Zone: z, Schedule: "always"}
}

var (
	first  = directory.Actor{Account: "a-1", From: "lan"}
	second = directory.Actor{Account: "a-2", From: "lan"}
)

// ok gives the value of a call that must not fail.
func ok[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func has(dir directory.Snapshot, id directory.GrantID) bool {
	for _, g := range dir.Grants {
		if g.ID == id {
			return true
		}
	}
	return false
}

// RA-2, D27: what adds rights at level 2 waits for another person, who is not another account of the same one; what takes
// rights away, and what concerns level 1, acts at once.
func TestSecondPersonConfirmsRights(t *testing.T) {
	at := sitetest.Now()
	reg, s := registryAt(t, &at, true)
	ctx := t.Context()
	id := directory.MakeGrantID("1009", "media-store", "always")

	out := ok(reg.GiveGrant(ctx, first, "担当替え", grantOf("1009", "media-store")))(t)
	if out.Proposal == "" || len(out.Applied) != 0 || len(out.Waiting) != 1 || has(ok(reg.Directory(ctx))(t), id) {
		t.Fatalf("a right at level 2 by one person: %+v", out)
	}
	if again := ok(reg.GiveGrant(ctx, first, "担当替え", grantOf("1009", "media-store")))(t); again.Proposal != out.Proposal {
		t.Errorf("asked again: %s and %s", again.Proposal, out.Proposal)
	}
	for who, actor := range map[string]directory.Actor{"proposer": first, "second account of the proposer": {Account: "a-3", From: "lan"}, "nobody": {From: "lan"}} {
		if _, err := reg.ConfirmProposal(ctx, actor, out.Proposal); err == nil {
			t.Errorf("confirmed by %s", who)
		}
	}
	if _, err := reg.ConfirmProposal(ctx, first, out.Proposal); !errors.Is(err, directory.ErrSamePerson) {
		t.Errorf("proposer: %v", err)
	}
	ok(reg.ConfirmProposal(ctx, second, out.Proposal))(t)
	if !has(ok(reg.Directory(ctx))(t), id) {
		t.Fatal("confirmed and not there")
	}
	if _, err := reg.ConfirmProposal(ctx, second, out.Proposal); !errors.Is(err, directory.ErrDecided) {
		t.Errorf("confirmed twice: %v", err)
	}
	if d := s.Site().Directory(); !has(*d, id) {
		t.Error("not published")
	}

	if out := ok(reg.RevokeGrant(ctx, first, "担当替え", id))(t); out.Proposal != "" || len(out.Applied) != 1 {
		t.Errorf("taking away: %+v", out)
	}
	if out := ok(reg.GiveGrant(ctx, first, "事務室", grantOf("1009", "floor-3")))(t); out.Proposal != "" || len(out.Applied) != 1 {
		t.Errorf("level 1: %+v", out)
	}
	// AD-17: one person suspends, two give back.
	if out := ok(reg.SetCardStatus(ctx, first, "紛失の連絡", "C-002", access.CredentialSuspended))(t); len(out.Applied) != 1 {
		t.Errorf("suspending: %+v", out)
	}
	if out := ok(reg.SetCardStatus(ctx, first, "発見", "C-002", access.CredentialActive))(t); len(out.Applied) != 0 || out.Proposal == "" {
		t.Errorf("re-activating: %+v", out)
	}
}

// D27: withdrawn, stale and old proposals do nothing; each step is a leaf without a name (PR-2).
func TestProposalsThatEnd(t *testing.T) {
	at := sitetest.Now()
	reg, s := registryAt(t, &at, true)
	ctx := t.Context()
	propose := func(p directory.PersonID) string {
		t.Helper()
		return ok(reg.GiveGrant(ctx, first, "髙橋の後任", grantOf(p, "media-store")))(t).Proposal
	}
	gone := propose("1009")
	if err := reg.WithdrawProposal(ctx, second, "", gone); !errors.Is(err, directory.ErrNoReason) {
		t.Errorf("without a reason: %v", err)
	}
	if err := reg.WithdrawProposal(ctx, second, "不要", gone); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.ConfirmProposal(ctx, second, gone); !errors.Is(err, directory.ErrDecided) {
		t.Errorf("withdrawn: %v", err)
	}
	old := propose("1009")
	at = at.Add(31 * 24 * time.Hour)
	if _, err := reg.ConfirmProposal(ctx, second, old); !errors.Is(err, directory.ErrDecided) {
		t.Errorf("after 31 days: %v", err)
	}
	stale := ok(reg.SetCardStatus(ctx, first, "再開", "C-008", access.CredentialActive))(t).Proposal
	ok(reg.SetCardStatus(ctx, second, "紛失", "C-008", access.CredentialLost))(t)
	if _, err := reg.ConfirmProposal(ctx, second, stale); !errors.Is(err, directory.ErrStale) {
		t.Errorf("the card was lost meanwhile: %v", err)
	}
	if list := ok(reg.Proposals(ctx, true, 10))(t); len(list) != 3 || list[0].Body == nil {
		t.Errorf("%d proposals", len(list))
	}
	s.Read(func(r *store.ReadTx) error {
		leaves, err := r.Leaves(0, 1000)
		verbs := map[string]int{}
		for _, l := range leaves {
			if strings.Contains(string(l.Body), `"1009`) || strings.Contains(string(l.Body), "1009/") || strings.Contains(string(l.Body), "髙橋") {
				t.Errorf("a leaf names somebody: %s", l.Body)
			}
			if a, err := entrylog.ParseAction(l.Body); err == nil && a.Target == "proposal" {
				verbs[a.Verb]++
			}
		}
		if verbs["proposal_made"] != 3 || verbs["proposal_withdrawn"] != 1 {
			t.Errorf("steps: %v", verbs)
		}
		return err
	})
}

// D27: while there is no second person, set-up goes on; two accounts of one person are one person.
func TestSetUpNeedsNoSecondPerson(t *testing.T) {
	at := sitetest.Now()
	reg, s := registryAt(t, &at, false)
	give := func(p directory.PersonID) directory.Outcome {
		t.Helper()
		return ok(reg.GiveGrant(t.Context(), directory.Actor{From: "cli"}, "set-up", grantOf(p, "media-store")))(t)
	}
	if out := give("1009"); len(out.Applied) != 1 || out.Proposal != "" {
		t.Errorf("without accounts: %+v", out)
	}
	add := func(id, person string, suspended bool) {
		t.Helper()
		err := s.Store.Write(context.Background(), func(tx *store.Tx) error {
			return tx.InsertAccount(store.Account{ID: id, Login: id, Person: person, PasswordHash: "x", Suspended: suspended})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add("a-1", "1001", false)
	add("a-3", "1001", false)
	if out := give("K-2002"); len(out.Applied) != 1 {
		t.Errorf("one person with two accounts: %+v", out)
	}
	add("a-2", "1002", true) // one person alone may suspend: nobody becomes the only one by that (RA-2)
	if out := ok(reg.GiveGrant(t.Context(), first, "x", grantOf("1009", "server-room")))(t); out.Proposal == "" {
		t.Errorf("two people, of whom one is suspended: %+v", out)
	}
}

// RA-5: 200 moves of 1 April: what the dry run shows is what happens; old rights end the same day by one person; new ones
// wait; the file again changes nothing.
func TestTransfers(t *testing.T) {
	at := time.Date(2027, 3, 20, 1, 0, 0, 0, time.UTC)
	reg, s := registryAt(t, &at, true)
	ctx := t.Context()
	var people, groups, moves strings.Builder
	people.WriteString("person_id,name,section,category\n")
	groups.WriteString("group_id,name,section,person_id\n")
	moves.WriteString("person_id,day,section,leave\n")
	for i := range 200 {
		fmt.Fprintf(&people, "P%03d,髙橋 %d,旧課,職員\n", i, i)
		fmt.Fprintf(&groups, "old,旧課,旧課,P%03d\n", i)
		if i%50 == 0 {
			fmt.Fprintf(&moves, "P%03d,2027-04-01,,はい\n", i)
		} else {
			fmt.Fprintf(&moves, "P%03d,2027-04-01,新課,\n", i)
		}
	}
	groups.WriteString("new,新課,新課,1001\n")
	files := func(kind directory.Kind, text string) []directory.File {
		return []directory.File{{Name: string(kind) + ".csv", Kind: kind, Data: []byte(text)}}
	}
	confirm := func(out directory.Outcome) {
		t.Helper()
		if out.Proposal != "" {
			ok(reg.ConfirmProposal(ctx, second, out.Proposal))(t)
		}
	}
	confirm(ok(reg.Import(ctx, first, "新規", files(directory.KindPeople, people.String())))(t))
	confirm(ok(reg.Import(ctx, first, "新規", files(directory.KindGroups, groups.String())))(t))
	confirm(ok(reg.Import(ctx, first, "新規", files(directory.KindGrants,
		"group_id,zone_id,schedule_id,valid_until\nold,media-store,always,2027-12-31\nnew,media-store,always,2027-12-31\n")))(t))
	confirm(ok(reg.GiveGrant(ctx, first, "個別", directory.Grant{Person: "P001", Zone: "server-room", Schedule: "always", ValidUntil: directory.Date{Year: 2027, Month: 12, Day: 31}}))(t))

	preview := ok(reg.PreviewImport(ctx, files("", moves.String())))(t)
	if len(preview.Problems) > 0 || len(preview.Changes) != 200 || preview.Waiting != 196 || preview.Files[0].Kind != directory.KindTransfers {
		t.Fatalf("preview: %d changes, %d wait, %v", len(preview.Changes), preview.Waiting, preview.Problems)
	}
	out := ok(reg.Import(ctx, first, "人事異動", files(directory.KindTransfers, moves.String())))(t)
	if len(out.Applied) != 200 || len(out.Waiting) != 196 {
		t.Fatalf("%d applied, %d wait", len(out.Applied), len(out.Waiting))
	}
	if again := ok(reg.Import(ctx, first, "人事異動", files(directory.KindTransfers, moves.String())))(t); len(again.Applied)+len(again.Waiting) != 0 {
		t.Errorf("again: %d and %d", len(again.Applied), len(again.Waiting))
	}

	members := func(id directory.GroupID) int {
		for _, x := range ok(reg.Directory(ctx))(t).Groups {
			if x.ID == id {
				return len(x.Members)
			}
		}
		return -1
	}
	at = time.Date(2027, 3, 31, 14, 59, 0, 0, time.UTC) // the evening before
	if err := reg.Daily(ctx); err != nil || members("old") != 200 {
		t.Fatalf("the evening before: %v, %d members", err, members("old"))
	}
	ok(reg.ConfirmProposal(ctx, second, out.Proposal))(t)
	at = time.Date(2027, 3, 31, 15, 0, 1, 0, time.UTC) // 1 April in Tokyo
	if err := reg.Daily(ctx); err != nil {
		t.Fatal(err)
	}
	dir := ok(reg.Directory(ctx))(t)
	if members("old") != 0 || members("new") != 197 || len(dir.Transfers) != 0 {
		t.Errorf("on the day: %d old, %d new, %d to come", members("old"), members("new"), len(dir.Transfers))
	}
	if has(dir, directory.MakeGrantID("P001", "server-room", "always")) {
		t.Error("a right of the old section is still there")
	}
	for _, p := range dir.People {
		if p.ID == "P050" && (p.Active || p.ValidUntil != (directory.Date{Year: 2027, Month: 3, Day: 31})) {
			t.Errorf("who left: %+v", p)
		}
		if p.ID == "P001" && p.Section != "新課" {
			t.Errorf("who moved: %+v", p)
		}
	}
	if again := ok(reg.Import(ctx, first, "人事異動", files(directory.KindTransfers, moves.String())))(t); len(again.Applied)+len(again.Waiting) != 0 {
		t.Errorf("after the day: %d and %d", len(again.Applied), len(again.Waiting))
	}
	_ = s
}

// A1: an export needs a reason, is a leaf, and runs nothing in a spreadsheet.
func TestExport(t *testing.T) {
	at := sitetest.Now()
	reg, s := registryAt(t, &at, false)
	if _, err := reg.Export(t.Context(), first, privacy.Audit, " ", directory.KindPeople); !errors.Is(err, directory.ErrNoReason) {
		t.Errorf("without a reason: %v", err)
	}
	size := s.Store.Size()
	data := ok(reg.Export(t.Context(), first, privacy.Audit, "監査", directory.KindPeople))(t)
	if s.Store.Size() != size+1 || !strings.Contains(string(data), "髙橋 健一") {
		t.Errorf("%d leaves, %q", s.Store.Size()-size, data)
	}
}

// AD-13: a PIN is set by its digits, which no error and no leaf repeats; a duress PIN differs from it.
func TestSetPIN(t *testing.T) {
	at := sitetest.Now()
	reg, s := registryAt(t, &at, true)
	ctx := t.Context()
	if out := ok(reg.SetPIN(ctx, first, "再設定", "C-001", "86420", "97531"))(t); len(out.Applied) != 1 {
		t.Errorf("reset: %+v", out)
	}
	want := ok(s.Keys.PIN(s.Ref(4567), "86420"))(t)
	for _, c := range ok(reg.Directory(ctx))(t).Credentials {
		if c.ID == "C-001" && c.PIN != want {
			t.Error("another PIN was stored")
		}
	}
	for name, pins := range map[string][2]string{"same": {"86420", "86420"}, "short": {"864", ""}, "letters": {"8642a", ""}, "duress alone": {"", "97531"}} {
		_, err := reg.SetPIN(ctx, first, "x", "C-001", pins[0], pins[1])
		if err == nil || strings.Contains(err.Error(), "864") || strings.Contains(err.Error(), "97531") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// D27: a first PIN opens what asked for one, so it takes two.
	if out := ok(reg.GiveGrant(ctx, first, "x", grantOf("1009", "server-room")))(t); out.Proposal != "" {
		ok(reg.ConfirmProposal(ctx, second, out.Proposal))(t)
	}
	if out := ok(reg.SetPIN(ctx, first, "初回", "C-009", "1122", ""))(t); out.Proposal == "" {
		t.Errorf("a first PIN by one person: %+v", out)
	}
}

// VE-5, D27: a proposal whose random number has the digits of an Individual Number in it is confirmed like any other.
func TestProposalNumberIsNoIndividualNumber(t *testing.T) {
	now := sitetest.Now()
	g, s := registryAt(t, &now, true)
	const id = "aaaaaaaa123456789018bbbbbbbbbbbb"
	if !directory.MyNumber("proposal " + id) {
		t.Fatal("the number is not taken for an Individual Number: the test shows nothing")
	}
	err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
		out, err := directory.ChangeOrPropose(tx, first, "権限の追加", now.UnixMilli(), g.Today(), false, id, func(d *directory.Snapshot) error {
			return d.PutGrant(g.Today(), grantOf("1004", "archive"))
		})
		if err == nil && out.Proposal != id {
			t.Fatalf("proposal %q", out.Proposal)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if changes := ok(g.ConfirmProposal(t.Context(), second, id))(t); len(changes) != 1 {
		t.Errorf("%d changes", len(changes))
	}
}
