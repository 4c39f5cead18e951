package faults

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/keystore"
	"monban/server/policypub"
	"monban/server/signer"
	"monban/server/store"
)

func fixedRand(n byte) io.Reader { return mathrand.NewChaCha8([32]byte{n}) }

const siteName = "hall"

// now is the server's clock in these tests: Tuesday, 24 November 2026, 10:00 in Tokyo.
func now() time.Time { return time.Date(2026, 11, 24, 1, 0, 0, 0, time.UTC) }

// serverSite is what `serve` opens, in one folder: keys, signer, database, policy.
type serverSite struct {
	store    *store.Store
	policies *policypub.Publisher
	keys     *keystore.KeyStore
	log      note.Verifier
}

// setUpSite makes the files in the way `setup` does.
func setUpSite(folder string) error {
	keys, err := policypub.NewKeys(rand.Reader)
	if err != nil {
		return err
	}
	for _, gw := range gateways {
		if keys, err = keys.With(gw, rand.Reader); err != nil {
			return err
		}
	}
	if err := errors.Join(
		keystore.Create(filepath.Join(folder, "keystore.json"), filepath.Join(folder, "master.key"), rand.Reader),
		signer.Create(filepath.Join(folder, "sign"), siteName, rand.Reader),
		keys.Save(filepath.Join(folder, "site-keys.json")),
	); err != nil {
		return err
	}
	s, err := openSite(folder)
	if err != nil {
		return err
	}
	files, err := directory.SampleFiles()
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		return err
	}
	_, err = s.policies.Change(context.Background(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.ImportFiles(tx, directory.Actor{From: "cli"}, "sample site", files,
			directory.ImportConfig{Now: now(), Zone: zone, Cards: keys, Relative: true})
	})
	return errors.Join(err, s.store.Close())
}

// openSite opens it as `serve` does. A checkpoint follows 20 ms after a leaf, so that many are hit by the fault.
func openSite(folder string) (*serverSite, error) {
	s := &serverSite{}
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		return nil, err
	}
	keys, err := policypub.LoadKeys(filepath.Join(folder, "site-keys.json"))
	if err != nil {
		return nil, err
	}
	if s.keys, err = keystore.Open(filepath.Join(folder, "keystore.json"), filepath.Join(folder, "master.key"), rand.Reader); err != nil {
		return nil, err
	}
	sign, err := signer.Open(filepath.Join(folder, "sign"), nil)
	if err != nil {
		return nil, err
	}
	if s.log, err = sign.Verifier(signer.RoleLog); err != nil {
		return nil, err
	}
	if s.store, err = store.Open(filepath.Join(folder, "monban.db"), store.Options{
		Zone: zone, Keys: s.keys, Signer: sign, Log: s.log, CheckpointEvery: 20 * time.Millisecond,
	}); err != nil {
		return nil, err
	}
	if err := s.store.SignErr(); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	policySigner, _ := policyKeys()
	s.policies = policypub.New(policypub.Config{Store: s.store, Signer: policySigner, Site: siteName, Keys: keys, Now: now})
	if err := s.policies.Reload(context.Background()); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

var gateways = []access.GatewayID{"gw-1", "gw-2"}

// nextBatch is what a gateway would send after the watermark: n records that chain.
func nextBatch(gw access.GatewayID, epoch wire.Epoch, seq uint64, prev wire.Hash, n int) *wire.Events {
	ev := &wire.Events{Gateway: gw, Epoch: epoch, First: seq + 1, Prev: prev}
	d := access.DoorID("server-room-1")
	if gw == "gw-2" {
		d = "media-store-1"
	}
	for range n {
		seq++
		r := wire.Record{
			Gateway: gw, Epoch: epoch, Seq: seq, Door: d, Side: access.SideEnter, Event: door.EventClosed, Link: "clear",
			Detail: strconv.Itoa(os.Getpid()), // another body each time: what is not committed must not be mixed up with what is
			Stamp:  wire.Stamp{Boot: wire.BootID(epoch), BoottimeNS: int64(seq) * 1e6, WallMS: wallMS, Quality: access.ClockServer},
		}
		body := wire.AppendRecord(nil, &r)
		prev = wire.ChainHash(prev, body)
		ev.Records = append(ev.Records, wire.Carried{Body: body})
	}
	ev.Head = prev
	return ev
}

// writeStore is a server that takes batches in, decides, and signs checkpoints.
func writeStore(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, "ready")); errors.Is(err, os.ErrNotExist) {
		if err := setUpSite(folder); err != nil {
			return err
		}
	}
	s, err := openSite(folder)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	pipe := ingest.New(s.policies, s.store.Zone())
	failed := make(chan error)
	for g, gw := range gateways {
		go func() { failed <- s.sendAll(pipe, gw, wire.Epoch{byte(g + 1)}) }() // ends with the process
	}
	go func() { failed <- s.decideAll() }() // ends with the process
	return <-failed
}

// sendAll takes in one gateway's records, batch after batch, and says what may be acknowledged (I4).
func (s *serverSite) sendAll(pipe *ingest.Pipeline, gw access.GatewayID, epoch wire.Epoch) error {
	ctx := context.Background()
	var seq uint64
	var hash entrylog.Hash
	err := s.store.Read(ctx, func(r *store.ReadTx) (err error) {
		seq, hash, err = r.Chain(string(gw), epoch)
		return err
	})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		ev := nextBatch(gw, epoch, seq, wire.Hash(hash), 1+i%8)
		var out ingest.Result
		if err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
			out, err = pipe.Handle(tx, gw, ev, wallMS)
			return err
		}); err != nil {
			return err
		}
		if out.Seq != ev.First+uint64(len(ev.Records))-1 || out.Hash != ev.Head {
			return fmt.Errorf("%s: sent up to %d, taken up to %d", gw, ev.First+uint64(len(ev.Records))-1, out.Seq)
		}
		seq, hash = out.Seq, entrylog.Hash(out.Hash)
		if s.store.SignErr() == nil { // while nothing is signed, nothing is acknowledged (EV-3)
			fmt.Printf("ack %s %x %d %x\n", gw, epoch[:], seq, hash[:])
		}
	}
}

// decideAll makes decisions of the server: each is a door that opens on its row (I1).
func (s *serverSite) decideAll() error {
	ctx := context.Background()
	for i := 0; ; i++ {
		d := entrylog.Decision{
			Gateway: "gw-1", Door: "server-room-1", Side: "enter", Outcome: "granted", Reason: "granted",
			Policy: 1, AtMS: wallMS, Assurance: "card_auth",
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", os.Getpid(), i))
		copy(d.Attempt[:], sum[:])
		copy(d.Ask[:], d.Attempt[8:])
		o := &entrylog.Opening{Person: "s0001", Name: "髙橋 花子", Section: "情報政策課", Category: "staff", Inputs: make([]byte, 150)}
		var idx int64
		var body []byte
		if err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
			if idx, err = tx.AppendDecision(d, o); err != nil {
				return err
			}
			l, err := tx.Leaf(idx)
			body = l.Body
			return err
		}); err != nil {
			return err
		}
		fmt.Printf("leaf %d %x\n", idx, sha256.Sum256(body))
		if i%16 == 15 {
			if note := s.store.Checkpoint(); note != "" {
				c, err := entrylog.OpenCheckpoint([]byte(note), s.log)
				if err != nil {
					return err
				}
				fmt.Printf("checkpoint %d %x\n", c.Size, c.Root[:])
			}
		}
	}
}

// storeLedger is what a store said.
type storeLedger struct {
	acks        map[string]toldAck // gateway and epoch → the last ack
	leaves      map[int64]string   // index → SHA-256 of the body
	checkpoints int64              // size of the largest
}

type toldAck struct {
	gateway string
	epoch   wire.Epoch
	seqs    map[uint64]string // seq → chain hash
}

func newStoreLedger() *storeLedger {
	l := &storeLedger{}
	l.forget()
	return l
}

func (l *storeLedger) writer() string { return "store" }

func (l *storeLedger) forget() {
	*l = storeLedger{acks: map[string]toldAck{}, leaves: map[int64]string{}}
}

func (l *storeLedger) told(f []string) error {
	switch {
	case len(f) == 5 && f[0] == "ack":
		raw, err := hex.DecodeString(f[2])
		if err != nil || len(raw) != len(wire.Epoch{}) {
			return fmt.Errorf("epoch: %w", err)
		}
		seq, err := strconv.ParseUint(f[3], 10, 64)
		if err != nil {
			return err
		}
		key := f[1] + f[2]
		if l.acks[key].seqs == nil {
			l.acks[key] = toldAck{f[1], wire.Epoch(raw), map[uint64]string{}}
		}
		if old, twice := l.acks[key].seqs[seq]; twice && old != f[4] {
			return errors.New("acknowledged before with another hash") // I2, I4
		}
		l.acks[key].seqs[seq] = f[4]
	case len(f) == 3 && f[0] == "leaf":
		idx, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return err
		}
		if _, twice := l.leaves[idx]; twice {
			return errors.New("index given before") // I8
		}
		l.leaves[idx] = f[2]
	case len(f) == 3 && f[0] == "checkpoint":
		size, err := strconv.ParseInt(f[1], 10, 64)
		l.checkpoints = max(l.checkpoints, size)
		return err
	default:
		return errors.New("not a line of this writer")
	}
	return nil
}

// check opens the site as the next start would, verifies the whole log with its openings and SQLite's own
// structure, and compares (I2, I3, I4, I8, DS-8).
func (l *storeLedger) check(folder string) (int, error) {
	s, err := openSite(folder)
	if err != nil {
		return 0, err
	}
	compared, err := l.compare(s)
	return compared, errors.Join(err, s.store.Close())
}

func (l *storeLedger) compare(s *serverSite) (int, error) {
	ctx := context.Background()
	res, err := s.store.Verify(ctx, store.VerifyOptions{Log: s.log, Keys: s.keys, Structure: true})
	if err != nil {
		return 0, err
	}
	if !res.Clean() || res.Erased > 0 {
		return 0, fmt.Errorf("verify: %d openings without their key, findings %v", res.Erased, res.Findings)
	}
	if s.store.Size() < l.checkpoints {
		return 0, fmt.Errorf("LOST leaves: a checkpoint of %d was published, the log has %d", l.checkpoints, s.store.Size())
	}
	compared := 0
	err = s.store.Read(ctx, func(r *store.ReadTx) error {
		for _, a := range l.acks {
			for seq, want := range a.seqs {
				got, _, err := r.RecordHash(a.gateway, a.epoch, seq)
				if err != nil {
					return fmt.Errorf("LOST record %d of %s: %w", seq, a.gateway, err)
				}
				if hex.EncodeToString(got[:]) != want {
					return fmt.Errorf("record %d of %s is another than was acknowledged", seq, a.gateway)
				}
				compared++
			}
		}
		for idx, want := range l.leaves {
			leaf, err := r.Leaf(idx)
			if err != nil {
				return fmt.Errorf("LOST leaf %d: %w", idx, err)
			}
			if sum := sha256.Sum256(leaf.Body); hex.EncodeToString(sum[:]) != want {
				return fmt.Errorf("leaf %d is another than was told", idx)
			}
			compared++
		}
		return nil
	})
	return compared, err
}
