package entrylog

// Parsed is a leaf taken apart; the field of its Kind is set.
type Parsed struct {
	Kind     Kind
	Record   Record
	Decision Decision
	Action   Action
	System   System
}

// Parse takes a leaf body of any kind apart. It accepts exactly what the encoders write.
func Parse(body []byte) (p Parsed, err error) {
	if p.Kind, err = KindOf(body); err != nil {
		return Parsed{}, err
	}
	switch p.Kind {
	case KindRecord:
		p.Record, err = ParseRecord(body)
	case KindDecision:
		p.Decision, err = ParseDecision(body)
	case KindAction:
		p.Action, err = ParseAction(body)
	case KindSystem:
		p.System, err = ParseSystem(body)
	}
	if err != nil {
		return Parsed{}, err
	}
	return p, nil
}

// Commit is the leaf's commitment, zero when it has none.
func (p *Parsed) Commit() Hash {
	switch p.Kind {
	case KindRecord:
		return p.Record.Commit
	case KindDecision:
		return p.Decision.Commit
	case KindAction:
		return p.Action.Commit
	}
	return p.System.Commit
}

// AtMS is the leaf's server time, UTC ms.
func (p *Parsed) AtMS() int64 {
	switch p.Kind {
	case KindRecord:
		return p.Record.AtMS
	case KindDecision:
		return p.Decision.AtMS
	case KindAction:
		return p.Action.AtMS
	}
	return p.System.AtMS
}

// Class is the leaf's record class.
func (p *Parsed) Class() Class { return ClassOf(p.Kind, p.System.Name) }

// CommitOf reads the commitment out of a leaf of any kind, the zero hash when it has none.
func CommitOf(body []byte) (Hash, error) {
	p, err := Parse(body)
	return p.Commit(), err
}
