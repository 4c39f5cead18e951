package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a list's length.
const (
	apiLimit    = 100
	apiLimitMax = 500
)

// strictQuery refuses a query with a parameter that the route does not know, one that stands twice, or one that is
// not text: a filter that is silently dropped would show more than was asked for.
func (rq *request) strictQuery(known []string) error {
	q, err := url.ParseQuery(rq.URL.RawQuery)
	if err != nil {
		return fault{field: "query", what: "malformed"}
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		switch {
		case !slices.Contains(known, name):
			return fault{field: shortName(name), what: "unknown"}
		case len(q[name]) != 1:
			return fault{field: name, what: "twice"}
		case !plainText(q[name][0]):
			return fault{field: name, what: "malformed"}
		}
	}
	return nil
}

// shortName makes a name that somebody else chose fit for an answer.
func shortName(name string) string { return clip(strings.ToValidUTF8(name, "?"), 64) }

// plainText is valid UTF-8 without control characters.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (rq *request) param(name string) string { return rq.URL.Query().Get(name) }

// oneOf reads a parameter that has a few values; "" = not given.
func (rq *request) oneOf(name string, values ...string) (string, error) {
	v := rq.param(name)
	if v == "" && !rq.URL.Query().Has(name) || slices.Contains(values, v) {
		return v, nil
	}
	return "", fault{field: name, what: "one_of", pairs: []string{"values", strings.Join(values, ", ")}}
}

// day reads a parameter YYYY-MM-DD; "" = not given.
func (rq *request) day(name string) (string, error) {
	v := rq.param(name)
	if v == "" && !rq.URL.Query().Has(name) {
		return "", nil
	}
	if _, err := time.Parse(dayLayout, v); err != nil {
		return "", fault{field: name, what: "day"}
	}
	return v, nil
}

// moment reads an RFC 3339 time with its offset; not given = now.
func (rq *request) moment(name string) (time.Time, error) {
	v := rq.param(name)
	if v == "" && !rq.URL.Query().Has(name) {
		return rq.now, nil
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil || t.Year() < 2000 || t.Year() > 2999 {
		return time.Time{}, fault{field: name, what: "time"}
	}
	return t, nil
}

// purpose reads why a person is looked for: a header, for programs whose addresses are logged somewhere, or a parameter.
// Text that is not ASCII stands percent-encoded in the header (PR-4).
func (rq *request) purpose() (string, error) {
	v := rq.param("purpose")
	if head := rq.Header.Get("Monban-Purpose"); head != "" {
		var err error
		if v, err = url.QueryUnescape(head); err != nil {
			return "", fault{field: "purpose", what: "malformed"}
		}
	}
	v = strings.TrimSpace(v)
	if n := utf8.RuneCountInString(v); n == 0 || n > 200 || !plainText(v) {
		return "", fault{field: "purpose", what: "purpose"}
	}
	return v, nil
}

// position is where a list goes on: after the line with this key, which was the nth.
type position struct {
	at  int
	key string
}

// list reads limit and after.
func (rq *request) list() (limit int, after position, err error) {
	limit = apiLimit
	if q := rq.URL.Query(); q.Has("limit") {
		if limit, err = strconv.Atoi(q.Get("limit")); err != nil || limit < 1 || limit > apiLimitMax {
			return 0, after, fault{field: "limit", what: "limit", pairs: []string{"max", strconv.Itoa(apiLimitMax)}}
		}
	}
	if q := rq.URL.Query(); q.Has("after") {
		bad := fault{field: "after", what: "cursor"}
		b, err := base64.RawURLEncoding.DecodeString(q.Get("after"))
		if err != nil || len(b) > 200 || !plainText(string(b)) {
			return 0, after, bad
		}
		at, key, ok := strings.Cut(string(b), ".")
		if after.at, err = strconv.Atoi(at); err != nil || !ok || key == "" || after.at < 1 || after.at > 1e9 {
			return 0, after, bad
		}
		after.key = key
	}
	return limit, after, nil
}

func (p position) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(p.at) + "." + p.key))
}

// apiFlow cuts a page out of a list that grows while it is read. fetch gives the lines from skip on, at most n. The page goes
// on after the line with the cursor's key wherever that is now, so that no line is missed or comes twice because others
// came; a line that is gone makes the cursor stale, which is said.
func apiFlow[T any](limit int, after position, key func(T) string, fetch func(skip, n int) ([]T, error)) (page []T, next string, err error) {
	start := 0
	if after.key != "" {
		if start, err = apiSeek(after, key, fetch); err != nil {
			return nil, "", err
		}
	}
	page, err = fetch(start, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = position{start + limit, key(page[limit-1])}.String()
	}
	return page, next, nil
}

// apiSeek gives the place after the cursor's line: first where it was, then further on, then before.
func apiSeek[T any](after position, key func(T) string, fetch func(skip, n int) ([]T, error)) (int, error) {
	const window = apiLimitMax
	for _, from := range []int{after.at - 1, 0} {
		for skip := from; ; skip += window {
			lines, err := fetch(skip, window)
			if err != nil {
				return 0, err
			}
			for i, l := range lines {
				if key(l) == after.key {
					return skip + i + 1, nil
				}
			}
			if len(lines) < window || from == 0 && skip >= after.at {
				break
			}
		}
	}
	return 0, fault{field: "after", what: "cursor"}
}

// apiSorted cuts a page out of a list that is sorted by key: it goes on with the first key after the cursor's, which may be
// gone.
func apiSorted[T any](rq *request, all []T, key func(T) string) (page []T, next string, err error) {
	limit, after, err := rq.list()
	if err != nil {
		return nil, "", err
	}
	start := 0
	if after.key != "" {
		i, found := slices.BinarySearchFunc(all, after.key, func(x T, k string) int { return strings.Compare(key(x), k) })
		start = i
		if found {
			start++
		}
	}
	page = all[start:]
	if len(page) > limit {
		page = page[:limit]
		next = position{start + limit, key(page[limit-1])}.String()
	}
	return page, next, nil
}

// body reads a flat JSON object whose members are all text and have these names. Anything else is refused: an unknown
// member may be one that somebody relied on.
func (rq *request) body(names ...string) (map[string]string, error) {
	raw, err := io.ReadAll(rq.Body)
	if err != nil {
		return nil, err // 413 when it is too large
	}
	in := make(map[string]string, len(names))
	if len(raw) == 0 && len(names) == 0 {
		return in, nil
	}
	if kind, params, err := mime.ParseMediaType(rq.Header.Get("Content-Type")); err != nil || kind != "application/json" ||
		params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, errMediaType
	}
	broken := fault{field: "body", what: "json"}
	if !utf8.Valid(raw) {
		return nil, broken
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, broken
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, broken
		}
		if !slices.Contains(names, name) {
			return nil, fault{field: shortName(name), what: "unknown"}
		}
		if _, twice := in[name]; twice {
			return nil, fault{field: name, what: "twice"}
		}
		if t, err = d.Token(); err != nil {
			return nil, broken
		}
		if in[name], ok = t.(string); !ok { // the first token of anything nested is no text: depth does not matter
			return nil, fault{field: name, what: "text"}
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, broken
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, broken
	}
	return in, nil
}

// reasonIn checks the reason of a change.
func reasonIn(in map[string]string) (string, error) {
	why := strings.TrimSpace(in["reason"])
	if why == "" || len(why) > 1000 || strings.ContainsRune(why, 0) {
		return "", fault{field: "reason", what: "reason"}
	}
	return why, nil
}

// identifier reports whether s can be an identifier of the directory; what cannot is not looked for.
func identifier(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// pathID reads an identifier out of the path.
func (rq *request) pathID(name string) (string, error) {
	id := rq.PathValue(name)
	if !identifier(id) {
		return "", fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	return id, nil
}
