package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Errors of the HTTP rim.
var (
	errAnswered  = errors.New("answered already")
	errForbidden = errors.New("not allowed for these roles")
	errNoRole    = fmt.Errorf("no role in force: %w", errForbidden)
	errSignIn    = errors.New("sign in first")
	errCrossSite = errors.New("request came from another site")
	errBadInput  = errors.New("input cannot be read")
)

// throttled is a refusal because of too many tries.
type throttled struct{ wait time.Duration }

func (t throttled) Error() string { return fmt.Sprintf("too many tries, wait %v", t.wait) }

// status maps an error to its HTTP status and the catalogue section that says it safely. A driver's
// text never reaches a user: whatever is not named here is a 500 with a reference number.
func status(err error) (code int, words string) {
	var tooLarge *http.MaxBytesError
	var slow throttled
	switch {
	case errors.Is(err, errSignIn):
		return http.StatusUnauthorized, "error.sign_in"
	case errors.Is(err, errNoRole):
		return http.StatusForbidden, "error.no_role"
	case errors.Is(err, errForbidden):
		return http.StatusForbidden, "error.forbidden"
	case errors.Is(err, errCrossSite):
		return http.StatusForbidden, "error.cross_site"
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, "error.not_found"
	case errors.Is(err, errBadInput):
		return http.StatusBadRequest, "error.bad_input"
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, "error.too_large"
	case errors.As(err, &slow):
		return http.StatusTooManyRequests, "error.throttled"
	case errors.Is(err, ErrBusy), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "error.busy"
	case errors.Is(err, ErrNoPlace):
		return http.StatusServiceUnavailable, "error.no_place"
	}
	return http.StatusInternalServerError, "error.internal"
}

// errorView is the page that says what went wrong.
type errorView struct {
	Base
	Code      int
	Heading   string
	Text      string
	Reference string // "" = nothing to look up
}

// fail answers with the error's page.
func (h *Handler) fail(w http.ResponseWriter, rq *request, err error) {
	code, words := status(err)
	ref := ""
	if code >= 500 {
		ref = rand.Text()[:8]
		h.log.LogAttrs(rq.Context(), slog.LevelError, "request failed",
			slog.String("reference", ref), slog.String("method", rq.Method), slog.String("path", loggedPath(rq)), attrErr(err))
	}
	var slow throttled
	if errors.As(err, &slow) {
		w.Header().Set("Retry-After", strconv.Itoa(seconds(slow.wait)))
	}
	v := errorView{Base: h.base(rq, words+"_title"), Code: code, Reference: ref}
	v.Heading = v.T(words + "_title")
	v.Text = v.T(words+"_text", "seconds", strconv.Itoa(seconds(slow.wait)))
	if rerr := h.renderStatus(w, rq, "error", v, code); rerr != nil {
		h.log.LogAttrs(rq.Context(), slog.LevelError, "error page", attrErr(rerr))
		http.Error(w, http.StatusText(code), code)
	}
}

// loggedPath is what the machine's own log gets of an address: where a part of it names somebody or something, the route.
func loggedPath(rq *request) string {
	if strings.Contains(rq.Pattern, "{") {
		return rq.Pattern
	}
	return rq.URL.Path
}

// seconds rounds up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
