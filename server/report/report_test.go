package report

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite golden files")

// skip skips loudly; where CI=true a skip is a failure, or the check would quietly be dead.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("NOT CHECKED: " + why)
}

// hard are names that programs lose: beyond the basic plane, variants, a variation selector, and what looks like something else.
var hard = []string{"𠮷田 太郎", "髙橋 美咲", "﨑山 直子", "𩸽 一郎", "葛\U000E0100城 蓮", "\uFA19谷 花", "渡邉 一郎", "=1+1", `<b>"&'`, "+81", "-2", "@x"}

// day is the register of a day with all of them.
func day() *Document {
	d := &Document{
		Lang: "ja", Title: "入退室管理簿", Number: "様式第2号(第8条関係)", Site: "多賀城デモ市役所", Zone: "サーバ室", Period: "令和8年11月24日(火)", Year: "令和8年度",
		Seals: []string{"担当", "係長", "課長"}, Signed: []string{"令和8年11月24日(火) 髙橋 美咲 2026年11月25日(水) 09:02:11(記録1234件まで)"},
		Made: "髙橋 健一 2026年11月25日(水) 10:00:00 目的: 入退室の管理 理由: 監査", Closed: time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC), Dense: true,
		Checkpoint: Checkpoint{"monban.example/log", 12345, "3q2+7w==", "monban.example/log\n12345\n3q2+7w==\n\n— monban.example/log AAAA\n"},
		Labels: Labels{
			Period: "期間", Made: "作成", Log: "署名済みの記録", NoLog: "署名済みの記録なし", Content: "内容のSHA-256", Seals: "確認欄", Signed: "電子確認", Part: "分冊", Verify: "検証コード",
			Missing: "次の文字は書体がなく、〓で印字しています。", Line: "行", Column: "列", Cell: "内容", Letters: "文字",
		},
		Notes: []string{"10:02から10:07まで通信が途絶えました。"},
	}
	t := Table{Columns: []Column{{Head: "番号", Weight: 2, Fixed: true}, {Head: "入室", Fixed: true, Weight: 2}, {Head: "氏名", Weight: 4}, {Head: "備考", Weight: 8}}}
	for i, name := range hard {
		t.Rows = append(t.Rows, []string{itoa(i + 1), fmt.Sprintf("%02d:00", 8+i), name, "無停電電源装置の電池交換"})
	}
	d.Tables = []Table{t}
	return d
}

// names reads a column of rows.
func names(rows [][]string, column int) (out []string) {
	for _, r := range rows {
		if len(r) > column {
			out = append(out, r[column])
		}
	}
	return out
}

// RR-1: the register of a day as a page for the printer, byte by byte; nothing of a name is markup.
func TestHTML(t *testing.T) {
	got, err := HTML(day(), "00ff", []string{"氏名 〓 = U+2FA1F"})
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/register.html"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from the golden file; look, then run with -update\n%s", cmp.Diff(string(want), string(got)))
	}
	text := string(got)
	if strings.Contains(text, "<b>\"") || strings.Contains(text, "http:") || strings.Contains(text, "<link") || strings.Contains(text, "<script") || strings.Contains(text, "url(") {
		t.Error("the page names an address or holds markup of a name")
	}
	if !strings.Contains(StylePolicy, "sha256-") || !strings.Contains(text, "<style>"+sheetCSS+"</style>") {
		t.Error("the style is not the one that the policy allows")
	}
}

// RR-1: a name that begins with "=" is text; what Shift_JIS cannot write is listed with its line and letters, and nothing else is.
func TestCSV(t *testing.T) {
	d := day()
	data, spoilt, err := ShiftJISCSV(d)
	if err != nil {
		t.Fatal(err)
	}
	want := []Spoilt{
		{2, "氏名", "𠮷田 太郎", []string{"U+20BB7"}}, {5, "氏名", "𩸽 一郎", []string{"U+29E3D"}}, {6, "氏名", "葛\U000E0100城 蓮", []string{"U+E0100"}},
	}
	if diff := cmp.Diff(want, spoilt); diff != "" {
		t.Errorf("spoilt cells: %s", diff)
	}
	utf8, err := CSV(d)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(utf8, []byte("\ufeff")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	safe := slices.Clone(hard)
	for i, s := range safe {
		if strings.ContainsAny(s[:1], "=+-@") {
			safe[i] = "'" + s
		}
	}
	if diff := cmp.Diff(safe, names(rows[1:], 2)); diff != "" {
		t.Errorf("names: %s", diff)
	}
	list, err := SpoiltCSV(spoilt, &d.Labels)
	if err != nil || !strings.Contains(string(list), "5,氏名,𩸽 一郎,U+29E3D\r\n") {
		t.Errorf("list: %q %v", list, err)
	}
	// With several tables the line is still that of the file.
	d.Tables = append(d.Tables, Table{Heading: "二", Columns: d.Tables[0].Columns, Rows: [][]string{{"1", "", "𠮷", ""}}})
	data2, spoilt, err := ShiftJISCSV(d)
	if err != nil || len(spoilt) != 4 {
		t.Fatalf("%v %v", spoilt, err)
	}
	if line := strings.Split(string(data2), "\r\n")[spoilt[3].Line-1]; !strings.HasPrefix(line, "1,,\x81\xac") {
		t.Errorf("line %d is %q", spoilt[3].Line, line)
	}
	_ = data
}

// python runs a program that is not ours over a file.
func python(t *testing.T, script, path string) string {
	t.Helper()
	out, err := exec.Command("/usr/bin/python3", "-c", script, path).CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "No module named") || strings.Contains(err.Error(), "no such file") {
			skip(t, "python3 with openpyxl is not there: apt-get install python3-openpyxl")
		}
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// RR-1: another program reads the workbook and the CSV of both codes; every name is what it was.
func TestReadElsewhere(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	d := day()
	book, err := XLSX(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := XLSX(d)
	if err != nil || !bytes.Equal(book, again) {
		t.Errorf("the same workbook twice is not the same bytes (%v)", err)
	}
	got := python(t, `
import sys, openpyxl
s = openpyxl.load_workbook(sys.argv[1]).active
rows = [r for r in s.iter_rows(values_only=True)]
at = [i for i, r in enumerate(rows) if r[0] == "番号"][0]
print("\n".join(r[2] for r in rows[at+1:at+13]))
print(s.page_setup.orientation, s.page_setup.paperSize, s.page_setup.fitToWidth, s.cell(row=at+9, column=3).data_type)`, write("a.xlsx", book))
	if want := strings.Join(hard, "\n") + "\nlandscape 9 1 s"; got != want {
		t.Errorf("workbook:\n%s\nwant\n%s", got, want)
	}
	plain, err := CSV(d)
	if err != nil {
		t.Fatal(err)
	}
	sjis, _, err := ShiftJISCSV(d)
	if err != nil {
		t.Fatal(err)
	}
	const read = `
import sys, csv
for r in list(csv.reader(open(sys.argv[1], encoding="%s", newline="")))[1:]: print(r[2])`
	quoted := strings.NewReplacer("\n=1", "\n'=1", "\n+", "\n'+", "\n-", "\n'-", "\n@", "\n'@").Replace(strings.Join(hard, "\n"))
	if got := python(t, fmt.Sprintf(read, "utf-8-sig"), write("a.csv", plain)); got != quoted {
		t.Errorf("UTF-8:\n%s\nwant\n%s", got, quoted)
	}
	lost := strings.NewReplacer("𠮷", "〓", "𩸽", "〓", "\U000E0100", "").Replace(quoted)
	if got := python(t, fmt.Sprintf(read, "cp932"), write("b.csv", sjis)); got != lost {
		t.Errorf("Shift_JIS:\n%s\nwant\n%s", got, lost)
	}
}

// RR-2: over all parts each row stands exactly once, in its order, and no part is longer than it may be.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &Document{Seals: []string{"係"}}
		n := 0
		for range rapid.IntRange(0, 4).Draw(t, "tables") {
			tb := Table{Columns: []Column{{Head: "no"}}}
			for range rapid.IntRange(0, 30).Draw(t, "rows") {
				tb.Rows, n = append(tb.Rows, []string{itoa(n)}), n+1
			}
			d.Tables = append(d.Tables, tb)
		}
		most := rapid.IntRange(0, 12).Draw(t, "most")
		parts, seen := d.Split(most), 0
		for i, p := range parts {
			if most > 0 && p.Rows() > most {
				t.Fatalf("part %d has %d rows", i+1, p.Rows())
			}
			if (len(p.Seals) > 0) != (i == 0) {
				t.Fatalf("part %d: seals %v", i+1, p.Seals)
			}
			for _, tb := range p.Tables {
				for _, r := range tb.Rows {
					if r[0] != itoa(seen) {
						t.Fatalf("part %d has row %s, want %d", i+1, r[0], seen)
					}
					seen++
				}
			}
		}
		if seen != n {
			t.Fatalf("%d of %d rows", seen, n)
		}
	})
}

// RR-1: how a paper looks is checked before it is kept.
func TestForms(t *testing.T) {
	known := []string{"no", "name"}
	for _, bad := range []Form{
		{Name: strings.Repeat("長", 61)}, {Number: "a\nb"}, {Columns: []string{"x"}}, {Columns: []string{"no", "no"}}, {Seals: []string{""}}, {Seals: slices.Repeat([]string{"係"}, 7)}, {Seals: []string{strings.Repeat("長", 13)}},
	} {
		if bad.Validate(known) == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	f := Forms{}.With("a", "", Form{Name: "all"}).With("a", "z", Form{Name: "one", Columns: known})
	text, err := f.Text()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseForms(text)
	if err != nil || back.Of("a", "z").Name != "one" || back.Of("a", "y").Name != "all" || back.Of("b", "z").Name != "" || back.Of("a", "z").Validate(known) != nil {
		t.Errorf("%v %v", back, err)
	}
	if _, err := ParseForms("{"); err == nil {
		t.Error("a broken setting is read")
	}
}
