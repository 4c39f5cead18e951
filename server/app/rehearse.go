package app

import (
	"context"
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/rehearse"
	"monban/server/store"
)

// World is what questions of package rehearse are asked of: the rules in force, with nobody inside.
func World(cur *policypub.Current) rehearse.World {
	if cur == nil {
		return rehearse.World{}
	}
	return rehearse.World{Policy: cur.Policy, Directory: cur.Directory()}
}

// RehearseQuery says which past entries a draft is tried on.
type RehearseQuery struct {
	From, Until string // days YYYY-MM-DD in the site's zone, both included
	Day         func() // after each day; nil = nobody wants to know
}

// Rehearsal is what a draft of the directory would change.
type Rehearsal struct {
	*rehearse.Replay
	Rights []rehearse.RightChange
	// Unreadable counts decisions whose inputs could not be read: erased, or never sent by the gateway.
	Unreadable int
}

// Rehearse compares a draft of the directory with what is in force: who gains and who loses, and which decisions
// of the days asked for would have come out otherwise (VR-9). It writes nothing. ctx ends it.
func Rehearse(ctx context.Context, s *store.Store, cur *policypub.Current, draft *directory.Snapshot, q RehearseQuery) (*Rehearsal, error) {
	if cur == nil {
		return nil, rehearse.ErrNoPolicy
	}
	policy, err := compileDraft(draft, cur.Policy.Site(), s.Zone(), cur.Versions.Rules+1)
	if err != nil {
		return nil, err
	}
	replay, err := rehearse.NewReplay(cur.Policy, policy)
	if err != nil {
		return nil, err
	}
	out := &Rehearsal{Replay: replay, Rights: rehearse.Rights(cur.Directory(), draft)}
	from, err := time.ParseInLocation(time.DateOnly, q.From, s.Zone())
	if err != nil {
		return nil, fmt.Errorf("first day %q: want YYYY-MM-DD", q.From)
	}
	until, err := time.ParseInLocation(time.DateOnly, q.Until, s.Zone())
	if err != nil {
		return nil, fmt.Errorf("last day %q: want YYYY-MM-DD", q.Until)
	}
	for day := from; !day.After(until); day = day.AddDate(0, 0, 1) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := out.day(ctx, s, cur, day.Format(time.DateOnly)); err != nil {
			return nil, err
		}
		if q.Day != nil {
			q.Day()
		}
	}
	return out, nil
}

// compileDraft makes the policy that a draft would become, with its door modes.
func compileDraft(draft *directory.Snapshot, site string, zone *time.Location, version uint64) (*access.Policy, error) {
	inForce := draft.InForce(directory.DateOf(time.Now().In(zone))) // as it would be published now
	rules, err := policypub.Rules(&inForce, site, zone, version)
	if err != nil {
		return nil, fmt.Errorf("the draft cannot be published: %w", err)
	}
	policy, err := access.Compile(rules, zone)
	if err != nil {
		return nil, fmt.Errorf("the draft cannot be published: %w", err)
	}
	modes := access.Modes{Version: version}
	for i := range draft.Doors {
		if m := draft.Doors[i].Mode; m != access.ModeNormal {
			modes.Doors = append(modes.Doors, access.DoorModeItem{Door: draft.Doors[i].ID, Mode: m})
		}
	}
	return policy.WithModes(modes), nil
}

func (out *Rehearsal) day(ctx context.Context, s *store.Store, cur *policypub.Current, day string) error {
	return s.Read(ctx, func(r *store.ReadTx) error {
		rows, err := r.AttemptsOfDay(day, "") // each attempt is counted on its own day only (D21)
		if err != nil {
			return err
		}
		for i := len(rows) - 1; i >= 0; i-- { // oldest first
			past, ok, err := pastDecision(r.Reader, cur, &rows[i])
			if err != nil {
				return err
			}
			switch {
			case ok:
				out.Add(past)
			case rows[i].Outcome != "": // something was decided, but from what is not known
				out.Unreadable++
			}
		}
		return nil
	})
}

// pastDecision finds the inputs of the decision that counted for an attempt. ok is false when there was none, or
// when its opening was erased or holds no inputs.
func pastDecision(r store.Reader, cur *policypub.Current, row *attempt.Row) (p rehearse.Past, ok bool, err error) {
	outcome, err := access.ParseOutcome(row.Outcome)
	if row.Outcome == "" || err != nil {
		return p, false, nil
	}
	leaves := []int64{row.Decision}
	byGateway := row.DecidedBy == access.ByGateway.String()
	if byGateway {
		if leaves, err = r.AttemptLeaves(row.First); err != nil {
			return p, false, err
		}
	}
	reason, _ := access.ParseReason(row.Reason) // an unknown name reads "undecided"
	for _, idx := range leaves {
		if idx < 0 {
			continue
		}
		if byGateway {
			leaf, err := r.Leaf(idx)
			if err != nil {
				return p, false, err
			}
			if leaf.Kind != entrylog.KindRecord {
				continue
			}
		}
		o, err := usable(r, idx)
		if nobodyReads(err) {
			continue
		}
		if err != nil {
			return p, false, err
		}
		view, request, err := access.ParseInputs(o.Inputs)
		if err != nil {
			continue // a record without a decision: a door that was closed, say
		}
		if byGateway && !siteKey(cur, access.GatewayID(row.Gateway), &o, &request) {
			continue
		}
		return rehearse.Past{
			Attempt: row.ID, Leaf: idx, AtMS: row.FromMS + (row.ToMS-row.FromMS)/2, Person: o.Person,
			Outcome: outcome, Reason: reason, View: view, Request: request,
		}, true, nil
	}
	return p, false, nil
}

// siteKey puts the card_ref in the place of the gateway's token. A card that does not open was made with a key
// that is gone; ok is false.
func siteKey(cur *policypub.Current, gw access.GatewayID, o *entrylog.Opening, r *access.Request) bool {
	if !r.HasCard {
		return true
	}
	keys, ok := cur.Keys.Gateways[gw]
	if !ok {
		return false
	}
	private, err := wire.OpenPrivate(keys.Ask, o.Private)
	if err != nil {
		return false
	}
	ref, err := wire.OpenCard(keys.Ask, private.Card)
	if err != nil {
		return false
	}
	r.Key = access.Key(ref)
	return true
}

// Current is the policy in force of a site that no server runs on.
func (s *Site) Current(ctx context.Context) (*policypub.Current, error) {
	pub, err := s.publisher()
	if err != nil {
		return nil, err
	}
	if err := pub.Reload(ctx); err != nil {
		return nil, err
	}
	return pub.Site(), nil
}

// RehearseFiles tries CSV files, as for an import, on past entries (VR-9). What it shows names people, so the act
// is a leaf (RA-4); the directory stays as it is.
func (s *Site) RehearseFiles(ctx context.Context, files []directory.File, now time.Time, q RehearseQuery) (*Rehearsal, error) {
	cur, err := s.Current(ctx)
	if err != nil {
		return nil, err
	}
	draft, _, err := directory.Import(*cur.Directory(), files, directory.ImportConfig{Now: now, Zone: s.Config.Location(), Cards: s.Keys})
	if err != nil {
		return nil, err
	}
	err = s.Store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.AppendAction(entrylog.Action{Verb: "rehearse", Target: "draft", From: "cli", Result: "ok", AtMS: now.UnixMilli()}, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return Rehearse(ctx, s.Store, cur, &draft, q)
}
