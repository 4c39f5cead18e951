package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// Fixed, so that two images are the same bytes. They name a file system and protect nothing.
const (
	dataUUID = "6d6f6e62-616e-4000-8000-646174610001"
	dataSeed = "6d6f6e62-616e-4000-8000-646174610002"
)

// dataPartition makes the empty ext4 of the second partition with mkfs.ext4: what go-diskfs writes does not please e2fsck.
func dataPartition(path string, epoch int64) error {
	mkfs := ""
	for _, p := range []string{"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"} {
		if _, err := os.Stat(p); err == nil {
			mkfs = p
		}
	}
	if mkfs == "" {
		return errors.New("missing: mkfs.ext4. Install it with: apt-get install e2fsprogs")
	}
	c := exec.Command(mkfs, "-q", "-F", "-b", "4096", "-m", "0", "-L", "monban-data", "-U", dataUUID,
		"-E", "hash_seed="+dataSeed+",lazy_itable_init=0,lazy_journal_init=0,nodiscard,offset="+strconv.Itoa(dataStart*sector),
		path, strconv.Itoa(dataSize*sector/1024)+"k")
	c.Env = append(os.Environ(), "E2FSPROGS_FAKE_TIME="+strconv.FormatInt(epoch, 10), "SOURCE_DATE_EPOCH="+strconv.FormatInt(epoch, 10))
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
