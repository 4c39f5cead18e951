package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/store"
	"monban/server/web"
)

// verificationPages implements web.Verification: one check of the log at a time, in the background.
type verificationPages struct {
	*pages
	site *Site
	opt  store.VerifyOptions
	out  *exporter

	work sync.WaitGroup
	ctx  context.Context
	stop context.CancelFunc

	mu    sync.Mutex
	check web.LogCheck
}

func newVerificationPages(s *Site, p *pages) (*verificationPages, error) {
	opt, err := logKeys(s.Config.Path(keysDir))
	if err != nil {
		return nil, err
	}
	v := &verificationPages{pages: p, site: s, opt: opt}
	v.out = &exporter{zone: s.Config.Location(), now: p.now}
	if v.out.keys, err = logKeyLines(s.Config.Path(keysDir)); err != nil {
		return nil, err
	}
	v.out.read = func(ctx context.Context, fn func(r store.Reader) error) error {
		return s.Store.Read(ctx, func(r *store.ReadTx) error { return fn(r.Reader) })
	}
	v.ctx, v.stop = context.WithCancel(context.Background())
	return v, nil
}

// Close ends a check that runs and waits for it.
func (v *verificationPages) Close() {
	if v != nil {
		v.mu.Lock()
		v.stop() // from here on none begins
		v.mu.Unlock()
		v.work.Wait()
	}
}

// witnessesShown is how many cosignatures are looked at for the page: the newest of each witness are among them.
const witnessesShown = 500

// stampsShown is how many time stamps the page lists.
const stampsShown = 20

// Standing implements web.Verification.
func (v *verificationPages) Standing(ctx context.Context) (out web.LogStanding, err error) {
	err = v.store.Read(ctx, func(r *store.ReadTx) error {
		if out.Size, err = r.LogSize(); err != nil {
			return err
		}
		list, err := r.Cosignatures("", witnessesShown)
		if err != nil {
			return err
		}
		stamps, err := r.Stamps(stampsShown)
		if err != nil {
			return err
		}
		for i := range stamps {
			s := &stamps[i]
			out.Stamps = append(out.Stamps, web.StampStanding{Size: s.Size, At: time.UnixMilli(s.StampMS), Received: time.UnixMilli(s.ReceivedMS), Authority: s.Authority})
		}
		seen := map[string]bool{}
		for _, c := range list {
			if !seen[c.Witness] {
				seen[c.Witness] = true
				own := strings.HasPrefix(c.Witness, "monban/"+v.site.Config.Site+"/gw/")
				out.Witnesses = append(out.Witnesses, web.WitnessStanding{Name: c.Witness, Own: own, Size: c.Size, At: time.UnixMilli(c.ReceivedMS)})
			}
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	out.Refused = v.store.SignErr() != nil
	if out.Checkpoint = v.store.Checkpoint(); out.Checkpoint != "" {
		if out.Signed, err = sizeOf(out.Checkpoint); err != nil {
			return out, err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	out.Check = v.check
	return out, nil
}

// StartCheck implements web.Verification. The check reads in one view, beside everything else.
func (v *verificationPages) StartCheck(ctx context.Context, act web.Action) error {
	v.mu.Lock()
	if v.check.State == web.CheckRunning || v.ctx.Err() != nil {
		v.mu.Unlock()
		return web.ErrBusy
	}
	before := v.check
	v.check = web.LogCheck{State: web.CheckRunning, Began: v.now(), Of: v.store.Size()}
	v.work.Add(1)
	v.mu.Unlock()
	begun := false
	defer func() {
		if !begun {
			v.mu.Lock()
			v.check = before
			v.mu.Unlock()
			v.work.Done()
		}
	}()
	err := v.store.Write(ctx, func(tx *store.Tx) error {
		leaf := entrylog.Action{Account: act.Actor, Verb: string(act.Kind), Target: targetOf(act.Kind), From: originOf(act), Result: "ok", AtMS: v.now().UnixMilli()}
		_, err := tx.AppendAction(leaf, &entrylog.Opening{Address: addressOf(act)})
		return err
	})
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.check.Of = v.store.Size() // with the leaf of the check
	v.mu.Unlock()
	begun = true
	go v.run()
	return nil
}

// run is one check. It ends by itself.
func (v *verificationPages) run() {
	defer v.work.Done()
	ctx, stop := context.WithTimeout(v.ctx, exportTime)
	defer stop()
	opt := v.opt
	opt.Structure = true
	opt.Progress = func(n, _ int64) {
		v.mu.Lock()
		v.check.Done = n
		v.mu.Unlock()
	}
	res, err := v.store.Verify(ctx, opt)
	v.mu.Lock()
	defer v.mu.Unlock()
	c := &v.check
	c.Ended, c.Leaves, c.Checkpoints, c.Openings, c.Erased, c.Findings = v.now(), res.Leaves, res.Checkpoints, res.Openings, res.Erased, found(&res)
	switch {
	case err != nil:
		c.State, c.First = web.CheckFailed, err.Error()
	case c.Findings > 0:
		c.State, c.First = web.CheckFound, res.Findings[0].String()
	default:
		c.State = web.CheckClean
	}
}

// ProveLeaf implements web.Verification.
func (v *verificationPages) ProveLeaf(ctx context.Context, leaf int64, names bool, act web.Action) ([]byte, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return nil, bad
	}
	x := *v.out
	x.note = func(ctx context.Context, n exportNote) (int64, error) {
		what := "without names"
		if names {
			what = "with names"
		}
		a := entrylog.Action{Account: act.Actor, Verb: n.Verb, Target: n.Target, ID: n.ID, From: originOf(act), Result: "ok", Reason: true, AtMS: v.now().UnixMilli()}
		return writeExportNote(ctx, v.store, a, entrylog.Opening{Address: addressOf(act), Text: n.Reason + "\n" + what})
	}
	data, _, err := x.proof(ctx, leaf, names, mayShow, exportNote{Reason: act.Reason})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrErased) {
		return nil, web.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("proof of leaf %d: %w", leaf, err)
	}
	if rep, err := logcheck.CheckProof(data, logcheck.Options{}); err != nil || !rep.Clean() {
		return nil, fmt.Errorf("the proof of leaf %d does not hold: check the log (%w)", leaf, errors.Join(err))
	}
	return data, nil
}
