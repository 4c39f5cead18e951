package link

import (
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
)

// D7: a gateway that was alone holds records which the server does not have. From the first thing that is heard of it until
// all that it had then is committed, the server says so; what is made later, while it is linked, is ordinary.
func TestBacklog(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.in(Versions{Rules: 1, Modes: 1, State: 1})
	said := func(out []ServerAction) string {
		word := ""
		for i, a := range out {
			if b, ok := a.(Backlog); ok {
				if word = "in"; b.Outstanding {
					word = "outstanding"
				}
				if i != 0 {
					t.Errorf("%s comes after %+v", word, out[:i])
				}
			}
		}
		return word
	}
	want := func(when string, out []ServerAction, word string) {
		t.Helper()
		if got := said(out); got != word {
			t.Errorf("%s: the server says %q, want %q", when, got, word)
		}
	}
	beat := func(epoch byte, head, acked, pending uint64) []ServerAction {
		t.Helper()
		d.now = d.now.Add(time.Millisecond) // or it is an old one
		return d.from(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &wire.Heartbeat{
			Gateway: testGW, Challenge: wire.Challenge{1, byte(d.now)}, Stamp: stampAt(1, d.now), Epoch: wire.Epoch{epoch}, Head: head, Acked: acked, Pending: pending,
		}))
	}
	commit := func(epoch byte, seq uint64) []ServerAction {
		return d.in(Committed{Epoch: wire.Epoch{epoch}, Seq: seq})
	}
	pass := func(by time.Duration) []ServerAction {
		var all []ServerAction
		for ; by > 0; by -= time.Second {
			d.now = d.now.Add(time.Second)
			all = append(all, d.in(Tick{})...)
		}
		return all
	}

	// A server that has just begun knows nothing: not even when the first thing it hears is a question.
	ask := wire.Ask{Gateway: testGW, ID: wire.AskID{1}, Attempt: [16]byte{1}, Door: "d", Side: access.SideEnter, Stamp: stampAt(1, d.now)}
	want("a question first", d.from(wire.KindAsk, wire.AppendAsk(nil, &ask)), "outstanding")
	want("the first heartbeat", beat(1, 9, 4, 5), "")
	want("how far the rows reach", d.in(Watermark{Hello: wire.Hello{Epoch: wire.Epoch{1}}, Seq: 4}), "")
	want("some of it", commit(1, 8), "")
	want("a heartbeat that has moved on", beat(1, 12, 8, 4), "")
	want("all that it had", commit(1, 9), "in") // and not 12: those were made with a link
	want("ordinary records on their way", pass(time.Second), "")
	want("one more", beat(1, 13, 9, 4), "")
	want("they come", commit(1, 13), "")

	// Records that do not come through although the gateway is linked.
	for i := range uint64(backlogGrace/time.Second) - 1 {
		want("just made", beat(1, 20+i, 13, 7+i), "")
		want("under way", pass(time.Second), "")
	}
	want("not through", beat(1, 40, 13, 27), "")
	want("for too long", pass(time.Second), "outstanding")
	want("through after all", commit(1, 40), "in")

	// The cable: nothing is said of a gateway that is not heard, and something as soon as it is.
	beat(1, 40, 40, 0)
	want("silent", pass(30*time.Second), "")
	want("back", d.from(wire.KindHello, wire.AppendHello(nil, &wire.Hello{Gateway: testGW, Epoch: wire.Epoch{1}, Tail: 1, Head: 60, Acked: 40, Stamp: stampAt(1, d.now)})), "outstanding")
	want("told how much", beat(1, 60, 40, 20), "")
	want("away with it", pass(5*time.Second), "in") // what it holds nobody can say
	want("back again", beat(1, 60, 40, 20), "outstanding")
	want("all of it", commit(1, 60), "in")
	want("silent, and nothing was done meanwhile", pass(10*time.Second), "")
	want("nothing to wait for", beat(1, 60, 60, 0), "") // said and settled in one step

	// Two runs of records: the older one alone is not all.
	pass(10 * time.Second)
	want("two epochs", beat(1, 70, 60, 30), "outstanding")
	want("the older one", commit(1, 70), "")
	want("what it sends now", beat(2, 20, 0, 20), "")
	want("begun", d.in(Watermark{Hello: wire.Hello{Epoch: wire.Epoch{2}}, Seq: 0}), "")
	want("the newer one", commit(2, 20), "in")
}
