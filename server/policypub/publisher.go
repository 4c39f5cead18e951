package policypub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
)

// Config of a Publisher; every field is required.
type Config struct {
	Store *store.Store
	// Signer signs manifests with the role policy. It is asked when a gateway is first given a
	// manifest, after the change has committed.
	Signer note.Signer
	Site   string
	Keys   Keys
	Now    func() time.Time
}

// Publisher keeps the policy in force and publishes a new one with every change of the directory. Its
// methods may be called from several goroutines.
type Publisher struct {
	cfg     Config
	keys    atomic.Pointer[Keys]
	current atomic.Pointer[Current] // nil until the first Reload: then nothing is granted
}

// New makes a publisher that has published nothing: Site is nil until Reload, and without a policy
// nothing is granted.
func New(cfg Config) *Publisher {
	p := &Publisher{cfg: cfg}
	p.keys.Store(&cfg.Keys)
	return p
}

// Versions are the versions in force of the three parts.
type Versions struct{ Rules, Modes, State uint64 }

// ErrNoGateway says that a gateway is not in the directory or has no keys.
var ErrNoGateway = errors.New("no policy for this gateway")

// Site gives the policy in force, nil before the first Reload. The value does not change; the next
// change of the directory makes another one.
func (p *Publisher) Site() *Current { return p.current.Load() }

// Versions gives the versions in force: what a lease names. ok is false for a gateway without policy.
func (p *Publisher) Versions(gw access.GatewayID) (v Versions, ok bool) {
	return p.current.Load().VersionsOf(gw)
}

// Manifest gives the signed manifest in force for a gateway (a sealed message of kind policy).
func (p *Publisher) Manifest(gw access.GatewayID) ([]byte, error) {
	return p.current.Load().Manifest(gw, p.cfg.Signer, p.cfg.Site)
}

// Chunk gives a chunk of the manifest in force by its SHA-256. The caller must not change it.
func (p *Publisher) Chunk(gw access.GatewayID, hash wire.Hash) ([]byte, bool) {
	return p.current.Load().Chunk(gw, hash)
}

// SetKeys takes over new site keys, e.g. after a gateway was added. They count from the next Reload
// or Change on.
func (p *Publisher) SetKeys(k Keys) { p.keys.Store(&k) }

// Reload compiles the directory as it stands and publishes what differs from what is in force. It is
// called at start and after SetKeys; with nothing new it writes nothing.
func (p *Publisher) Reload(ctx context.Context) error {
	_, err := p.Change(ctx, func(*store.Tx) ([]directory.Change, error) { return nil, nil })
	return err
}

// Change runs a change of the directory and publishes the policy that follows from it, in one
// transaction: there is no moment at which the one is on the disk without the other. When Change
// has returned nil, every answer, lease and manifest is of the new version (I5). The function may be
// run more than once (group commit).
func (p *Publisher) Change(ctx context.Context, change func(tx *store.Tx) ([]directory.Change, error)) ([]directory.Change, error) {
	var changes []directory.Change
	err := p.cfg.Store.Write(ctx, func(tx *store.Tx) error {
		var err error
		if changes, err = change(tx); err != nil {
			return err
		}
		next, err := p.publish(tx)
		if err != nil {
			return err // nothing changes: the old policy stays in force
		}
		// Several changes of one group commit each come here, in order; the last one stays.
		tx.AfterCommit(func() { p.current.Store(next) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// SetCardStatus suspends, reports lost, revokes or re-activates a card: one call, a new version at once.
func (p *Publisher) SetCardStatus(ctx context.Context, actor directory.Actor, reason string, id directory.CardID, status access.CredentialStatus) error {
	_, err := p.Change(ctx, func(tx *store.Tx) ([]directory.Change, error) {
		return directory.SetCardStatus(tx, actor, reason, p.cfg.Now().UnixMilli(), id, status)
	})
	return err
}

// publish compiles the directory of this transaction and appends what is new.
func (p *Publisher) publish(tx *store.Tx) (*Current, error) {
	dir, err := tx.Directory()
	if err != nil {
		return nil, err
	}
	nowMS := p.cfg.Now().UnixMilli()
	if dir, err = Overlaid(tx.Reader, dir, p.cfg.Store.Zone(), nowMS); err != nil {
		return nil, err
	}
	return Publish(tx, &dir, p.keys.Load(), p.cfg.Site, p.cfg.Store.Zone(), nowMS)
}

// Ledger is where published policies are kept: the store's write transaction.
type Ledger interface {
	PolicyHead(gateway, part string) (version uint64, sum entrylog.Hash, err error)
	Policy(gateway, part string, version uint64) (store.PolicyVersion, error)
	AppendPolicy(gateway, part string, version uint64, bytes []byte, atMS int64) (int64, error)
	Setting(key string) (string, error)
	SetSetting(key, value string) error
}

// Publish compiles dir and appends to tx what is not there yet. What it returns may be used once tx
// has committed. It has no clock and no I/O but tx: the simulator runs it over a model store.
func Publish(tx Ledger, dir *directory.Snapshot, keys *Keys, site string, zone *time.Location, nowMS int64) (*Current, error) {
	inForce := dir.InForce(directory.DateOf(time.UnixMilli(nowMS).In(zone)))
	run := publication{tx: tx, site: site, dir: &inForce, keys: keys, nowMS: nowMS, zone: zone}
	return run.run()
}

// publication is one run of Publish.
type publication struct {
	states map[access.GatewayID]heldState
	tx     Ledger
	site   string
	dir    *directory.Snapshot
	keys   *Keys
	nowMS  int64
	zone   *time.Location
}

// stateBytes is the state part until the rules work fills it: nobody is said to be inside.
const stateBytes = `{"v":1,"version":1,"inside":[]}` + "\n"

// parts are the bytes of the three parts for one owner, "" being the server itself.
type parts [3][]byte

func (r *publication) run() (*Current, error) {
	rulesVersion, _, err := r.tx.PolicyHead("", wire.PartRules)
	if err != nil {
		return nil, err
	}
	modesVersion, _, err := r.tx.PolicyHead("", wire.PartModes)
	if err != nil {
		return nil, err
	}
	floor, err := r.floor()
	if err != nil {
		return nil, err
	}
	if err := r.loadStates(floor); err != nil {
		return nil, err
	}
	v := Versions{Rules: max(rulesVersion, floor, 1), Modes: max(modesVersion, floor, 1), State: 1}
	// Compile with the versions in force. Where the bytes are not those in force, the version rises and
	// all is compiled again, since the version is part of the bytes; that can happen once per part.
	for range 3 {
		rules, all, err := r.compile(v)
		if err != nil {
			return nil, err
		}
		differs, err := r.compare(v, all)
		if err != nil {
			return nil, err
		}
		if differs == [3]bool{} {
			return r.keep(v, rules, all)
		}
		if differs[0] {
			v.Rules++
		}
		if differs[1] {
			v.Modes++
		}
		if differs[2] {
			v.State++
		}
	}
	return nil, errors.New("BUG: policy versions do not settle")
}

// FloorSetting is the setting below which no version of rules and modes is published any more. A restore sets
// it above all that gateways may hold: the publications that were lost are as good as made (I5).
const FloorSetting = "policy_floor"

func (r *publication) floor() (uint64, error) {
	text, err := r.tx.Setting(FloorSetting)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	floor, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("setting %s: %w", FloorSetting, err)
	}
	return floor, nil
}

// gatewayIDs lists the gateways that have keys; one without is not provisioned and gets no policy.
func (r *publication) gatewayIDs() []access.GatewayID {
	var ids []access.GatewayID
	for i := range r.dir.Gateways {
		if _, ok := r.keys.Gateways[r.dir.Gateways[i].ID]; ok {
			ids = append(ids, r.dir.Gateways[i].ID)
		}
	}
	return ids
}

func (r *publication) compile(v Versions) (access.Rules, map[access.GatewayID]parts, error) {
	rules, err := Rules(r.dir, r.site, r.zone, v.Rules)
	if err != nil {
		return access.Rules{}, nil, err
	}
	all := map[access.GatewayID]parts{}
	if all[""], err = encode(&rules, modesOf(r.dir, v.Modes, func(*directory.Door) bool { return true })); err != nil {
		return access.Rules{}, nil, err
	}
	for _, gw := range r.gatewayIDs() {
		keys := r.keys.Gateways[gw]
		var doors []access.DoorID
		for i := range r.dir.Doors {
			if r.dir.Doors[i].Gateway == gw {
				doors = append(doors, r.dir.Doors[i].ID)
			}
		}
		own, err := access.ForGateway(&rules, doors,
			func(k access.Key) access.Key { return access.Key(card.Ref(k).Token(keys.Token[:])) },
			func(k access.Key) access.Key { return access.Key(card.PINRef(k).Token(keys.Token[:])) })
		if err != nil {
			return access.Rules{}, nil, fmt.Errorf("gateway %s: %w", gw, err)
		}
		modes := modesOf(r.dir, v.Modes, func(x *directory.Door) bool { return x.Gateway == gw })
		own3, err := encode(&own, modes)
		if err != nil {
			return access.Rules{}, nil, fmt.Errorf("gateway %s: %w", gw, err)
		}
		own3[2] = r.states[gw].bytes
		all[gw] = own3
	}
	return rules, all, nil
}

func encode(rules *access.Rules, modes access.Modes) (out parts, err error) {
	if out[0], err = access.EncodeRules(rules); err != nil {
		return out, err
	}
	if out[1], err = access.EncodeModes(modes); err != nil {
		return out, err
	}
	out[2] = []byte(stateBytes)
	return out, nil
}

func (v Versions) of(part int) uint64 { return [3]uint64{v.Rules, v.Modes, v.State}[part] }

// compare says which parts stand in the store under the same version with other bytes.
func (r *publication) compare(v Versions, all map[access.GatewayID]parts) (differs [3]bool, err error) {
	for gw, own := range all {
		for i, name := range wire.PartNames() {
			if r.states[gw].told(i) {
				continue
			}
			version, sum, err := r.tx.PolicyHead(string(gw), name)
			if err != nil {
				return differs, err
			}
			if version > v.of(i) || version == v.of(i) && sum != sha256.Sum256(own[i]) {
				differs[i] = true
			}
		}
	}
	return differs, nil
}

// keep appends what is not in the store yet and makes the manifests.
func (r *publication) keep(v Versions, rules access.Rules, all map[access.GatewayID]parts) (*Current, error) {
	policy, err := access.Compile(rules, r.zone)
	if err != nil {
		return nil, err
	}
	modes, err := access.DecodeModes(all[""][1])
	if err != nil {
		return nil, err
	}
	c := newCurrent(policy.WithModes(modes), v, r.dir, r.keys)
	for _, gw := range append([]access.GatewayID{""}, r.gatewayIDs()...) {
		for i, name := range wire.PartNames() {
			if r.states[gw].told(i) {
				continue
			}
			if err := r.keepPart(gw, name, v.of(i), all[gw][i]); err != nil {
				return nil, err
			}
		}
		if gw == "" {
			continue
		}
		if c.gateways[gw], err = r.manifest(gw, v, all[gw]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (r *publication) keepPart(gw access.GatewayID, name string, version uint64, b []byte) error {
	have, _, err := r.tx.PolicyHead(string(gw), name)
	if err != nil {
		return err
	}
	if have >= version {
		return nil // compare has seen that it is the same
	}
	_, err = r.tx.AppendPolicy(string(gw), name, version, b, r.nowMS)
	return err
}

// manifest gives what is in force for a gateway: the manifest in the store when it names these parts,
// else the next one. Its version is the sum of the parts' versions, which rises with each of them.
func (r *publication) manifest(gw access.GatewayID, v Versions, b parts) (*published, error) {
	v.State = r.states[gw].version
	out := &published{chunks: map[wire.Hash][]byte{}, state: v.State}
	m := wire.Manifest{Gateway: gw, Version: v.Rules + v.Modes + v.State, NotBeforeMS: r.nowMS}
	m.MinVersion = m.Version // a manifest that was replaced never comes into force again
	for i, name := range wire.PartNames() {
		part, chunks, err := wire.PartOf(name, v.of(i), b[i])
		if err != nil {
			return nil, fmt.Errorf("gateway %s: %w", gw, err)
		}
		m.Parts = append(m.Parts, part)
		for n, chunk := range chunks {
			out.chunks[part.Chunks[n]] = chunk
		}
	}
	stored, err := r.tx.Setting(manifestKey(gw))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if stored != "" {
		old, err := wire.ParseManifest([]byte(stored))
		if err != nil {
			return nil, fmt.Errorf("manifest of %s in the store: %w", gw, err)
		}
		if old.Version == m.Version && slices.EqualFunc(old.Parts, m.Parts, samePart) {
			// After a restart the delta is made again. If it cannot be, nobody gets its chunks, and the
			// gateways fetch the whole part.
			if d := old.Parts[0].Delta; d.Bytes > 0 {
				r.delta(gw, d.From, v.Rules-1, b[0], out)
			}
			out.body = []byte(stored)
			return out, nil
		}
		m.Prev = wire.ManifestHash(&old)
		if from := old.Parts[0]; from.Sum != m.Parts[0].Sum {
			m.Parts[0].Delta = r.delta(gw, from.Sum, from.Version, b[0], out)
		}
	}
	out.body = wire.AppendManifest(nil, &m)
	return out, r.tx.SetSetting(manifestKey(gw), string(out.body))
}

// delta makes the way to the rules part next from the version before, whose sum is from, and adds its
// chunks; the zero Delta when there is no way that is worth it. Only the part before counts: who
// missed more fetches the whole.
func (r *publication) delta(gw access.GatewayID, from wire.Hash, version uint64, next []byte, out *published) wire.Delta {
	base, err := r.tx.Policy(string(gw), wire.PartRules, version)
	if err != nil || !bytes.Equal(base.Sum, from[:]) {
		return wire.Delta{}
	}
	b, err := access.Delta(base.Bytes, next)
	if err != nil || 2*len(b) > len(next) {
		return wire.Delta{}
	}
	d, chunks := wire.DeltaOf(from, b)
	for i, chunk := range chunks {
		out.chunks[d.Chunks[i]] = chunk
	}
	return d
}

// manifestKey is the setting that holds the unsigned manifest in force for a gateway.
func manifestKey(gw access.GatewayID) string { return "policy_manifest/" + string(gw) }

func samePart(a, b wire.Part) bool {
	return a.Name == b.Name && a.Version == b.Version && a.Sum == b.Sum
}
