// Package commission leads a technician through the acceptance of one door: what has to be done at it, what of it was
// seen in the door's own records, and the sheet that is signed.
//
// It decides nothing and moves nothing: the door is served by the same loops as on every day, and a step is ticked by
// the record that the door made of it. What a gateway cannot see (a handle that opens while it is off) stands on the
// sheet with an empty box.
package commission

import (
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

// Text is one sentence in both languages.
type Text struct{ JA, EN string }

// Step is one thing to do at the door.
type Step struct {
	Name string
	Do   Text
	// Seen is when the door recorded it; zero = not yet.
	Seen time.Time
	by   func(Seen) bool
}

// Seen is what a guide has to know of one record.
type Seen struct {
	Event door.Event
	Side  access.Side
}

// Fitted says what hangs at the door.
type Fitted struct {
	Controlled  bool // it has a lock
	EnterReader bool
	ExitReader  bool
	Request     bool // exit button or handle is sensed
	Tamper      bool
}

// Guide is the acceptance of one door. It is safe for use by several goroutines.
type Guide struct {
	mu    sync.Mutex
	steps []Step
	tick  chan struct{}
}

// New gives the steps of a door, none of them seen.
func New(f Fitted) *Guide {
	g := &Guide{tick: make(chan struct{}, 1)}
	add := func(on bool, name, ja, en string, by func(Seen) bool) {
		if on {
			g.steps = append(g.steps, Step{Name: name, Do: Text{ja, en}, by: by})
		}
	}
	is := func(events ...door.Event) func(Seen) bool {
		return func(s Seen) bool {
			for _, e := range events {
				if s.Event == e {
					return true
				}
			}
			return false
		}
	}
	at := func(side access.Side, events ...door.Event) func(Seen) bool {
		of := is(events...)
		return func(s Seen) bool { return s.Side == side && of(s) }
	}
	add(f.EnterReader && f.Controlled, "badge_enter", "入室側でカードをかざし、許可される", "Badge at the entrance reader: granted", at(access.SideEnter, door.EventGranted))
	add(f.EnterReader && !f.Controlled, "badge_enter", "入室側でカードをかざす", "Badge at the entrance reader", at(access.SideEnter, door.EventGranted, door.EventDenied))
	add(f.EnterReader, "refused", "登録のないカードをかざし、拒否される", "Badge with a card that is not registered: refused", at(access.SideEnter, door.EventDenied))
	add(f.Controlled, "open", "許可のあと扉を開ける", "Open the door after a grant", is(door.EventEntry))
	add(!f.Controlled, "open", "扉を開ける", "Open the door", is(door.EventEntry, door.EventExit, door.EventForcedOpen, door.EventInsideOpen))
	add(true, "close", "扉を閉める", "Close the door", is(door.EventClosed, door.EventHeldEnd))
	add(f.ExitReader, "badge_exit", "退室側でカードをかざして出る", "Badge at the exit reader and leave", is(door.EventExit))
	add(f.Request && !f.ExitReader, "exit", "退室ボタンまたはハンドルで出る", "Leave by the exit button or handle", is(door.EventRequestExit))
	add(f.Controlled, "force", "カードなしで鍵で開ける（こじ開けとして記録される）", "Open with the mechanical key and no card: recorded as forced", is(door.EventForcedOpen, door.EventInsideOpen))
	add(true, "hold", "扉を開けたまま待つ（開放超過になるまで）", "Keep the door open until it counts as held open", is(door.EventHeldOpen))
	add(true, "hold_end", "開放超過のあと閉める", "Close it again", is(door.EventHeldEnd))
	add(f.Tamper, "tamper", "機器の箱を開ける", "Open the box", is(door.EventTamper))
	add(f.Tamper, "tamper_end", "機器の箱を閉める", "Close the box", is(door.EventTamperEnd))
	return g
}

// ByHand is what only a person can see, in the order in which it is done.
func ByHand(controlled bool) []Text {
	all := []Text{
		{"火災受信盤の接点で、開くべき錠が開く", "The fire panel's contact opens every lock that has to open"},
		{"読取機の表示と音が説明書のとおりである", "Lights and sounds of the reader are as in the manual"},
	}
	if controlled {
		all = append([]Text{
			{"装置の電源を切る：外からは開かない", "Gateway off: locked from outside"},
			{"装置の電源を切る：中からは自由に出られる", "Gateway off: free from inside"},
			{"解錠中に装置の電源を抜く：直ちに施錠される", "Pull the gateway's plug during a release: locked at once"},
		}, all...)
	}
	return all
}

// See takes a durable record of the door and names the steps that it ticks.
func (g *Guide) See(s Seen, at time.Time) (ticked []Step) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.steps {
		if st := &g.steps[i]; st.Seen.IsZero() && st.by(s) {
			st.Seen = at
			ticked = append(ticked, *st)
		}
	}
	if len(ticked) > 0 {
		select {
		case g.tick <- struct{}{}:
		default: // one that waits says enough
		}
	}
	return ticked
}

// Ticked delivers after steps were ticked. One receiver.
func (g *Guide) Ticked() <-chan struct{} { return g.tick }

// Steps gives a copy of all steps.
func (g *Guide) Steps() []Step {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Step(nil), g.steps...)
}

// Open is how many steps were not seen yet. 0 = accepted, as far as a gateway can see.
func (g *Guide) Open() (n int) {
	for _, s := range g.Steps() {
		if s.Seen.IsZero() {
			n++
		}
	}
	return n
}
