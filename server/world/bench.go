package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"monban/firmware/card"
	"monban/server/config"
	"monban/server/policypub"
)

// BenchOptions of Bench.
type BenchOptions struct {
	Out     string    // bench.json; "" = none
	Quick   bool      // ≤ 60 s of measuring
	Dir     string    // folder on the disk to measure, "" = a new one in the working directory; of an arm: its configuration
	Log     int       // only (e) and (f), (f) over so many leaves; 0 = everything
	Arm     string    // run this arm's server instead (startArm)
	Version string    // of this program
	Table   io.Writer // for a person
	In      io.Reader // an arm ends when it ends
}

// size is how much is measured.
type size struct {
	warmUp, rounds, hot     int           // c: rounds before, with pauses, without pauses
	gateways, pairs         int           // d
	warm, window            time.Duration // d: each window
	appendPairs, appendRows int           // e: each arm's batches of 100 rows
	attempts, verifyPairs   int           // f
}

func fullSize() size {
	return size{250, 1500, 1500, 1000, 9, 500 * time.Millisecond, 2500 * time.Millisecond, 7, 30_000, 25_000, 5}
}

func quickSize() size {
	return size{250, 300, 300, 200, 5, 300 * time.Millisecond, 1200 * time.Millisecond, 5, 10_000, 5_000, 3}
}

// bench is one run.
type bench struct {
	size
	dir    string
	log    *slog.Logger
	report *Report
	noise  *noise
}

// Bench measures the goals as ratios within this run, prints the table and writes it to o.Out. It
// returns an error when a goal is missed by more than 30 % (D29), or when something could not be
// measured.
func Bench(ctx context.Context, o BenchOptions) error {
	if o.Arm != "" {
		return runArm(ctx, o.Arm, o.Dir, o.In)
	}
	s := fullSize()
	if o.Quick {
		s = quickSize()
	}
	if o.Log > 0 {
		s.attempts = max(o.Log/leavesOfPass, 1)
	}
	report, err := measure(ctx, o, s)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := report.Print(o.Table); err != nil {
		return err
	}
	if o.Out != "" {
		if err := report.Write(o.Out); err != nil {
			return err
		}
	}
	if m := report.Missed(); len(m) > 0 {
		return fmt.Errorf("bench: missed by more than 30 %%: %s", strings.Join(m, "; "))
	}
	return nil
}

func measure(ctx context.Context, o BenchOptions, s size) (*Report, error) {
	parent := o.Dir
	if parent == "" {
		parent = "."
	}
	dir, err := os.MkdirTemp(parent, "bench-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // only measured data; what cannot be removed is visible by its name
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	b := &bench{size: s, dir: dir, log: slog.New(slog.DiscardHandler), report: newReport(o), noise: startNoise()}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"badge", b.badges}, {"load", b.load}, {"append", b.appends}, {"verify", b.verify}} {
		if o.Log > 0 && part.name != "append" && part.name != "verify" {
			continue
		}
		start := time.Now()
		if err := part.run(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, errors.Join(err, b.noise.stop(b.report)))
		}
		b.report.Machine["seconds of "+part.name] = strconv.Itoa(int(time.Since(start).Seconds()))
	}
	return b.report, b.noise.stop(b.report)
}

func newReport(o BenchOptions) *Report {
	r := &Report{
		When: time.Now().UTC().Format(time.RFC3339), Commit: o.Version, Quick: o.Quick,
		Machine:  map[string]string{"cpus": strconv.Itoa(runtime.NumCPU()), "system": runtime.GOOS + "/" + runtime.GOARCH},
		Versions: map[string]string{"go": runtime.Version()},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			switch d.Path {
			case "github.com/mattn/go-sqlite3", "github.com/nats-io/nats-server/v2", "github.com/eclipse/paho.mqtt.golang", "golang.org/x/mod":
				r.Versions[d.Path] = d.Version
			}
		}
	}
	return r
}

func (b *bench) add(rows ...Row) { b.report.Rows = append(b.report.Rows, rows...) }

// badges measures (a), (b) and (c).
func (b *bench) badges(ctx context.Context) (err error) {
	cfg, err := makeSite(ctx, b.dir, "badge", 1, b.log)
	if err != nil {
		return err
	}
	cards, err := cardRefs(cfg)
	if err != nil {
		return err
	}
	server, err := startArm(armLog, cfg, filepath.Join(b.dir, "badge.toml"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	door, err := newBadge(ctx, cfg, identityDir(b.dir, "badge", 0), 0, cards[0])
	if err != nil {
		return err
	}
	defer door.close()
	trip, err := newRoundTrip(ctx)
	if err != nil {
		return err
	}
	defer trip.Close() // a floor's connection; nothing depends on it
	disk, err := newDataSync(b.dir)
	if err != nil {
		return err
	}
	defer disk.Close() // likewise
	notes, err := newSignatures()
	if err != nil {
		return err
	}
	// Warm-up: a server that has run for a while overwrites its write-ahead log; a fresh one makes the
	// file longer with each of its first 150 commits, and each time the file system's journal too.
	if _, err := runRounds(ctx, b.warmUp, 0, trip, disk, door); err != nil {
		return err
	}
	others, err := startOthers(server)
	if err != nil {
		return err
	}
	cold, err := runRounds(ctx, b.rounds, pauseBetween, trip, disk, door)
	if err != nil {
		return err
	}
	foreign, err := others.share()
	if err != nil {
		return err
	}
	// Apart from the rounds: their pauses would let the badge's path grow colder than the measure says.
	var signing []time.Duration
	for range b.rounds / 3 {
		took, err := notes.once(pauseBetween)
		if err != nil {
			return err
		}
		signing = append(signing, took)
	}
	hot, err := runRounds(ctx, b.hot, 0, trip, disk, door)
	if err != nil {
		return err
	}
	n := fmt.Sprintf("%d rounds with 2-ms pauses", b.rounds)
	b.add(
		Row{Name: "a TCP round trip 256 B, p50", Value: micros(quantile(cold.trip, 0.5)), Unit: "µs", Note: n},
		Row{Name: "b fdatasync 4 KiB, p50", Value: micros(quantile(cold.sync, 0.5)), Unit: "µs", Note: n},
		Row{Name: "c badge to answer / (a+b), p50", Value: cold.paired(), Unit: "x", Goal: 2.5, Loose: foreign > crowded,
			Note: fmt.Sprintf("%s; p50 %.0f µs", n, micros(quantile(cold.badge, 0.5)))},
		Row{Name: "c badge to answer / (a+b), p99", Value: cold.tail(), Unit: "x", Goal: 2.5, Loose: true,
			Note: fmt.Sprintf("p99 %.0f against %.0f µs", micros(quantile(cold.badge, 0.99)), micros(quantile(cold.floors(), 0.99)))},
		Row{Name: "c signatures alone, p50", Value: micros(quantile(signing, 0.5)), Unit: "µs", Note: "the two signatures and two verifications of one badge, each after 2 ms"},
		Row{Name: "c badge to answer / (a+b+signatures)", Unit: "x",
			Value: float64(quantile(cold.badge, 0.5)) / float64(quantile(cold.floors(), 0.5)+quantile(signing, 0.5)), Note: "medians; for information"},
		Row{Name: "c share of the CPUs used by others", Value: foreign, Unit: "", Note: othersNote(foreign)},
		Row{Name: "c back to back / (a+b), p50", Value: hot.paired(), Unit: "x",
			Note: fmt.Sprintf("p50 %.0f against %.0f µs", micros(quantile(hot.badge, 0.5)), micros(quantile(hot.floors(), 0.5)))},
	)
	return nil
}

// load measures (d).
func (b *bench) load(ctx context.Context) (err error) {
	const withLog, without = "load", "load-lookup"
	cfg, err := makeSite(ctx, b.dir, withLog, b.gateways, b.log)
	if err != nil {
		return err
	}
	cards, err := cardRefs(cfg)
	if err != nil {
		return err
	}
	askers, err := loadAskers(b.dir, withLog, cfg, b.gateways, cards)
	if err != nil {
		return err
	}
	// The other arm is the same site, so that the same gateways with the same keys ask it.
	cfg2, err := benchConfig(ctx, b.dir, without, b.gateways)
	if err != nil {
		return err
	}
	if err := os.CopyFS(cfg2.DataDir, os.DirFS(cfg.DataDir)); err != nil {
		return err
	}
	if err := private(cfg2.DataDir); err != nil {
		return err
	}
	arms := []*arm{{kind: armLog, cfg: cfg, file: withLog}, {kind: armLookup, cfg: cfg2, file: without}}
	for _, a := range arms {
		if a.server, err = startArm(a.kind, a.cfg, filepath.Join(b.dir, a.file+".toml")); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.server.stop()) }()
		if err := a.await(ctx); err != nil {
			return err
		}
		if a.crowd, err = gather(ctx, a.cfg.MQTT.Listen, askers); err != nil {
			return err
		}
		defer a.crowd.close()
		if err := a.crowd.await(ctx); err != nil {
			return err
		}
	}
	for i := range 2 * b.pairs {
		// log, lookup, lookup, log: a drift of the machine hits both alike
		a := arms[(i+i/2)%2]
		w, err := a.crowd.run(a.server, b.warm, b.window)
		if err != nil {
			return fmt.Errorf("arm %s: %w", a.kind, err)
		}
		a.windows = append(a.windows, w)
	}
	b.loadRows(arms[0].windows, arms[1].windows)
	for _, a := range arms {
		if n := a.crowd.lost.Load(); n > 0 { // an overloaded server may leave a question unanswered; the gateway then decides alone
			b.add(Row{Name: "d questions not answered, arm " + a.kind, Value: float64(n), Unit: "", Note: "of all windows"})
		}
	}
	return nil
}

func (b *bench) loadRows(log, lookup []window) {
	var cpu, rate, logEach, lookEach, logRate []float64
	for i := range log {
		cpu = append(cpu, log[i].cpuEach()/lookup[i].cpuEach())
		rate = append(rate, log[i].perSecond()/lookup[i].perSecond())
		logEach, lookEach = append(logEach, log[i].cpuEach()/1e3), append(lookEach, lookup[i].cpuEach()/1e3)
		logRate = append(logRate, log[i].perSecond())
	}
	n := fmt.Sprintf("%d gateways, %d pairs", b.gateways, len(cpu))
	b.add(
		Row{Name: "d server CPU each, log / lookup", Value: quantile(cpu, 0.5), Unit: "x", Goal: 1.4, Note: n + ", " + span(cpu)},
		Row{Name: "d answers per second, log / lookup", Value: quantile(rate, 0.5), Unit: "x", Goal: 0.65, Least: true, Note: n + ", " + span(rate)},
		Row{Name: "d server CPU each with log", Value: quantile(logEach, 0.5), Unit: "µs", Note: fmt.Sprintf("lookup only %.0f µs", quantile(lookEach, 0.5))},
		Row{Name: "d answers with log", Value: quantile(logRate, 0.5), Unit: "/s", Note: "load on the same cores"},
	)
}

func span(sample []float64) string {
	return fmt.Sprintf("%.2f-%.2f", quantile(sample, 0), quantile(sample, 1))
}

// arm is one server of (d) with its thousand gateways.
type arm struct {
	kind, file string
	cfg        *config.Config
	server     *child
	crowd      *crowd
	windows    []window
}

// await waits until the server takes connections.
func (a *arm) await(ctx context.Context) error {
	limit := time.Now().Add(60 * time.Second)
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.cfg.MQTT.Listen)
		if err == nil {
			return c.Close()
		}
		if ctx.Err() != nil || time.Now().After(limit) {
			return fmt.Errorf("server of arm %s does not listen: %w", a.kind, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// cardRefs are the references of the site's cards.
func cardRefs(cfg *config.Config) ([]card.Ref, error) {
	keys, err := policypub.LoadKeys(cfg.Path("site-keys.json"))
	if err != nil {
		return nil, err
	}
	var out []card.Ref
	for i := range benchCards {
		ref, _, err := keys.Card("H10301", facility, uint64(firstCard+i))
		if err != nil {
			return nil, err
		}
		out = append(out, ref)
	}
	return out, nil
}

// private gives a copied data directory the modes that its files must have.
func private(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
}
