package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
)

// BundleOptions of WriteBundle.
type BundleOptions struct {
	From, To int64    // leaves from ≤ index < to; To 0 = all that is signed
	Openings bool     // with what the leaves commit to: personal data in clear
	Keys     []string // public keys, that of the newest log first
	Software string
	NowMS    int64 // UTC ms

	// Show says of each opening whether it goes in, when Openings does not have all of them go in; nil = none does.
	Show     func(idx int64, kind entrylog.Kind, o *entrylog.Opening) bool
	Progress func(done, of int64) // leaves, now and then; nil = never
}

// ErrNotSigned says that no checkpoint covers the leaves that were asked for yet.
var ErrNotSigned = errors.New("no checkpoint covers the last of these leaves yet")

// WriteBundle writes a part of the log, or all of it, for checking elsewhere (logcheck.CheckBundle): one read
// transaction, leaf by leaf, so memory does not grow with the log. It gives the SHA-256 of the bundle in hex.
func (s *Store) WriteBundle(ctx context.Context, w io.Writer, o BundleOptions) (head logcheck.BundleHead, sum string, err error) {
	err = s.Read(ctx, func(r *ReadTx) error {
		head, sum, err = r.WriteBundle(ctx, w, o)
		return err
	})
	return head, sum, err
}

// WriteBundle is Store.WriteBundle in a transaction that is open.
func (r Reader) WriteBundle(ctx context.Context, w io.Writer, o BundleOptions) (head logcheck.BundleHead, sum string, err error) {
	b := bundle{r: r, o: o, ctx: ctx}
	if err = b.plan(); err == nil {
		sum, err = b.write(w)
	}
	if err != nil {
		return b.head, "", fmt.Errorf("export bundle: %w", oneLine(err))
	}
	return b.head, sum, nil
}

// often is after how many leaves a bundle's writer looks whether it should stop, and tells how far it is.
const often = 1 << 12

type bundle struct {
	ctx  context.Context // of WriteBundle; lives as long as this value
	r    Reader
	o    BundleOptions
	head logcheck.BundleHead
	out  *logcheck.Writer
}

// plan finds where the bundle begins and ends. It ends at a checkpoint: of the leaves between To and that one
// only the hashes are written.
func (b *bundle) plan() error {
	size, err := b.r.LogSize()
	if err != nil {
		return err
	}
	to := b.o.To
	if to == 0 {
		if err := b.r.row(`SELECT coalesce(max(size), 0) FROM checkpoint`).Scan(&to); err != nil {
			return err
		}
	}
	if b.o.From < 0 || to > size || b.o.From >= to {
		return fmt.Errorf("leaves %d to %d: the log has %d", b.o.From, to-1, size)
	}
	b.head = logcheck.BundleHead{From: b.o.From, To: to, Log: size, Openings: b.o.Openings, MadeMS: b.o.NowMS, Software: b.o.Software}
	covered, err := b.r.disposalsBehind(b.o.From, to)
	if err != nil {
		return err
	}
	err = b.r.row(`SELECT size FROM checkpoint WHERE size >= ? ORDER BY size LIMIT 1`, max(to, covered)).Scan(&b.head.Size)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotSigned
	}
	if err != nil {
		return err
	}
	b.head.Origin, err = b.originAt(b.o.From)
	return err
}

// originAt is the log that signs at a leaf: that of the newest checkpoint before it, unless a succession stands in
// between.
func (b *bundle) originAt(idx int64) (string, error) {
	if idx == 0 {
		leaf, err := b.r.Leaf(0)
		if err != nil {
			return "", err
		}
		y, err := entrylog.ParseSystem(leaf.Body)
		return y.Value("origin"), err
	}
	var from int64
	var signed string
	origin := ""
	err := b.r.row(`SELECT size, note FROM checkpoint WHERE size <= ? ORDER BY size DESC LIMIT 1`, idx).Scan(&from, &signed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if origin, err = b.originAt(0); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	default:
		text, err := entrylog.SignedText([]byte(signed))
		if err != nil {
			return "", err
		}
		c, err := entrylog.ParseCheckpointText(text)
		if err != nil {
			return "", err
		}
		origin = c.Origin
	}
	rows, err := b.r.query(`SELECT body FROM log_leaf WHERE idx >= ? AND idx < ? AND kind = 'system' ORDER BY idx`, from, idx)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return "", err
		}
		if y, err := entrylog.ParseSystem(body); err == nil && y.Name == entrylog.SystemSuccession {
			origin = y.Value("origin")
		}
	}
	return origin, rows.Err()
}

func (b *bundle) write(w io.Writer) (sum string, err error) {
	tree, err := entrylog.Load(b.head.From, b.r.hashes)
	if err != nil {
		return "", err
	}
	cosigned, err := b.r.cosignedPoints(b.head.From, b.head.Size)
	if err != nil {
		return "", err
	}
	stamps, err := b.stamps()
	if err != nil {
		return "", err
	}
	if len(stamps) > 0 {
		b.head.Version = 3
	}
	if b.o.Openings || b.o.Show != nil {
		no, err := b.r.keyless(b.head.From, b.head.Size)
		if err != nil {
			return "", err
		}
		if no {
			b.head.Version = 4
		}
	}
	if b.out, err = logcheck.NewWriter(w, b.head, b.o.Keys, witnessKeys(cosigned), tree.Edge()); err != nil {
		return "", err
	}
	points, err := b.r.query(`SELECT size, note FROM checkpoint WHERE size >= ? AND size <= ? AND size > 0 ORDER BY size`, b.head.From, b.head.Size)
	if err != nil {
		return "", err
	}
	defer points.Close()
	var point struct {
		size int64
		note string
	}
	advance := func() error {
		point.size = -1
		if points.Next() {
			return points.Scan(&point.size, &point.note)
		}
		return points.Err()
	}
	upTo := func(idx int64) error { // checkpoints of at most idx leaves
		for point.size >= 0 && point.size <= idx {
			if err := errors.Join(b.out.Checkpoint(point.size, point.note), advance()); err != nil {
				return err
			}
		}
		for ; len(cosigned) > 0 && cosigned[0].size <= idx; cosigned = cosigned[1:] {
			if err := b.out.Cosigned(cosigned[0].size, cosigned[0].signed); err != nil {
				return err
			}
		}
		for ; len(stamps) > 0 && stamps[0].Size <= idx; stamps = stamps[1:] {
			s := &stamps[0]
			if err := b.out.Stamp(s.Size, s.Note, s.Nonce, s.Answer); err != nil {
				return err
			}
		}
		return nil
	}
	if err := advance(); err != nil {
		return "", err
	}
	rows, err := b.r.query(`SELECT l.idx, l.kind, l.body, l.hashes, o.fiscal_year, o.class, o.row_key, o.ciphertext, o.person_ref
		FROM log_leaf l LEFT JOIN opening o ON o.idx = l.idx WHERE l.idx >= ? AND l.idx < ? ORDER BY l.idx`, b.head.From, b.head.Size)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var l bundleLeaf
		if err := rows.Scan(&l.idx, &l.kind, &l.body, &l.hashes, &l.year, &l.class, &l.rowKey, &l.ciphertext, &l.ref); err != nil {
			return "", err
		}
		if err := errors.Join(upTo(l.idx), b.leaf(&l)); err != nil {
			return "", err
		}
		if done := l.idx - b.head.From; done%often == 0 {
			if err := b.ctx.Err(); err != nil {
				return "", err
			}
			if b.o.Progress != nil {
				b.o.Progress(done, b.head.Size-b.head.From)
			}
		}
	}
	if err := errors.Join(rows.Err(), upTo(b.head.Size)); err != nil {
		return "", err
	}
	return b.out.Close()
}

// stamps lists the time stamps on checkpoints of the part, in the order of their sizes. What an earlier log has lost is not in this one.
func (b *bundle) stamps() (out []Stamp, err error) {
	rows, err := b.r.query(`SELECT `+stampColumns+` FROM timestamp WHERE size > ? AND size <= ? ORDER BY size, idx`, b.head.From, b.head.Size)
	if err != nil {
		return nil, fmt.Errorf("read time stamps: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		s, err := scanStamp(rows)
		if err != nil {
			return nil, fmt.Errorf("read time stamps: %w", err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read time stamps: %w", err)
	}
	mine := out[:0]
	for _, s := range out {
		origin, err := b.originAt(s.Size)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(s.Note, origin+"\n") {
			mine = append(mine, s)
		}
	}
	return mine, nil
}

// witnessKeys lists each key once.
func witnessKeys(points []cosignedPoint) (out []string) {
	for _, p := range points {
		out = append(out, p.vkeys...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

type bundleLeaf struct {
	idx                int64
	kind               string
	body, hashes       sql.RawBytes
	year               sql.NullInt64
	class              sql.NullString
	rowKey, ciphertext []byte
	ref                []byte
}

// keptBehind reports whether a leaf after the part is written whole: who signs from here on has to be known, and what was disposed of.
func keptBehind(body []byte) bool {
	y, err := entrylog.ParseSystem(body)
	if err != nil {
		return false
	}
	switch y.Name {
	case entrylog.SystemSuccession, entrylog.SystemDisposalStarted, entrylog.SystemDisposalRange, entrylog.SystemDisposalChain, entrylog.SystemDisposalDone, entrylog.SystemErased:
		return true
	}
	return false
}

func (b *bundle) leaf(l *bundleLeaf) error {
	if len(l.hashes) < len(entrylog.Hash{}) {
		return fmt.Errorf("leaf %d has no hash: run monban-server verify", l.idx)
	}
	h := entrylog.Hash(l.hashes[:len(entrylog.Hash{})])
	if _, gone := entrylog.DroppedBy(l.body); gone || l.idx >= b.head.To && !keptBehind(l.body) {
		return b.out.Hash(l.idx, h)
	}
	if err := b.out.Leaf(l.idx, h, l.body); err != nil {
		return err
	}
	commit, err := entrylog.CommitOf(l.body)
	if !b.o.Openings && b.o.Show == nil || err != nil || commit == (entrylog.Hash{}) { // what is wrong shows where the bundle is checked
		return nil
	}
	if !l.year.Valid {
		said, err := b.r.erasedByLeaf(l.idx)
		if err != nil || !said {
			return err
		}
		return b.out.Erased()
	}
	p := keystore.Period{FiscalYear: int(l.year.Int64), Class: entrylog.Class(l.class.String)}
	o, raw, salt, err := b.r.keys.Open(commit, keystore.Sealed{Period: p, RowKey: l.rowKey, Ciphertext: l.ciphertext, PersonRef: l.ref})
	switch {
	case errors.Is(err, keystore.ErrNoKey):
		switch why := b.r.whyNoKey(p); {
		case errors.Is(why, ErrKeyMissing) && b.head.Version < 4:
			return fmt.Errorf("the key of %s of fiscal year %d went while the bundle was made: make it again", p.Class, p.FiscalYear)
		case errors.Is(why, ErrKeyMissing):
			return b.out.NoKey(p.FiscalYear)
		case errors.Is(why, ErrErased):
			return b.out.Erased()
		default:
			return why
		}
	case err != nil:
		return nil // as above: it is missing there
	case !b.o.Openings && !b.o.Show(l.idx, entrylog.Kind(l.kind), &o):
		return nil
	}
	return b.out.Opening(salt, raw)
}
