package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"monban/server/app"
	"monban/server/web"
)

// asPerson is the part that commands share which make one of two persons: they take an account that proves itself (ADR 0102).
type asPerson struct {
	onSite
	Reason       string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
	By           string `placeholder:"ACCOUNT" help:"Sign-in name of the account that does it. It needs the role and the second factor that the page asks for; the password, and the one-time code where it has one, are asked for at the terminal."`
	PasswordFile string `placeholder:"FILE" type:"existingfile" help:"File (mode 0600) whose first line is the password, in place of the question."`
}

// prove has the account of --by prove itself.
func (p *asPerson) prove(ctx context.Context, s *app.Site, as app.AsOnPage) (app.Operator, error) {
	if p.By == "" {
		return app.Operator{}, errors.New("--by ACCOUNT is missing: this makes one of two persons, and takes the account of who does it")
	}
	return s.Prove(ctx, as, web.TerminalAnswers{
		Account: p.By, Address: "terminal of " + whoCalled(),
		Password: func() (string, error) {
			if p.PasswordFile != "" {
				return passwordFile(p.PasswordFile)
			}
			return askTerminal(ctx, "Password of "+p.By+": ")
		},
		Code: func() (string, error) { return askTerminal(ctx, "One-time code of "+p.By+": ") },
	}, time.Now)
}

// whoCalled is the user of the machine who called runuser or sudo, as far as it is known; a note and no proof.
func whoCalled() string {
	if by := os.Getenv("SUDO_USER"); by != "" {
		return by
	}
	return operator()
}

// passwordFile reads the first line of a file that nobody but its owner may be able to read.
func passwordFile(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe must not hold the site
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	st, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	switch mode := st.Mode(); {
	case !mode.IsRegular():
		return "", fmt.Errorf("%s: is not a regular file", path)
	case mode.Perm()&0o077 != 0:
		return "", fmt.Errorf("%s: has mode %#o; others could read the password, want 0600", path, mode.Perm())
	}
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
		return "", fmt.Errorf("%s: its first line is empty", path)
	}
	return string(line), nil
}

// askTerminal asks for a line that is not shown.
func askTerminal(ctx context.Context, question string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return "", fmt.Errorf("there is no terminal to ask at: run it at one (a password can be in --password-file, a one-time code cannot), or do it on the page: %w", err)
	}
	defer tty.Close() //nolint:errcheck // nothing is kept
	return askWithin(ctx, tty, question, answerTime)
}

// answerTime is how long a question waits: the site is open meanwhile, and no server starts.
const answerTime = 2 * time.Minute

var errNoAnswer = errors.New("no answer in time")

func askWithin(ctx context.Context, tty *os.File, question string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNoAnswer)
	defer cancel()
	line, err := askQuietly(ctx, tty, question)
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
		return "", fmt.Errorf("%w (%s), and nothing was done: run the command again: %w", errNoAnswer, limit, err)
	}
	return line, err
}

// askQuietly is askTerminal on an open terminal, whose echo is on again afterwards, also when the command is broken off.
func askQuietly(ctx context.Context, tty *os.File, question string) (line string, err error) {
	fd := int(tty.Fd()) //nolint:gosec // a descriptor
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	quiet := *was
	quiet.Lflag = quiet.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &quiet); err != nil { // drops what was typed before
		return "", fmt.Errorf("terminal: %w", err)
	}
	defer func() {
		_, nl := fmt.Fprintln(tty)
		err = errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETSF, was), nl)
	}()
	if _, err := fmt.Fprint(tty, question); err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // a read that nobody answers ends with the process
		line, err := bufio.NewReader(io.LimitReader(tty, 4096)).ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("broken off; nothing was done")
	case a := <-got:
		if a.err != nil {
			return "", fmt.Errorf("nothing was typed: %w", a.err)
		}
		return strings.TrimRight(a.line, "\r\n"), nil
	}
}
