package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"monban/server/bundle"
)

type bundleCommand struct {
	Verify bundleVerifyCommand `cmd:"" help:"Check a folder against its signed list: refuses what is unsigned, changed, missing, added, or older than one that was good before. Exit 0 good, 1 not."`
	Make   bundleMakeCommand   `cmd:"" help:"List and sign a folder (for who makes releases; make bundle uses it)."`
	Key    bundleKeyCommand    `cmd:"" help:"Make a release key (for who makes releases)."`
}

type bundleVerifyCommand struct {
	Dir   string `arg:"" type:"existingdir" help:"The folder."`
	Key   string `required:"" placeholder:"FILE" type:"existingfile" help:"The release key's public half, which came another way than the bundle."`
	Floor string `required:"" placeholder:"FILE" help:"Remembers the newest bundle that was good; made at the first time."`
}

func (c *bundleVerifyCommand) Run() error {
	text, err := os.ReadFile(c.Key)
	if err != nil {
		return err
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: is no public half of a release key", c.Key)
	}
	floor, err := bundle.Floor(c.Floor)
	if err != nil {
		return err
	}
	info, err := bundle.Verify(c.Dir, key, floor)
	if err != nil {
		return err
	}
	if err := bundle.Raise(c.Floor, info.Number); err != nil {
		return err
	}
	fmt.Printf("good: version %s, %d files, signed by %s\n", info.Version, len(info.Files), key.Name())
	return nil
}

type bundleMakeCommand struct {
	Dir     string `arg:"" type:"existingdir" help:"The folder."`
	Key     string `required:"" placeholder:"FILE" type:"existingfile" help:"The release key; it is only read."`
	Version string `required:"" placeholder:"TEXT" help:"The packages' version."`
	Number  int64  `required:"" placeholder:"SECONDS" help:"Time of the commit in seconds since 1970: orders bundles."`
}

func (c *bundleMakeCommand) Run() error {
	st, err := os.Stat(c.Key)
	if err == nil && st.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s: others can read this key: chmod 600, or make a new one if others had access", c.Key)
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(c.Key)
	if err != nil {
		return err
	}
	s, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: is no release key", c.Key) // the library's error would quote the key
	}
	info, err := bundle.Make(c.Dir, c.Version, c.Number, s)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d files, version %s, signed by %s\n", c.Dir, len(info.Files), info.Version, s.Name())
	return nil
}

type bundleKeyCommand struct {
	Name string `arg:"" help:"Name of the key, such as release.example."`
	Out  string `required:"" placeholder:"FILE" help:"New file of the key; its public half goes beside it as FILE.pub."`
}

func (c *bundleKeyCommand) Run() error {
	private, public, err := note.GenerateKey(nil, c.Name)
	if err != nil {
		return fmt.Errorf("make a release key: %w", err)
	}
	write := func(path, text string, mode os.FileMode) error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, text)
		return errors.Join(err, f.Close())
	}
	if err := write(c.Out, private, 0o600); err != nil {
		return err
	}
	if err := write(c.Out+".pub", public, 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: keep it offline, twice. %s.pub goes to each site by another way than the bundles.\n", c.Out, c.Out)
	return nil
}
