package webtest

import (
	"strings"
	"testing"
)

const small = `{"openapi":"3.1.0","paths":{"/x":{"get":{"parameters":[{"$ref":"#/components/parameters/n"}],"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/T"}}}}}}}},
"components":{"parameters":{"n":{"name":"n","in":"query","schema":{"type":"integer"},"example":7}},"schemas":{
 "T":{"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":9},"s":{"type":["string","null"],"pattern":"^a+$"},"e":{"type":"string","enum":["x","y"]},
  "t":{"type":"string","format":"date-time"},"l":{"type":"array","items":{"$ref":"#/components/schemas/U"}},"u":{"anyOf":[{"$ref":"#/components/schemas/U"},{"type":"null"}]},"c":{"const":3}},
  "required":["n"],"additionalProperties":false},
 "U":{"type":"object","properties":{"b":{"type":"boolean"},"w":{"type":"string","minLength":1}},"required":["b"],"additionalProperties":false}}}}`

// The validator can fail: each line breaks one keyword, and nothing else.
func TestValidate(t *testing.T) {
	d, err := ParseDocument([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{`{"n":1}`, `{"n":9,"s":null,"e":"y","t":"2026-11-24T09:00:00.000+09:00","l":[{"b":true}],"u":null,"c":3}`, `{"n":2,"s":"aa","u":{"b":false,"w":"x"},"l":[]}`} {
		if err := d.Validate([]byte(good), "T"); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		`{}`: "n is missing", `{"n":"1"}`: "type", `{"n":1.5}`: "type", `{"n":0}`: "below", `{"n":10}`: "above", `{"n":1,"z":1}`: "not in the document",
		`{"n":1,"s":"b"}`: "does not match", `{"n":1,"s":3}`: "type", `{"n":1,"e":"z"}`: "none of", `{"n":1,"t":"2026-11-24"}`: "RFC 3339", `{"n":1,"t":"yesterday"}`: "RFC 3339",
		`{"n":1,"l":{}}`: "type", `{"n":1,"l":[{"b":1}]}`: "type", `{"n":1,"l":[{"b":true},{}]}`: "l[1]: b is missing", `{"n":1,"u":3}`: "type", `{"n":1,"u":{"b":true,"x":1}}`: "u",
		`{"n":1,"c":4}`: "is not 3", `{"n":1,"u":{"b":true,"w":""}}`: "u", `[]`: "type", `null`: "type", `{"n":1} {}`: "more than one", `{`: "EOF", `{"n":null}`: "type",
	} {
		if err := d.Validate([]byte(bad), "T"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want an error with %q", bad, err, why)
		}
	}
}

// An answer with a status or a content type that the document does not name fails.
func TestCheck(t *testing.T) {
	d, err := ParseDocument([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	o := d.Operations()[0]
	if o.Method != "GET" || o.Path != "/x" || o.Parameters("query")["n"] != "7" || len(o.Parameters("path")) != 0 {
		t.Errorf("operation %+v", o)
	}
	if err := o.Check(200, "application/json", []byte(`{"n":1}`)); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{"status": o.Check(201, "application/json", []byte(`{"n":1}`)), "type": o.Check(200, "text/html", []byte(`{"n":1}`)),
		"body": o.Check(200, "application/json", []byte(`{}`)), "json": o.Check(200, "application/json", []byte(`<html>`))} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A document that uses what the validator does not know, or points nowhere, is refused.
func TestParseDocument(t *testing.T) {
	for change, why := range map[[2]string]string{
		{`"minimum":1`, `"multipleOf":2`}:                                                          "multipleOf",
		{`"format":"date-time"`, `"format":"email"`}:                                               "email",
		{`"items":{"$ref":"#/components/schemas/U"}`, `"items":{"$ref":"#/components/schemas/V"}`}: "leads nowhere",
		{`"$ref":"#/components/schemas/T"`, `"$ref":"https://x/T"`}:                                "leads out",
		{`3.1.0`, `3.0.0`}:                     "3.1",
		{`"pattern":"^a+$"`, `"pattern":"(" `}: "missing closing",
		{`"additionalProperties":false},
 "U"`, `"additionalProperties":{"type":"string"}},
 "U"`}: "additionalProperties",
	} {
		text := strings.Replace(small, change[0], change[1], 1)
		if text == small {
			t.Fatalf("%q is not there", change[0])
		}
		if _, err := ParseDocument([]byte(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want an error with %q", change[1], err, why)
		}
	}
}
