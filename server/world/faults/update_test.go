package faults

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sys/unix"

	"monban/firmware/update"
	"monban/gateway/slot"
)

const (
	updateProgram = "programs/monban-gateway-test"
	updateRoot    = "release.root"
	updateOwn     = 100 // number of the machine's own program
	cutAtEnv      = "MONBAN_FAULTS_CUT_AT"
)

// updateProgramOf is the program of a release; large enough that its writing has more than 200 steps.
func updateProgramOf(number int64) []byte {
	data := make([]byte, 7<<20)
	for i := 0; i < len(data); i += 4096 {
		copy(data[i:], strconv.FormatInt(number+int64(i), 10))
	}
	return data
}

// updateFolder is a signed release; its key is made from a fixed seed.
func updateFolder(number int64) (fstest.MapFS, []byte, error) {
	skey, vkey, err := note.GenerateKey(fixedRand(9), "release")
	if err != nil {
		return nil, nil, err
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		return nil, nil, err
	}
	sign := func(text string) (data []byte) {
		data, err2 := note.Sign(&note.Note{Text: text}, s)
		err = errors.Join(err, err2)
		return data
	}
	one := update.Holders{Threshold: 1, Keys: []string{vkey}}
	root := sign((&update.Root{Number: 1, Expires: 4000 * 86400, Holders: map[update.Role]update.Holders{update.RoleRoot: one, update.RoleRelease: one, update.RoleStamp: one}}).Text())
	program := updateProgramOf(number)
	sum := sha256.Sum256(program)
	l := &update.List{Version: "v", Number: number, Expires: 4000 * 86400, Files: []update.File{{Path: updateProgram, Size: int64(len(program)), Sum: hex.EncodeToString(sum[:])}}}
	list := sign(l.Text())
	return fstest.MapFS{update.ListFile: {Data: list}, updateProgram: {Data: program},
		update.StampFile: {Data: sign(update.StampOf(list, l, number, 4000*86400).Text())}}, root, err
}

// updateStep makes one whole update: stage, start on trial, well.
func updateStep(s *slot.Store, number int64) error {
	folder, root, err := updateFolder(number)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.Dir, updateRoot), root, 0o600); err != nil {
		return err
	}
	_, err = s.Stage(slot.Release{Folder: folder, Path: updateProgram, Clock: update.Clock{Now: 1000 * 86400, Sure: true}, Own: updateOwn, Root: filepath.Join(s.Dir, updateRoot)})
	if err != nil {
		return err
	}
	c, f, err := s.Choose(updateOwn)
	if err != nil {
		return err
	}
	if f == nil || !c.Trial || c.Number != number {
		return fmt.Errorf("%d is not on trial: %+v", number, c)
	}
	return errors.Join(f.Close(), s.Well(number))
}

// writeUpdate updates from 200 to 300 and takes the power away itself, just before the step that it was told.
func writeUpdate(folder string) error {
	at, err := strconv.Atoi(os.Getenv(cutAtEnv))
	if err != nil {
		return err
	}
	n := 0
	s := &slot.Store{Dir: folder, Step: func() {
		if n++; n == at {
			d, err := os.Open(filepath.Dir(folder))
			if err == nil {
				err = unix.IoctlSetPointerInt(int(d.Fd()), ext4Shutdown, noLogFlush)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println("cut")
			os.Exit(0)
		}
	}}
	if err := updateStep(s, 300); err != nil {
		return err
	}
	fmt.Println("done", n)
	return nil
}

// OP-4, DS-8: the power goes before each step of an update, on an ext4 of its own: the machine starts, with the program that ran before or with
// the whole new one, never with another or an older one; and the same update can be made again.
func TestPowerCutsInUpdate(t *testing.T) {
	stride := count(t, "MONBAN_UPDATE_STRIDE", 40) // 1 = before every step
	d := newDisk(t, 128<<20)
	folder := filepath.Join(d.folder, "slots")
	steps, started := 0, map[string]int{}
	at := 1
	for {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := updateStep(&slot.Store{Dir: folder}, 200); err != nil {
			t.Fatal(err)
		}
		syncFolder(t, d.folder)
		t.Setenv(cutAtEnv, strconv.Itoa(at))
		p := startWriter(t, "update", folder)
		<-p.ended
		if err := p.cmd.Wait(); err != nil {
			t.Fatalf("step %d: %v: %s", at, err, p.stderr.String())
		}
		said := strings.Join(p.lines, " ")
		d.remount()
		if total, ok := strings.CutPrefix(said, "done "); ok {
			steps, _ = strconv.Atoi(total)
			break
		}
		if said != "cut" {
			t.Fatalf("step %d: %q", at, said)
		}
		started[afterCut(t, folder, at)]++
		at += stride
	}
	n := 0
	for _, k := range started {
		n += k
	}
	t.Logf("%d cuts in %d steps of an update: started %v", n, steps, started)
	appendReport(t, fmt.Sprintf("%s\t%d cuts in %d steps of an update, started %v, none unsigned, none older", t.Name(), n, steps, started))
	if steps < 200 || started["held"] == 0 {
		t.Errorf("%d steps, started %v", steps, started)
	}
}

// afterCut is the machine's next starts; it says which program they gave.
func afterCut(t *testing.T, folder string, at int) string {
	t.Helper()
	s := &slot.Store{Dir: folder}
	names := map[int64]string{200: "held", 300: "new"}
	first := ""
	for range 3 { // the third is after a trial that was cut off too
		c, f, err := s.Choose(updateOwn)
		if err != nil {
			t.Fatalf("step %d: it does not start: %v", at, err)
		}
		if f == nil || names[c.Number] == "" {
			t.Fatalf("step %d: started %+v, neither the program that ran nor the new one", at, c)
		}
		data, err := io.ReadAll(io.NewSectionReader(f, 0, c.Size+1))
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if string(data) != string(updateProgramOf(c.Number)) {
			t.Fatalf("step %d: started something else than the program that was signed", at)
		}
		if first == "" {
			first = names[c.Number]
		}
	}
	st, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	if st.Held.Number != 300 {
		folderFS, _, err := updateFolder(300)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stage(slot.Release{Folder: folderFS, Path: updateProgram, Clock: update.Clock{Now: 1000 * 86400, Sure: true}, Own: updateOwn, Again: true}); err != nil {
			t.Fatalf("step %d: the same update once more: %v", at, err)
		}
		if c, f, err := s.Choose(updateOwn); err != nil || f == nil || c.Number != 300 {
			t.Fatalf("step %d: the same update once more: %+v, %v", at, c, err)
		} else if err := errors.Join(f.Close(), s.Well(300)); err != nil {
			t.Fatal(err)
		}
	}
	return first
}
