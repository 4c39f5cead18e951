package logcheck

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/witness"
)

// Policy says which logs an auditor accepts and who must have cosigned: a C2SP tlog-policy file. Whose word counts is the
// auditor's choice, so it never comes with what is checked. The zero Policy is none.
type Policy struct {
	Logs      []note.Verifier
	Witnesses []PolicyWitness

	groups []policyGroup
	quorum string
}

// PolicyWitness is a witness with the name that the policy gives it.
type PolicyWitness struct {
	Name string
	Key  *witness.Verifier
}

type policyGroup struct {
	name    string
	least   int
	members []string
}

// maxPolicy bounds each kind of line; the specification asks for at least 32.
const maxPolicy = 1000

// noQuorum is the predefined name of a quorum that asks for nobody.
const noQuorum = "none"

// policyReader reads a policy line by line.
type policyReader struct {
	p      *Policy
	names  map[string]bool // defined so far
	member map[string]bool // in some group
	keys   map[string]bool // "log" or "witness" and the bytes of a public key
}

// ParsePolicy reads a tlog-policy file strictly. An error names the line.
func ParsePolicy(data []byte) (*Policy, error) {
	r := policyReader{p: &Policy{}, names: map[string]bool{}, member: map[string]bool{}, keys: map[string]bool{}}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(slices.Clone(data), '\n') // an editor's habit, not another meaning
	}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if err := r.line(string(line[:len(line)-1])); err != nil {
			return nil, fmt.Errorf("policy, line %d: %w", number, err)
		}
	}
	if r.p.quorum == "" {
		return nil, fmt.Errorf("policy: no quorum line: it must say who has to have cosigned (or \"quorum none\")")
	}
	return r.p, nil
}

func (r *policyReader) line(text string) error {
	for i := range len(text) {
		if c := text[i]; c != '\t' && (c < 0x20 || c == 0x7f) {
			return fmt.Errorf("a control character")
		}
	}
	f := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(f) == 0 || strings.HasPrefix(f[0], "#") {
		return nil
	}
	switch {
	case f[0] == "log" && (len(f) == 2 || len(f) == 3):
		return r.log(f[1])
	case f[0] == "witness" && (len(f) == 3 || len(f) == 4):
		return r.witness(f[1], f[2])
	case f[0] == "group" && len(f) >= 4:
		return r.group(f[1], f[2], f[3:])
	case f[0] == "quorum" && len(f) == 2:
		if r.p.quorum != "" {
			return fmt.Errorf("a second quorum")
		}
		if f[1] != noQuorum && !r.names[f[1]] {
			return fmt.Errorf("%q is not defined above", f[1])
		}
		r.p.quorum = f[1]
		return nil
	}
	return fmt.Errorf("is none of log, witness, group, quorum")
}

// once refuses a public key that a line of the same kind had.
func (r *policyReader) once(kind, vkey string) error {
	_, rest, _ := strings.Cut(vkey, "+")
	_, text, _ := strings.Cut(rest, "+") // base64 holds plus signs: cut at the first two
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) < 2 {
		return fmt.Errorf("not a verifier key")
	}
	key := kind + string(raw[1:])
	if r.keys[key] {
		return fmt.Errorf("the public key of another %s", kind)
	}
	r.keys[key] = true
	return nil
}

func (r *policyReader) log(vkey string) error {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	if len(r.p.Logs) == maxPolicy {
		return fmt.Errorf("more than %d logs", maxPolicy)
	}
	r.p.Logs = append(r.p.Logs, v)
	return r.once("log", vkey)
}

func (r *policyReader) define(name string) error {
	if name == noQuorum || r.names[name] {
		return fmt.Errorf("%q is taken", name)
	}
	if len(r.names) == maxPolicy {
		return fmt.Errorf("more than %d witnesses and groups", maxPolicy)
	}
	r.names[name] = true
	return nil
}

func (r *policyReader) witness(name, vkey string) error {
	v, err := witness.NewVerifier(vkey)
	if err != nil {
		return err
	}
	r.p.Witnesses = append(r.p.Witnesses, PolicyWitness{name, v})
	if err := r.once("witness", vkey); err != nil {
		return err
	}
	return r.define(name)
}

func (r *policyReader) group(name, least string, members []string) error {
	g := policyGroup{name: name, members: slices.Clone(members)}
	for _, m := range members {
		switch {
		case !r.names[m]: // also the group's own name, and "none"
			return fmt.Errorf("%q is not defined above", m)
		case r.member[m]:
			return fmt.Errorf("%q is in a group already", m)
		}
		r.member[m] = true
	}
	switch least {
	case "any":
		g.least = 1
	case "all":
		g.least = len(members)
	default:
		k, err := strconv.Atoi(least)
		if err != nil || strconv.Itoa(k) != least || k < 1 || k > len(members) {
			return fmt.Errorf("%q of %d members: any, all, or a number from 1 to %[2]d", least, len(members))
		}
		g.least = k
	}
	r.p.groups = append(r.p.groups, g)
	return r.define(name)
}

// Met reports whether those for whom cosigned holds, by the policy's names of witnesses, are the quorum.
func (p *Policy) Met(cosigned func(name string) bool) bool {
	if p.quorum == noQuorum {
		return true
	}
	holds := map[string]bool{}
	for _, w := range p.Witnesses {
		holds[w.Name] = cosigned(w.Name)
	}
	for _, g := range p.groups { // members are defined above
		n := 0
		for _, m := range g.members {
			if holds[m] {
				n++
			}
		}
		holds[g.name] = n >= g.least
	}
	return holds[p.quorum]
}

// Asks reports whether the quorum asks for anybody.
func (p *Policy) Asks() bool { return p != nil && p.quorum != noQuorum }

// covered is up to which leaf a quorum has cosigned, 0 = nowhere. upto gives for a witness's name the largest size of this
// log that it cosigned: who cosigned a tree has cosigned each tree that it extends.
func (p *Policy) covered(upto func(name string) int64) int64 {
	var sizes []int64
	for _, w := range p.Witnesses {
		if n := upto(w.Name); n > 0 {
			sizes = append(sizes, n)
		}
	}
	slices.Sort(sizes)
	for _, size := range slices.Backward(sizes) {
		if p.Met(func(name string) bool { return upto(name) >= size }) {
			return size
		}
	}
	return 0
}
