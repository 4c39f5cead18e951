package review

import "monban/firmware/door"

// tamper: a cover was opened or a line was touched (DS-5).
func tamper(f Fact) (Finding, bool) { return on(f, door.EventTamper, Tamper) }

// lineFault: a supervised line is cut or shorted (DS-5).
func lineFault(f Fact) (Finding, bool) { return on(f, door.EventLineFault, LineFault) }

// readerLost: a reader does not answer (DS-5).
func readerLost(f Fact) (Finding, bool) { return on(f, door.EventReaderLost, ReaderLost) }

// strikeFailed: the lock output did not obey.
func strikeFailed(f Fact) (Finding, bool) {
	return on(f, door.EventStrikeFailed, StrikeFailed)
}

// fireRelease: the fire panel opened the doors; a person has to re-arm them (DS-6).
func fireRelease(f Fact) (Finding, bool) { return on(f, door.EventFireRelease, FireRelease) }

// clockStep: a gateway's clock jumped (EV-7).
func clockStep(f Fact) (Finding, bool) { return on(f, door.EventClockStep, ClockStep) }

// uncleanBoot: a gateway started that had not been stopped: a power cut or a crash (DS-8).
func uncleanBoot(f Fact) (Finding, bool) {
	if f.Detail != door.BootUnclean {
		return Finding{}, false
	}
	return on(f, door.EventBoot, UncleanBoot)
}

// mainsLost: a gateway runs on its battery (DS-8).
func mainsLost(f Fact) (Finding, bool) { return on(f, door.EventMainsLost, MainsLost) }

// batteryLow: and soon on nothing (DS-8).
func batteryLow(f Fact) (Finding, bool) { return on(f, door.EventBatteryLow, BatteryLow) }
