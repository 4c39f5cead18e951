package web

import (
	"log/slog"
	"net/http"
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

// lift removes the deadlines of a stream; its writer sets one for each write.
func lift(w http.ResponseWriter) *http.ResponseController {
	c := http.NewResponseController(w)
	// Not supported by test recorders, which cannot hang either.
	_ = c.SetReadDeadline(time.Time{})
	_ = c.SetWriteDeadline(time.Time{})
	return c
}
