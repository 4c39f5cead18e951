package faults

import (
	"bytes"
	"context"
	"encoding/base64"
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
	"monban/firmware/wire"
	"monban/server/app"
	"monban/server/attempt"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/retention"
	"monban/server/store"
)

// evidencePeople is how many people the sites under power cuts have of a year that is due: few, so that a cut costs little.
const evidencePeople = 12

// evidenceSecrets is what is known of seeded person n and must be nowhere after a disposal.
func evidenceSecrets(n int) []string {
	return []string{fmt.Sprintf("髙橋%06d郎", n), fmt.Sprintf("𠮷田%06d課", n), fmt.Sprintf("77%08d41", n), fmt.Sprintf("目的%06d保守", n)}
}

// evidenceConfig is the configuration of a site in folder, with a copy of its key store beside it.
func evidenceConfig(folder string) (*config.Config, error) {
	return config.Parse("server.toml", fmt.Appendf(nil, "site = \"test-city\"\ntime_zone = \"Asia/Tokyo\"\ndata_dir = %q\nkey_copies = [%q]\n[mqtt]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n",
		filepath.Join(folder, "data"), filepath.Join(folder, "copy.json")))
}

var noLog = slog.New(slog.DiscardHandler)

func openEvidence(folder string) (*app.Site, *config.Config, error) {
	cfg, err := evidenceConfig(folder)
	if err != nil {
		return nil, nil, err
	}
	s, err := app.OpenSite(cfg, time.Now(), noLog)
	return s, cfg, err
}

// makeEvidence makes a site whose fiscal year 2015 is due for disposal in every class, each run approved by two persons, and a backup of it in
// folder/before; then a second one in which the disposal is through.
func makeEvidence(due, done string) error {
	cfg, err := evidenceConfig(due)
	if err != nil {
		return err
	}
	if err := app.CreateSite(cfg, time.Now(), noLog); err != nil {
		return err
	}
	s, _, err := openEvidence(due)
	if err != nil {
		return err
	}
	ctx := context.Background()
	err = s.Store.Write(ctx, func(tx *store.Tx) error {
		for i := range evidencePeople {
			if err := seedEvidence(tx, i); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, approveEvidence(ctx, s), s.Close()); err != nil {
		return err
	}
	if _, err := app.Backup(ctx, cfg, app.BackupOptions{Out: filepath.Join(due, "before"), Now: time.Now()}); err != nil {
		return err
	}
	if err := copyTree(done, due); err != nil {
		return err
	}
	if s, _, err = openEvidence(done); err != nil {
		return err
	}
	runs, err := s.Retainer().CarryOut(ctx)
	if err == nil && len(runs) != 4 {
		err = fmt.Errorf("%d runs were carried out, want 4", len(runs))
	}
	return errors.Join(err, s.Close())
}

func approveEvidence(ctx context.Context, s *app.Site) error {
	err := s.Store.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.InsertAccount(store.Account{ID: "kato", Login: "kato", FullName: "kato", Language: "ja"}), tx.InsertAccount(store.Account{ID: "sato", Login: "sato", FullName: "sato", Language: "ja"}))
	})
	if err != nil {
		return err
	}
	r := s.Retainer()
	for _, class := range []entrylog.Class{entrylog.ClassRegister, entrylog.ClassViolation, entrylog.ClassAction, retention.ClassDirectory} {
		id, err := r.Ask(ctx, class, 2015, "保存期間の満了", app.Operator{Account: "kato"})
		if err != nil {
			return err
		}
		if err := r.Approve(ctx, id, "確認済", false, app.Operator{Account: "sato"}); err != nil {
			return err
		}
	}
	return nil
}

// seedEvidence writes what the program stores of one person of fiscal year 2015 who left in it.
func seedEvidence(tx *store.Tx, i int) error {
	x := evidenceSecrets(i)
	id := fmt.Sprintf("old%06d", i)
	at := time.Date(2015, 7, 1, 1, i, 0, 0, time.UTC).UnixMilli()
	left, err := directory.ParseDate("2015-09-30")
	if err != nil {
		return err
	}
	p := directory.Person{ID: directory.PersonID(id), Name: x[0], Section: x[1], Category: directory.Staff, ValidUntil: left}
	c := directory.Credential{ID: directory.CardID("K-" + id), Person: p.ID, KeyVersion: 1, Masked: "****" + x[2][6:], Format: x[2], Assurance: card.UIDOnly, Status: access.CredentialRevoked}
	copy(c.Ref[:], id)
	if err := errors.Join(tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Person: &p}), tx.ChangeDirectory(directory.Change{Op: directory.OpAdd, Credential: &c})); err != nil {
		return err
	}
	o := &entrylog.Opening{Person: id, Name: x[0], Section: x[1], Category: "staff", Purpose: x[3], Masked: x[2], Inputs: make([]byte, 100)}
	d := entrylog.Decision{Gateway: "gw-old", Door: "old-door", Side: "enter", Outcome: "granted", Reason: "granted", Policy: 3, AtMS: at, Assurance: "uid_only"}
	copy(d.Attempt[:], "att-"+id)
	copy(d.Ask[:], "ask-"+id)
	if _, err := tx.AppendDecision(d, o); err != nil {
		return err
	}
	b := wire.Record{Gateway: "gw-old", Epoch: [16]byte{7}, Seq: uint64(i) + 1, Door: "old-door", Side: access.SideEnter, Event: door.EventEntry, Attempt: d.Attempt, By: access.ByGateway,
		Reason: access.ReasonGranted, Policy: 3, Stamp: wire.Stamp{Boot: wire.BootID{9}, WallMS: at, Quality: access.ClockNTP}}
	l := entrylog.Record{AtMS: at + 40, FromMS: at - 20, ToMS: at + 20, Body: wire.AppendRecord(nil, &b)}
	if _, _, err := tx.AppendRecord(store.RecordIn{Leaf: l, Body: &b}, o); err != nil {
		return err
	}
	if i%4 == 0 {
		f := attempt.Finding{Kind: "held_open", Severity: "medium", Gateway: "gw-old", Door: "old-door", Attempt: d.Attempt, Cause: attempt.NoIndex, AtMS: at, Detail: "rule"}
		idx, err := tx.AppendFinding(f, nil) // as the program writes them
		if err == nil {
			_, err = tx.AppendFindingAct(store.FindingAct{Finding: idx, Kind: "finding_justified", Account: "a1", AtMS: at}, "lan", "") // an open one would keep its year
		}
		if err != nil {
			return err
		}
	}
	_, err = tx.AppendAction(entrylog.Action{Account: "a1", Verb: "person_changed", Target: "person", ID: id, From: "lan", Result: "ok", AtMS: at}, &entrylog.Opening{Person: id, Name: x[0], Text: x[1] + x[2] + x[3]})
	return err
}

// verifyEvidence is `verify --openings` of a database or of a backup's folder; held are checkpoints that somebody else has seen.
func verifyEvidence(database, keys string, held []string) error {
	var out bytes.Buffer
	n, err := app.Verify(context.Background(), app.VerifyOptions{Database: database, Keys: keys, Openings: true, Held: held, Out: &out})
	if err == nil && n > 0 {
		err = fmt.Errorf("%d findings: %s", n, out.String())
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", database, err)
	}
	return nil
}

// scanEvidence looks for what is known of the seeded people in every file below dir.
func scanEvidence(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := range evidencePeople {
			for _, s := range evidenceSecrets(i) {
				if bytes.Contains(data, []byte(s)) {
					return fmt.Errorf("%s of person %d is still in %s", s, i, path)
				}
			}
		}
		return nil
	})
}

// copyTree copies files and folders, each file 0600.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close() // only read
		out, err := os.OpenFile(filepath.Join(to, rel), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return errors.Join(err, out.Close())
	})
}

// writeDisposal is a server's start and its night: what has begun is brought to its end, what is approved is carried out.
func writeDisposal(folder string) error {
	fmt.Println("ready")
	s, _, err := openEvidence(folder)
	if err != nil {
		return err
	}
	if err := finishDisposal(s); err != nil {
		return err
	}
	fmt.Println("done")
	return s.Close()
}

func finishDisposal(s *app.Site) error {
	later, err := s.Retainer().Resume(context.Background())
	if err == nil {
		_, err = s.Retainer().CarryOut(context.Background())
	}
	return errors.Join(later, err)
}

// writeBackup makes one backup beside the site.
func writeBackup(folder string) error {
	fmt.Println("ready")
	if err := backUp(folder); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}

func backUp(folder string) error {
	cfg, err := evidenceConfig(folder)
	if err != nil {
		return err
	}
	_, err = app.Backup(context.Background(), cfg, app.BackupOptions{Out: filepath.Join(folder, "after"), Now: time.Now()})
	return err
}

// writeRestore puts the backup of before the disposal back, or goes on with what broke off.
func writeRestore(folder string) error {
	fmt.Println("ready")
	if err := restoreOrResume(folder); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}

func restoreOrResume(folder string) error {
	cfg, err := evidenceConfig(folder)
	if err != nil {
		return err
	}
	if isThere(filepath.Join(folder, "data", "restore.ready")) {
		_, err = app.ResumeRestore(cfg, nil)
		return err
	}
	_, err = app.Restore(context.Background(), cfg, app.RestoreOptions{Backup: filepath.Join(folder, "before"), Reason: "drill", By: "kato", Now: time.Now()})
	return err
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// writeCheckpoints appends leaves and signs after each, and says which checkpoint it has published.
func writeCheckpoints(folder string) error {
	fmt.Println("ready")
	s, _, err := openEvidence(folder)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		err := s.Store.Write(context.Background(), func(tx *store.Tx) error {
			_, err := tx.AppendAction(entrylog.Action{Account: "a1", Verb: "viewed", Target: "register", ID: fmt.Sprint(os.Getpid(), ":", i), From: "lan", Result: "ok", AtMS: wallMS}, nil)
			return err
		})
		if err := errors.Join(err, s.Store.SignNow(context.Background())); err != nil {
			return err
		}
		fmt.Println("checkpoint", base64.StdEncoding.EncodeToString([]byte(s.Store.Checkpoint())))
	}
}

func checkpointIn(line string) ([]byte, error) {
	text, ok := strings.CutPrefix(line, "checkpoint ")
	if !ok {
		return nil, fmt.Errorf("line %q is not one of this writer", line)
	}
	return base64.StdEncoding.DecodeString(text)
}
