// Command monban-verify checks an exported log on the PC of an auditor: without a server, a database or a network.
// It holds the same check as `monban-server verify`.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/checkstate"
	"monban/server/logcheck"
	"monban/server/timestamp"
)

var version = "unknown" // set by the linker

const usage = `Usage: monban-verify [--key FILE] [--policy FILE] [--timestamps FILE] [--checkpoint FILE] [--lang ja|en] [--resume] FILE

Checks a file that "monban-server export" made: a bundle, a pack (.zip) or the proof of one record
(NAME.tlog-proof). Says on one page what is proven and what is not.

  --key FILE         public keys of the log, one a line, that you got another way than with the bundle
  --policy FILE      who must have cosigned, as you see it: a C2SP tlog-policy (lines log, witness, group, quorum)
  --timestamps FILE  certificates (PEM) of the time-stamping authorities that you believe, or of who signs theirs: time stamps
                     (RFC 3161) in the file must be by one of them
  --checkpoint FILE  a checkpoint that somebody else holds, e.g. from a mail or from paper; may be repeated
  --lang ja|en       language of the page (default: that of the environment)
  --resume           go on where a check on this PC was broken off: what that one looked at already is only compared, not
                     checked again
  --version          print the version

On Windows, drop the file on monban-verify.exe: the page is written beside it, into NAME.result.txt.

Exit 0: nothing found. 1: something found, the first bad record is named. 2: could not check.
`

// files is a flag that may be repeated.
type files []string

func (f *files) String() string { return strings.Join(*f, " ") }

func (f *files) Set(s string) error {
	*f = append(*f, s)
	return nil
}

type options struct {
	keys, held files
	policy     string
	stamps     string
	lang       logcheck.Lang
	resume     bool
	file       string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	args := os.Args[1:]
	os.Exit(withResult(runtime.GOOS, args, os.Stdout, os.Stderr, func(out, errs io.Writer) int { return run(ctx, args, os.Getenv("LANG"), out, errs) }))
}

// run is the whole program; it gives the exit code.
func run(ctx context.Context, args []string, environment string, out, errs io.Writer) int {
	o := options{lang: logcheck.English}
	if strings.HasPrefix(environment, "ja") || environment == "" { // Windows sets no LANG
		o.lang = logcheck.Japanese
	}
	fail := func(err error) int {
		_, _ = fmt.Fprintln(errs, "monban-verify:", logcheck.PlainError{Err: err}) // nowhere else to say it
		return 2
	}
	set := flag.NewFlagSet("monban-verify", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Var(&o.keys, "key", "")
	set.Var(&o.held, "checkpoint", "")
	set.StringVar(&o.policy, "policy", "", "")
	set.StringVar(&o.stamps, "timestamps", "", "")
	lang := set.String("lang", "", "")
	set.BoolVar(&o.resume, "resume", false, "")
	tell := set.Bool("version", false, "")
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(out, usage)
	case err != nil:
		return fail(fmt.Errorf("%w (see monban-verify --help)", err))
	case *tell:
		_, err = fmt.Fprintln(out, "monban-verify", version)
	case set.NArg() != 1:
		return fail(errors.New("name one file (see monban-verify --help)"))
	case *lang != "" && *lang != "ja" && *lang != "en":
		return fail(fmt.Errorf("--lang %s: ja or en", *lang))
	default:
		if *lang == "ja" {
			o.lang = logcheck.Japanese
		} else if *lang == "en" {
			o.lang = logcheck.English
		}
		o.file = set.Arg(0)
		clean, err := check(ctx, o, out, errs)
		if err != nil {
			return fail(err)
		}
		if !clean {
			return 1
		}
		return 0
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

func check(ctx context.Context, o options, out, errs io.Writer) (clean bool, err error) {
	var opt logcheck.Options
	if opt.Keys, err = readKeys(o.keys); err != nil {
		return false, err
	}
	for _, name := range o.held {
		text, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		// A checkpoint typed from paper or pasted from a mail may have the line ends of another system.
		text = []byte(strings.ReplaceAll(string(text), "\r\n", "\n"))
		opt.Held = append(opt.Held, logcheck.NamedNote{Name: filepath.Base(name), Signed: string(text)})
	}
	if o.policy != "" {
		text, err := os.ReadFile(o.policy)
		if err != nil {
			return false, err
		}
		if opt.Policy, err = logcheck.ParsePolicy([]byte(strings.ReplaceAll(string(text), "\r\n", "\n"))); err != nil {
			return false, fmt.Errorf("%s: %w", o.policy, err)
		}
	}
	if o.stamps != "" {
		text, err := os.ReadFile(o.stamps)
		if err != nil {
			return false, err
		}
		if opt.Stamps, err = timestamp.NewTrust(text, nil); err != nil {
			return false, fmt.Errorf("%s: %w", o.stamps, err)
		}
	}
	f, err := os.Open(o.file)
	if err != nil {
		return false, err
	}
	defer f.Close() // only read
	begin := make([]byte, 64)
	n, err := io.ReadFull(f, begin)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return false, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	proof, pack := logcheck.IsProof(begin[:n]), logcheck.IsPack(begin[:n])
	switch { // an option that is dropped silently looks like one that was met
	case proof && opt.Stamps != nil:
		return false, errors.New("--timestamps does not apply to the proof of one record, which has no time stamps: it is for a bundle, or a pack with log.monban in it")
	case (proof || pack) && o.resume:
		return false, errors.New("--resume does not apply to a pack or the proof of one record: it is for a bundle")
	}
	if proof {
		return checkProof(f, o, opt, out)
	}
	if pack {
		return checkPack(ctx, f, o, opt, out, errs)
	}
	return checkBundle(ctx, f, o, opt, out, errs)
}

func checkPack(ctx context.Context, f *os.File, o options, opt logcheck.Options, out, errs io.Writer) (clean bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	opt.Progress = tellShare(info.Size(), errs)
	rep, err := logcheck.CheckPack(ctx, f, info.Size(), opt)
	if err != nil {
		return false, fmt.Errorf("could not check %s: %w", o.file, err)
	}
	return rep.Clean(), rep.Page(out, o.lang, filepath.Base(o.file), ownSum())
}

// ownSum is the SHA-256 of this program's file, "" when it cannot be read.
func ownSum() string {
	name, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close() // only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

func checkProof(f *os.File, o options, opt logcheck.Options, out io.Writer) (clean bool, err error) {
	data, err := io.ReadAll(io.LimitReader(f, logcheck.MaxProof+1))
	if err != nil {
		return false, err
	}
	rep, err := logcheck.CheckProof(data, opt)
	if err != nil {
		return false, fmt.Errorf("could not check %s: %w", o.file, err)
	}
	return rep.Clean(), rep.Page(out, o.lang, filepath.Base(o.file))
}

func checkBundle(ctx context.Context, f *os.File, o options, opt logcheck.Options, out, errs io.Writer) (clean bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	states, err := checkstate.Open("monban-verify", time.Now())
	switch {
	case err == nil:
		opt.Save = states.Save
	case o.resume:
		return false, fmt.Errorf("nowhere to find where a check was broken off: %w", err)
	}
	if o.resume {
		opt.State = states.Load
	}
	opt.Progress = tellShare(info.Size(), errs)
	rep, err := logcheck.CheckBundle(ctx, f, opt)
	if err != nil && rep == nil && o.resume {
		return false, fmt.Errorf("could not check %s: %w (without --resume the check begins anew)", o.file, err)
	}
	if err != nil {
		return false, fmt.Errorf("could not check %s: %w", o.file, err)
	}
	states.Drop(rep.StateName)
	return rep.Clean(), rep.Page(out, o.lang, filepath.Base(o.file))
}

// tellShare says each two seconds how much of a file was looked at.
func tellShare(size int64, errs io.Writer) func(bytes, line int64) {
	next := time.Now().Add(2 * time.Second)
	return func(bytes, _ int64) {
		if now := time.Now(); now.After(next) && size > 0 {
			next = now.Add(2 * time.Second)
			_, _ = fmt.Fprintf(errs, "%3d %%\n", 100*bytes/size) // a sign of life, no result
		}
	}
}

func readKeys(names []string) ([]note.Verifier, error) {
	var out []note.Verifier
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			v, err := note.NewVerifier(line)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out = append(out, v)
		}
	}
	return out, nil
}
