package report

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrNoPrinter says that there is no program that makes a PDF: the browser's print is the way.
var ErrNoPrinter = errors.New("WeasyPrint or its fonts are not installed: print from the browser, or install weasyprint fonts-morisawa-bizud-gothic fonts-noto-cjk")

// Limits of one run of the program that makes a PDF. 500 rows took 7 s and 440 MB.
const (
	partRows   = 500
	partTime   = 120 * time.Second
	partMemory = 1_500_000_000 // bytes of address space
	maxPDF     = 256 << 20
)

// Printer makes PDFs by WeasyPrint, a part at a time. The program gets a page of ours on its standard input, whose text is escaped by
// html/template and which names no address, a directory with nothing in it, and nothing of our environment.
type Printer struct {
	prlimit, weasyprint string
	letters             *Letters
	run                 chan struct{} // one at a time
	time                time.Duration // of one run
}

// FindPrinter looks for the programs and the fonts once; ErrNoPrinter when there are none.
func FindPrinter(ctx context.Context) (*Printer, error) {
	p := &Printer{run: make(chan struct{}, 1), time: partTime}
	var err error
	if p.prlimit, err = exec.LookPath("prlimit"); err == nil {
		p.weasyprint, err = exec.LookPath("weasyprint")
	}
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoPrinter, err)
	}
	if p.letters, err = FindLetters(ctx); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoPrinter, err)
	}
	return p, nil
}

// Print makes one PDF, or of a long report a zip file with one for each part. A letter that no font has would be blank on the
// paper without a word: it becomes 〓, or the person's reduced name where the document has it, and the paper says so. missing lists those.
func (p *Printer) Print(ctx context.Context, d *Document, hash, name string, progress func(done, of int)) (data []byte, missing []string, suffix string, err error) {
	select {
	case p.run <- struct{}{}:
		defer func() { <-p.run }()
	case <-ctx.Done():
		return nil, nil, "", ctx.Err()
	}
	d, missing = p.letters.Replace(d)
	parts := d.Split(partRows)
	var pdfs [][]byte
	for i := range parts {
		progress(i, len(parts))
		page, err := HTML(&parts[i], hash, missing)
		if err != nil {
			return nil, nil, "", err
		}
		pdf, err := p.pdf(ctx, page, d.Closed)
		if err != nil {
			return nil, nil, "", fmt.Errorf("part %d of %d: %w", i+1, len(parts), err)
		}
		pdfs = append(pdfs, pdf)
	}
	progress(len(parts), len(parts))
	if len(pdfs) == 1 {
		return pdfs[0], missing, ".pdf", nil
	}
	data, err = zipped(pdfs, name, d.Closed)
	return data, missing, ".zip", err
}

// zipped puts the parts into one file. They are compressed already.
func zipped(pdfs [][]byte, name string, closed time.Time) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, pdf := range pdfs {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%s-%03d.pdf", name, i+1), Method: zip.Store, Modified: closed.UTC()})
		if err == nil {
			_, err = w.Write(pdf)
		}
		if err != nil {
			return nil, fmt.Errorf("zip: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	return b.Bytes(), nil
}

// pdf runs the program once. It exits with an error and writes nothing when its memory or its time ends.
func (p *Printer) pdf(ctx context.Context, page []byte, closed time.Time) ([]byte, error) {
	dir, err := os.MkdirTemp("", "monban-report-")
	if err != nil {
		return nil, fmt.Errorf("empty directory for WeasyPrint: %w", err)
	}
	defer os.RemoveAll(dir) // what its fonts' cache left there
	ctx, cancel := context.WithTimeout(ctx, p.time)
	defer cancel()
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return nil, fmt.Errorf("empty directory for WeasyPrint: %w", err)
	}
	cmd := exec.CommandContext(ctx, p.prlimit, "--as="+strconv.Itoa(partMemory), "--cpu="+strconv.Itoa(int(partTime/time.Second)), p.weasyprint, "-q", "-", "-")
	cmd.Dir, cmd.WaitDelay = work, 5*time.Second
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + dir, "SOURCE_DATE_EPOCH=" + strconv.FormatInt(closed.Unix(), 10)}
	cmd.Stdin = bytes.NewReader(page)
	out, said := &limited{most: maxPDF}, &limited{most: 4096}
	cmd.Stdout, cmd.Stderr = out, said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("WeasyPrint: %w: %s", err, oneLine(said.String()))
	}
	if out.over || !bytes.HasPrefix(out.Bytes(), []byte("%PDF-")) {
		return nil, fmt.Errorf("WeasyPrint wrote no PDF that can be used (%d bytes)", out.Len())
	}
	return out.Bytes(), nil
}

// oneLine is the last line that a program said, which for a Python program is what went wrong.
func oneLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// limited keeps what is written up to a limit and forgets the rest.
type limited struct {
	bytes.Buffer
	most int
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if n := l.most - l.Len(); len(p) > n {
		l.over = true
		l.Buffer.Write(p[:max(n, 0)])
		return len(p), nil
	}
	return l.Buffer.Write(p)
}
