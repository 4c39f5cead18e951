package web

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
)

// Refusals that only the API knows.
var (
	errToken     = errors.New("no token that works")
	errPending   = errors.New("the account has something to put right first")
	errMediaType = errors.New("body is not application/json")
	errNoOrders  = errors.New("the token may not order anything")
)

// fault is input that cannot be used: which field, and what is wrong with it.
type fault struct {
	field string
	what  string // key of the section api_fault
	pairs []string
}

func (f fault) Error() string { return fmt.Sprintf("%s: %s", f.field, f.what) }

// problem is the body of a refusal (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Field     string `json:"field,omitempty"`     // of a 400: the parameter or member
	Reference string `json:"reference,omitempty"` // of a 5xx: stands in the server's own log
}

// apiStatus maps an error to its status, its stable word and the key of its sentences.
func apiStatus(err error) (code int, word, words string) {
	var f fault
	switch {
	case errors.As(err, &f):
		return http.StatusBadRequest, "bad_input", "api_error.bad_input"
	case errors.Is(err, errToken):
		return http.StatusUnauthorized, "token", "api_error.token"
	case errors.Is(err, errPending):
		return http.StatusForbidden, "account_pending", "api_error.account_pending"
	case errors.Is(err, errNoOrders):
		return http.StatusForbidden, "no_orders", "api_error.no_orders"
	case errors.Is(err, errForbidden):
		return http.StatusForbidden, "forbidden", "api_error.forbidden"
	case errors.Is(err, errMediaType):
		return http.StatusUnsupportedMediaType, "media_type", "api_error.media_type"
	case errors.Is(err, ErrSamePerson):
		return http.StatusConflict, "same_person", "api_error.same_person"
	case errors.Is(err, ErrTooLate):
		return http.StatusConflict, "too_late", "api_error.too_late"
	case errors.Is(err, ErrNotAllowed):
		return http.StatusConflict, "not_allowed", "api_error.not_allowed"
	case errors.Is(err, ErrRevoked):
		return http.StatusConflict, "revoked", "api_error.revoked"
	case errors.Is(err, ErrState):
		return http.StatusConflict, "wrong_state", "api_error.wrong_state"
	case errors.Is(err, ErrSecondPerson):
		return http.StatusConflict, "second_person", "api_error.second_person"
	}
	code, words = status(err)
	return code, strings.TrimPrefix(words, "error."), words
}

// problem answers with what went wrong. The machine's log gets the route, never the path: that may hold a person's
// number.
func (h *Handler) problem(w http.ResponseWriter, rq *request, rt route, err error) {
	code, word, words := apiStatus(err)
	say := h.words[rq.lang]
	p := problem{Type: "urn:monban:problem:" + word, Status: code}
	var slow throttled
	if errors.As(err, &slow) {
		w.Header().Set("Retry-After", strconv.Itoa(seconds(slow.wait)))
	}
	p.Title, p.Detail = say.say(words+"_title"), say.say(words+"_text", "seconds", strconv.Itoa(seconds(slow.wait)))
	var f fault
	if errors.As(err, &f) {
		p.Field = f.field
		p.Detail = say.say("api_fault."+f.what, append(f.pairs, "field", f.field)...)
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="monban"`)
	}
	if code >= 500 {
		p.Reference = rand.Text()[:8]
		h.log.LogAttrs(rq.Context(), slog.LevelError, "API request failed",
			slog.String("reference", p.Reference), slog.String("route", rt.pattern), attrErr(err))
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and numbers: cannot happen
		http.Error(w, http.StatusText(code), code)
		return
	}
	h.send(w, rq, "application/problem+json", code, body)
}

// send writes a body that is complete: a fault half-way would be a cut answer with status 200.
func (h *Handler) send(w http.ResponseWriter, rq *request, kind string, code int, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Language", string(rq.lang))
	w.WriteHeader(code)
	if rq.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(append(body, '\n')) // the peer went away: nothing to tell it
}
