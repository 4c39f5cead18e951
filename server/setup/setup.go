// Package setup says how far a site is on its way from an empty machine to a guarded door: which steps are done, which come next, and what
// to do in each. It is pure: facts go in, steps come out. The page and the command show the same steps in the same words, and since each
// step is judged by what is there and not by who pressed "next", the way can be left and taken up again anywhere.
package setup

import "time"

// State of a step.
type State int

// Open is what has to be done; Later is what an earlier open step must come before; Advice is done, but should be better; Done is done.
const (
	Open State = iota
	Later
	Advice
	Done
)

// Step is one step of the way.
type Step struct {
	Key   string `json:"key"` // see Keys
	State State  `json:"state"`
	What  Text   `json:"what"` // how it stands
	Do    Text   `json:"do"`   // what to do; empty when there is nothing
	Page  string `json:"page"` // where, when the step has more than one place
}

// Keys of the steps in their order.
func Keys() []string {
	return []string{"account", "forms", "pages", "keys", "clock", "gateway", "door", "card", "swipe", "alert", "backup", "doctor"}
}

// Gateway is what is known of one gateway.
type Gateway struct {
	ID, Name string
	Identity bool // it has keys that this server believes
	Linked   bool // now; false when nobody can know
	Invited  bool // a code waits for it
}

// Facts are what the steps are judged by. Zero values are "not yet".
type Facts struct {
	Now            time.Time
	Running        bool      // the server runs, so links are known
	Administrators int       // people whose account may give rights, not suspended
	Organisation   bool      // whose papers these are and whom to ask has been said
	Forms          bool      // somebody has looked at the names of forms and saved them
	Printed        bool      // a paper was made once
	PagesTLS       bool      // pages are served over TLS
	PagesEnd       time.Time // end of their certificate; zero = unknown
	PagesFault     string    // why their certificate cannot be used; "" when it can
	PagesLocal     bool      // pages are for this machine only
	KeyCopies      int       // copies of the master key that were read back
	Synced         bool      // this machine's clock follows another
	ClockUnknown   bool
	Gateways       []Gateway
	Doors          int
	Observed       int       // of the doors, those without a lock
	Cards          int       // active cards of active people
	Holders        int       // people with an active card and a right
	Swipe          time.Time // the newest entry by a card
	Channels       int       // ways by which alerts go out
	Alerted        time.Time // newest message that a channel took
	BackupPlace    bool
	PlaceFault     string    // why backups cannot go there now; "" when they can
	Backup         time.Time // newest one that was read back
	Faults         []Text    // what the doctor finds, in short
}

const (
	soon      = 30 * 24 * time.Hour // certificate of the pages
	oldBackup = 3 * 24 * time.Hour
)

// Steps judges the facts.
func Steps(f Facts) []Step {
	out := []Step{
		f.account(), f.forms(), f.pages(), f.keys(), f.clock(), f.gateway(), f.door(), f.card(), f.swipe(), f.alert(), f.backup(), f.doctor(),
	}
	for i, key := range Keys() {
		out[i].Key = key
	}
	return out
}

// Next is the first step that is open; ok is false when none is.
func Next(steps []Step) (s Step, ok bool) {
	for _, s := range steps {
		if s.State == Open {
			return s, true
		}
	}
	return Step{}, false
}

func (f *Facts) account() Step {
	switch f.Administrators {
	case 0:
		return Step{State: Open, What: text("account.none"), Do: text("account.do")}
	case 1:
		return Step{State: Advice, What: text("account.one"), Do: text("account.second")}
	}
	return Step{State: Done, What: text("account.ok", f.Administrators)}
}

func (f *Facts) forms() Step {
	switch {
	case !f.Organisation:
		return Step{State: Open, What: text("forms.nobody"), Do: text("forms.name"), Page: "/reports/organisation"}
	case !f.Forms:
		return Step{State: Open, What: text("forms.none"), Do: text("forms.do"), Page: "/ledgers/forms"}
	case !f.Printed:
		return Step{State: Open, What: text("forms.unprinted"), Do: text("forms.print"), Page: "/reports"}
	}
	return Step{State: Done, What: text("forms.ok")}
}

func (f *Facts) pages() Step {
	switch {
	case !f.PagesTLS && f.PagesLocal:
		return Step{State: Open, What: text("pages.local"), Do: text("pages.do")}
	case f.PagesFault != "":
		return Step{State: Open, What: text("pages.fault", f.PagesFault), Do: text("pages.renew")}
	case !f.PagesEnd.IsZero() && !f.PagesEnd.After(f.Now):
		return Step{State: Open, What: text("pages.ended", f.PagesEnd.Format(time.DateOnly)), Do: text("pages.renew")}
	case !f.PagesEnd.IsZero() && f.PagesEnd.Before(f.Now.Add(soon)):
		return Step{State: Advice, What: text("pages.soon", f.PagesEnd.Format(time.DateOnly)), Do: text("pages.renew")}
	}
	return Step{State: Done, What: text("pages.ok")}
}

func (f *Facts) keys() Step {
	if f.KeyCopies < 2 {
		return Step{State: Open, What: text("keys.few", f.KeyCopies), Do: text("keys.do")}
	}
	return Step{State: Done, What: text("keys.ok", f.KeyCopies)}
}

func (f *Facts) clock() Step {
	switch {
	case f.ClockUnknown:
		return Step{State: Advice, What: text("clock.unknown"), Do: text("clock.do")}
	case !f.Synced:
		return Step{State: Open, What: text("clock.off"), Do: text("clock.do")}
	}
	return Step{State: Done, What: text("clock.ok")}
}

func (f *Facts) gateway() Step {
	identity, linked, invited := 0, 0, 0
	for _, g := range f.Gateways {
		switch {
		case g.Linked:
			linked++
			identity++
		case g.Identity:
			identity++
		case g.Invited:
			invited++
		}
	}
	switch n := len(f.Gateways); {
	case n == 0:
		return Step{State: Open, What: text("gateway.none"), Do: text("gateway.name")}
	case identity == 0 && invited > 0:
		return Step{State: Open, What: text("gateway.waits"), Do: text("gateway.compare")}
	case identity == 0:
		return Step{State: Open, What: text("gateway.stranger"), Do: text("gateway.invite")}
	case f.Running && linked == 0:
		return Step{State: Open, What: text("gateway.silent"), Do: text("gateway.start")}
	case identity < n:
		return Step{State: Advice, What: text("gateway.some", identity, n), Do: text("gateway.invite")}
	case f.Running && linked < n:
		return Step{State: Advice, What: text("gateway.quiet", linked, n), Do: text("gateway.start")}
	case !f.Running:
		return Step{State: Done, What: text("gateway.known", identity)}
	}
	return Step{State: Done, What: text("gateway.ok", linked)}
}

func (f *Facts) door() Step {
	switch {
	case f.Doors == 0 && len(f.Gateways) == 0:
		return Step{State: Later, What: text("door.none")}
	case f.Doors == 0:
		return Step{State: Open, What: text("door.none"), Do: text("door.do")}
	}
	return Step{State: Done, What: text("door.ok", f.Doors, f.Observed)}
}

func (f *Facts) card() Step {
	switch {
	case f.Holders > 0:
		return Step{State: Done, What: text("card.ok", f.Cards, f.Holders)}
	case f.Doors == 0:
		return Step{State: Later, What: text("card.none")}
	case f.Cards > 0:
		return Step{State: Open, What: text("card.rightless", f.Cards), Do: text("card.right")}
	}
	return Step{State: Open, What: text("card.none"), Do: text("card.do")}
}

func (f *Facts) swipe() Step {
	switch {
	case !f.Swipe.IsZero():
		return Step{State: Done, What: text("swipe.ok", f.Swipe.Format(time.DateTime))}
	case f.Holders == 0 || f.Doors == 0:
		return Step{State: Later, What: text("swipe.none")}
	}
	return Step{State: Open, What: text("swipe.none"), Do: text("swipe.do")}
}

func (f *Facts) alert() Step {
	switch {
	case f.Channels == 0:
		return Step{State: Open, What: text("alert.none"), Do: text("alert.channel")}
	case f.Alerted.IsZero():
		return Step{State: Open, What: text("alert.untried", f.Channels), Do: text("alert.try")}
	}
	return Step{State: Done, What: text("alert.ok", f.Channels, f.Alerted.Format(time.DateTime))}
}

func (f *Facts) backup() Step {
	switch {
	case f.PlaceFault != "":
		return Step{State: Open, What: text("backup.away", f.PlaceFault), Do: text("backup.plug")}
	case !f.BackupPlace && f.Backup.IsZero():
		return Step{State: Open, What: text("backup.none"), Do: text("backup.place")}
	case !f.BackupPlace:
		return Step{State: Advice, What: text("backup.hand", f.Backup.Format(time.DateOnly)), Do: text("backup.place")}
	case f.Backup.IsZero():
		return Step{State: Open, What: text("backup.first"), Do: text("backup.do")}
	case f.Now.Sub(f.Backup) > oldBackup:
		return Step{State: Advice, What: text("backup.old", f.Backup.Format(time.DateOnly)), Do: text("backup.look")}
	}
	return Step{State: Done, What: text("backup.ok", f.Backup.Format(time.DateOnly))}
}

func (f *Facts) doctor() Step {
	if len(f.Faults) == 0 {
		return Step{State: Done, What: text("doctor.ok")}
	}
	rest := len(f.Faults) - 1
	if rest == 0 {
		return Step{State: Open, What: text("doctor.bad", f.Faults[0]), Do: text("doctor.do")}
	}
	return Step{State: Open, What: text("doctor.more", f.Faults[0], rest), Do: text("doctor.do")}
}
