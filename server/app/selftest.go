package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sys/unix"

	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/notify"
	"monban/server/signer"
	"monban/server/store"
	"monban/server/web"
)

// Items of the daily self-test (OP-2).
const (
	itemLog          = "log"          // the whole log verifies
	itemWitness      = "witness"      // age of the newest checkpoint that a witness has signed
	itemClock        = "clock"        // not before the newest entry
	itemDisk         = "disk"         // room for the database
	itemBackup       = "backup"       // age of the newest one
	itemCertificates = "certificates" // days left
	itemHolidays     = "holidays"     // closed days of the next fiscal year are there
	itemFolders      = "folders"      // reception's copy and the further key files can be written
)

const (
	// backupOld is the age from which a backup is too old: a week, with a day of grace.
	backupOld = 8 * 24 * time.Hour
	// diskLeast and diskShare: less free room than either fails.
	diskLeast = 1 << 30 // bytes
	diskShare = 0.05
	// backupNote lies in the data directory and says when the newest backup was made.
	backupNote = "backup.last"
	// selfTestSetting holds the newest result, JSON.
	selfTestSetting = "selftest"
)

// selfTestChecks is what the self-test looks at; each gives an error that says what to do, or notSetUp.
type selfTestChecks struct {
	items []string
	check map[string]func(ctx context.Context, now time.Time) error
}

// errNotSetUp: there is nothing to look at yet, which is no fault.
var errNotSetUp = errors.New("not set up")

// selfTestResult is what is stored of it.
type selfTestResult struct {
	AtMS  int64          `json:"at_ms"`
	Items []selfTestItem `json:"items"`
}

type selfTestItem struct {
	Item  string `json:"item"`
	State string `json:"state"` // passed, failed, not_set_up
	Note  string `json:"note,omitempty"`
}

// run looks at every item: one that fails keeps no other from being looked at.
func (c selfTestChecks) run(ctx context.Context, now time.Time) (out selfTestResult) {
	out.AtMS = now.UnixMilli()
	for _, name := range c.items {
		x := selfTestItem{Item: name, State: "passed"}
		switch err := c.check[name](ctx, now); {
		case errors.Is(err, errNotSetUp):
			x.State = "not_set_up"
		case err != nil:
			x.State, x.Note = "failed", err.Error()
		}
		out.Items = append(out.Items, x)
	}
	return out
}

// failed lists the items that failed.
func (r selfTestResult) failed() (out []string) {
	for _, x := range r.Items {
		if x.State == "failed" {
			out = append(out, x.Item)
		}
	}
	return out
}

// selfTest is the daily job: it looks, stores the result for the page and writes a leaf (OP-2).
func (a *App) selfTest(ctx context.Context, _ time.Time) (string, error) {
	res := a.checks().run(ctx, time.Now())
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err := storeSelfTest(ctx, a.site.Store, res); err != nil {
		return "", err
	}
	if bad := res.failed(); len(bad) > 0 {
		return "failed: " + strings.Join(bad, ", "), nil
	}
	return "passed", nil
}

func storeSelfTest(ctx context.Context, s *store.Store, res selfTestResult) error {
	text, err := json.Marshal(res)
	if err != nil {
		return err
	}
	leaf := entrylog.Action{Verb: "self_test", Target: "server", ID: "passed", From: "local", Result: "ok", AtMS: res.AtMS}
	if bad := res.failed(); len(bad) > 0 {
		leaf.ID = strings.Join(bad, ":")
	}
	return s.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.AppendAction(leaf, &entrylog.Opening{Text: string(text)}); err != nil {
			return err
		}
		return tx.SetSetting(selfTestSetting, string(text))
	})
}

// selfTestFaults are the items of the newest self-test that failed. None within a day is a fault too: it is no test that passed.
func (a *App) selfTestFaults(ctx context.Context) []string {
	var res selfTestResult
	err := a.site.Store.Read(ctx, func(r *store.ReadTx) error {
		text, err := r.Setting(selfTestSetting)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &res)
	})
	if err != nil || time.Since(time.UnixMilli(res.AtMS)) > 24*time.Hour {
		return []string{notify.NotRun}
	}
	return res.failed()
}

// checks are those of a running server.
func (a *App) checks() selfTestChecks {
	s := a.site
	return selfTestChecks{
		items: []string{itemLog, itemWitness, itemClock, itemDisk, itemBackup, itemCertificates, itemHolidays, itemFolders},
		check: map[string]func(context.Context, time.Time) error{
			itemLog: func(ctx context.Context, _ time.Time) error { return errors.Join(s.verifyLog(ctx), s.keysThere(ctx)) },
			itemWitness: func(ctx context.Context, now time.Time) error {
				return bothAges(witnessAge(ctx, s.Store, s.Config.Site, a.pub.Site().Directory().Gateways, now), a.outside.age(ctx))
			},
			itemClock: func(ctx context.Context, now time.Time) error { return clock(ctx, s, now).Err },
			itemDisk:  func(context.Context, time.Time) error { return diskRoom(s.Config.DataDir) },
			itemBackup: func(_ context.Context, now time.Time) error {
				return errors.Join(backupReady(s.Config), backupAge(s.Config.Path(backupNote), now))
			},
			itemCertificates: func(_ context.Context, now time.Time) error { return certificates(s.CA, now).Err },
			itemFolders:      func(context.Context, time.Time) error { return foldersWritable(s.Config) },
			itemHolidays: func(_ context.Context, now time.Time) error {
				return holidaysAhead(a.pub.Site().Directory().ClosedDays, calendar.DateOf(now.In(s.Config.Location())).FiscalYear())
			},
		},
	}
}

// verifyLog verifies the open database.
func (s *Site) verifyLog(ctx context.Context) error {
	vkey, err := os.ReadFile(s.Config.Path(keysDir, "log.vkey"))
	if err != nil {
		return fmt.Errorf("public log key: %w", err)
	}
	opt := store.VerifyOptions{}
	if opt.Log, err = note.NewVerifier(firstLine(vkey)); err != nil {
		return fmt.Errorf("public log key: %w", err)
	}
	if opt.Before, err = signer.OldLogKeys(s.Config.Path(keysDir)); err != nil {
		return err
	}
	res, err := s.Store.Verify(ctx, opt)
	if err != nil {
		return err
	}
	if !res.Clean() {
		return fmt.Errorf("%d findings, the first: %s: run `monban-server verify`", len(res.Findings)+res.More, res.Findings[0])
	}
	return nil
}

// diskRoom asks whether there is room where the database lies.
func diskRoom(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("free room of %s: %w", dir, err)
	}
	return roomOf(dir, st.Bavail*uint64(st.Bsize), st.Blocks*uint64(st.Bsize))
}

func roomOf(dir string, free, total uint64) error {
	if free < diskLeast || float64(free) < diskShare*float64(total) {
		return fmt.Errorf("%s has %d MiB free of %d MiB: make room, or gateways are not acknowledged any more", dir, free>>20, total>>20)
	}
	return nil
}

// noteBackup says in the data directory that a backup was made.
func noteBackup(path string, at time.Time) error {
	return os.WriteFile(path, fmt.Appendf(nil, "%d\n", at.UnixMilli()), 0o600)
}

// backupAge asks how old the newest backup is.
func backupAge(path string, now time.Time) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no backup has been made: run `monban-server backup` each day")
	}
	if err != nil {
		return fmt.Errorf("age of the newest backup: %w", err)
	}
	var ms int64
	if _, err := fmt.Sscanf(string(data), "%d\n", &ms); err != nil {
		return fmt.Errorf("%s: holds no time: %w", path, err)
	}
	if age := now.Sub(time.UnixMilli(ms)); age > backupOld {
		return fmt.Errorf("the newest backup is %d days old: run `monban-server backup`", int(age.Hours()/24))
	}
	return nil
}

// holidaysAhead asks whether the closed days of the next fiscal year are known (OP-2).
func holidaysAhead(days []directory.ClosedDay, year calendar.FiscalYear) error {
	for _, d := range days {
		if (calendar.Date{Year: d.Day.Year, Month: d.Day.Month, Day: d.Day.Day}).FiscalYear() == year+1 {
			return nil
		}
	}
	return fmt.Errorf("no closed day of %s is known: import the holidays (closed_days.csv)", (year + 1).English())
}

// SelfTest implements web.Machines: the newest result; ok is false when there is none yet.
func (p *pages) SelfTest(ctx context.Context) (out web.SelfTest, ok bool, err error) {
	var text string
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		text, err = r.Setting(selfTestSetting)
		if err != nil {
			return err
		}
		runs, err := r.JobRuns(20)
		for _, x := range runs {
			out.Runs = append(out.Runs, web.JobRun{Job: x.Job, Due: x.Due, State: string(x.State), Missed: x.Missed, Tries: x.Tries, Note: x.Note})
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return out, false, nil
	}
	if err != nil {
		return out, false, err
	}
	var res selfTestResult
	if err := json.Unmarshal([]byte(text), &res); err != nil {
		return out, false, fmt.Errorf("setting %s: %w", selfTestSetting, err)
	}
	out.At = time.UnixMilli(res.AtMS)
	for _, x := range res.Items {
		out.Items = append(out.Items, web.SelfTestItem{Item: x.Item, State: x.State, Note: x.Note})
	}
	return out, true, nil
}
