package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// docs/protocol.md describes every kind, and every field of a kind in the kind's own section.
func TestProtocolIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for part := range strings.SplitSeq(string(page), "\n## ") {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	for _, kind := range append(UpKinds(), DownKinds()...) {
		info, _ := infoOf(kind)
		way := "down"
		if info.up {
			way = "up"
		}
		role := map[Role]string{RoleNone: "nobody", RoleGateway: "gateway"}[info.role]
		if role == "" {
			role = info.role.String()
		}
		if row := "| `" + kind + "` | " + way + " | " + role + " |"; !strings.Contains(string(page), row) {
			t.Errorf("the table of kinds lacks %s", row)
		}
		if sections[kind] == "" && !info.reserved {
			t.Errorf("kind %s has no section", kind)
		}
	}
	for _, s := range samples(t) {
		for _, field := range fieldsOf(t, s) {
			if !strings.Contains(sections[s.kind], "`"+field+"`") {
				t.Errorf("section %s does not describe `%s`", s.kind, field)
			}
		}
	}
	for role := RoleGateway; role < roleCount; role++ {
		if !strings.Contains(sections["Keys"], "| "+role.String()+" |") {
			t.Errorf("role %v is not described", role)
		}
	}
	for f := FaultTooLarge; f <= FaultBody; f++ {
		if !strings.Contains(sections["Envelope"], "`"+f.String()+"`") {
			t.Errorf("fault %v is not described", f)
		}
	}
}

// fieldsOf lists the names of all fields of a body; the bodies of carried records are described as
// records.
func fieldsOf(t *testing.T, s sample) []string {
	t.Helper()
	var fields []string
	d := json.NewDecoder(bytes.NewReader(s.body))
	var stack []bool // of each open bracket: is it an object
	key := false
	skip := 0 // depth at which a carried body began
	for {
		token, err := d.Token()
		if err == io.EOF {
			return fields
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				stack = append(stack, v == '{')
				key = v == '{'
				continue
			}
			stack = stack[:len(stack)-1]
			if len(stack) < skip {
				skip = 0
			}
			key = len(stack) > 0 && stack[len(stack)-1]
		case string:
			if key {
				if skip == 0 {
					fields = append(fields, v)
				}
				if s.kind == KindEvents && v == "body" && skip == 0 {
					skip = len(stack) + 1
				}
				key = false
				continue
			}
			key = stack[len(stack)-1]
		default:
			key = stack[len(stack)-1]
		}
	}
}
