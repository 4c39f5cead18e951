package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"monban/server/config"
)

// ErrOtherUser says that a command was run by a user whom the folder does not belong to.
var ErrOtherUser = errors.New("nothing was done")

// AsOwner refuses to work in a folder that belongs to another user (ADR 0098): what root leaves there the server cannot read, which
// has made it miss a denial and end at its next start; and whoever holds the folder could lead root's hand to other files. args is
// what was typed, to be typed again as the right user. Of a folder that is not there yet, root is held to the one it would lie in.
func AsOwner(euid int, dir string, args []string) error {
	at := filepath.Clean(dir)
	st, err := os.Stat(at)
	for euid == 0 && errors.Is(err, fs.ErrNotExist) && filepath.Dir(at) != at {
		at = filepath.Dir(at)
		st, err = os.Stat(at)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || int(sys.Uid) == euid {
		return nil
	}
	name, how := userName(sys.Uid), "runuser -u " // of util-linux, which is everywhere; sudo may be missing on Debian
	switch {
	case strings.HasPrefix(name, "#"):
		name, how = "'"+name+"'", "sudo -u "
	case euid != 0:
		how = "sudo -u "
	}
	line := how + name + " --"
	for _, a := range args {
		line += " " + quoted(a)
	}
	return fmt.Errorf("%s belongs to %s, and the server cannot use what another user leaves there: %w. Type (every file you name must be readable for that user):\n  %s", at, name, ErrOtherUser, line)
}

// likeFolder gives a file that root has just made to whom its folder belongs: by the descriptor, and never one that has a second name, so
// that nobody leads root's hand to another file. Of root's commands only `signer split` comes here (ADR 0098).
func likeFolder(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	folder, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	of, ok1 := folder.Sys().(*syscall.Stat_t)
	is, ok2 := info.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || is.Uid == of.Uid || is.Nlink != 1 {
		return nil
	}
	return f.Chown(int(of.Uid), int(of.Gid))
}

// userName is a user's name, or # and the number where it has none.
func userName(uid uint32) string {
	if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		return u.Username
	}
	return "#" + strconv.Itoa(int(uid))
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+@%") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// owners is the doctor's line on files that belong to another user than who runs this: a command run as root has left them, and they stop
// the server sooner or later.
func owners(cfg *config.Config) Check { return ownersAre(os.Geteuid(), cfg.DataDir, cfg.CA.Dir) }

func ownersAre(euid int, dirs ...string) Check {
	const shown = 5
	c := Check{Name: "owner of the files"}
	var foreign []string
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone meanwhile
			}
			if d == nil {
				return err
			}
			info, statErr := d.Info()
			if statErr != nil {
				return nil //nolint:nilerr // gone meanwhile
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != euid {
				foreign = append(foreign, path+" ("+userName(st.Uid)+")")
				err = nil
				if d.IsDir() {
					return fs.SkipDir // all of it has to be given away
				}
			}
			return err
		})
		if err != nil {
			c.Err = err
			return c
		}
	}
	slices.Sort(foreign)
	foreign = slices.Compact(foreign) // one folder may lie in the other
	if n := len(foreign); n > 0 {
		more := ""
		if n > shown {
			foreign, more = foreign[:shown], fmt.Sprintf(" and %d more", n-shown)
		}
		c.Err = fmt.Errorf("another user's, which the server cannot use: %s%s: as root, chown -R %s: %s", strings.Join(foreign, ", "), more, userName(uint32(euid)), dirs[0]) //nolint:gosec // a user's number
	}
	return c
}
