package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// pictures are one of each kind, with the names that programs lose and one that would be markup.
func pictures() map[string]template.HTML {
	var office, rest HeatRow
	office.Name, rest.Name = "月", "日・祝"
	for h := 8; h < 18; h++ {
		office.Count[h], office.Open[h] = h*h%13, true
	}
	rest.Count[3] = 1
	months := []CalendarMonth{{Name: "4月", First: 3}, {Name: "5月", First: 5}}
	for d := range 31 {
		state := []string{"signed", "open", "late", "exception", "closed", ""}[d%6]
		months[0].Days = append(months[0].Days, CalendarDay{state, "済", "4月の日"})
		months[1].Days = append(months[1].Days, CalendarDay{Mark: "・"})
	}
	return map[string]template.HTML{
		"strip": Strip([]Stay{
			{Name: "髙橋 美咲", From: 540, Until: 700, Word: "9:00 11:40"}, {Name: `<b>"渡邉"`, From: 542, Until: 690, Outsider: true, With: "髙橋 美咲", Word: "立会"},
			{Name: "𠮷田 太郎", From: -100, Until: 300}, {Name: "葛\U000E0100城 蓮", From: 800, Until: 900, NoExit: true}, {Name: "﨑山", From: 1400, Until: 1600},
		}, "1日の在室。5件", 1000),
		"heat": Heat([]HeatRow{office, rest}, "入室の時間帯"),
		"days": Days([]string{"11/1", "11/2", "11/3"}, []Series{{"正面扉", []int{0, 12, 3}}, {"裏口", []int{1, 0, 0}}}, 10, "拒否"),
		"year": Calendar([7]string{"日", "月", "火", "水", "木", "金", "土"}, months, "確認の年度カレンダー"),
		"heard": Available([]Availability{
			{Name: "gw-1", Silent: []Span{{10, 200}, {900, 901}}, Word: "98% 時計 +12 ms"}, {Name: "gw-2", Word: "100%"},
		}, 1440, []string{"0:00", "12:00", "24:00"}, "通信"),
		"times": Times([]DotRow{{Name: "着手", Target: 15, Dots: []Dot{{3, false, "3分"}, {700, true, "遅れ"}}}, {Name: "確認"}}, []string{"1分", "10分", "100分", "17時間", "7日", "69日"}, "かかった時間"),
		"presence": Presence([]PresentDay{
			{Name: "11/1", Quiet: true}, {Name: "11/2", Stays: []Stay{{From: 540, Until: 700, Word: "9:00–11:40"}, {From: 1400, Until: 1600}}}, {Name: "11/3", Stays: []Stay{{From: -100, Until: 160}, {From: 800, Until: 820, NoExit: true, Word: `<b>`}}},
		}, "最近の在室。4回"),
		"plan": Plan([]Room{
			{Name: "管理廊下", Inside: []Room{
				{Name: "サーバ室", Doors: []PlanDoor{{"正面", "施錠中", DoorShut}, {`<b>"裏口"`, "こじ開け", DoorAlarm}}}, {Name: "媒体保管庫", Doors: []PlanDoor{{"扉", "不明", DoorUnknown}, {"奥", "閉鎖", DoorBarred}}},
			}},
			{Name: "書庫", Note: "2人 最長45分", Doors: []PlanDoor{{"書庫", "開", DoorAjar}}},
		}, "平面図。扉5か所"),
		"empty": Strip(nil, "だれもいません", 1440),
	}
}

// Each picture is what somebody looked at, byte by byte, and the same twice.
func TestGolden(t *testing.T) {
	again := pictures()
	for name, got := range pictures() {
		if got != again[name] {
			t.Errorf("%s is not the same twice", name)
		}
		path := filepath.Join("testdata", name+".svg")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(got) {
			t.Errorf("%s differs from its golden file; look, then run with -update", name)
		}
	}
}

// faults lists what a content policy drops, a screen reader misses or a printer blurs.
func faults(svg string) (out []string) {
	d := xml.NewDecoder(bytes.NewReader([]byte(svg)))
	first := true
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return append(out, err.Error())
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		at := map[string]string{}
		for _, a := range e.Attr {
			at[a.Name.Local] = a.Value
			switch {
			case a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "url("):
				out = append(out, "attribute "+a.Name.Local)
			case regexp.MustCompile(`^(x|y|x1|x2|y1|y2|cx|cy|r|width|height)$`).MatchString(a.Name.Local) && !regexp.MustCompile(`^-?[0-9]+$`).MatchString(a.Value):
				out = append(out, "no whole pixel: "+a.Name.Local+"="+a.Value)
			}
		}
		if first && (at["role"] != "img" || at["aria-label"] == "") {
			out = append(out, "no role or sentence")
		}
		first = false
		if strings.Contains(" script style image foreignObject a use ", " "+e.Name.Local+" ") {
			out = append(out, "element "+e.Name.Local)
		}
	}
}

func TestPictures(t *testing.T) {
	for name, svg := range pictures() {
		for _, f := range faults(string(svg)) {
			t.Errorf("%s: %s", name, f)
		}
		if strings.Contains(string(svg), "<b>") {
			t.Errorf("%s: a name is markup", name)
		}
	}
	for _, bad := range []string{`<svg/>`, `<svg role="img" aria-label="x"><rect style="x"/></svg>`, `<svg role="img" aria-label="x"><rect x="1.5"/></svg>`, `<svg role="img" aria-label="x"><script/></svg>`, `<svg role="img" aria-label="x">`} {
		if len(faults(bad)) == 0 {
			t.Errorf("the check does not see %s", bad)
		}
	}
}

func TestScales(t *testing.T) {
	for most, want := range map[int]int{0: 1, 1: 1, 3: 5, 10: 10, 11: 20, 51: 100, 999: 1000} {
		if got := top(most); got != want {
			t.Errorf("top of %d is %d, want %d", most, got, want)
		}
	}
	last := -1
	for m := 1; m < 200_000; m += 37 {
		x := logScale(m, 790)
		if x < last || x > 790 {
			t.Fatalf("%d minutes at %d after %d", m, x, last)
		}
		last = x
	}
	if scale(5, 0, 100) != 0 || scale(-5, 10, 100) != 0 || scale(50, 10, 100) != 100 {
		t.Error("a value outside of the scale leaves the picture")
	}
}
