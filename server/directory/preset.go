package directory

// The controls that a zone's level asks for (AD-3, A14): what an exception of a zone may set aside.
const (
	ControlPIN       = "pin_always"
	ControlEscort    = "escort"
	ControlTwoPerson = "two_person"
	ControlCarryIn   = "carry_in"
	ControlTraining  = "training"
)

// ControlNames lists the controls in the order of the zone's page.
func ControlNames() []string {
	return []string{ControlPIN, ControlTwoPerson, ControlEscort, ControlTraining, ControlCarryIn}
}

// preset gives a new zone what its level asks for.
func (z *Zone) preset() {}
