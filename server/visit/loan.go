package visit

import "monban/server/directory"

// Loan says whose a lent badge was at some moment, for a record that comes late: the badge may be back in the drawer by then, or
// be somebody else's.
type Loan struct {
	Person   directory.PersonID
	Name     string // "" of a temporary card: the directory knows it
	Company  string
	Category directory.Category
	Masked   string
	Lent     directory.Lent
	InForce  bool // the badge opened the visit's doors at that moment
}

// LoanAt finds who had a badge at a moment, UTC ms, in a visit.
func (v *Visit) LoanAt(badge string, atMS int64) (Loan, bool) {
	for i := range v.Guests {
		g := &v.Guests[i]
		if g.Badge != badge || !g.Card || !g.Received() || atMS < g.Lent.AtMS-skewMS || g.Returned.Done() && atMS >= g.Returned.AtMS+skewMS {
			continue
		}
		l := Loan{Person: v.PersonID(i), Name: g.Name, Company: g.Company, Category: g.Category, Lent: v.lent(g)}
		if l.Company == "" {
			l.Company = v.Company
		}
		l.InForce = atMS < v.UntilMS && !g.Lost && (v.Oral == nil || !v.Oral.Denied.Done() || atMS < v.Oral.Denied.AtMS)
		return l, true
	}
	return Loan{}, false
}

// LoanAt finds whether the temporary card is that badge and was out at a moment, UTC ms.
func (t *TemporaryCard) LoanAt(badge string, atMS int64) (Loan, bool) {
	if t.Badge != badge || atMS < t.FromMS-skewMS || t.Returned.Done() && atMS >= t.Returned.AtMS+skewMS {
		return Loan{}, false
	}
	return Loan{Person: t.Person, Lent: directory.Lent{Badge: t.Label}, InForce: atMS < t.UntilMS && !t.Lost}, true
}
