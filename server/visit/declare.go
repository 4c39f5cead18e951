package visit

// Declared is one thing that somebody says they bring in (EQ-2).
type Declared struct {
	What     string `json:"what"`               // phone, computer, medium, camera, other
	Personal bool   `json:"personal,omitempty"` // belongs to the person, not to a company or the city
	Serial   string `json:"serial,omitempty"`
	// Outside: it stays in the locker. Exception: id of the exception measure that allows it. Carry: id of the carry session it
	// belongs to.
	Outside   bool   `json:"outside,omitempty"`
	Exception string `json:"exception,omitempty"`
	Carry     string `json:"carry,omitempty"`
	Flagged   bool   `json:"flagged,omitempty"` // set here: let in, to be looked at afterwards
}

// declare judges what is brought into the zones of a visit: the strictest zone counts. Equipment of a carry session and
// what stays outside is free; an exception has to be named.
func (v *Visit) declare(list []Declared, nowMS int64, s *Site) ([]Declared, error) {
	if len(list) > 20 {
		return nil, ErrTooMany.at("declared")
	}
	rule := BringInFree
	for _, z := range v.Zones {
		switch s.Settings.BringIn[z] {
		case BringInDeny:
			rule = BringInDeny
		case BringInFlag:
			if rule == BringInFree {
				rule = BringInFlag
			}
		}
	}
	var out []Declared
	for _, d := range list {
		d.Flagged = false
		switch d.What {
		case "phone", "computer", "medium", "camera", "other":
		default:
			return nil, ErrMissing.at("declared")
		}
		if _, err := number("serial", d.Serial); err != nil {
			return nil, err
		}
		if err := firstErr(free("exception", d.Exception, 64, false), free("carry", d.Carry, 64, false)); err != nil {
			return nil, err
		}
		if d.Exception != "" && !s.excepted(d.Exception, s.dayOf(nowMS)) {
			return nil, ErrUnknown.at("exception") // expired = off (VR-8)
		}
		if !d.Outside && d.Exception == "" && d.Carry == "" {
			if rule == BringInDeny {
				return nil, ErrBringIn.at("declared")
			}
			d.Flagged = rule == BringInFlag
		}
		out = append(out, d)
	}
	return out, nil
}

// MayBringIn says what Receive would say of what is declared, before anything is done.
func (v *Visit) MayBringIn(list []Declared, nowMS int64, s *Site) error {
	_, err := v.declare(list, nowMS, s)
	return err
}
