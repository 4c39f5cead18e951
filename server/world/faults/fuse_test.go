package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A layer is a file system that passes everything on to a folder and fails one call of its choice. It is a process
// of its own: with bbolt's or SQLite's mapped files in the same process, a page fault could wait for itself.
// Lines that it takes: "arm OP N FAULT" fails the Nth call from now on of write, fsync or read; "disarm"
// ends that and answers with how many calls there were and where the fault hit; "delay MS" makes each fsync wait
// before it is passed on.

// Faults of a call.
const (
	faultEIO   = "EIO"
	faultFull  = "ENOSPC"
	faultShort = "short" // half is written; what follows meets a full disk
)

// serveLayer is the layer's process; folder holds "below" and "mnt".
func serveLayer(folder string) error {
	l := &layer{}
	root, err := fs.NewLoopbackRoot(filepath.Join(folder, "below"))
	if err != nil {
		return err
	}
	node, ok := root.(*fs.LoopbackNode)
	if !ok {
		return errors.New("the loopback root is not a LoopbackNode")
	}
	mnt := filepath.Join(folder, "mnt")
	server, err := fs.Mount(mnt, &layerNode{node, l}, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "monban-faults", Name: "monban-faults"},
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(l.command(strings.Fields(in.Text())))
	}
	return server.Unmount()
}

// layer counts calls and knows which one to fail.
type layer struct {
	mu    sync.Mutex
	op    string
	n     int
	fault string
	calls map[string]int
	hit   string
	// after is the file whose next write fails too: the kernel cuts a write across two pages in two, and SQLite and
	// Go go on after a part, so that a single failure would be healed before anybody was told.
	after string
	again string // with which fault
	delay time.Duration
}

func (l *layer) command(f []string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	answer := fmt.Sprintf("calls %d %d %d hit %q", l.calls["write"], l.calls["fsync"], l.calls["read"], l.hit)
	l.op, l.n, l.fault, l.hit, l.after, l.calls = "", 0, "", "", "", map[string]int{}
	if len(f) == 4 && f[0] == "arm" {
		l.op, l.fault = f[1], f[3]
		l.n, _ = strconv.Atoi(f[2]) // 0, which never comes, when it is no number
		return "armed"
	}
	if len(f) == 2 && f[0] == "delay" {
		ms, _ := strconv.Atoi(f[1])
		l.delay = time.Duration(ms) * time.Millisecond
		return "delayed"
	}
	return answer
}

// fails says whether this call is to fail, and how.
func (l *layer) fails(op, name string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[op]++
	if op == "write" && l.after == name {
		l.after = ""
		return l.again
	}
	if op != l.op || l.calls[op] != l.n {
		return ""
	}
	l.hit = filepath.Base(name)
	if op == "write" {
		l.after, l.again = name, l.fault
		if l.fault == faultShort {
			l.again = faultFull
		}
	}
	return l.fault
}

func errnoOf(fault string) syscall.Errno {
	if fault == faultFull {
		return syscall.ENOSPC
	}
	return syscall.EIO
}

type layerNode struct {
	*fs.LoopbackNode
	layer *layer
}

var _ fs.NodeWrapChilder = (*layerNode)(nil)

// WrapChild puts every file and folder below into the layer too.
func (n *layerNode) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	if below, ok := ops.(*fs.LoopbackNode); ok {
		return &layerNode{below, n.layer}
	}
	return ops
}

func (n *layerNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	fh, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return n.wrap(fh, n.Path(nil)), fuseFlags, errno
}

func (n *layerNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	node, fh, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return node, n.wrap(fh, name), fuseFlags, errno
}

// handle is what a loopback file can do, without the ways around us (passthrough).
type handle interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFsyncer
	fs.FileFlusher
	fs.FileReleaser
	fs.FileGetattrer
	fs.FileSetattrer
	fs.FileAllocater
	fs.FileLseeker
}

type layerFile struct {
	handle
	layer *layer
	name  string
}

func (n *layerNode) wrap(fh fs.FileHandle, name string) fs.FileHandle {
	h, ok := fh.(handle)
	if !ok {
		return fh // nil after an error
	}
	return &layerFile{h, n.layer, name}
}

func (f *layerFile) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if fault := f.layer.fails("read", f.name); fault != "" {
		return nil, errnoOf(fault)
	}
	return f.handle.Read(ctx, dest, off)
}

func (f *layerFile) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	switch fault := f.layer.fails("write", f.name); fault {
	case "":
		return f.handle.Write(ctx, data, off)
	case faultShort:
		return f.handle.Write(ctx, data[:len(data)/2], off)
	default:
		return 0, errnoOf(fault)
	}
}

func (f *layerFile) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if fault := f.layer.fails("fsync", f.name); fault != "" {
		return errnoOf(fault)
	}
	f.layer.mu.Lock()
	delay := f.layer.delay
	f.layer.mu.Unlock()
	time.Sleep(delay)
	return f.handle.Fsync(ctx, flags)
}

// faultLayer is a running layer as the test sees it.
type faultLayer struct {
	t     *testing.T
	p     *process
	below string
	mnt   string
	asked int
}

func newLayer(t *testing.T) *faultLayer {
	t.Helper()
	dir := imageFolder(t, 64<<20)
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "below"), 0o700), os.Mkdir(filepath.Join(dir, "mnt"), 0o700)); err != nil {
		t.Fatal(err)
	}
	l := startLayer(t, dir)
	t.Cleanup(l.stop)
	return l
}

// startLayer starts a layer between dir/below and dir/mnt.
func startLayer(t *testing.T, dir string) *faultLayer {
	t.Helper()
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		skipLoudly(t, "FUSE", err)
	} else {
		_ = f.Close()
	}
	l := &faultLayer{t: t, below: filepath.Join(dir, "below"), mnt: filepath.Join(dir, "mnt")}
	l.p = startWriter(t, "layer", dir)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		l.p.mu.Lock()
		ready := l.p.ready
		l.p.mu.Unlock()
		if ready {
			return l
		}
		select {
		case <-l.p.ended:
			skipLoudly(t, "a FUSE mount", errors.New(strings.TrimSpace(l.p.stderr.String())))
		default:
		}
		if time.Now().After(end) {
			l.stop()
			t.Fatal("the FUSE layer does not get ready")
		}
	}
}

// stop takes the layer away.
func (l *faultLayer) stop() {
	if err := unix.Unmount(l.mnt, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		l.t.Errorf("unmount %s: %v", l.mnt, err)
	}
	l.p.kill()
}

// ask sends a command and waits for its answer.
func (l *faultLayer) ask(command string) string {
	l.t.Helper()
	l.p.say(command)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		l.p.mu.Lock()
		if len(l.p.lines) > l.asked {
			answer := l.p.lines[l.asked]
			l.asked++
			l.p.mu.Unlock()
			return answer
		}
		l.p.mu.Unlock()
	}
	l.t.Fatalf("the FUSE layer does not answer %q: %s", command, l.p.stderr.String())
	return ""
}

// disarm ends a fault: how many calls there were, and the name of the file that it hit, "" when none.
func (l *faultLayer) disarm() (calls map[string]int, hit string) {
	l.t.Helper()
	var w, f, r int
	answer := l.ask("disarm")
	if _, err := fmt.Sscanf(answer, "calls %d %d %d hit %q", &w, &f, &r, &hit); err != nil {
		l.t.Fatalf("the FUSE layer answers %q: %v", answer, err)
	}
	return map[string]int{"write": w, "fsync": f, "read": r}, hit
}
