package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/gateway/config"
)

// presentFile holds who is inside as this gateway knows it, for `monban-gateway present` (RR-3, ADR 0047): numbers, never names. The
// program that runs has the outbox locked, so it writes the list for others to read.
const presentFile = "present.json"

const (
	presentLook  = 2 * time.Second // how soon a passage stands in the file
	presentAgain = time.Minute     // and how often it is written though nothing has changed, so that its age tells that the gateway runs
)

// presentList is the file.
type presentList struct {
	Format    int             `json:"v"`
	Gateway   string          `json:"gateway"`
	Site      string          `json:"site"`
	TimeZone  string          `json:"time_zone"`
	WrittenMS int64           `json:"written_ms"`
	Trusted   bool            `json:"clock_trusted"`
	Linked    bool            `json:"linked"` // the server was heard
	Known     bool            `json:"known"`  // false: whoever is inside is not known here
	Zones     []access.ZoneID `json:"zones"`
	Inside    []access.Placed `json:"inside"`
}

const presentFormat = 1

// keepPresent writes the file until ctx ends. A failure is said once and changes nothing at any door.
func (a *App) keepPresent(ctx context.Context) {
	t := time.NewTicker(presentLook)
	defer t.Stop()
	var last []byte
	var written time.Time
	failed := false
	for {
		l := a.present()
		same := l
		same.WrittenMS = 0
		if now, err := json.Marshal(same); err == nil && (!bytes.Equal(now, last) || time.Since(written) >= presentAgain) {
			err := l.save(a.opt.Config.DataDir, !bytes.Equal(now, last))
			if err != nil && !failed {
				a.opt.Log.LogAttrs(ctx, slog.LevelError, "list of who is inside", slog.Any("err", err))
			}
			if failed = err != nil; !failed {
				last, written = now, time.Now()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (a *App) present() presentList {
	cfg := a.opt.Config
	l := presentList{Format: presentFormat, Gateway: cfg.Gateway, Site: cfg.Site, WrittenMS: a.anchor.wall(a.anchor.now()), Trusted: a.anchor.clock() >= access.ClockRTC, Linked: a.linked.Load(), TimeZone: a.current.Load().TimeZone()}
	var doors []access.DoorID
	for _, d := range cfg.Doors {
		doors = append(doors, access.DoorID(d.ID))
	}
	l.Inside, l.Zones, l.Known = a.places.Inside(doors)
	if !l.Known {
		l.Inside = nil
	}
	return l
}

// save replaces the file. What only says that the gateway still runs need not survive a power cut.
func (l *presentList) save(dir string, durably bool) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if durably {
		return replaceFile(dir, presentFile, data)
	}
	tmp := filepath.Join(dir, presentFile+".next")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, presentFile))
}

// PrintPresent writes the list of who is inside for a printer, without the server: zone, the gateway's number of each person, since when. It
// says how old it is and what is not known. now is the time of the print.
func PrintPresent(w io.Writer, cfg config.Config, now time.Time) error {
	path := filepath.Join(cfg.DataDir, presentFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: not there: monban-gateway run has not run with this data_dir", path)
	}
	if err != nil {
		return fmt.Errorf("list of who is inside: %w", err)
	}
	var l presentList
	if err := json.Unmarshal(data, &l); err != nil || l.Format != presentFormat {
		return fmt.Errorf("%s: is damaged or of another version: start the gateway again", path)
	}
	zone, err := time.LoadLocation(l.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	written := time.UnixMilli(l.WrittenMS).In(zone)
	out := &strings.Builder{}
	fmt.Fprintf(out, "在室者一覧 WHO IS INSIDE\n%s / %s\n%s %s\n\n", l.Site, l.Gateway, written.Format("2006-01-02 15:04:05"), zone)
	warn := func(when bool, ja, en string) {
		if when {
			fmt.Fprintf(out, "! %s\n! %s\n", ja, en)
		}
	}
	age := now.Sub(written)
	warn(age > 3*presentAgain || age < -presentAgain, "この一覧は"+age.Round(time.Minute).String()+"前のものです。装置が動いているか確認してください。",
		"This list is "+age.Round(time.Minute).String()+" old: see whether the gateway runs.")
	warn(!l.Trusted, "時計が信頼できません。時刻は目安です。", "The clock is not trusted: times are a guess.")
	warn(!l.Linked, "サーバと通信していません。他の装置の扉の出入りは通信断の後は含まれません。", "The server is not heard: passages at other gateways since then are missing.")
	warn(!l.Known, "この装置では在室者がわかりません。", "Who is inside is not known here.")
	if l.Known {
		slices.SortFunc(l.Inside, func(x, y access.Placed) int {
			return cmp.Or(cmp.Compare(x.Zone, y.Zone), cmp.Compare(x.LastMS, y.LastMS), cmp.Compare(x.Person, y.Person))
		})
		for _, z := range l.Zones {
			n := 0
			fmt.Fprintf(out, "\n[%s]\n", z)
			for _, x := range l.Inside {
				if x.Zone != z {
					continue
				}
				n += 1 + max(int(x.Party)-1, 0)
				party := ""
				if x.Party > 1 {
					party = fmt.Sprintf("  ほか%d人 +%d", x.Party-1, x.Party-1)
				}
				fmt.Fprintf(out, "  □ %s  %s%s\n", access.ShortPseudonym(x.Person), time.UnixMilli(x.LastMS).In(zone).Format("01-02 15:04"), party)
			}
			fmt.Fprintf(out, "  計 %d人 / %d inside\n", n, n)
		}
		fmt.Fprint(out, "\n番号は避難用名簿(受付)の番号と同じです。\nThe numbers are those of reception's muster copy.\n")
	}
	_, err = io.WriteString(w, out.String())
	return err
}
