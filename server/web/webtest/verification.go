package webtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"monban/server/web"
)

// Verification is a memory of a log of 10,500 records that two witnesses follow, one of them not for days.
type Verification struct {
	m  *Memory
	mu sync.Mutex

	Log web.LogStanding
}

func newVerification(m *Memory) *Verification {
	now := jst()
	return &Verification{m: m, Log: web.LogStanding{
		Size: 10_503, Signed: 10_500, Checkpoint: "monban.test/log\n10500\ncm9vdA==\n\n— monban.test/log c2lnbmF0dXJl\n",
		Witnesses: []web.WitnessStanding{
			{Name: "monban/hall/gw/gw-1/witness", Own: true, Size: 10_480, At: now.Add(-10 * time.Minute)},
			{Name: "witness.example", Size: 9_000, At: now.Add(-60 * time.Hour)},
		},
		Stamps: []web.StampStanding{{Size: 10_200, At: now.Add(-26 * time.Hour), Received: now.Add(-24 * time.Hour), Authority: "CN=Time 1,O=Example"}},
	}}
}

// Standing implements web.Verification.
func (v *Verification) Standing(context.Context) (web.LogStanding, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.Log, nil
}

// StartCheck implements web.Verification.
func (v *Verification) StartCheck(ctx context.Context, act web.Action) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.Log.Check.State == web.CheckRunning {
		return web.ErrBusy
	}
	if err := v.m.RecordAction(ctx, act); err != nil {
		return err
	}
	v.Log.Check = web.LogCheck{State: web.CheckRunning, Began: act.At, Done: 4_096, Of: v.Log.Size}
	return nil
}

// ProveLeaf implements web.Verification.
func (v *Verification) ProveLeaf(ctx context.Context, leaf int64, names bool, act web.Action) ([]byte, error) {
	if act.Reason == "" {
		return nil, web.FormFault{{Field: "reason", Word: "required"}}
	}
	if leaf >= v.Log.Signed {
		return nil, web.ErrNotFound
	}
	if err := v.m.RecordAction(ctx, act); err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "c2sp.org/tlog-proof@v1\nindex %d\nnames %v\n", leaf, names), nil
}
