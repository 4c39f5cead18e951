package web

import (
	"context"

	"monban/firmware/access"
	"monban/server/casework"
)

// Cases is what people do with findings (VR-2).
type Cases interface {
	// CaseByID is one finding with everything that was done about it. duress: the asker may know of a PIN given under duress (AD-13);
	// to anybody else such a finding is not there. ErrNotFound.
	CaseByID(ctx context.Context, id string, names, duress bool) (CaseDetail, error)
	// ActOnCase writes one act, or gives an error of package casework and writes nothing. act says who, from where, and the text. to is
	// the account that the case is given to.
	ActOnCase(ctx context.Context, id string, kind casework.Kind, to string, act Action) error
}

// CaseDetail is a finding with its case.
type CaseDetail struct {
	Finding Finding
	Zones   []access.ZoneID // that it lies in: its door's, else the one whose day it tells of, else those of the matter that it is about; none = of no place
	Case    casework.Case
	Owner   string // full name of the account that works on it
	Acts    []CaseAct
	Purpose string   // of the entry that it is about; only with names
	Visits  []string // visits that the entry belongs to
	Risen   bool     // it has gone up to the CISO office once, or says that some have (VR-3)
}

// CaseAct is one act.
type CaseAct struct {
	Kind casework.Kind
	By   string // full name of the account
	To   string
	Text string // only with names: it may name people
	AtMS int64
	Leaf uint64
}
