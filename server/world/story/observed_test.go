package story

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/world/invariant"
)

// DS-11: a whole observed week gives the same lines as a controlled one, and no lock is ever claimed: not moved, and no record
// says that it was.
func TestObservedWeek(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(`start 2026-11-20 08:00
zone room level=2 anti_passback=soft
zone store level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=24h kind=KIND
door side gateway=gw-1 zone=store exit=handle offline=cached max_age=24h kind=KIND
schedule office days=weekdays from=8:30 to=17:15
closed 2026-11-23 name=勤労感謝の日
person 1001 name="髙橋 健一"
person 1002 name="﨑山 美咲"
person 1003 name="𠮷田 誠"
card c-1 person=1001
card c-2 person=1002
card c-3 person=1003
stock B-1
grant 1001 zone=room
grant 1001 zone=store
grant 1002 zone=room schedule=office
`)
	pass := func(format string, args ...any) {
		where := fmt.Sprintf(format, args...)
		name, _, _ := strings.Cut(where, " ")
		fmt.Fprintf(&text, "badge %s\nopen %s\nclose %s\nwait 10s\n", where, name, name)
	}
	for day := 20; day < 27; day++ {
		fmt.Fprintf(&text, "at 2026-11-%d 08:35\n", day)
		pass("front 1001")
		if day != 21 && day != 22 && day != 23 { // closed: the door would not open
			pass("front 1002")
		} else {
			text.WriteString("badge front 1002\nwait 10s\n")
		}
		text.WriteString("badge front 1003\nwait 10s\nbadge side stranger\nwait 10s\nbadge front 1001 exit\nwait 10s\n") // refused, refused, not gone out
		if day == 24 {
			text.WriteString("apply v zone=room from=09:00 until=10:00 attendee=1001 visitors=Ito by=1001\napprove v by=1002\nreceive v Ito B-1\n")
			pass("front B-1")
			pass("front B-1 exit")
			text.WriteString("take-back B-1\n")
			text.WriteString("badge front 1001\nopen front\nwait 2m\nclose front\nwait 10s\n") // held open
		}
		if day == 25 {
			text.WriteString("link down gw-1\nwait 10s\n")
		}
		pass("side 1001")
		text.WriteString("push side\nopen side\nclose side\nwait 10s\n")
		fmt.Fprintf(&text, "at 2026-11-%d 18:00\n", day)
		pass("front 1001 exit")
		if day != 26 { // the last evening somebody forgets
			pass("front 1002 exit")
		}
		text.WriteString("link up gw-1\nwait 20s\n")
	}
	text.WriteString("expect log complete\n")
	controlled, edges := week(t, strings.ReplaceAll(text.String(), "KIND", "controlled"))
	observed, claims := week(t, strings.ReplaceAll(text.String(), "KIND", "observe"))
	if diff := cmp.Diff(controlled, observed); diff != "" {
		t.Errorf("lines and findings (- controlled, + observed):\n%s", diff)
	}
	if len(controlled) < 60 || edges == 0 {
		t.Errorf("only %d lines and %d openings of a lock in a week", len(controlled), edges)
	}
	if claims != 0 {
		t.Errorf("a lock that is not there was moved or spoken of %d times", claims)
	}
}

// week gives what the log says of a run, a line each, and how often a lock was moved or claimed.
func week(t *testing.T, text string) (lines []string, locks int) {
	t.Helper()
	list, err := Lines("week.story", text)
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{file: "week.story", seen: newSeen(), matters: map[string]string{}}
	r.also = func(e *invariant.Event) {
		if e.Kind == invariant.Edge || e.Kind == invariant.Secured || e.Kind == invariant.Durable && e.Event == door.EventStrikeFailed {
			locks++
		}
	}
	res, err := r.run(list)
	if err != nil || len(res.Differs) > 0 {
		t.Fatal(err, res.Differs)
	}
	r.w.Lines(func(row attempt.Row, who entrylog.Opening) {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s %s %s %s %s", row.Day, row.Door, row.Side, row.Outcome, row.Reason, row.Passage, who.Person, who.Name, who.Badge))
	})
	for _, f := range r.w.Findings() {
		lines = append(lines, fmt.Sprintf("finding %s %d", f, r.w.FindingCount(f)))
	}
	return lines, locks
}
