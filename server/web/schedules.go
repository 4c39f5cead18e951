package web

// scheduleDay is one day as a schedule acts on it.
type scheduleDay struct {
	Day, Label string
	Closed     string // what the closed day is called, "" = none
	Tag        Tag
	Why        []string
	Spans      []string
}
