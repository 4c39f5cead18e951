package web

import (
	"slices"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/plot"
)

// presenceDays is how many days a person's page draws (plot 1 of one person).
const presenceDays = 30

// personStay is a stay of one person as the lines of the log show it, whatever the zone: from the outermost entry to its exit.
type personStay struct {
	from, until     time.Time
	door            string
	noEntry, noExit bool
}

// staysOf pairs the lines of one person, newest first, at all doors. Inner zones lie in the stay around them. An entry at a door where one is open
// already says that an exit was not read; nobody stays longer than a day without a sign.
func staysOf(lines []Attempt, now time.Time) (out []personStay) {
	type entry struct {
		at   time.Time
		door access.DoorID
		name string
	}
	var inside []entry
	lost := func() {
		if len(inside) > 0 {
			out = append(out, personStay{from: inside[0].at, until: inside[len(inside)-1].at, door: inside[0].name, noExit: true})
			inside = nil
		}
	}
	for i := range slices.Backward(lines) {
		a := &lines[i]
		if len(inside) > 0 && a.At.Sub(inside[len(inside)-1].at) > 24*time.Hour {
			lost()
		}
		switch a.Result {
		case ResultEntered:
			if slices.ContainsFunc(inside, func(e entry) bool { return e.door == a.Door }) {
				lost()
			}
			inside = append(inside, entry{a.At, a.Door, a.DoorName})
		case ResultExited:
			if len(inside) == 0 {
				out = append(out, personStay{from: a.At, until: a.At, door: a.DoorName, noEntry: true})
				continue
			}
			first := inside[0]
			if inside = inside[:len(inside)-1]; len(inside) == 0 {
				out = append(out, personStay{from: first.at, until: a.At, door: first.name})
			}
		}
	}
	if len(inside) > 0 && now.Sub(inside[len(inside)-1].at) <= 24*time.Hour {
		return append(out, personStay{from: inside[0].at, until: now, door: inside[0].name})
	}
	lost()
	return out
}

// presence draws the last 30 days of one person.
func (b speaker) presence(lines []Attempt) figure {
	f := figure{ID: "presence", Title: b.T("plot.presence"), AsTable: b.T("plot.as_table"), Empty: b.T("plot.presence_none"),
		Head: []string{b.T("register.day"), b.T("register.in"), b.T("register.out"), b.T("col.door")}}
	today := calendar.DateOf(b.now.In(b.zone))
	first := today.AddDays(1 - presenceDays)
	days := make([]plot.PresentDay, presenceDays)
	for i := range days {
		d := first.AddDays(i)
		days[i] = plot.PresentDay{Name: strconv.Itoa(int(d.Month)) + "/" + strconv.Itoa(d.Day), Quiet: d.Weekday() == time.Saturday || d.Weekday() == time.Sunday}
	}
	missing := 0
	stays := staysOf(lines, b.now)
	for _, s := range stays {
		if s.noEntry || s.noExit {
			missing++
		}
		in, out := b.DayTime(s.from), b.DayTime(s.until)
		if s.noEntry {
			in = b.T("register.blank")
		}
		if s.noExit {
			out = b.T("register.blank")
		}
		blank := 0
		if s.noEntry || s.noExit {
			blank = 20 // wide enough to be seen
		}
		drawn := false
		for i := range days { // a night is in two rows
			start := first.AddDays(i).Start(b.zone)
			end := first.AddDays(i + 1).Start(b.zone)
			if s.until.Before(start) || !s.from.Before(end) {
				continue
			}
			minute := func(t time.Time) int { return int(t.Sub(start) / time.Minute) }
			days[i].Stays, drawn = append(days[i].Stays, plot.Stay{From: minute(s.from), Until: max(minute(s.until), minute(s.from)+blank), NoEntry: s.noEntry, NoExit: s.noExit,
				Word: in + "–" + out + " " + s.door}), true
		}
		if drawn {
			f.Rows = append(f.Rows, []string{b.dayWords(s.from.In(b.zone).Format(dayLayout)), in, out, s.door})
		}
	}
	f.Text = b.T("plot.presence_text", "n", strconv.Itoa(len(f.Rows)), "missing", strconv.Itoa(missing))
	if len(f.Rows) > 0 {
		f.Picture = plot.Presence(days, f.Text)
	}
	return f
}
