package signer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// The signer's protocol: one JSON object a line each way over a Unix socket, one answer for each
// request, in order.
const (
	opLast       = "last"       // what a checkpoint must extend
	opCheckpoint = "checkpoint" // sign a checkpoint
	opSign       = "sign"       // sign a message of another role
	opApprove    = "approve"    // take the approvals of a command

	// maxFrame bounds a line: the largest manifest's text is 64 KiB, a proof some KiB.
	maxFrame = 1 << 20
	// frameTime is how long either side waits for the rest of a line.
	frameTime = 5 * time.Second
)

type request struct {
	Op    string         `json:"op"`
	Role  Role           `json:"role,omitempty"`
	Text  string         `json:"text,omitempty"`
	Proof tlog.TreeProof `json:"proof,omitempty"`

	Evidence *Evidence `json:"evidence,omitempty"`
}

type response struct {
	Signed []byte    `json:"signed,omitempty"` // a note, or a bare signature
	Size   int64     `json:"size,omitempty"`
	Root   tlog.Hash `json:"root"`
	Error  string    `json:"error,omitempty"`
	Kind   string    `json:"kind,omitempty"` // one of refusals, "" for other errors
}

// refusals are the errors that keep their meaning over the socket.
func refusals() map[string]error {
	return map[string]error{"not_extending": ErrNotExtending, "older_policy": ErrOlderPolicy, "no_role": ErrNoRole, "not_approved": ErrNotApproved}
}

// Listen makes the socket at path, in a directory that exists, for the owner and group alone. What is
// left of a signer that was killed is removed; a signer that still answers there is not.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path); err == nil {
		return nil, errors.Join(fmt.Errorf("signer's socket %s: another signer is running", path), c.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("signer's socket: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("signer's socket %s: %w", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("signer's socket: %w", err), l.Close())
	}
	return l, nil
}

// Serve answers on l until ctx ends, with every check of local. Who may connect is what the socket's
// owner, group and mode say.
func Serve(ctx context.Context, l net.Listener, local *Local, log *slog.Logger) error {
	var conns sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // ends Accept
	defer stop()
	defer conns.Wait()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("signer: %w", err)
		}
		conns.Go(func() { serveConn(ctx, c, local, log) })
	}
}

func serveConn(ctx context.Context, c net.Conn, local *Local, log *slog.Logger) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // ends a read that waits
	defer stop()
	defer c.Close()
	in := bufio.NewScanner(c)
	in.Buffer(make([]byte, 4096), maxFrame)
	for in.Scan() {
		var q request
		r := response{Error: "not a request"}
		if err := json.Unmarshal(in.Bytes(), &q); err == nil {
			r = answer(local, &q)
		}
		if r.Error != "" {
			log.LogAttrs(ctx, slog.LevelWarn, "not signed", slog.String("op", q.Op), slog.String("role", string(q.Role)), slog.String("error", r.Error))
		}
		out, err := json.Marshal(r)
		if err != nil {
			return // cannot happen for these fields; the asker sees a closed connection
		}
		_ = c.SetWriteDeadline(time.Now().Add(frameTime)) // fails only on a closed connection, as Write then does
		if _, err := c.Write(append(out, '\n')); err != nil {
			return
		}
	}
}

func answer(local *Local, q *request) response {
	var r response
	var err error
	switch q.Op {
	case opLast:
		r.Size, r.Root = local.LastCheckpoint()
	case opCheckpoint:
		r.Signed, err = local.SignCheckpoint(q.Text, q.Proof)
	case opApprove:
		if q.Evidence == nil {
			err = fmt.Errorf("%w: nothing was shown", ErrNotApproved)
		} else {
			err = local.Approve(*q.Evidence)
		}
	case opSign:
		var s interface{ Sign([]byte) ([]byte, error) }
		if s, err = local.NoteSigner(q.Role); err == nil {
			r.Signed, err = s.Sign([]byte(q.Text))
		}
	default:
		err = errors.New("unknown request")
	}
	if err != nil {
		r = response{Error: err.Error()}
		for kind, refusal := range refusals() {
			if errors.Is(err, refusal) {
				r.Kind = kind
			}
		}
	}
	return r
}
