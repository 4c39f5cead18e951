package broker

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// linesPerSecond bounds what the network can make us log: each failed handshake is a line.
const linesPerSecond = 10

// natsLog carries nats-server's log to slog and keeps its fatal errors, which nats-server itself
// would answer with the end of the process.
type natsLog struct {
	log      *slog.Logger
	fatalled chan struct{} // closed at the first fatal error

	mu      sync.Mutex
	fatal   string
	second  int64
	lines   int
	dropped int
}

func newNatsLog(log *slog.Logger) *natsLog {
	return &natsLog{log: log, fatalled: make(chan struct{})}
}

func (l *natsLog) takeFatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

// allow counts a line and returns how many were dropped before it.
func (l *natsLog) allow(now time.Time) (bool, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := now.Unix(); s != l.second {
		l.second, l.lines = s, 0
	}
	if l.lines++; l.lines > linesPerSecond {
		l.dropped++
		return false, 0
	}
	n := l.dropped
	l.dropped = 0
	return true, n
}

func (l *natsLog) line(level slog.Level, format string, v []any) {
	ok, dropped := true, 0
	if level > slog.LevelDebug {
		if ok, dropped = l.allow(time.Now()); !ok {
			return
		}
	}
	attrs := []any{slog.String("message", fmt.Sprintf(format, v...))}
	if dropped > 0 {
		attrs = append(attrs, slog.Int("dropped", dropped))
	}
	switch level {
	case slog.LevelDebug:
		l.log.Debug("broker", attrs...)
	case slog.LevelError:
		l.log.Error("broker", attrs...)
	default:
		l.log.Warn("broker", attrs...)
	}
}

// Noticef is about the broker's own start and stop, of no interest to an operator, except that
// nats-server calls the end of a connection that read too slowly a notice too.
func (l *natsLog) Noticef(format string, v ...any) {
	if strings.Contains(format, "Slow Consumer") {
		l.line(slog.LevelWarn, format, v)
		return
	}
	l.line(slog.LevelDebug, format, v)
}

// Warnf passes on a warning.
func (l *natsLog) Warnf(format string, v ...any) { l.line(slog.LevelWarn, format, v) }

// Errorf is mostly a client's fault (a handshake that failed), hence a warning.
func (l *natsLog) Errorf(format string, v ...any) { l.line(slog.LevelWarn, format, v) }

// Fatalf keeps the first fatal error for New or Run.
func (l *natsLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	first := l.fatal == ""
	if first {
		l.fatal = fmt.Sprintf(format, v...)
		close(l.fatalled)
	}
	l.mu.Unlock()
	l.line(slog.LevelError, format, v)
}

// Debugf and Tracef are never switched on: a trace would hold payloads.
func (l *natsLog) Debugf(string, ...any) {}

// Tracef drops.
func (l *natsLog) Tracef(string, ...any) {}
