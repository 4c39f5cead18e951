package story

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
	_ "time/tzdata" // stories are read where no table is installed

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/visit"
	"monban/server/world/invariant"
	"monban/server/world/sim"
)

// Options of Run.
type Options struct {
	Site  string    // a folder of CSV files that stands in for the story's own `site` line; "" = none
	Trace io.Writer // what happens, a line each; nil = nothing is told
}

// Result is what came of a story.
type Result struct {
	Lines   int           // lines that were run
	Took    time.Duration // site time
	Differs []Fault       // what came out otherwise than expected
}

// Run runs a story from a file. err is a fault of the story itself, with its line; what came out otherwise
// than expected is in the result.
func Run(path string, opt Options) (Result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Result{}, fmt.Errorf("story: %w", err)
	}
	return Text(path, string(b), opt)
}

// Text runs a story from a text; file is what it is called in faults.
func Text(file, text string, opt Options) (Result, error) {
	lines, err := Lines(file, text)
	if err != nil {
		return Result{}, err
	}
	r := &runner{opt: opt, file: file, seen: newSeen(), matters: map[string]string{}}
	return r.run(lines)
}

type runner struct {
	opt  Options
	file string
	w    *sim.World
	zone *time.Location
	seen *seen
	res  Result

	matters map[string]string // what the story calls a matter → its id
	refused *visit.Error      // of the step before; an expectation takes it
	warned  []string          // fields of the newest form that look odd

	also func(*invariant.Event) // is told every event too; may be nil
}

// run makes the site of the first lines and then does one line after the other.
func (r *runner) run(lines []Line) (Result, error) {
	rest, err := r.found(lines)
	if err != nil {
		return r.res, err
	}
	begin := r.w.Wall()
	var before Line
	for _, l := range rest {
		if len(l.Words) < 2 || l.Words[0] != "expect" || l.Words[1] != "refused" {
			if err := r.unexpected(); err != nil {
				r.res.Differs = append(r.res.Differs, before.fault("%v", err))
			}
		}
		before = l
		r.tell("-- %s", join(l))
		v := verbs()[l.Words[0]]
		err := v.do(r, l, l.Words[1:])
		if err == nil && !v.still {
			err = r.w.Run(time.Second)
		}
		var differs *difference
		switch {
		case r.w.Err() != nil: // a promise is broken: that is a fault of the program and ends the story
			return r.res, l.fault("a promise does not hold: %v", r.w.Err())
		case errors.As(err, &differs):
			r.res.Differs = append(r.res.Differs, l.fault("%s", differs.text))
		case err != nil:
			var f Fault
			if errors.As(err, &f) && f.Line > 0 {
				return r.res, err
			}
			return r.res, l.fault("%v", err)
		}
		r.res.Lines++
	}
	if err := r.unexpected(); err != nil {
		r.res.Differs = append(r.res.Differs, before.fault("%v", err))
	}
	r.res.Took = r.w.Wall().Sub(begin)
	return r.res, nil
}

// found reads the lines that make the site and gives the rest.
func (r *runner) found(lines []Line) ([]Line, error) {
	if len(lines) == 0 {
		return nil, Fault{File: r.file, Text: "holds no line; see docs/stories.md"}
	}
	opt := sim.Options{Seed: 1, Site: "story", Relative: true, Watch: r.watch}
	zone, date, clock := "Asia/Tokyo", "2026-11-24", "09:00"
	number, always, n := firstNumber, true, 0
	if r.opt.Site != "" {
		files, err := folder(Line{File: r.file}, abs(r.opt.Site))
		if err != nil {
			return nil, err
		}
		opt.Files, always = files, false
	}
	for ; n < len(lines); n++ {
		l := lines[n]
		w := l.Words
		if _, ok := nouns[w[0]]; ok {
			f, err := row(l, number)
			if err != nil {
				return nil, err
			}
			if number++; w[0] == "schedule" && len(w) > 1 && w[1] == "always" {
				always = false
			}
			opt.Files = append(opt.Files, f)
			if w[0] == "zone" && len(w) > 1 {
				opt.Files = append(opt.Files, setAside(l))
			}
			continue
		}
		switch {
		case w[0] == "stock":
			x, err := stock(l, number)
			if err != nil {
				return nil, err
			}
			number++
			opt.Stock = append(opt.Stock, x)
			continue
		case w[0] == "visit-settings":
			var err error
			if opt.Visits, err = settings(l); err != nil {
				return nil, err
			}
			continue
		case w[0] == "site" && len(w) == 2:
			if always = false; r.opt.Site != "" {
				continue // the command line names another
			}
			files, err := folder(l, w[1])
			if err != nil {
				return nil, err
			}
			opt.Files = append(opt.Files, files...)
			continue
		case w[0] == "start" && len(w) == 3:
			date, clock = w[1], w[2]
			continue
		case w[0] == "timezone" && len(w) == 2:
			zone = w[1]
			continue
		case w[0] == "seed" && len(w) == 2:
			seed, err := strconv.ParseUint(w[1], 10, 64)
			if err != nil {
				return nil, l.fault("seed: %q is not a number", w[1])
			}
			opt.Seed = seed
			continue
		}
		break
	}
	for _, l := range lines[n:] {
		if _, ok := verbs()[l.Words[0]]; ok {
			continue
		}
		if _, late := nouns[l.Words[0]]; late || deskNouns[l.Words[0]] != "" || l.Words[0] == "site" || l.Words[0] == "start" || l.Words[0] == "timezone" || l.Words[0] == "seed" {
			return nil, l.fault("%s stands before everything that happens, and is written as docs/stories.md says", l.Words[0])
		}
		return nil, l.fault("%q is no word of this language; see docs/stories.md", l.Words[0])
	}
	if always {
		f, err := row(Line{File: r.file, Words: []string{"schedule", "always", "days=every", "from=0:00", "to=24:00"}}, 0)
		if err != nil {
			return nil, err
		}
		opt.Files = append(opt.Files, f)
	}
	var err error
	if r.zone, err = time.LoadLocation(zone); err != nil {
		return nil, lines[0].fault("timezone %q is not known", zone)
	}
	opt.Zone = r.zone
	if opt.Start, err = moment(date, clock, r.zone); err != nil {
		return nil, lines[0].fault("start %s %s %v", date, clock, err)
	}
	// The site has been up for a minute when the story begins.
	opt.Start = opt.Start.Add(-time.Minute)
	if r.w, err = sim.New(opt); err != nil {
		return nil, told(lines[0], err)
	}
	if err := r.w.Run(time.Minute); err != nil {
		return nil, lines[0].fault("a promise does not hold: %v", err)
	}
	r.seen.forget()
	return lines[n:], nil
}

func abs(dir string) string {
	if wd, err := os.Getwd(); err == nil && dir[0] != '/' {
		return wd + "/" + dir
	}
	return dir
}

func join(l Line) string {
	out := ""
	for i, w := range l.Words {
		if i > 0 {
			out += " "
		}
		out += w
	}
	return out
}

func (r *runner) tell(format string, args ...any) {
	if r.opt.Trace != nil && r.w != nil {
		_, _ = fmt.Fprintf(r.opt.Trace, "%s %s\n", r.w.Wall().In(r.zone).Format("2006-01-02 15:04:05.000"), fmt.Sprintf(format, args...))
	}
}

// seen is what happened, as far as an expectation may ask for it.
type seen struct {
	door    string // at which a card was last presented
	attempt door.Attempt
	outcome map[door.Attempt]outcome
	events  map[string]int // "PLACE EVENT" since the last mark
	unlocks map[string]int // door → edges since the last mark
}

type outcome struct {
	granted bool
	by      access.DecidedBy
	reason  access.Reason
	edge    bool
}

func newSeen() *seen {
	s := &seen{outcome: map[door.Attempt]outcome{}}
	s.forget()
	return s
}

func (s *seen) forget() { s.events, s.unlocks = map[string]int{}, map[string]int{} }

// begin makes the next decision at a door the one that is asked for.
func (s *seen) begin(doorName string) {
	delete(s.outcome, s.attempt)
	s.door, s.attempt = doorName, door.Attempt{}
}

// watch is told every event of the world.
func (r *runner) watch(e *invariant.Event) {
	if r.also != nil {
		r.also(e)
	}
	s := r.seen
	switch e.Kind {
	case invariant.Durable:
		place := string(e.Door)
		if place == "" {
			place = string(e.Gateway)
		}
		s.events[place+" "+string(e.Event)]++
		if e.Event == door.EventGranted || e.Event == door.EventDenied {
			o := s.outcome[e.Attempt]
			o.granted, o.by, o.reason = e.Event == door.EventGranted, e.By, e.Reason
			s.outcome[e.Attempt] = o
		}
		r.tell("%s: %s%s", place, e.Event, why(e))
	case invariant.Edge:
		s.unlocks[string(e.Door)]++
		o := s.outcome[e.Attempt]
		o.edge = true
		s.outcome[e.Attempt] = o
		r.tell("%s: the lock is released", e.Door)
	case invariant.Finding:
		r.tell("finding: %s %s %s", e.Word, e.Gateway, e.Door)
	case invariant.Transport:
		r.tell("%s: %s", e.Gateway, e.Word)
	default: // nothing an expectation asks for
	}
}

func why(e *invariant.Event) string {
	if e.By == access.ByNobody {
		return ""
	}
	return fmt.Sprintf(" by %s (%s)", e.By, e.Reason)
}

var _ error = directory.Problems(nil)
