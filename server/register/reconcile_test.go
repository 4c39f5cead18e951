package register

import (
	"math/rand/v2"
	"testing"
)

// VR-6: over a seeded day of 200 entries, each that is on both sides is matched, each that was left off one side is found there, none is
// invented, and no line is used twice.
func TestReconcile(t *testing.T) {
	const minute = 60_000
	r := rand.New(rand.NewPCG(6, 6))
	names := []string{"髙橋健一", "﨑山直子", "𠮷田誠", "渡邉一郎"}
	var log, paper []Slip
	want := map[Match]int{}
	for i := range 200 {
		s := Slip{Name: names[i%len(names)], InMS: int64(i+1) * 30 * minute, OutMS: int64(i+1)*30*minute + 20*minute}
		p := s
		p.InMS += int64(r.IntN(9)-4) * minute // people write the time by their own watch
		switch r.IntN(10) {
		case 0:
			log, want[LogOnly] = append(log, s), want[LogOnly]+1
		case 1:
			paper, want[PaperOnly] = append(paper, p), want[PaperOnly]+1
		case 2: // another name was written
			p.Name = "誰か"
			log, paper = append(log, s), append(paper, p)
			want[LogOnly], want[PaperOnly] = want[LogOnly]+1, want[PaperOnly]+1
		default:
			log, paper, want[Matched] = append(log, s), append(paper, p), want[Matched]+1
		}
	}
	r.Shuffle(len(paper), func(i, j int) { paper[i], paper[j] = paper[j], paper[i] })
	got, logs, papers := map[Match]int{}, map[int]bool{}, map[int]bool{}
	for _, p := range Reconcile(log, paper, 5*minute) {
		got[p.Match]++
		if p.Log >= 0 && logs[p.Log] || p.Paper >= 0 && papers[p.Paper] {
			t.Fatalf("%+v is used twice", p)
		}
		logs[p.Log], papers[p.Paper] = true, true
		if p.Match == Matched && (log[p.Log].Name != paper[p.Paper].Name || abs(p.InByMS) > 4*minute) {
			t.Errorf("%+v pairs %+v with %+v", p, log[p.Log], paper[p.Paper])
		}
	}
	for _, m := range []Match{Matched, LogOnly, PaperOnly} {
		if got[m] != want[m] || want[m] == 0 {
			t.Errorf("%s: %d, want %d", m, got[m], want[m])
		}
	}
	// Two entries of one person close to each other: the closest are paired.
	two := Reconcile([]Slip{{"a", 100, 0}, {"a", 200, 0}}, []Slip{{"a", 190, 0}, {"a", 90, 0}}, 500)
	if len(two) != 2 || two[0].Paper != 1 || two[1].Paper != 0 {
		t.Errorf("%+v", two)
	}
	if Reconcile(nil, nil, 1) != nil {
		t.Error("of nothing comes something")
	}
}
