package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/muster"
	"monban/server/policypub"
	"monban/server/register"
	"monban/server/store"
	"monban/server/web"
)

// musterFile is the copy's name in its folder.
const musterFile = "monban-muster.html"

// musterCopy writes who is inside, sealed, for the case that this server is gone (OP-7, ADR 0047). A failure of it stops nothing.
type musterCopy struct {
	*pages
	site   *policypub.Publisher
	cfg    config.Muster
	name   string // of the site
	secret [32]byte

	mu     sync.Mutex
	last   time.Time // mu; when the copy that lies there was sealed
	failed bool      // mu
	day    directory.Date
}

func (m *musterCopy) code(at time.Time) string {
	return muster.CodeOf(m.secret[:], at.In(m.store.Zone()))
}

// Muster implements web.Registers.
func (p *pages) Muster(context.Context) web.MusterCopy {
	m := p.muster
	if m == nil {
		return web.MusterCopy{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	out := web.MusterCopy{Code: m.code(now), Made: m.last, Failed: m.failed}
	if !m.last.IsZero() {
		out.Code, out.End = m.code(m.last), m.last.Add(m.cfg.Keep.Std()) // what lies there was sealed then
	}
	if next := m.code(now.AddDate(0, 0, musterNotice)); next != out.Code {
		out.Next = next
	}
	return out
}

// musterNotice is how many days ahead the page shows the code of the next month, so that reception can note it in time.
const musterNotice = 7

// musterGone is for how many days after a zone was taken out who is in it by the log is still on the list: nobody saw them leave.
const musterGone = 7

// musterWords are the categories in both languages, as the copy has no choice of one.
var musterWords = map[string]string{"staff": "職員 staff", "contractor": "委託 contractor", "visitor": "来訪 visitor"}

// list makes the list of at: as the page shows it, with the numbers that gateways print.
func (m *musterCopy) list(ctx context.Context, at time.Time) (*muster.List, error) {
	zones, err := m.RegisterZones(ctx)
	if err != nil {
		return nil, err
	}
	cur, n := m.site.Site(), m.names(ctx)
	out := &muster.List{Site: m.name}
	for _, z := range zones {
		if gone, err := directory.ParseDate(z.Gone); err == nil && gone.AddDays(musterGone).Before(directory.DateOf(at.In(m.store.Zone()))) {
			continue
		}
		zone := muster.Zone{Name: z.Name}
		err := m.eachPresent(ctx, n, z.ID, at, func(b *book, row *register.Row, left leaving) {
			if left.sure {
				return
			}
			r := b.row(row, true)
			p := muster.Person{Name: cmp.Or(r.Who.Name, "氏名不明 name not known"), Of: r.Who.Section, Category: musterWords[r.Category], Door: r.Door, Uncertain: left.ms != 0}
			if !r.EnteredAt.IsZero() {
				p.Since = r.EnteredAt.In(m.store.Zone()).Format("01-02 15:04")
			}
			if row.Person != "" {
				p.Numbers = numbersOf(cur, row.Person)
			}
			zone.Inside = append(zone.Inside, p)
		})
		if err != nil {
			return nil, fmt.Errorf("who is in %s: %w", z.ID, err)
		}
		if z.Gone == "" || len(zone.Inside) > 0 {
			out.Zones = append(out.Zones, zone)
		}
	}
	for _, g := range cur.Directory().Gateways {
		if gap, silent := m.health.silence(g.ID, at); silent {
			out.Notes = append(out.Notes, fmt.Sprintf("%s: %sから応答なし。それ以後の出入りは含まれません。 Not heard since %s: passages since then are missing.",
				cmp.Or(g.Name, string(g.ID)), gap.From.In(m.store.Zone()).Format("15:04"), gap.From.In(m.store.Zone()).Format("15:04")))
		}
	}
	return out, nil
}

// numbersOf are the short numbers of a person at each gateway: what `monban-gateway present` prints instead of a name.
func numbersOf(cur *policypub.Current, person string) (out []string) {
	for _, g := range cur.Directory().Gateways {
		keys, ok := cur.Keys.Gateways[g.ID]
		if !ok {
			continue
		}
		p := access.Pseudonym(person, func(k access.Key) access.Key { return access.Key(card.Ref(k).Token(keys.Token[:])) })
		out = append(out, string(g.ID)+" "+access.ShortPseudonym(p))
	}
	return out
}

// write makes a new copy in the place of the old one. Its first of a day is a leaf: names leave the house (PR-1).
func (m *musterCopy) write(ctx context.Context) error {
	at := m.now()
	l, err := m.list(ctx, at)
	if err != nil {
		return err
	}
	if day := directory.DateOf(at.In(m.store.Zone())); day != m.day {
		err := m.store.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.AppendAction(entrylog.Action{Verb: "muster_copied", Target: "muster", From: "local", Result: "ok", AtMS: at.UnixMilli()},
				&entrylog.Opening{Text: "sealed copies of who is inside are written for reception on this day: " + m.cfg.Dir})
			return err
		})
		if err != nil {
			return err
		}
		m.day = day
	}
	file, err := muster.Make(l, m.code(at), at.In(m.store.Zone()), at.Add(m.cfg.Keep.Std()).In(m.store.Zone()))
	if err != nil {
		return err
	}
	path := filepath.Join(m.cfg.Dir, musterFile)
	if err := replaceCopy(path, file); err != nil {
		return fmt.Errorf("muster copy: %w", err)
	}
	m.mu.Lock()
	m.last = at
	m.mu.Unlock()
	return nil
}

// replaceCopy puts a copy in the place of the old one: whoever opens it sees one of the two, also after a power cut. Reception's
// group may read it.
func replaceCopy(path string, file []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(file)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	_ = syncDir(filepath.Dir(path)) // a network folder may refuse it; then a power cut leaves the old copy
	return nil
}

// run keeps the copy new until ctx ends. The last one stays where it is: that is what it is for.
func (m *musterCopy) run(ctx context.Context) {
	t := time.NewTicker(m.cfg.Every.Std())
	defer t.Stop()
	for {
		err := m.write(ctx)
		m.mu.Lock()
		news := (err != nil) != m.failed
		m.failed = err != nil
		m.mu.Unlock()
		if err != nil && news && !errors.Is(err, context.Canceled) {
			m.log.LogAttrs(ctx, slog.LevelError, "muster copy not written; reception has an older one", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// openMuster takes the settings; nil when there is no folder for a copy.
func openMuster(p *pages, site *policypub.Publisher, cfg *config.Config, secret [32]byte) (*musterCopy, error) {
	if cfg.Muster.Dir == "" {
		return nil, nil
	}
	if info, err := os.Stat(cfg.Muster.Dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("muster.dir: %s is no folder that is there; make it, or take the key out", cfg.Muster.Dir)
	}
	m := &musterCopy{pages: p, site: site, cfg: cfg.Muster, name: cfg.Site, secret: secret}
	if info, err := os.Stat(filepath.Join(cfg.Muster.Dir, musterFile)); err == nil {
		m.last = info.ModTime() // of the run before: its code is that of its month
	}
	p.muster = m
	return m, nil
}
