package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"monban/firmware/osdp"
	"monban/gateway/config"
	"monban/gateway/hal/pi"
	"monban/hardware/board"
)

// PairOptions of Pair. Door is the configuration's id.
type PairOptions struct {
	Config config.Config
	Door   string
	Side   string
	Rotate bool          // through the channel of the key that it has
	Window time.Duration // at most osdp.PairingWindow
	Open   func(path string, baud int) (pi.Port, error)
	Out    io.Writer
}

// Pair gives one OSDP reader a key of its own, while the gateway does not run. What begins and how it ends are recorded;
// nothing is sent to the reader before the record of the beginning is durable. The door: it has no reader meanwhile, its
// lock is not touched.
func Pair(ctx context.Context, opt PairOptions) (err error) {
	place, r, line, err := osdpReader(opt.Config, opt.Door, opt.Side)
	if err != nil {
		return err
	}
	if r.Plain {
		return fmt.Errorf("door %s, reader %s: the board profile says plain = true: take that away first, or the key is never asked for", opt.Door, opt.Side)
	}
	if opt.Window <= 0 || opt.Window > osdp.PairingWindow {
		return fmt.Errorf("a pairing window is at most %v long", osdp.PairingWindow)
	}
	dir := opt.Config.IdentityDir
	old, err := loadReaderKey(dir, place, opt.Side)
	if _, statErr := os.Stat(filepath.Join(dir, readerKeyFile(place, opt.Side))); errors.Is(statErr, fs.ErrNotExist) {
		if err = nil; opt.Rotate { // the first pairing
			return fmt.Errorf("door %s, reader %s: it has no key yet: pair it without --rotate", opt.Door, opt.Side)
		}
	}
	if err != nil {
		return err
	}
	j, err := openJournal(opt.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	if err := j.note(opt.Door, "pairing."+opt.Side); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(opt.Out, "Pairing the %s reader of door %s (line %s, address %d) for at most %v. Ctrl-C breaks it off.\n", opt.Side, opt.Door, line.Name, r.Address, opt.Window)
	bench := pi.OSDPBench{Open: func() (pi.Port, error) { return opt.Open(line.Path, line.Baud) }, Baud: line.Baud, Now: j.anchor.now}
	give := bench.Pair
	if opt.Rotate {
		give = bench.Rotate
	}
	proof, err := give(ctx, byte(r.Address), old, opt.Window, func(k pi.ReaderKey) error {
		if k.Key == nil && k.Pending == nil {
			return os.Remove(filepath.Join(dir, readerKeyFile(place, opt.Side)))
		}
		return saveReaderKey(dir, place, opt.Side, k)
	})
	if err != nil {
		return errors.Join(fmt.Errorf("door %s, reader %s: %w", opt.Door, opt.Side, err), j.note(opt.Door, "not_paired."+opt.Side))
	}
	_, _ = fmt.Fprintf(opt.Out, "Paired: the reader with serial number %d holds a key that only it and this gateway know.\n", proof.Serial)
	return j.note(opt.Door, "paired."+opt.Side)
}

// PairNew pairs each OSDP reader of the board profile that has to have a key and has none, so that it can be said again and again. One that cannot be
// paired does not keep the others from it.
func PairNew(ctx context.Context, opt PairOptions) (err error) {
	for _, d := range opt.Config.Doors {
		for _, side := range []string{"enter", "exit"} {
			place, r, _, found := osdpReader(opt.Config, d.ID, side)
			if found != nil || r.Plain {
				continue
			}
			switch _, statErr := os.Stat(filepath.Join(opt.Config.IdentityDir, readerKeyFile(place, side))); {
			case statErr == nil:
				continue
			case !errors.Is(statErr, fs.ErrNotExist):
				err = errors.Join(err, statErr)
				continue
			}
			opt.Door, opt.Side, opt.Rotate = d.ID, side, false
			if err = errors.Join(err, Pair(ctx, opt)); ctx.Err() != nil {
				return err
			}
		}
	}
	return err
}

// osdpReader finds a reader of the board profile and its line.
func osdpReader(cfg config.Config, id, side string) (place string, r *board.Reader, line *board.Serial, err error) {
	if cfg.Profile == nil {
		return "", nil, nil, errors.New("board is missing in the configuration: name a board profile")
	}
	for _, d := range cfg.Doors {
		if d.ID == id {
			place = d.Place
		}
	}
	w, ok := cfg.Profile.Door(place)
	if !ok {
		return "", nil, nil, fmt.Errorf("door %q is not in the configuration", id)
	}
	if r, ok = w.Reader(side); !ok || r.Type != board.OSDP {
		return "", nil, nil, fmt.Errorf("door %s has no OSDP reader on side %q", id, side)
	}
	for i := range cfg.Profile.Serial {
		if s := &cfg.Profile.Serial[i]; s.Name == r.Serial {
			return place, r, s, nil
		}
	}
	return "", nil, nil, fmt.Errorf("the board profile has no serial line %q", r.Serial)
}
