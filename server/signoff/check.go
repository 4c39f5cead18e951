package signoff

// inForce gives the newest signature that was not taken back and what was signed after it; nothing without one.
func inForce(acts []Act) []Act {
	from := len(acts)
	for i := range acts {
		switch acts[i].Kind {
		case Sign:
			from = i
		case Return, Reopen:
			from = len(acts)
		}
	}
	return acts[from:]
}

// other gives the first countersignature of acts[i] by another person, nil = none yet.
func other(acts []Act, i int) *Act {
	for j := i + 1; j < len(acts); j++ {
		if a := &acts[j]; a.Kind == Countersign && !a.By.same(acts[i].By) {
			return a
		}
	}
	return nil
}

// Check is who has confirmed one line of a day. The zero value: nobody.
type Check struct {
	Status Status // Open, Waiting, Additional or Done: of the line, not of its day
	By     *Act   // the signature or addition that covers it
	Second *Act   // who countersigned that, where it was needed
}

// CheckOf reads who has confirmed the line of a day whose newest leaf is given: it is never the one who signed before the line came, and
// of their own line nobody alone. person is whose line it is, "" = nobody's.
func CheckOf(acts []Act, leaf int64, person string, second bool) Check {
	acts = inForce(acts)
	if len(acts) == 0 {
		return Check{}
	}
	for i := range acts {
		a := &acts[i]
		if a.Kind == Countersign || a.Upto <= leaf {
			continue
		}
		c := Check{Status: Done, By: a}
		if second || person != "" && a.By.Person == person {
			if c.Second = other(acts, i); c.Second == nil {
				c.Status = Waiting
			}
		}
		return c
	}
	return Check{Status: Additional}
}
