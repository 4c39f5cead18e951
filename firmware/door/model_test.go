package door

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"monban/firmware/access"
	"monban/firmware/mono"
)

// model watches one door from outside and knows the promises, not the code.
type model struct {
	t    rapid.TB
	cfg  Config
	s    State
	now  mono.Time
	fire bool // on, or not yet re-armed

	barriers map[Barrier]Action    // emitted records that wait
	durable  map[Attempt]bool      // attempts with a durable decision record
	ends     map[Attempt]mono.Time // when each command of the server ends
	released bool                  // by the lock actions alone
	until    mono.Time             // latest end of the release
}

func newModel(t rapid.TB, cfg Config) *model {
	m := &model{t: t, cfg: cfg, barriers: map[Barrier]Action{}, durable: map[Attempt]bool{}, ends: map[Attempt]mono.Time{}}
	s, actions := Start(cfg, false, 0)
	m.s = s
	m.checkAll(Input{}, State{}, actions)
	return m
}

func (m *model) step(in Input) {
	m.now = max(m.now, in.At)
	if in.Kind == InCommand && in.By != access.ByGateway {
		m.ends[in.Attempt] = max(m.ends[in.Attempt], in.Until)
	}
	before := m.s
	next, actions := Step(m.cfg, before, in)
	again, actionsAgain := Step(m.cfg, before, in)
	if next != again || describeAll(actions) != describeAll(actionsAgain) {
		m.t.Fatalf("Step is not deterministic for %+v", in)
	}
	if in.Kind == InDurable {
		if a, ok := m.barriers[in.Barrier]; ok {
			m.durable[a.Attempt] = true
		}
	}
	if in.Kind == InGranted && in.Durable && in.By == access.ByServer {
		m.durable[in.Attempt] = true
	}
	m.s = next
	m.checkAll(in, before, actions)
}

// checkAll proves every promise after every input.
func (m *model) checkAll(in Input, before State, actions []Action) {
	emitted := map[Event]int{}
	rearmed := false
	for _, a := range actions {
		rearmed = rearmed || a.Kind == ActEmit && a.Event == EventRearmed && m.durable[a.Attempt]
	}
	for _, a := range actions {
		switch a.Kind {
		case ActEmit:
			emitted[a.Event]++
			if !a.Event.Known() {
				m.t.Fatalf("unknown event %q", a.Event)
			}
			if a.Barrier != 0 {
				if _, twice := m.barriers[a.Barrier]; twice {
					m.t.Fatalf("barrier %d given out twice", a.Barrier)
				}
				m.barriers[a.Barrier] = a
			}
		case ActUnlock:
			m.checkUnlock(in, a)
		case ActLock:
			if m.cfg.Kind != KindControlled {
				m.t.Fatal("DS-11: an observed door drove a lock")
			}
			if m.fire && !(rearmed && !before.fire) {
				m.t.Fatalf("DS-6: locked during a fire release, by %s", in.Kind)
			}
			m.released = false
		case ActSetTimer:
			if a.Timer == TimerNone || int(a.Timer) >= timerCount {
				m.t.Fatalf("timer %d", a.Timer)
			}
		}
	}
	if m.released && !m.fire && m.now > m.until {
		m.t.Fatalf("released at %v, although the release ended at %v", m.now, m.until)
	}
	m.checkForced(in, before, emitted)
	m.checkExit(in, actions)
	if m.s.count > maxGrants || m.s.count < 0 {
		m.t.Fatalf("%d grants", m.s.count)
	}
	for i := m.s.count; i < maxGrants; i++ {
		if m.s.grants[i] != (grant{}) {
			m.t.Fatal("a used slot keeps its grant")
		}
	}
	switch in.Kind {
	case InFireRelease:
		m.fire = m.fire || in.On
	case InDurable:
		m.fire = m.fire && !rearmed
	}
}

// I1, I6, I9: an unlock edge comes from a durable grant or command alone, never longer than the
// release time, never from any other input.
func (m *model) checkUnlock(in Input, a Action) {
	if m.cfg.Kind != KindControlled {
		m.t.Fatal("DS-11: an observed door unlocked")
	}
	if in.Kind != InGranted && in.Kind != InDurable {
		m.t.Fatalf("I6: unlock edge from input %s", in.Kind)
	}
	if end, command := m.ends[a.Attempt]; command && a.At >= end {
		m.t.Fatalf("I7: a command that ended at %v acted at %v", end, a.At)
	}
	if !m.durable[a.Attempt] {
		m.t.Fatalf("I1: unlock edge for attempt %v without a durable record", a.Attempt)
	}
	if in.Kind == InGranted && (in.By != access.ByServer || !in.Durable) {
		m.t.Fatal("I1: unlocked before this record was durable")
	}
	if m.fire {
		m.t.Fatal("DS-6: unlock edge during a fire release")
	}
	if a.Side == access.SideEnter && (m.s.mode != access.ModeNormal || m.s.strikeFault || m.s.lineFault) {
		m.t.Fatalf("I9: entry in mode %s, fault %v", m.s.mode, m.s.strikeFault || m.s.lineFault)
	}
	if a.For <= 0 || a.For > m.cfg.ReleaseTime {
		m.t.Fatalf("unlock for %v, release time %v", a.For, m.cfg.ReleaseTime)
	}
	m.released, m.until = true, m.now.Add(m.cfg.ReleaseTime)
}

// Every opening has exactly one explanation, and forced_open is there when nothing else is.
func (m *model) checkForced(in Input, before State, emitted map[Event]int) {
	if before.open || !m.s.open {
		return
	}
	passages := emitted[EventEntry] + emitted[EventExit]
	others := emitted[EventForcedOpen] + emitted[EventInsideOpen] + emitted[EventExitUnattributed]
	again := before.release && others == 0 && passages == 0 // opened again inside a used release
	if passages == 0 && others != 1 && !again {
		m.t.Fatalf("an opening with no single explanation: %v", emitted)
	}
	// A forced opening that settles just before a grant comes is followed by that grant's entry.
	granted := in.Kind == InGranted || in.Kind == InDurable || in.Kind == InCommand
	if passages > 0 && emitted[EventForcedOpen] > 0 && !granted {
		m.t.Fatal("an entry was reported as forced")
	}
}

// D11: an exit that was granted is never refused.
func (m *model) checkExit(in Input, actions []Action) {
	if in.Kind != InGranted || in.Side != access.SideExit || in.By != access.ByServer && in.By != access.ByGateway {
		return
	}
	for _, a := range actions {
		if a.Kind == ActEmit && a.Event == EventDenied && a.Attempt == in.Attempt && a.At == m.now && a.Reason != access.ReasonPINRequired {
			m.t.Fatalf("an exit was refused: %s", a.Reason)
		}
	}
}

// input makes one input out of three numbers; both the model test and the fuzz target use it.
func input(kind, a, b byte, at mono.Time) Input {
	return Input{
		Kind: InputKind(kind % 24), At: at, On: a&1 != 0, Attempt: Attempt{0: b%7 + 1, 1: byte(at / second)},
		Side: access.Side(a % 4), By: access.DecidedBy(a / 4 % 4), Reason: access.Reason(b % 40),
		Waiting: access.Outcome(b % 6), Timer: TimerName(a % 8), Command: CommandKind(a % 5),
		Mode: access.DoorMode(a % 4), Barrier: Barrier(b % 16), Durable: b&16 != 0, Offline: b&32 != 0,
		Until: at + mono.Time(b%8-1)*500*ms, For: time.Duration(a) * 50 * time.Millisecond,
	}
}

// I1, I6, I9, DS-6, DS-11: random days of every kind of door keep every promise.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig("server-room", Kind(rapid.IntRange(0, 1).Draw(t, "kind")), ExitSensing(rapid.IntRange(0, 3).Draw(t, "exit")))
		cfg.Debounce = time.Duration(rapid.SampledFrom([]int{0, 50, 399}).Draw(t, "debounce")) * time.Millisecond
		m := newModel(t, cfg)
		at := mono.Time(0)
		for range rapid.IntRange(1, 120).Draw(t, "inputs") {
			at += mono.Time(rapid.SampledFrom([]int64{0, 1, int64(30 * ms), int64(400 * ms), int64(second), int64(6 * second), int64(40 * second)}).Draw(t, "gap"))
			var in Input
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0, 1: // a grant worth something
				in = Input{
					Kind: InGranted, At: at, Attempt: Attempt{0: 1, 1: byte(at / second), 2: byte(at)},
					Side: access.Side(rapid.IntRange(1, 2).Draw(t, "side")), By: access.DecidedBy(rapid.IntRange(1, 2).Draw(t, "by")),
					Durable: rapid.Bool().Draw(t, "durable"),
				}
			case 2: // the outbox answers the latest record
				in = Input{Kind: InDurable, At: at, Barrier: m.s.barrier}
			case 3, 4:
				in = Input{Kind: InContactOpen + InputKind(rapid.IntRange(0, 1).Draw(t, "closed")), At: at}
			case 5: // normal again, so that the walk does not stay locked for ever
				in = Input{Kind: InMode, At: at}
			case 6:
				in = Input{Kind: InCommand, Command: CommandKind(rapid.IntRange(1, 2).Draw(t, "command")), At: at, Until: at + 5*second, Attempt: Attempt{0: 2, 1: byte(at / second), 2: byte(at)}}
			default:
				in = input(rapid.Byte().Draw(t, "kind"), rapid.Byte().Draw(t, "a"), rapid.Byte().Draw(t, "b"), at)
			}
			m.step(in)
		}
	})
}

// FuzzStep feeds arbitrary inputs, times that run backwards included. Three bytes make an input, a
// fourth the gap before it.
func FuzzStep(f *testing.F) {
	f.Add([]byte{1, 5, 16, 1, 4, 0, 0, 3, 5, 0, 0, 3}, uint8(1))
	f.Add([]byte{14, 1, 0, 0, 1, 5, 16, 1, 4, 0, 0, 3, 14, 0, 0, 1, 12, 2, 0, 1}, uint8(5))
	f.Add([]byte{13, 2, 0, 0, 1, 5, 16, 1, 1, 6, 16, 1, 17, 0, 0, 1}, uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, door uint8) {
		cfg := DefaultConfig("server-room", Kind(door&1), ExitSensing(door/2%4))
		m := newModel(t, cfg)
		at := mono.Time(0)
		for ; len(b) >= 4 && len(b) < 4000; b = b[4:] {
			gap := mono.Time(b[3]&0x3f) * 100 * ms
			if b[3]&0x80 != 0 {
				gap = -gap
			}
			at += gap
			m.step(input(b[0], b[1], b[2], at))
		}
	})
}

// I9, goal 36: zero values and unknown enums at the seam never unlock.
func TestZeroValuesDeny(t *testing.T) {
	good := Input{Kind: InGranted, At: second, Attempt: attempt(1), Side: access.SideEnter, By: access.ByServer, Durable: true}
	if _, actions := Step(controlled(), State{}, good); count(actions, ActUnlock) != 1 {
		t.Fatal("the good input does not unlock: this test says nothing")
	}
	spoil := map[string]func(*Input, *Config, *State){
		"zero input":     func(in *Input, _ *Config, _ *State) { *in = Input{} },
		"kind":           func(in *Input, _ *Config, _ *State) { in.Kind = 99 },
		"nobody":         func(in *Input, _ *Config, _ *State) { in.By = access.ByNobody },
		"by unknown":     func(in *Input, _ *Config, _ *State) { in.By = 99 },
		"side":           func(in *Input, _ *Config, _ *State) { in.Side = access.SideUnknown },
		"side unknown":   func(in *Input, _ *Config, _ *State) { in.Side = 99 },
		"not durable":    func(in *Input, _ *Config, _ *State) { in.Durable = false },
		"zero config":    func(_ *Input, cfg *Config, _ *State) { *cfg = Config{} },
		"kind of door":   func(_ *Input, cfg *Config, _ *State) { cfg.Kind = 99 },
		"no release":     func(_ *Input, cfg *Config, _ *State) { cfg.ReleaseTime = 0 },
		"mode unknown":   func(_ *Input, _ *Config, s *State) { s.mode = 99 },
		"mode locked":    func(_ *Input, _ *Config, s *State) { s.mode = access.ModeLocked },
		"strike faulted": func(_ *Input, _ *Config, s *State) { s.strikeFault = true },
	}
	for name, f := range spoil {
		in, cfg, s := good, controlled(), State{}
		f(&in, &cfg, &s)
		if _, actions := Step(cfg, s, in); count(actions, ActUnlock) != 0 {
			t.Errorf("%s: %s", name, describeAll(actions))
		}
	}
	for kind := range 256 { // no input kind but a grant unlocks, whatever else it carries
		in := good
		if in.Kind = InputKind(kind); in.Kind == InGranted {
			continue
		}
		for c := range 8 {
			in.Command = CommandKind(c)
			if _, actions := Step(controlled(), State{}, in); count(actions, ActUnlock) != 0 {
				t.Errorf("input kind %d, command %d: %s", kind, c, describeAll(actions))
			}
		}
	}
}

func TestNames(t *testing.T) {
	for k := KindObserve; k <= KindControlled; k++ {
		if got, err := ParseKind(k.String()); got != k || err != nil {
			t.Errorf("%v: %v, %v", k, got, err)
		}
	}
	for e := ExitNone; e <= ExitHandle; e++ {
		if got, err := ParseExitSensing(e.String()); got != e || err != nil {
			t.Errorf("%v: %v, %v", e, got, err)
		}
	}
	for n := Secured; n <= Faulted; n++ {
		if got, err := ParseStateName(n.String()); got != n || err != nil {
			t.Errorf("%v: %v, %v", n, got, err)
		}
	}
	for c := CommandNone; c <= CommandSelfTest; c++ {
		if got, err := ParseCommandKind(c.String()); got != c || err != nil {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if k, err := ParseKind("x"); k != KindObserve || err == nil { // no lock output
		t.Errorf("unknown kind: %v, %v", k, err)
	}
	if n, err := ParseStateName(""); n != Faulted || err == nil {
		t.Errorf("unknown state: %v, %v", n, err)
	}
	if c, err := ParseCommandKind("open"); c != CommandNone || err == nil {
		t.Errorf("unknown command: %v, %v", c, err)
	}
	if _, err := Kind(7).MarshalText(); err == nil {
		t.Error("a kind without a name was written")
	}
	a := Attempt{1, 0xab}
	if got, err := ParseAttempt(a.String()); got != a || err != nil {
		t.Errorf("attempt: %v, %v", got, err)
	}
	for _, bad := range []string{"", "01", a.String() + "0", "AB" + a.String()[2:], "zz" + a.String()[2:]} {
		if got, err := ParseAttempt(bad); got != (Attempt{}) || err == nil {
			t.Errorf("attempt %q: %v, %v", bad, got, err)
		}
	}
	last := map[string][]string{"timer": timerNames, "input": inputNames, "action": actionNames, "indication": indicationNames}
	for what, want := range map[string]int{"timer": int(TimerPIN), "input": int(InEscortAway), "action": int(ActSelfTest), "indication": int(IndEscortAway)} {
		if got := len(last[what]) - 1; got != want {
			t.Errorf("%s: names up to %d, values up to %d", what, got, want)
		}
	}
}
