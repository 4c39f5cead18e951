package door_test

import (
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
)

// One passage: a decision made at the door itself, so the strike waits for its record.
func ExampleStep() {
	cfg := door.DefaultConfig("server-room", door.KindControlled, door.ExitReader)
	at := func(ms int64) mono.Time { return mono.Time(ms * int64(time.Millisecond)) }
	state, _ := door.Start(cfg, false, 0)
	for _, in := range []door.Input{
		{Kind: door.InGranted, At: at(1000), Attempt: door.Attempt{1}, Side: access.SideEnter, By: access.ByGateway},
		{Kind: door.InDurable, At: at(1010), Barrier: 1},
		{Kind: door.InContactOpen, At: at(2000)},
		{Kind: door.InTimer, At: at(2050), Timer: door.TimerDebounce},
		{Kind: door.InContactClosed, At: at(5000)},
		{Kind: door.InTimer, At: at(5050), Timer: door.TimerDebounce},
	} {
		from := state.Name()
		var actions []door.Action
		state, actions = door.Step(cfg, state, in)
		fmt.Printf("[%s] %s -> [%s]", from, in.Kind, state.Name())
		for _, a := range actions {
			switch a.Kind {
			case door.ActEmit:
				fmt.Printf(" %s", a.Event)
			case door.ActUnlock, door.ActLock:
				fmt.Printf(" %s", a.Kind)
			}
		}
		fmt.Println()
	}
	// Output:
	// [secured] granted -> [secured] granted
	// [secured] durable -> [unlocked] unlock
	// [unlocked] contact_open -> [unlocked]
	// [unlocked] timer -> [open] entry lock
	// [open] contact_closed -> [open]
	// [open] timer -> [secured] closed
}
