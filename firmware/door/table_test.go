package door

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
)

var update = flag.Bool("update", false, "rewrite testdata/table.txt; read every changed line before committing")

// tableInputs has at least one row for every input kind; where On, Mode, Command or Side matter,
// one for each value.
func tableInputs() []struct {
	name string
	in   Input
} {
	enter, exit := access.SideEnter, access.SideExit
	a, until := attempt(9), 7*second
	return []struct {
		name string
		in   Input
	}{
		{"none", Input{}},
		{"granted enter", Input{Kind: InGranted, Attempt: a, Side: enter, By: access.ByGateway}},
		{"granted enter durable", Input{Kind: InGranted, Attempt: a, Side: enter, By: access.ByServer, Durable: true}},
		{"granted enter durable by gateway", Input{Kind: InGranted, Attempt: a, Side: enter, By: access.ByGateway, Durable: true}},
		{"granted exit durable", Input{Kind: InGranted, Attempt: a, Side: exit, By: access.ByServer, Durable: true}},
		{"granted by nobody", Input{Kind: InGranted, Attempt: a, Side: enter, Durable: true}},
		{"granted side unknown", Input{Kind: InGranted, Attempt: a, By: access.ByServer, Durable: true}},
		{"denied enter", Input{Kind: InDenied, Attempt: a, Side: enter, By: access.ByServer, Reason: access.ReasonNoGrant}},
		{"denied exit", Input{Kind: InDenied, Attempt: a, Side: exit, By: access.ByServer, Reason: access.ReasonExitUnattributed}},
		{"waiting pin", Input{Kind: InWaiting, Attempt: a, Side: enter, Waiting: access.NeedPIN}},
		{"waiting granted", Input{Kind: InWaiting, Attempt: a, Side: enter, Waiting: access.Granted}},
		{"contact_open", Input{Kind: InContactOpen}},
		{"contact_closed", Input{Kind: InContactClosed}},
		{"request_exit", Input{Kind: InRequestExit}},
		{"tamper on", Input{Kind: InTamper, On: true}},
		{"tamper off", Input{Kind: InTamper}},
		{"line_fault on", Input{Kind: InLineFault, On: true}},
		{"line_fault off", Input{Kind: InLineFault}},
		{"reader_lost on", Input{Kind: InReaderLost, On: true}},
		{"reader_lost off", Input{Kind: InReaderLost}},
		{"read_error", Input{Kind: InReadError, Attempt: a, Side: enter}},
		{"timer relock early", Input{Kind: InTimer, Timer: TimerRelock}},
		{"command none", Input{Kind: InCommand, Attempt: a}},
		{"command unlock", Input{Kind: InCommand, Attempt: a, Command: CommandUnlock, Until: until}},
		{"command rearm", Input{Kind: InCommand, Attempt: a, Command: CommandRearm, Until: until}},
		{"command self_test", Input{Kind: InCommand, Attempt: a, Command: CommandSelfTest, Until: until}},
		{"command unlock ended", Input{Kind: InCommand, Attempt: a, Command: CommandUnlock, Until: 2 * second}},
		{"command unlock without an end", Input{Kind: InCommand, Attempt: a, Command: CommandUnlock}},
		{"command rearm ended", Input{Kind: InCommand, Attempt: a, Command: CommandRearm, Until: second}},
		{"command self_test ended", Input{Kind: InCommand, Attempt: a, Command: CommandSelfTest, Until: second}},
		{"command unknown", Input{Kind: InCommand, Attempt: a, Command: 99, Until: until}},
		{"command rearm on the spot", Input{Kind: InCommand, Attempt: a, Command: CommandRearm, By: access.ByGateway}},
		{"mode normal", Input{Kind: InMode, Mode: access.ModeNormal}},
		{"mode locked", Input{Kind: InMode, Mode: access.ModeLocked}},
		{"mode lockdown", Input{Kind: InMode, Mode: access.ModeLockdown}},
		{"mode unknown", Input{Kind: InMode, Mode: 77}},
		{"fire_release on", Input{Kind: InFireRelease, On: true}},
		{"fire_release off", Input{Kind: InFireRelease}},
		{"durable", Input{Kind: InDurable, Barrier: 1}},
		{"not_durable", Input{Kind: InNotDurable, Barrier: 1}},
		{"strike_failed", Input{Kind: InStrikeFailed}},
		{"occupied on", Input{Kind: InOccupied, On: true}},
		{"waiting second", Input{Kind: InWaiting, Attempt: a, Side: enter, Waiting: access.NeedSecond, For: 30e9}},
		{"interlock on", Input{Kind: InInterlock, On: true}},
		{"interlock off", Input{Kind: InInterlock}},
		{"escort_away on", Input{Kind: InEscortAway, On: true}},
		{"escort_away off", Input{Kind: InEscortAway}},
		{"unknown kind", Input{Kind: 200}},
	}
}

// tableStates makes one state for every name, each reached by inputs from Start. At 1 s a grant
// waits behind barrier 1 in none of them; the inputs of the table come at 2 s.
func tableStates(t *testing.T, cfg Config) []struct {
	name  StateName
	state State
} {
	cfg.Debounce = 0 // the contact of this table is clean; debounce_test.go has the other
	reach := func(ins ...Input) State {
		s, _ := Start(cfg, false, 0)
		for _, in := range ins {
			in.At = second
			s, _ = Step(cfg, s, in)
		}
		return s
	}
	granted := Input{Kind: InGranted, Attempt: attempt(1), Side: access.SideEnter, By: access.ByServer, Durable: true}
	held := reach(granted, Input{Kind: InContactOpen})
	held.timers[TimerHeld].at = second + 1 // as if OpenTime were nearly over
	held, _ = Step(cfg, held, Input{Kind: InTimer, Timer: TimerHeld, At: second + 1})
	states := []struct {
		name  StateName
		state State
	}{
		{Secured, reach()},
		{Unlocked, reach(granted)},
		{Open, reach(granted, Input{Kind: InContactOpen})},
		{HeldOpen, held},
		{Forced, reach(Input{Kind: InContactOpen})},
		{InLockdown, reach(Input{Kind: InMode, Mode: access.ModeLockdown})},
		{Released, reach(Input{Kind: InFireRelease, On: true})},
		{Faulted, reach(Input{Kind: InStrikeFailed})},
	}
	for _, s := range states {
		if got := s.state.Name(); got != s.name {
			t.Fatalf("the table's %s state is %s", s.name, got)
		}
	}
	return states
}

// Every state × every input has one explicit row in testdata/table.txt, "ignore" included (I9, goal 36).
func TestEveryStateTimesEveryInput(t *testing.T) {
	cfg := DefaultConfig("server-room", KindControlled, ExitButton)
	cfg.Debounce = 0
	var got strings.Builder
	seen := map[InputKind]bool{}
	for _, st := range tableStates(t, cfg) {
		fmt.Fprintf(&got, "# %s\n", st.name)
		for _, row := range tableInputs() {
			seen[row.in.Kind] = true
			row.in.At = 2 * second
			next, actions := Step(cfg, st.state, row.in)
			fmt.Fprintf(&got, "%-34s -> %-9s %s\n", row.name, next.Name(), describeAll(actions))
		}
		got.WriteByte('\n')
	}
	for k := InNone; k <= InOccupied; k++ {
		if !seen[k] {
			t.Errorf("input %s has no row", k)
		}
	}
	const path = "testdata/table.txt"
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
