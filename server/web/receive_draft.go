package web

import (
	"slices"
	"strings"
	"sync"
	"time"

	"monban/server/visit"
)

// A reception is four forms. What the first ones said is kept here, in memory, until the last one makes the step in the log:
// whoever is interrupted goes on later, and nothing about a person lies in a URL, a cookie or the database before it counts.
// A restart of the server forgets it: the guest is still at the counter.
type draft struct {
	visit    string
	at       time.Time
	identity map[int]visit.Identity // by guest: who is here, and what was seen
	accepted bool                   // step 3 was filled in
	version  uint32                 // of the conditions that were accepted
	declared []visit.Declared
	whose    int // of declared: index of a guest
}

const (
	draftLife = 2 * time.Hour
	maxDrafts = 500
	// declareRows are the lines for what is brought in; more is a carry session.
	declareRows = 3
)

type drafts struct {
	mu  sync.Mutex
	all map[string]draft // mu; by account and visit
}

func draftKey(account, id string) string { return account + " " + id }

func (d *drafts) get(account, id string, now time.Time) draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.all[draftKey(account, id)]
	if !ok || now.Sub(x.at) > draftLife {
		return draft{visit: id}
	}
	return x
}

// of lists the receptions that an account has begun, oldest first.
func (d *drafts) of(account string, now time.Time) (out []draft) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, x := range d.all {
		if strings.HasPrefix(key, account+" ") && now.Sub(x.at) <= draftLife {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b draft) int { return a.at.Compare(b.at) })
	return out
}

func (d *drafts) put(account string, x draft) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[string]draft{}
	}
	for key, old := range d.all {
		if x.at.Sub(old.at) > draftLife {
			delete(d.all, key)
		}
	}
	if len(d.all) >= maxDrafts {
		clear(d.all) // nobody receives so many at once; they begin again
	}
	d.all[draftKey(account, x.visit)] = x
}

func (d *drafts) drop(account, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.all, draftKey(account, id))
}
