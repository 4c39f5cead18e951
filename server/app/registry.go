package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/privacy"
	"monban/server/store"
	"monban/server/web"
)

// Registry is everything that pages, the API and the command line do with the directory: people, cards, groups,
// contracts, zones, doors, schedules, grants, exceptions, entry conditions, inventory, enrolments,
// recertification, transfers. Each method is one transaction: rows, one action leaf for each, the policy that
// follows. What adds rights at level 2 or 3 becomes a proposal that a second person confirms (D27). Who may call
// what is the pages' to decide (RA-1). Errors for people to read are directory.Problems; the others are named
// where they come from: directory.ErrNoSuch, ErrNoReason, ErrRevoked, ErrSamePerson, ErrDecided, ErrStale.
type Registry struct {
	store *store.Store
	pub   *policypub.Publisher
	cards func() directory.CardMaker
	now   func() time.Time

	mu   sync.Mutex
	done directory.Date // mu; last day whose work is done
}

func newRegistry(s *store.Store, pub *policypub.Publisher, cards func() directory.CardMaker, now func() time.Time) *Registry {
	return &Registry{store: s, pub: pub, cards: cards, now: now}
}

// Today is the day in the site's time zone.
func (g *Registry) Today() directory.Date { return directory.DateOf(g.now().In(g.store.Zone())) }

// Directory gives the directory as it is stored: without visits, and without what exceptions that ran out
// tighten (Snapshot.InForce shows that).
func (g *Registry) Directory(ctx context.Context) (dir directory.Snapshot, err error) {
	err = g.store.Read(ctx, func(r *store.ReadTx) error {
		dir, err = r.Directory()
		return err
	})
	return dir, err
}

// Change runs an edit of the directory. It may be run more than once and must have no effect of its own.
func (g *Registry) Change(ctx context.Context, actor directory.Actor, reason string, edit func(*directory.Snapshot) error) (out directory.Outcome, err error) {
	id := newProposalID()
	_, err = g.pub.Change(ctx, func(tx *store.Tx) ([]directory.Change, error) {
		alone, err := setUp(tx)
		if err != nil {
			return nil, err
		}
		if out, err = directory.ChangeOrPropose(tx, actor, reason, g.now().UnixMilli(), g.Today(), alone, id, edit); err != nil {
			return nil, err
		}
		return out.Applied, markOwn(tx, out.Applied, actor.Account)
	})
	if err != nil {
		return directory.Outcome{}, err
	}
	return out, nil
}

// TryChange says what Change would do, and does nothing.
func (g *Registry) TryChange(ctx context.Context, actor directory.Actor, edit func(*directory.Snapshot) error) (out directory.Outcome, err error) {
	err = g.store.Write(ctx, func(tx *store.Tx) error {
		alone, err := setUp(tx)
		if err != nil {
			return err
		}
		if out, err = directory.ChangeOrPropose(tx, actor, "dry run", g.now().UnixMilli(), g.Today(), alone, newProposalID(), edit); err != nil {
			return err
		}
		return errDryRun
	})
	if errors.Is(err, errDryRun) {
		out.Proposal = ""
		return out, nil
	}
	return directory.Outcome{}, err
}

// setUp reports whether no second person was there yet who could confirm: fewer than two have an account. A suspended one
// counts, as for roles (ADR 0029): nobody becomes the only one by shutting out the others.
func setUp(r interface {
	Accounts() ([]store.Account, error)
}) (bool, error) {
	list, err := r.Accounts()
	if err != nil {
		return false, err
	}
	people := 0
	seen := map[string]bool{}
	for _, a := range list {
		if a.Person != "" && seen[a.Person] {
			continue // two accounts of one person are one person
		}
		seen[a.Person] = true
		people++
	}
	return people < 2, nil
}

func newProposalID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return hex.EncodeToString(b[:])
}

// Put adds, changes or removes one row: set Op and one of the row pointers of c. For grants use GiveGrant, which
// names them and gives them their end.
func (g *Registry) Put(ctx context.Context, actor directory.Actor, reason string, c directory.Change) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error {
		c.Apply(s)
		return nil
	})
}

// GiveGrant gives a grant to a person or a group, or changes the one with x.ID. Without an end it ends on 31
// March of the fiscal year in which it begins, or with the contract (AD-6).
func (g *Registry) GiveGrant(ctx context.Context, actor directory.Actor, reason string, x directory.Grant) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error { return s.PutGrant(g.Today(), x) })
}

// RevokeGrant takes a grant away, at once.
func (g *Registry) RevokeGrant(ctx context.Context, actor directory.Actor, reason string, id directory.GrantID) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error { return s.RevokeGrant(id) })
}

// SetCardStatus suspends a card, reports it lost or revokes it, at once (AD-7); to re-activate one takes a second
// person where the holder has rights at level 2 or 3 (AD-17).
func (g *Registry) SetCardStatus(ctx context.Context, actor directory.Actor, reason string, id directory.CardID, to access.CredentialStatus) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error { return s.SetCardStatus(id, to) })
}

// SetPersonActive suspends a person as a whole, at once, or lifts that.
func (g *Registry) SetPersonActive(ctx context.Context, actor directory.Actor, reason string, id directory.PersonID, active bool) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error { return s.SetPersonActive(id, active) })
}

// SetDoorMode puts a door into normal, locked or lockdown mode (D13). To lock takes one person and acts at once.
func (g *Registry) SetDoorMode(ctx context.Context, actor directory.Actor, reason string, id access.DoorID, mode access.DoorMode) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error { return s.SetDoorMode(id, mode) })
}

// SetPIN sets a card's PIN and, with duress not "", its duress PIN (AD-13): 4–8 digits each, different from one
// another. The digits become references and are nowhere after that. An empty pin takes both away.
func (g *Registry) SetPIN(ctx context.Context, actor directory.Actor, reason string, id directory.CardID, pin, duress string) (directory.Outcome, error) {
	maker := g.cards()
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error { return s.SetPIN(maker, id, pin, duress) })
}

// AcknowledgeConditions notes that a person has accepted a version of the entry conditions (VE-6).
func (g *Registry) AcknowledgeConditions(ctx context.Context, actor directory.Actor, reason string, id directory.PersonID, version uint32) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error { return s.AcknowledgeConditions(id, version) })
}

// OpenRound begins a recertification of a zone (VR-5); due may be none: then the terms say.
func (g *Registry) OpenRound(ctx context.Context, actor directory.Actor, reason string, zone access.ZoneID, due directory.Date) (id directory.RoundID, err error) {
	_, err = g.Change(ctx, actor, reason, func(s *directory.Snapshot) error {
		id, err = s.OpenRound(zone, g.Today(), due)
		return err
	})
	return id, err
}

// AnswerRound says of one person whether the rights in the round's zone are kept.
func (g *Registry) AnswerRound(ctx context.Context, actor directory.Actor, reason string, id directory.RoundID, p directory.PersonID, keep bool) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error { return s.AnswerRound(id, p, keep, g.Today()) })
}

// Renew continues grants that end with the fiscal year by grants that begin on 1 April (AD-19); ids are of
// Snapshot.Renewals.
func (g *Registry) Renew(ctx context.Context, actor directory.Actor, reason string, ids []directory.GrantID) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, func(s *directory.Snapshot) error {
		_, err := s.Renew(g.Today(), ids)
		return err
	})
}

// Proposals lists the changes that wait for a second person, newest first; with all, the decided ones too.
func (g *Registry) Proposals(ctx context.Context, all bool, limit int) (list []directory.Proposal, err error) {
	err = g.store.Read(ctx, func(r *store.ReadTx) error {
		list, err = r.Proposals(all, limit)
		return err
	})
	return list, err
}

// Proposal gives one proposal and what it would change; of a decided one the changes stand in the log.
func (g *Registry) Proposal(ctx context.Context, id string) (p directory.Proposal, changes []directory.Change, err error) {
	err = g.store.Read(ctx, func(r *store.ReadTx) error {
		p, err = r.Proposal(id)
		return err
	})
	if err == nil && p.State == directory.ProposalOpen {
		changes, err = p.ProposedChanges()
	}
	return p, changes, err
}

// ConfirmProposal puts a proposal into force. It takes another person than the proposer, not only another account.
func (g *Registry) ConfirmProposal(ctx context.Context, actor directory.Actor, id string) (changes []directory.Change, err error) {
	return g.pub.Change(ctx, func(tx *store.Tx) ([]directory.Change, error) {
		p, err := tx.Proposal(id)
		if err != nil {
			return nil, err
		}
		if p.Proposer != "" {
			if err := another(tx, p.Proposer, actor.Account); errors.Is(err, web.ErrSamePerson) {
				return nil, directory.ErrSamePerson
			} else if err != nil {
				return nil, err
			}
		}
		if changes, err = directory.Confirm(tx, actor, g.now().UnixMilli(), id); err != nil {
			return nil, err
		}
		return changes, markOwn(tx, changes, actor.Account, p.Proposer)
	})
}

// WithdrawProposal ends a proposal without effect, with why.
func (g *Registry) WithdrawProposal(ctx context.Context, actor directory.Actor, reason, id string) error {
	return g.store.Write(ctx, func(tx *store.Tx) error { return directory.Withdraw(tx, actor, reason, g.now().UnixMilli(), id) })
}

// PreviewImport says what files would do, and does nothing. A file without a kind is guessed; no number of a
// card is in the answer.
func (g *Registry) PreviewImport(ctx context.Context, files []directory.File) (directory.Preview, error) {
	dir, err := g.Directory(ctx)
	if err != nil {
		return directory.Preview{}, err
	}
	return directory.PreviewImport(dir, files, g.importConfig(false)), nil
}

// Import reads files into the directory: with any problem nothing is changed, and the error is
// directory.Problems. The same files again change nothing.
func (g *Registry) Import(ctx context.Context, actor directory.Actor, reason string, files []directory.File) (directory.Outcome, error) {
	return g.importFiles(ctx, actor, reason, files, g.importConfig(false))
}

func (g *Registry) importFiles(ctx context.Context, actor directory.Actor, reason string, files []directory.File, cfg directory.ImportConfig) (directory.Outcome, error) {
	return g.Change(ctx, actor, reason, importing(files, cfg))
}

// importing is an edit that imports files.
func importing(files []directory.File, cfg directory.ImportConfig) func(*directory.Snapshot) error {
	return func(s *directory.Snapshot) error {
		next, _, err := directory.Import(*s, files, cfg)
		if err != nil {
			return err
		}
		*s = next
		return nil
	}
}

func (g *Registry) importConfig(relative bool) directory.ImportConfig {
	return directory.ImportConfig{Now: g.now(), Zone: g.store.Zone(), Cards: g.cards(), Relative: relative}
}

// Export gives the rows of a kind as CSV that a spreadsheet cannot run. It needs a registered purpose of use (PR-1:
// privacy.ErrNoPurpose, ErrNotRegistered) and a reason, and is a leaf with the number of rows and the file's SHA-256 (A1).
func (g *Registry) Export(ctx context.Context, actor directory.Actor, use privacy.Use, reason string, kind directory.Kind) (data []byte, err error) {
	return g.ExportRows(ctx, actor, use, reason, kind, false, nil)
}

// ExportRows is Export of the rows that keep is true for, nil = all; in Shift_JIS on demand, where a letter that it does not have
// becomes 〓.
func (g *Registry) ExportRows(ctx context.Context, actor directory.Actor, use privacy.Use, reason string, kind directory.Kind, shiftJIS bool, keep func(*directory.Change) bool) (data []byte, err error) {
	if strings.TrimSpace(reason) == "" {
		return nil, directory.ErrNoReason
	}
	err = g.store.Write(ctx, func(tx *store.Tx) error {
		if err := checkUse(tx.Reader, use); err != nil {
			return err
		}
		dir, err := tx.Directory()
		if err != nil {
			return err
		}
		if data, err = dir.ExportRows(kind, keep); err != nil {
			return err
		}
		rows := max(strings.Count(string(data), "\r\n")-1, 0)
		if shiftJIS {
			data, _ = directory.ShiftJIS(strings.TrimPrefix(string(data), "\ufeff"))
		}
		leaf := entrylog.Action{
			Account: actor.Account, Verb: "directory_exported", Target: "export", ID: string(kind), From: actor.From, Result: "ok", Reason: true, AtMS: g.now().UnixMilli(),
		}
		_, err = tx.AppendAction(leaf, &entrylog.Opening{Text: fmt.Sprintf("%s\npurpose %s\n%d rows, SHA-256 %x", reason, use, rows, sha256.Sum256(data))})
		return err
	})
	return data, refusedUse(ctx, g.store, actor.Account, actor.From, string(kind), g.now().UnixMilli(), err)
}

// Due is what the directory waits for.
type Due struct {
	Proposals  int                   // open ones
	Renewals   []directory.Renewal   // from 1 March on (AD-19)
	Gaps       []directory.Gap       // zones that too few could enter on 1 April; always looked at
	Rounds     []directory.RoundDue  // recertification (VR-5)
	Items      []directory.Item      // to be counted, or missing (EQ-4)
	Exceptions []directory.Exception // that end or are to be reviewed within 30 days, or ended within the last 30 (VR-8)
	Transfers  []directory.Transfer  // still to come
	Warnings   []directory.Warning   // of the whole directory
}

// Due says what the directory waits for today.
func (g *Registry) Due(ctx context.Context) (due Due, err error) {
	today := g.Today()
	err = g.store.Read(ctx, func(r *store.ReadTx) error {
		dir, err := r.Directory()
		if err != nil {
			return err
		}
		open, err := r.Proposals(false, 1000)
		due = Due{
			Proposals: len(open), Gaps: dir.RolloverGaps(today), Rounds: dir.RoundsDue(today), Items: dir.ItemsDue(today),
			Exceptions: dir.ExceptionsDue(today), Transfers: dir.Transfers, Warnings: dir.Warnings(nil, true, today),
		}
		if directory.RenewalsOpen(today) {
			due.Renewals = dir.Renewals(today)
		}
		return err
	})
	return due, err
}

// Daily does the work of a new day, once a day: transfers whose day has come (RA-5), recertifications whose due
// day is over (VR-5), and a policy without the exceptions that have run out (VR-8). It is called often and does
// nothing on a day whose work is done.
func (g *Registry) Daily(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	today := g.Today()
	if g.done == today {
		return nil
	}
	_, err := g.pub.Change(ctx, func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "local"}, "the day has come", g.now().UnixMilli(), func(s *directory.Snapshot) error {
			s.CarryOutTransfers(today)
			s.CloseRounds(today)
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("the directory's work of %s: %w", today, err)
	}
	g.done = today
	return nil
}
