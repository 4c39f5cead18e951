package web

import (
	"time"

	"monban/firmware/access"
)

// FindingPageQuery asks for one page of findings: those that wait, the most severe and among them the oldest first; or those that are closed,
// the newest first.
type FindingPageQuery struct {
	Closed        bool
	Names         bool
	Duress        bool // with the silent alerts, which only the security officer is shown (AD-13)
	In            Reach
	Risen         Reach         // and, beside these, what has gone up to the CISO office in here (VR-3)
	Kind          string        // "" = every kind
	Door          access.DoorID // "" = every place of In
	From, Until   time.Time     // when it happened, From ≤ t < Until; zero = without that end
	After, Before *FindingPlace
	Limit         int
}

// FindingPlace is where one finding stands in its list.
type FindingPlace struct {
	Rank int // 0 high, 1 medium, 2 low; of a closed one 0
	AtMS int64
	Leaf uint64
}

// Place is where the finding stands in its list.
func (f *Finding) Place() FindingPlace {
	p := FindingPlace{AtMS: f.At.UnixMilli(), Leaf: f.Leaf}
	if f.Open {
		p.Rank = int(SeverityHigh) - int(f.Severity)
	}
	return p
}

// FindingPage is one page.
type FindingPage struct {
	List  []Finding
	More  bool // the list goes on in the direction that was asked for
	Total int  // of those that wait, on all pages; of closed ones 0: nobody counts them
}
