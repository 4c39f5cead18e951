package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"monban/firmware/access"
)

// apiTime is how the API writes a moment: RFC 3339 with milliseconds, in the site's zone.
const apiTime = "2006-01-02T15:04:05.000Z07:00"

// answer writes v as the whole answer.
func (h *Handler) answer(w http.ResponseWriter, rq *request, code int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it is JSON, and says so with nosniff
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	h.send(w, rq, "application/json", code, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return nil
}

// apiList is a page of a list. Next is the cursor of the following page, null on the last one.
type apiList[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// listOf turns each of a page's lines into what the API says of it.
func listOf[T, U any](page []T, next string, say func(T) U) apiList[U] {
	l := apiList[U]{Items: make([]U, 0, len(page))}
	for _, x := range page {
		l.Items = append(l.Items, say(x))
	}
	if next != "" {
		l.Next = &next
	}
	return l
}

func (h *Handler) speaker(rq *request) speaker {
	return speaker{words: h.words[rq.lang], lang: rq.lang, zone: h.cfg.Zone, mask: h.cfg.MaskKey, now: rq.now.In(h.cfg.Zone), masked: !rq.names}
}

// at writes a moment; null for none.
func (s speaker) at(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.In(s.zone).Format(apiTime)
	return &text
}

// orNull is null for "".
func orNull[T ~string](v T) *T {
	if v == "" {
		return nil
	}
	return &v
}

// apiReason is a reason by its stable name and in a sentence.
type apiReason struct {
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

func (s speaker) reason(r access.Reason) apiReason {
	return apiReason{r.String(), s.T("reason." + r.String())}
}

// reasons lists a set in the order of the checks.
func (s speaker) reasons(set access.ReasonSet) []apiReason {
	out := []apiReason{}
	for _, r := range access.Reasons() {
		if set.Has(r) {
			out = append(out, s.reason(r))
		}
	}
	return out
}

// apiWho is a person as this token may see one. The token of a person is the same in every answer of one server, and
// tells nothing by itself.
type apiWho struct {
	Token   string  `json:"token"`
	Name    *string `json:"name"` // null: hidden from these roles, or erased
	Section *string `json:"section"`
}

// somebody is null when nobody is known.
func (s speaker) somebody(w Who) *apiWho {
	if w.Ref == "" {
		return nil
	}
	out := &apiWho{Token: s.token(w.Ref)}
	if !s.masked {
		out.Name, out.Section = orNull(w.Name), orNull(w.Section)
	}
	return out
}

// apiPlace is a door, zone or gateway by id and name.
type apiPlace struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func place(id, name string) *apiPlace {
	if id == "" {
		return nil
	}
	if name == "" {
		name = id
	}
	return &apiPlace{id, name}
}
