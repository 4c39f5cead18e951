package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrOtherUser says that a command was run by a user whom the folder does not belong to.
var ErrOtherUser = errors.New("nothing was done")

// AsOwner refuses to work in a folder that belongs to another user: the gateway could not use what he leaves there (ADR 0098). line is what was
// typed, without what nobody else is to read. Of a folder that is not there yet, root is held to the one it would lie in.
func AsOwner(euid int, dir, line string) error {
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
	name := ownerName(sys.Uid)
	how := "sudo -u " + name
	switch {
	case strings.HasPrefix(name, "#"):
		how = "sudo -u '" + name + "'"
	case euid == 0:
		how = "runuser -u " + name // of util-linux, which is everywhere; sudo may be missing on Debian
	}
	return fmt.Errorf("%s belongs to %s, and the gateway cannot use what another user leaves there: %w. Type:\n  %s -- %s", at, name, ErrOtherUser, how, line)
}

func ownerName(uid uint32) string {
	if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		return u.Username
	}
	return "#" + strconv.Itoa(int(uid))
}
