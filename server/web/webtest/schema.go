package webtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Document is a description of an API (OpenAPI 3.1), as far as tests need it.
type Document struct{ root map[string]any }

// Operation is one method of one path.
type Operation struct {
	Method, Path string
	doc          *Document
	body         map[string]any
}

// ParseDocument reads a description. A keyword in a schema that Validate does not know is an error: what it cannot
// check must not look checked.
func ParseDocument(text []byte) (*Document, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	root, ok := v.(map[string]any)
	if !ok || !strings.HasPrefix(fmt.Sprint(root["openapi"]), "3.1.") {
		return nil, fmt.Errorf("no description of OpenAPI 3.1")
	}
	d := &Document{root}
	return d, d.known(root, "")
}

// decode reads one JSON value, numbers as they are written.
func decode(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}

// keywords of a schema that Validate understands, and those that say nothing about validity.
var keywords = []string{"type", "properties", "required", "items", "enum", "const", "$ref", "additionalProperties", "anyOf", "format", "pattern",
	"minimum", "maximum", "minLength", "description", "default"}

// known looks at every schema of the document.
func (d *Document) known(v any, at string) error {
	switch x := v.(type) {
	case []any:
		for i, e := range x {
			if err := d.known(e, fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			here := at + "/" + k
			var err error
			switch {
			case k == "example": // any value
			case k == "schema":
				err = d.schema(x[k], here)
			case at == "/components" && k == "schemas":
				for name, s := range x[k].(map[string]any) {
					if err = d.schema(s, here+"/"+name); err != nil {
						return err
					}
				}
			default:
				err = d.known(x[k], here)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Document) schema(v any, at string) error {
	s, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no schema", at)
	}
	for k, inner := range s {
		if !slices.Contains(keywords, k) {
			return fmt.Errorf("%s: keyword %q is not checked by anything", at, k)
		}
		var err error
		switch k {
		case "properties":
			for name, p := range inner.(map[string]any) {
				if err = d.schema(p, at+"/"+name); err != nil {
					return err
				}
			}
		case "items":
			err = d.schema(inner, at+"/items")
		case "additionalProperties":
			if inner != false {
				return fmt.Errorf("%s: additionalProperties is false or missing", at)
			}
		case "anyOf":
			for i, o := range inner.([]any) {
				if err = d.schema(o, fmt.Sprintf("%s/anyOf/%d", at, i)); err != nil {
					return err
				}
			}
		case "pattern":
			_, err = regexp.Compile(inner.(string))
		case "format":
			if inner != "date-time" {
				err = fmt.Errorf("%s: format %v is not checked by anything", at, inner)
			}
		case "$ref":
			_, err = d.follow(inner.(string))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow finds what a $ref points to.
func (d *Document) follow(ref string) (map[string]any, error) {
	rest, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, fmt.Errorf("$ref %q leads out of the document", ref)
	}
	var at any = d.root
	for name := range strings.SplitSeq(rest, "/") {
		m, ok := at.(map[string]any)
		if !ok || m[name] == nil {
			return nil, fmt.Errorf("$ref %q leads nowhere", ref)
		}
		at = m[name]
	}
	m, ok := at.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("$ref %q leads to no object", ref)
	}
	return m, nil
}

func (d *Document) resolve(v any) map[string]any {
	m, _ := v.(map[string]any)
	if ref, ok := m["$ref"].(string); ok {
		m, _ = d.follow(ref)
	}
	return m
}

// Operations lists every method of every path.
func (d *Document) Operations() (out []Operation) {
	paths, _ := d.root["paths"].(map[string]any)
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		methods := paths[p].(map[string]any)
		for _, m := range slices.Sorted(maps.Keys(methods)) {
			out = append(out, Operation{strings.ToUpper(m), p, d, methods[m].(map[string]any)})
		}
	}
	return out
}

// Roles are the roles that the operation names; nil = any token.
func (o Operation) Roles() (out []string) {
	list, _ := o.body["x-roles"].([]any)
	for _, r := range list {
		out = append(out, r.(string))
	}
	return out
}

// Parameters gives the examples of the parameters in "query" or "path", by name.
func (o Operation) Parameters(in string) map[string]string {
	out := map[string]string{}
	list, _ := o.body["parameters"].([]any)
	for _, p := range list {
		m := o.doc.resolve(p)
		if m["in"] == in {
			out[m["name"].(string)] = fmt.Sprint(m["example"])
		}
	}
	return out
}

// Example is the request body of the document, nil when there is none. An example that does not fit its schema is an error.
func (o Operation) Example() ([]byte, error) {
	body, _ := o.body["requestBody"].(map[string]any)
	if body == nil {
		return nil, nil
	}
	media := body["content"].(map[string]any)["application/json"].(map[string]any)
	if err := o.doc.validate(media["example"], media["schema"], "body"); err != nil {
		return nil, err
	}
	return json.Marshal(media["example"])
}

// Check compares one answer with the document: the status is named, the type is the one named, the body fits.
func (o Operation) Check(status int, contentType string, body []byte) error {
	responses, _ := o.body["responses"].(map[string]any)
	r := o.doc.resolve(responses[fmt.Sprint(status)])
	if r == nil {
		return fmt.Errorf("%s %s: status %d is not in the document", o.Method, o.Path, status)
	}
	content, _ := r["content"].(map[string]any)
	media, _ := content[contentType].(map[string]any)
	if media == nil {
		return fmt.Errorf("%s %s: %d with content type %q, which is not in the document", o.Method, o.Path, status, contentType)
	}
	v, err := decode(body)
	if err != nil {
		return fmt.Errorf("%s %s: %d: body: %w", o.Method, o.Path, status, err)
	}
	if err := o.doc.validate(v, media["schema"], "body"); err != nil {
		return fmt.Errorf("%s %s: %d: %w", o.Method, o.Path, status, err)
	}
	return nil
}

// Validate checks a value against a schema of the document by name.
func (d *Document) Validate(text []byte, name string) error {
	v, err := decode(text)
	if err != nil {
		return err
	}
	return d.validate(v, map[string]any{"$ref": "#/components/schemas/" + name}, name)
}

func (d *Document) validate(v any, schema any, at string) error {
	s, ok := schema.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no schema", at)
	}
	if ref, ok := s["$ref"].(string); ok {
		to, err := d.follow(ref)
		if err != nil {
			return err
		}
		if err := d.validate(v, to, at); err != nil {
			return err
		}
	}
	if any, ok := s["anyOf"].([]any); ok {
		var err error
		for _, o := range any {
			if err = d.validate(v, o, at); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
	}
	if t, ok := s["type"]; ok && !isType(v, t) {
		return fmt.Errorf("%s: %v is not of the type %v", at, short(v), t)
	}
	if list, ok := s["enum"].([]any); ok && !slices.ContainsFunc(list, func(x any) bool { return same(x, v) }) {
		return fmt.Errorf("%s: %v is none of %v", at, short(v), list)
	}
	if c, ok := s["const"]; ok && !same(c, v) {
		return fmt.Errorf("%s: %v is not %v", at, short(v), c)
	}
	switch x := v.(type) {
	case string:
		return text(x, s, at)
	case json.Number:
		f, _ := x.Float64()
		if low, ok := s["minimum"].(json.Number); ok && f < number(low) {
			return fmt.Errorf("%s: %v is below %v", at, x, low)
		}
		if high, ok := s["maximum"].(json.Number); ok && f > number(high) {
			return fmt.Errorf("%s: %v is above %v", at, x, high)
		}
	case []any:
		if items, ok := s["items"]; ok {
			for i, e := range x {
				if err := d.validate(e, items, fmt.Sprintf("%s[%d]", at, i)); err != nil {
					return err
				}
			}
		}
	case map[string]any:
		return d.object(x, s, at)
	}
	return nil
}

func (d *Document) object(x, s map[string]any, at string) error {
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, there := x[name.(string)]; !there {
			return fmt.Errorf("%s: %v is missing", at, name)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(x)) {
		p, ok := properties[name]
		if !ok {
			if s["additionalProperties"] == false {
				return fmt.Errorf("%s: %s is not in the document", at, name)
			}
			continue
		}
		if err := d.validate(x[name], p, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func text(x string, s map[string]any, at string) error {
	if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(x) {
		return fmt.Errorf("%s: %q does not match %s", at, x, p)
	}
	if s["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339, x); err != nil {
			return fmt.Errorf("%s: %q is no RFC 3339 time", at, x)
		}
	}
	if low, ok := s["minLength"].(json.Number); ok && float64(len([]rune(x))) < number(low) {
		return fmt.Errorf("%s: %q is shorter than %v", at, x, low)
	}
	return nil
}

func number(n json.Number) float64 { f, _ := n.Float64(); return f }

func same(a, b any) bool { return fmt.Sprintf("%T %v", a, a) == fmt.Sprintf("%T %v", b, b) }

func short(v any) string {
	s := fmt.Sprintf("%#v", v)
	return s[:min(len(s), 80)]
}

// isType compares with a type or a list of types.
func isType(v, t any) bool {
	if list, ok := t.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return isType(v, one) })
	}
	switch x := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case json.Number:
		return t == "number" || t == "integer" && !strings.ContainsAny(x.String(), ".eE")
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	}
	return false
}
