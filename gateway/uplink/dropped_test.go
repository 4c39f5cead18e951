package uplink

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// D29: late answers of an overloaded server are one line in ten seconds with their number, not one each, and none is lost from the count.
func TestDroppedAreCounted(t *testing.T) {
	var out bytes.Buffer
	d := dropped{log: slog.New(slog.NewTextHandler(&out, nil))}
	at := func(ms int) mono.Time { return mono.Time(time.Duration(ms) * time.Millisecond) }
	stale := link.Rejected{Kind: wire.KindAnswer, Why: link.WhyStale}
	counts := func() string {
		var list []string
		for line := range strings.Lines(out.String()) {
			_, n, _ := strings.Cut(strings.TrimSpace(line), "count=")
			list = append(list, n)
		}
		out.Reset()
		return strings.Join(list, " ")
	}
	for ms := range 25_000 {
		d.add(at(ms), stale)
	}
	if got := counts(); got != "1 10000 10000" {
		t.Errorf("25 s of one each ms: lines of %q", got)
	}
	d.due(at(29_999))
	if got := counts(); got != "" {
		t.Errorf("told too soon: %q", got)
	}
	d.due(at(30_001))
	if got := counts(); got != "4999" {
		t.Errorf("what was left over: lines of %q", got)
	}
	d.due(at(60_000))
	if len(d.kinds) != 0 {
		t.Error("what does not come again is not forgotten")
	}
	for i := range 1000 { // a broker that makes kinds up
		d.add(at(60_000), link.Rejected{Kind: fmt.Sprint("kind-", i), Why: link.WhyUnknownKind})
	}
	if len(d.kinds) > droppedKinds+1 || len(strings.Split(counts(), " ")) > droppedKinds+1 {
		t.Errorf("%d kinds are counted apart", len(d.kinds))
	}
	d.end()
	if got, want := counts(), fmt.Sprint(1000-droppedKinds-1); got != want {
		t.Errorf("at the end: lines of %q, want %q", got, want)
	}
}
