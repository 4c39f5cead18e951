package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
	"monban/server/bundle"
	"monban/server/ca"
)

type bundleCommand struct {
	Verify bundleVerifyCommand `cmd:"" help:"Check a folder against its signed list: refuses what is unsigned, signed by too few, changed, missing, added, expired, or older than one that was good before. Exit 0 good, 1 not."`
	Make   bundleMakeCommand   `cmd:"" help:"List and sign a folder (for who makes releases; make bundle uses it)."`
	Stamp  bundleStampCommand  `cmd:"" help:"Say anew that a signed folder is the present release (for who makes releases)."`
	Root   bundleRootCommand   `cmd:"" help:"Say which keys sign releases and how many must (for who makes releases). The first root goes to each site by another way than the bundles."`
	Key    bundleKeyCommand    `cmd:"" help:"Make a release key (for who makes releases)."`
}

type bundleVerifyCommand struct {
	Dir   string `arg:"" type:"existingdir" help:"The folder."`
	Trust string `required:"" placeholder:"FILE" help:"Remembers keys and the newest bundle that was good; made at the first time."`
	Root  string `placeholder:"FILE" type:"existingfile" help:"At the first time: the root, which came another way than the bundle."`
}

func (c *bundleVerifyCommand) Run() error {
	trust, err := bundle.LoadTrust(c.Trust, c.Root)
	if err != nil {
		return err
	}
	// preflight has looked at the clock of this machine.
	before := trust.Bytes()
	l, trust, err := bundle.Verify(c.Dir, trust, update.Clock{Now: time.Now().Unix(), Sure: true})
	if err == nil || !bytes.Equal(trust.Bytes(), before) {
		err = errors.Join(err, bundle.SaveTrust(c.Trust, trust))
	}
	if err != nil {
		return err
	}
	fmt.Printf("good: version %s, %d files, root %d\n", l.Version, len(l.Files), trust.Root().Number)
	return nil
}

// day is a date on the command line, as seconds since 1970.
type day int64

// UnmarshalText reads 2030-01-31.
func (d *day) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("%q is no day such as 2030-01-31", text)
	}
	*d = day(t.Unix())
	return nil
}

// or gives the day, or one so many days from now.
func (d day) or(days int) int64 {
	if d != 0 {
		return int64(d)
	}
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, days).Unix()
}

// How long texts hold when nobody says otherwise, days.
const (
	rootDays  = 3650
	listDays  = 1095
	stampDays = 366
)

type bundleMakeCommand struct {
	Dir          string   `arg:"" type:"existingdir" help:"The folder."`
	Root         []string `required:"" placeholder:"FILE" type:"existingfile" help:"Every root, the oldest first."`
	Key          []string `required:"" placeholder:"FILE" type:"existingfile" help:"Release keys, as many as the root wants; they are only read."`
	StampKey     string   `required:"" placeholder:"FILE" type:"existingfile" help:"The stamp's key."`
	Version      string   `required:"" placeholder:"TEXT" help:"The packages' version."`
	Number       int64    `required:"" placeholder:"SECONDS" help:"Time of the commit in seconds since 1970: orders bundles."`
	Expires      day      `placeholder:"DAY" help:"Until when this release may be installed; default: three years."`
	StampExpires day      `placeholder:"DAY" help:"Until when it is the present one; default: a year. bundle stamp lengthens it."`
}

func (c *bundleMakeCommand) Run() error {
	p := bundle.Plan{Version: c.Version, Number: c.Number, Expires: c.Expires.or(listDays), Stamped: time.Now().Unix(), StampExpires: c.StampExpires.or(stampDays)}
	for _, path := range c.Root {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p.Roots = append(p.Roots, data)
	}
	var err error
	if p.Release, err = secretKeys(c.Key); err != nil {
		return err
	}
	if p.Stamp, err = secretKey(c.StampKey); err != nil {
		return err
	}
	l, err := bundle.Make(c.Dir, p)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d files, version %s, signed by %d\n", c.Dir, len(l.Files), l.Version, len(p.Release))
	return nil
}

type bundleStampCommand struct {
	Dir     string `arg:"" type:"existingdir" help:"The folder; of it MANIFEST is read and STAMP written."`
	Key     string `required:"" placeholder:"FILE" type:"existingfile" help:"The stamp's key."`
	Expires day    `placeholder:"DAY" help:"Default: a year."`
}

func (c *bundleStampCommand) Run() error {
	s, err := secretKey(c.Key)
	if err != nil {
		return err
	}
	return bundle.Restamp(c.Dir, bundle.Plan{Stamped: time.Now().Unix(), StampExpires: c.Expires.or(stampDays), Stamp: s})
}

type bundleRootCommand struct {
	Out     string   `required:"" placeholder:"FILE" help:"New file."`
	Number  int64    `default:"1" help:"1 for the first; each later one is higher by 1 and is signed by the keys of the one before too."`
	Expires day      `placeholder:"DAY" help:"Default: ten years."`
	Role    []string `required:"" sep:"none" placeholder:"ROLE=N:FILE,FILE" help:"root, release and stamp: how many must sign, and the public halves. all=1:FILE gives all of them to one key, for a bench."`
	Sign    []string `required:"" placeholder:"FILE" type:"existingfile" help:"Secret keys that sign this root."`
}

func (c *bundleRootCommand) Run() error {
	r := &update.Root{Number: c.Number, Expires: c.Expires.or(rootDays), Holders: map[update.Role]update.Holders{}}
	for _, arg := range c.Role {
		name, rest, ok := strings.Cut(arg, "=")
		n, files, ok2 := strings.Cut(rest, ":")
		threshold, err := strconv.Atoi(n)
		if !ok || !ok2 || err != nil {
			return fmt.Errorf("--role %s: is not ROLE=N:FILE,FILE", arg)
		}
		h := update.Holders{Threshold: threshold}
		for _, f := range strings.Split(files, ",") {
			text, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			h.Keys = append(h.Keys, strings.TrimSpace(string(text)))
		}
		found := false
		for _, role := range []update.Role{update.RoleRoot, update.RoleRelease, update.RoleStamp} {
			if name == role.String() || name == "all" {
				r.Holders[role], found = h, true
			}
		}
		if !found {
			return fmt.Errorf("--role %s: roles are root, release, stamp, and all for a bench", arg)
		}
	}
	keys, err := secretKeys(c.Sign)
	if err != nil {
		return err
	}
	data, err := bundle.MakeRoot(r, keys...)
	if err != nil {
		return err
	}
	return writeNew(c.Out, string(data), 0o644)
}

func secretKeys(paths []string) (out []note.Signer, err error) {
	for _, path := range paths {
		s, err := secretKey(path)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func secretKey(path string) (note.Signer, error) {
	st, err := os.Stat(path)
	if err == nil {
		err = ca.OwnersAlone(path, st.Mode())
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: is no release key", path) // the library's error would quote the key
	}
	return s, nil
}

func writeNew(path, text string, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(f, text)
	return errors.Join(err, f.Close())
}

type bundleKeyCommand struct {
	Name string `arg:"" help:"Name of the key, such as release-1.example."`
	Out  string `required:"" placeholder:"FILE" help:"New file of the key; its public half goes beside it as FILE.pub."`
}

func (c *bundleKeyCommand) Run() error {
	private, public, err := note.GenerateKey(nil, c.Name)
	if err != nil {
		return fmt.Errorf("make a release key: %w", err)
	}
	if err := writeNew(c.Out, private+"\n", 0o600); err != nil {
		return err
	}
	if err := writeNew(c.Out+".pub", public+"\n", 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: keep it offline, twice. %s.pub goes into the root (monban-server bundle root).\n", c.Out, c.Out)
	return nil
}
