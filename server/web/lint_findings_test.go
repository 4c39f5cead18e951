package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/review"
)

// findingFamilies are the families of keys of what a finding is about.
func findingFamilies(f map[string][]string) {
	for _, e := range review.Catalogue() {
		for _, w := range e.Kind.Words() {
			f["finding_word"] = append(f["finding_word"], string(e.Kind)+"_"+w)
		}
	}
	for _, w := range []string{"beyond", "refused", "outside"} {
		f["finding_word"] = append(f["finding_word"], "log_fork_"+w)
	}
	f["finding_word"] = append(f["finding_word"], "export_without_purpose_pack", "export_without_purpose_report")
	for k := access.Knowledge(0); k.String() != ""; k++ {
		f["finding_missing"] = append(f["finding_missing"], k.String())
	}
}

// said is a detail and what its sentence has to hold in every language.
type said struct {
	detail string
	holds  []string
}

// details gives examples of the details of a kind.
func details(k review.Kind) (out []said) {
	for _, w := range k.Words() {
		if k.Form() == review.Word {
			out = append(out, said{w, nil})
		} else {
			out = append(out, said{w + "-30", []string{"30"}}, said{w + ":2026", []string{"2026"}})
		}
	}
	switch k.Form() {
	case review.Reasons:
		for _, r := range access.Reasons() {
			out = append(out, said{r.String(), nil})
		}
		out = append(out, said{"no_grant/lockdown", nil})
	case review.Missing:
		out = []said{{"zone+door", nil}, {"pin+person+zone+door", nil}}
	case review.Differs:
		out = []said{{"no_grant", nil}, {"credential_revoked:rules-41-43:late-5400s", []string{"41", "43"}}}
	case review.Device:
		out = []said{{"ms.-90000", []string{"1"}}, {"ms.7200000", []string{"2"}}, {"line.open", []string{"line.open"}}}
	case review.InZone:
		out = []said{{"server-room", []string{"server-room"}}}
	case review.ZoneDay:
		out = []said{{"server-room/2026-11-24", []string{"server-room", "24"}}}
	case review.ArrivalDay:
		out = []said{{"2026-11-24", []string{"24"}}}
	case review.OtherDoor:
		out = []said{{"annex-3", []string{"annex-3"}}}
	case review.GuestNumber, review.EntryNumber:
		out = []said{{"3", []string{"3"}}}
	case review.BadgeID:
		out = []said{{"B-0012", []string{"B-0012"}}, {"more-3", []string{"more-3"}}}
	case review.Chain:
		out = []said{{review.Place([16]byte{0xab}, 1204), []string{"ab000000", "1204"}}}
	case review.LostLeaves:
		out = []said{{"lost:100-107", []string{"100", "106"}}, {"lost:100-100", []string{"100"}}}
	case review.Order:
		out = []said{{"remote_unlock", nil}, {"rearm", nil}, {"self_test", nil}}
	case review.Channel:
		out = []said{{"2026-11-24", []string{"24"}}, {"channel-ciso/2026-11-24", []string{"ciso", "24"}}}
	case review.Release:
		out = []said{{"rolled_back/1.4.0", []string{"1.4.0", "gw-1"}}, {"gone/1.4.0", []string{"1.4.0"}}}
	case review.Data:
		out = []said{{"pack", nil}, {"report", nil}}
		for _, kind := range directory.ExportKinds() {
			out = append(out, said{string(kind), nil})
		}
	case review.Witness:
		out = []said{{"beyond", nil}, {"refused", nil}, {"outside:pref", []string{"pref"}}}
	case review.YearKey:
		out = []said{{"start", nil}, {"keylost/register/2021", []string{"2021"}}, {"keystore/violation/2021", []string{"2021"}}}
	case review.NoDetail, review.Word, review.Quantity:
	}
	return out
}

// VR-1: a finding says what it is about: every kind that is written with a detail has a sentence of it in both languages, alone and with the
// number of those that were counted; what nobody can read is shown as it is.
func TestEveryDetailHasItsSentence(t *testing.T) {
	for _, lang := range []Lang{Japanese, English} {
		b := base(t, lang).say
		for _, e := range review.Catalogue() {
			examples := details(e.Kind)
			if (len(examples) == 0) != (e.Kind.Form() == review.NoDetail) {
				t.Errorf("%s has no example of its details, or no form", e.Kind)
			}
			for _, x := range examples {
				f := Finding{Kind: string(e.Kind), Detail: x.detail, Gateway: "gw-1"}
				d := e.Kind.Read(x.detail)
				if got := b.detailWords(&f, &d); !d.OK || d.More != 0 || got == "" || strings.ContainsAny(got, "{}") {
					t.Errorf("%s %s in %s: %q", e.Kind, x.detail, lang, got)
				}
				got := b.findingDetail(&f)
				for _, want := range x.holds {
					if !strings.Contains(got, want) {
						t.Errorf("%s %s in %s: %q lacks %q", e.Kind, x.detail, lang, got, want)
					}
				}
				if l := b.findingLine(f); l.Detail != got {
					t.Errorf("%s: a line shows %q", e.Kind, l.Detail)
				}
			}
			for _, strange := range []string{"%$", "lost:x-y", "channel-/x"} {
				if got := b.findingDetail(&Finding{Kind: string(e.Kind), Detail: strange}); !strings.Contains(got, strange) && e.Kind.Form() != review.Differs {
					t.Errorf("%s: %q is said as %q", e.Kind, strange, got)
				}
			}
		}
		for detail, text := range map[string]string{"more-137": "", "lost/more-137": b.T("finding_word.lost_card_used_lost")} {
			f := Finding{Kind: string(review.LostCardUsed), Detail: detail}
			if got := b.findingDetail(&f); !strings.Contains(got, "137") || !strings.Contains(got, text) {
				t.Errorf("%s: %q", detail, got)
			}
		}
	}
}

// VR-1: no kind is written with a detail that has no form, so that a new one cannot be forgotten above. What is looked for is how findings are made: by
// New, about, on and told of package review, and by the functions that take a kind and a detail.
func TestEveryKindWithADetailHasAForm(t *testing.T) {
	kinds := kindConstants(t, "../review", "Kind")
	dues := kindConstants(t, "../visit", "DueKind")
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "world/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), "../"+name, nil, 0)
		if err != nil {
			return err
		}
		for _, x := range file.Decls {
			if fn, ok := x.(*ast.FuncDecl); ok && fn.Body != nil {
				for _, k := range writtenWithDetail(fn, kinds, dues) {
					found[k] = name + " " + fn.Name.Name
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range slices.Sorted(maps.Keys(found)) {
		if review.Kind(k).Form() == review.NoDetail {
			t.Errorf("%s: %s is written with a detail and has no form in review/detail.go", found[k], k)
		}
	}
	// Each way of writing is recognized.
	for _, k := range []review.Kind{review.ForcedOpen, review.DeniedBurst, review.Overstay, review.LateRecord, review.RecoveryUsed, review.DecisionWithoutRecord,
		review.ChainFork, review.SequenceGap, review.UnsignedDay, review.CanaryMissed, review.BadgeLost, review.BadgeUnreturned, review.WitnessMissing, review.LogFork,
		review.CommandUnknown, review.ExportNoPurpose} {
		if found[string(k)] == "" {
			t.Errorf("nobody is seen to write %s with a detail", k)
		}
	}
	for _, k := range []review.Kind{review.NoEntry, review.AfterHours, review.UnknownDoor, review.OralDenied, review.Duress} {
		if where := found[string(k)]; where != "" {
			t.Errorf("%s is taken for one that writes %s with a detail", where, k)
		}
	}
}

// kindConstants maps the names of a package's constants of a type to their values.
func kindConstants(t *testing.T, dir, typ string) map[string]string {
	t.Helper()
	out := map[string]string{}
	names, err := fs.Glob(os.DirFS(dir), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), path.Join(dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if id, is := v0(v, ok); !is || id != typ {
				return true
			}
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				out[v.Names[0].Name], _ = strconv.Unquote(lit.Value)
			}
			return true
		})
	}
	return out
}

func v0(v *ast.ValueSpec, ok bool) (typ string, is bool) {
	if !ok || len(v.Values) != 1 {
		return "", false
	}
	id, is := v.Type.(*ast.Ident)
	if !is {
		return "", false
	}
	return id.Name, true
}

// writtenWithDetail lists the kinds that a function writes with a detail.
func writtenWithDetail(fn *ast.FuncDecl, kinds, dues map[string]string) (out []string) {
	last := func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.Ident:
			return e.Name
		case *ast.SelectorExpr:
			return e.Sel.Name
		}
		return ""
	}
	empty := func(e ast.Expr) bool { lit, ok := e.(*ast.BasicLit); return ok && lit.Value == `""` }
	var made []string // by New
	sets, clears := false, false
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			sets = sets || last(n.Key) == "Detail" && !empty(n.Value)
		case *ast.Ident:
			sets = sets || n.Name == "OncePerArrivalDay"
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				if last(to) == "Detail" {
					no := i < len(n.Rhs) && empty(n.Rhs[i])
					sets, clears = sets || !no, clears || no
				}
			}
		case *ast.CallExpr:
			name, at := last(n.Fun), map[string][2]int{"about": {0, 1}, "told": {0, 1}, "find": {0, 2}, "finding": {1, 2}, "on": {2, 2}}
			switch where, ok := at[name]; {
			case name == "New" && len(n.Args) > 0 && kinds[last(n.Args[0])] != "":
				made = append(made, kinds[last(n.Args[0])])
			case name == "findOnce" && len(n.Args) > 3:
				sets = sets || !empty(n.Args[3])
			case name == "add" && len(n.Args) > 1 && dues[last(n.Args[0])] != "" && !empty(n.Args[1]):
				out = append(out, dues[last(n.Args[0])])
			case ok && len(n.Args) > where[1] && kinds[last(n.Args[where[0]])] != "" && !empty(n.Args[where[1]]):
				out = append(out, kinds[last(n.Args[where[0]])])
			}
		}
		return true
	})
	if clears {
		return nil
	}
	if sets {
		out = append(out, made...)
	}
	return out
}
