package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	mostLog  = 8 << 20 // bytes of one file; there are two
	mostLine = 4096
)

// journal writes lines to the console and to a log that does not grow without end.
type journal struct {
	mu      sync.Mutex
	console io.Writer
	dir     string
	file    *os.File
	size    int64
}

func (j *journal) open(dir string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.dir = dir
	return j.next(false)
}

// next opens the file; turn makes the present one the old one.
func (j *journal) next(turn bool) error {
	path := filepath.Join(j.dir, "current")
	if turn {
		if err := errors.Join(j.file.Close(), os.Rename(path, filepath.Join(j.dir, "previous"))); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file, j.size = f, st.Size()
	return nil
}

// line writes one line, with the time by this machine's clock in the file. A log that cannot be written stops nothing.
func (j *journal) line(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _ = io.WriteString(j.console, text+"\r\n")
	if j.file == nil {
		return
	}
	n, err := j.file.WriteString(time.Now().UTC().Format(time.RFC3339) + " " + text + "\n")
	if j.size += int64(n); err == nil && j.size > mostLog {
		err = j.next(true)
	}
	if err != nil {
		_, _ = io.WriteString(j.console, "init: log: "+err.Error()+"\r\n")
	}
}

// take copies what a program says, line by line, until it ends.
func (j *journal) take(r io.Reader) {
	s := bufio.NewReaderSize(r, mostLine)
	for {
		line, _, err := s.ReadLine()
		if err != nil {
			return
		}
		j.line(string(line))
	}
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		_ = errors.Join(j.file.Sync(), j.file.Close()) // nobody is left who could be told
		j.file = nil
	}
}
