package sim

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/world/invariant"
)

// gateway is one box: its disk and doors outlive its process.
type gateway struct {
	w    *World
	id   access.GatewayID
	keys policypub.GatewayKeys
	disk *disk

	// The network as it is, whatever the process thinks.
	cut  bool // the cable is out
	mute bool // its records do not come through; all else does
	half bool
	conn int

	// The process; start makes it anew.
	up         bool
	life       int // counts processes
	boot       wire.BootID
	bootAt     time.Duration // true time at which it began
	bootWall   int64         // what its wall clock said then, UTC ms
	bootLeap   time.Duration
	offset     int64 // estimated server time − wall time, ms
	quality    access.ClockQuality
	machine    *link.Gateway
	doors      []*doorNode
	connected  bool
	lease      mono.Time
	linkUp     bool
	wake       mono.Time
	woken      int
	waiting    map[uint64]waiting
	tag        uint64
	applying   bool
	held       link.PolicyHeld
	since      int64 // wall ms at which the policy was last known to be in force
	policy     *access.Policy
	places     *controller.Places
	airlocks   *controller.Airlocks
	queue      []queued // the volatile half of the outbox
	committing bool
	latched    bool
	inStep     bool
	next       []link.GatewayInput

	// Faults to come.
	failing  commitFault
	slowDisk int
	wallOff  time.Duration // how wrong the wall clock will be at the next boot
	badClock bool          // it will not know how wrong

	image   *disk // somebody's copy of the card
	imageAt time.Duration
	excused map[wire.Epoch]bool // epochs of disks that were put back: not all of them can arrive
}

type waiting struct {
	door     *doorNode
	question uint64
	over     bool
}

// doorNode is one door: hardware that stays, and the machine of the present process.
type doorNode struct {
	away     bool // visitors behind it are without an escort
	g        *gateway
	cfg      door.Config
	maxAge   time.Duration
	machine  *controller.Machine
	timers   map[controller.Timer]mono.Time
	pin      *controller.PINFailures
	barriers map[door.Barrier]cause
	cause    cause
	who      map[door.Attempt]presented

	// Hardware.
	open   bool // the leaf
	fire   bool
	broken bool // the lock output does not obey
	shown  door.Indication
	last   struct { // the card last presented, for a PIN keyed in after it
		attempt door.Attempt
		card    Card
		side    access.Side
		ok      bool
	}
}

// cause is what a release of the strike is put down to.
type cause struct {
	attempt door.Attempt
	by      access.DecidedBy
	side    access.Side
	command wire.BootID
	reason  access.Reason
}

type presented struct {
	card string
	side access.Side
}

func newGateway(w *World, id access.GatewayID, dir *directory.Snapshot) *gateway {
	g := &gateway{w: w, id: id, keys: w.keys.Gateways[id], disk: &disk{pins: map[access.Key]uint8{}, unarmed: map[access.DoorID]bool{}}, excused: map[wire.Epoch]bool{}}
	for i := range dir.Doors {
		d := &dir.Doors[i]
		if d.Gateway != id {
			continue
		}
		g.doors = append(g.doors, &doorNode{g: g, cfg: door.DefaultConfig(d.ID, d.Kind, d.Sensing), maxAge: d.MaxAge})
	}
	return g
}

// start begins a process, as after power has come.
func (g *gateway) start() {
	w := g.w
	g.life++
	g.up = true
	w.fill(g.boot[:])
	g.bootAt, g.bootLeap = w.now, w.leap
	g.bootWall = w.wallMS() + g.wallOff.Milliseconds()
	g.quality = access.ClockNTP
	if g.badClock {
		g.quality = access.ClockFloor
	}
	g.offset, g.wallOff, g.badClock = 0, 0, false
	g.connected, g.half, g.lease, g.linkUp, g.applying = false, false, 0, false, false
	g.waiting, g.tag, g.queue, g.committing, g.latched = map[uint64]waiting{}, 0, nil, false, false
	g.next, g.inStep = nil, false
	g.places, g.airlocks = controller.NewPlaces(), controller.NewAirlocks()
	g.places.Follow(func(zones []access.ZoneID) {
		for _, d := range g.doors {
			d.post(func() { d.escortAway(zones) })
		}
	})
	if len(g.disk.epochs) == 0 {
		g.mint("created")
	}
	if w.opt.Hooks.ForgetOnRestart && g.disk.state().Pending > 0 {
		g.disk.current().aside = true
		g.mint("restart")
	}
	w.emit(invariant.Event{Kind: invariant.Boot, Gateway: g.id, Boot: g.boot})
	w.transport(g, "started")
	g.machine = link.NewGateway(link.GatewayConfig{
		Site: w.opt.Site, ID: g.id, Signer: w.gatewayKey(g.id),
		Verifiers: wire.Verifiers{}.With(wire.RoleLink, w.roleKey(wire.RoleLink)).With(wire.RolePolicy, w.roleKey(wire.RolePolicy)).
			With(wire.RoleCommand, w.roleKey(wire.RoleCommand)),
		AskKey: g.keys.Ask, Rand: w.dice, Boot: g.boot, Software: "sim", Deltas: true,
	})
	for _, d := range g.doors {
		d.start()
	}
	g.loadPolicy()
	g.step(g.held)
	g.step(g.disk.state())
	g.note(door.EventBoot, "")
	g.saveAges(g.life)
	w.connect(g)
}

// stop ends the process without warning. With what is in the middle of a commit it is a toss-up.
func (g *gateway) stop(why string) {
	if !g.up {
		return
	}
	if g.committing && g.w.chance(50) {
		g.w.count("power cut: written, not told")
		g.write(g.queue)
	}
	g.up, g.connected = false, false
	g.life++
	g.conn++
	g.w.transport(g, why)
}

func (g *gateway) mono() mono.Time { return mono.Time(g.w.now - g.bootAt) }

// own is the machine's wall clock, UTC ms. It was read once, at the start (D4); what passes while the
// machine is suspended, CLOCK_BOOTTIME counts.
func (g *gateway) own() int64 {
	return g.bootWall + (g.w.now - g.bootAt + g.w.leap - g.bootLeap).Milliseconds()
}

func (g *gateway) wall() int64 { return g.own() + g.offset }

func (g *gateway) moment() controller.Moment {
	return controller.Moment{At: g.mono(), WallMS: g.wall(), Clock: g.quality}
}

func (g *gateway) stamp(m controller.Moment) wire.Stamp {
	boottime := int64(m.At) + int64(g.w.leap-g.bootLeap)
	return wire.Stamp{Boot: g.boot, BoottimeNS: boottime, WallMS: m.WallMS - g.offset, Quality: m.Clock, OffsetMS: g.offset}
}

func (w *World) transport(g *gateway, word string) {
	w.count("transport " + word)
	w.emit(invariant.Event{Kind: invariant.Transport, Gateway: g.id, Word: word})
}

// saveAges does each minute what the process does: age of the policy and last trusted time (D12).
func (g *gateway) saveAges(life int) {
	g.w.after(time.Minute, func() {
		if g.life != life || !g.up {
			return
		}
		g.saveNow()
		g.saveAges(life)
	})
}

func (g *gateway) saveNow() {
	if g.quality < access.ClockRTC {
		return
	}
	if v := g.held.Manifest; v > 0 {
		g.disk.age.version, g.disk.age.ms = v, max(0, g.wall()-g.since)
	}
	g.push(queued{trusted: g.wall()})
}
