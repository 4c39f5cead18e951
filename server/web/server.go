package web

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// NewServer makes the HTTP server around a handler with limits against slow and greedy peers. The
// caller listens, and on shutdown calls Handler.Close before Shutdown. Live streams lift their own
// deadlines.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,  // a header is one packet; slowloris ends here
		ReadTimeout:       15 * time.Second, // a form of 64 KiB over a bad line
		WriteTimeout:      30 * time.Second, // longest page
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

const (
	// pieceTime is how long a piece of a large file may take on its way.
	pieceTime = 30 * time.Second
	// pieceSize is the largest one, in bytes: a line of 20 kbit/s carries it in time.
	pieceSize = 64 << 10
)

// piecewise writes a file that may take longer than a page: each piece has a deadline of its own, so a peer that takes nothing is still cut off.
type piecewise struct {
	w       io.Writer
	control *http.ResponseController
}

func (p piecewise) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if err := p.control.SetWriteDeadline(time.Now().Add(pieceTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return n, err
		}
		m, err := p.w.Write(b[:min(len(b), pieceSize)])
		if n += m; err != nil {
			return n, err
		}
		b = b[m:]
	}
	return n, nil
}

// sendFile writes a file that was made in memory. Its length goes first, so that a browser notices when bytes are missing; whether the
// peer took them all is not known here, and there is nobody to tell.
func sendFile(w http.ResponseWriter, data []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = piecewise{w, lift(w)}.Write(data)
}

// lift removes the deadlines of a stream; its writer sets one for each write.
func lift(w http.ResponseWriter) *http.ResponseController {
	c := http.NewResponseController(w)
	// Not supported by test recorders, which cannot hang either.
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteDeadline(time.Time{})
	return c
}
