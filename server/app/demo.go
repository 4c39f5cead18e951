package app

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/visit"
)

// DemoOptions of WriteDemo. The addresses must be on loopback.
type DemoOptions struct {
	Dir  string // new or an earlier demo's
	HTTP string // host:port of the pages
	MQTT string // host:port of the broker
	Now  time.Time
	Log  *slog.Logger
	Out  io.Writer // progress for a person
}

// Marks in the demo's folder. begunFile says that all in it is the demo's and may be made anew;
// demoFile that the demo is complete.
const (
	begunFile = "demo.begun"
	demoFile  = "demo.complete"
)

// WriteDemo prepares the sample city hall: configuration, keys, directory, and an identity and a
// configuration for each simulated gateway. It starts nothing (D30). An earlier demo in the same folder
// is kept, with its log; only the configuration files are written anew. A folder that holds anything
// else is refused: it could be a real site's.
func WriteDemo(ctx context.Context, o DemoOptions) error {
	complete, err := beginDemo(o.Dir)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`# The demo's server. A real site has its own data directory, real addresses and TLS for the pages.
site = "demo-city"
time_zone = "Asia/Tokyo"
data_dir = %q

[mqtt]
listen = %q

[http]
listen = %q

[login] # a real site leaves both out: privileged roles then need a passkey or one-time codes
second_factor_roles = []
password_step_up = true
desk_assurance = "uid_only" # the demo's cards prove no more than their number

[ca]
device_validity = "8760h" # a demo may lie for months; real gateways renew every two weeks
`, filepath.Join(o.Dir, "server"), o.MQTT, o.HTTP)
	path := filepath.Join(o.Dir, "server.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	files, err := directory.SampleFiles()
	if err != nil {
		return err
	}
	if !complete {
		if err := makeDemo(ctx, o, cfg, files); err != nil {
			return err
		}
	} else {
		_, _ = fmt.Fprintf(o.Out, "demo: using the site in %s (make clean forgets it)\n", o.Dir)
	}
	if err := writeDemoGateways(ctx, o, cfg); err != nil {
		return err
	}
	return writeFile(filepath.Join(o.Dir, demoFile), []byte("prepared\n"))
}

// beginDemo makes the folder, or finds a demo in it. What a broken-off preparation has left is thrown
// away, identities too: they would belong to a site that is no more.
func beginDemo(dir string) (complete bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, fmt.Errorf("demo: %w", err)
	}
	if complete, err = exists(filepath.Join(dir, demoFile)); err != nil || complete {
		return complete, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("demo: %w", err)
	}
	begun, err := exists(filepath.Join(dir, begunFile))
	if err != nil {
		return false, err
	}
	if len(entries) > 0 && !begun {
		return false, fmt.Errorf("demo: %s holds files that are not a demo's: name a new folder with --dir", dir)
	}
	for _, e := range entries {
		if e.Name() == begunFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return false, fmt.Errorf("demo: %w", err)
		}
	}
	return false, writeFile(filepath.Join(dir, begunFile), []byte("this folder is monban's demo\n"))
}

// makeDemo creates the site.
func makeDemo(ctx context.Context, o DemoOptions, cfg *config.Config, files []directory.File) error {
	_, _ = fmt.Fprintf(o.Out, "demo: preparing a sample city hall in %s\n", o.Dir)
	if err := CreateSite(cfg, o.Now, o.Log); err != nil {
		return err
	}
	s, err := OpenSite(cfg, o.Now, o.Log)
	if err != nil {
		return err
	}
	changes, err := s.Import(ctx, files, ImportOptions{Reason: "sample site of the demo", Now: o.Now, Relative: true})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	_, _ = fmt.Fprintf(o.Out, "demo: %d rows in the directory\n", len(changes))
	if err := addDemoBadges(ctx, s, o); err != nil {
		return errors.Join(err, s.Close())
	}
	return errors.Join(writeDemoCards(filepath.Join(o.Dir, "cards.toml"), files), s.Close())
}

// demoBadges are in reception's drawer: two badges with a card, a name plate for those who go on an escort's badge, a temporary card.
func demoBadges() []BadgeForm {
	badge := func(id, label string, kind visit.BadgeKind, look string, number uint64) BadgeForm {
		return BadgeForm{ID: id, Label: label, Kind: kind, Look: look, Format: "H10301", Facility: 123, Number: number, Assurance: card.UIDOnly}
	}
	plate := BadgeForm{ID: "BADGE-03", Label: "3", Kind: visit.VisitorBadge, Look: "黄色・カードなし"}
	return []BadgeForm{
		badge("BADGE-01", "1", visit.VisitorBadge, "黄色", 30001), badge("BADGE-02", "2", visit.VisitorBadge, "黄色", 30002), plate,
		badge("TEMP-01", "仮1", visit.TemporaryKind, "白・仮カード", 30011),
	}
}

func addDemoBadges(ctx context.Context, s *Site, o DemoOptions) error {
	pub, err := s.publisher()
	if err != nil {
		return err
	}
	if err := pub.Reload(ctx); err != nil {
		return err
	}
	v := newVisits(pub, s.Store, func() time.Time { return o.Now }, o.Log)
	for _, b := range demoBadges() {
		if _, err := v.AddBadge(ctx, b, "sample site of the demo", visit.Actor{From: "cli"}); err != nil {
			return fmt.Errorf("demo: badge %s: %w", b.ID, err)
		}
	}
	return nil
}

// writeDemoGateways writes each gateway's configuration, and its identity where there is none yet.
func writeDemoGateways(ctx context.Context, o DemoOptions, cfg *config.Config) error {
	s, err := OpenSite(cfg, o.Now, o.Log)
	if err != nil {
		return err
	}
	err = func() error {
		dir, err := s.Directory(ctx)
		if err != nil {
			return err
		}
		for _, g := range dir.Gateways {
			identity := filepath.Join(o.Dir, string(g.ID)+"-identity")
			if _, err := os.Stat(identity); errors.Is(err, fs.ErrNotExist) {
				if err := s.AddGateway(g.ID, identity, o.Now); err != nil {
					return err
				}
			}
			text := gatewayConfig(dir, g, cfg.Site, o.MQTT, identity, filepath.Join(o.Dir, string(g.ID)))
			if err := os.WriteFile(filepath.Join(o.Dir, string(g.ID)+".toml"), []byte(text), 0o600); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
		}
		return nil
	}()
	return errors.Join(err, s.Close())
}

// gatewayConfig is a gateway's TOML file for the doors the directory gives it.
func gatewayConfig(dir directory.Snapshot, g directory.Gateway, site, mqtt, identity, data string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\ngateway = %q\nsite = %q\nserver = %q\nidentity_dir = %q\ndata_dir = %q\n", g.Name, g.ID, site, "tls://"+mqtt, identity, data)
	levels := map[access.ZoneID]directory.Zone{}
	for _, z := range dir.Zones {
		levels[z.ID] = z
	}
	for _, d := range dir.Doors {
		if d.Gateway != g.ID {
			continue
		}
		fmt.Fprintf(&b, "\n[[door]] # %s\nid = %q\nkind = %q\nexit = %q\n", d.Name, d.ID, directory.DoorKindName(d.Kind), directory.ExitSensingName(d.Sensing))
		keypad := "none"
		if levels[d.Enter].PINAlways || d.Offline == access.OfflineCachedPIN {
			keypad = "burst4"
		}
		fmt.Fprintf(&b, "\n[[door.reader]]\nside = \"enter\"\ntype = \"wiegand\"\nformats = [\"H10301\"]\nkeypad = %q\n", keypad)
		if d.Sensing == door.ExitReader {
			b.WriteString("\n[[door.reader]]\nside = \"exit\"\ntype = \"wiegand\"\nformats = [\"H10301\"]\n")
		}
	}
	return b.String()
}

// writeDemoCards turns the sample's cards into the panel's file: a holder's name and PIN for each
// card, and one card that nobody knows.
func writeDemoCards(path string, files []directory.File) error {
	people, err := column(files, "people.csv", "person_id", "name")
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# The demo's cards, by the names of their holders. Their numbers are public and open nothing elsewhere.\n")
	err = eachRow(files, "cards.csv", func(get func(string) string) {
		label := people[get("person_id")]
		if pin := get("pin"); pin != "" {
			label += " (PIN " + pin + ")"
		}
		if s := get("status"); s != "" && s != "active" {
			label += " (" + s + ")"
		}
		fmt.Fprintf(&b, "\n[[card]]\nlabel = %q\nformat = %q\nfc = %s\ncn = %s\n", label, get("format"), get("facility_code"), get("card_number"))
	})
	if err != nil {
		return err
	}
	for _, x := range demoBadges() {
		if x.Format != "" {
			fmt.Fprintf(&b, "\n[[card]]\nlabel = %q\nformat = %q\nfc = %d\ncn = %d\n", "名札・仮カード "+x.Label+" / badge "+x.ID, x.Format, x.Facility, x.Number)
		}
	}
	b.WriteString("\n[[card]]\nlabel = \"未登録のカード / unknown card\"\nformat = \"H10301\"\nfc = 9\ncn = 999\n")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

func column(files []directory.File, name, key, value string) (map[string]string, error) {
	out := map[string]string{}
	err := eachRow(files, name, func(get func(string) string) { out[get(key)] = get(value) })
	return out, err
}

// eachRow reads one of the sample's own files; any fault in it is a bug.
func eachRow(files []directory.File, name string, row func(get func(string) string)) error {
	for _, f := range files {
		if filepath.Base(f.Name) != name {
			continue
		}
		all, err := csv.NewReader(strings.NewReader(string(f.Data))).ReadAll()
		if err != nil || len(all) < 2 {
			return fmt.Errorf("BUG: sample file %s: %w", name, err)
		}
		for _, cells := range all[1:] {
			row(func(column string) string {
				for i, head := range all[0] {
					if head == column {
						return cells[i]
					}
				}
				return ""
			})
		}
		return nil
	}
	return fmt.Errorf("BUG: the sample has no %s", name)
}
