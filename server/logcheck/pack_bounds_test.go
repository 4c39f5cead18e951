package logcheck_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
)

// overlaid gives a zip whose first entry is listed n times more, under other names: each would be unpacked anew.
func overlaid(t *testing.T, data []byte, n int) []byte {
	t.Helper()
	end := bytes.LastIndex(data, []byte("PK\x05\x06"))
	at := int(binary.LittleEndian.Uint32(data[end+16:]))
	next := at + 4 + bytes.Index(data[at+4:], []byte("PK\x01\x02"))
	out := bytes.Clone(data[:end])
	for i := range n {
		entry := bytes.Clone(data[at:next])
		entry[46] = byte('A' + i) // first letter of its name
		out = append(out, entry...)
	}
	tail := bytes.Clone(data[end:])
	for _, o := range []int{8, 10} {
		binary.LittleEndian.PutUint16(tail[o:], binary.LittleEndian.Uint16(tail[o:])+uint16(n))
	}
	binary.LittleEndian.PutUint32(tail[12:], uint32(len(out)-at))
	return append(out, tail...)
}

// I8, RR-5: a file of a few kilobytes cannot keep an auditor's PC busy for days: entries that lie over each other, and lists of more than such a file can
// hold, are refused before anything is unpacked; so is all that a list names for which the log does not vouch.
func TestPackIsBounded(t *testing.T) {
	l, data := vectorPack(t)
	findings := func(data []byte) (out []string) {
		t.Helper()
		rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(data), int64(len(data)), logcheck.Options{Keys: []note.Verifier{l.key}})
		must(t, err)
		for _, f := range rep.Result.Findings {
			out = append(out, f.String())
		}
		return out
	}
	one := func(what, want string, data []byte) {
		t.Helper()
		if got := findings(data); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, want %q alone", what, got, want)
		}
	}
	if got := findings(data); got != nil {
		t.Fatal(got)
	}
	one("entries over each other", "lie over each other", overlaid(t, data, 20))
	names, files := unpacked(t, data)
	one("a list that nobody vouches for", "is not the list whose hash the log holds", zipped(t, names, files, func(name, text string) string {
		switch name {
		case logcheck.ManifestName:
			return strings.Replace(text, "software vector", "software other", 1)
		case "lines.csv": // would be found too, if it were looked at
			return strings.Replace(text, "name", "game", 1)
		}
		return text
	}))
	one("a list without its proof", "is missing", zipped(t, names[:len(names)-1], files, func(_, text string) string { return text }))
	packs, _ := crafted(t, "x")
	own := func(what string) []string {
		rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(packs[what]), int64(len(packs[what])), logcheck.Options{})
		must(t, err)
		return []string{rep.Result.Findings[0].String()}
	}
	if got := own("a large list"); !strings.Contains(got[0], "times as large as the pack") {
		t.Errorf("lists more than fits: %q", got)
	}
}

// EV-1: the check of a large pack tells how far it is, in bytes of the file.
func TestProgressOfAPack(t *testing.T) {
	l := newProofLog(t, 7)
	var file bytes.Buffer
	p := logcheck.NewPackWriter(&file, "person", "x", time.UnixMilli(1795392000000))
	must(t, p.Put("lines.csv", bytes.Repeat([]byte("a,b,c\r\n"), 1<<20)))
	sum, err := p.Manifest()
	must(t, err)
	a := entrylog.Action{Account: "a1", Verb: logcheck.PackVerb, Target: logcheck.PackTarget, ID: sum, From: "lan", Result: "ok", AtMS: 1795392001000}
	body, err := a.Append(nil)
	must(t, err)
	l.bodies = append(l.bodies, body)
	_, stored := l.tree.Append(nil, entrylog.LeafHash(body))
	l.stored = append(l.stored, stored)
	must(t, p.Close(l.proof(t, 7, 0)))
	var told []int64
	rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(file.Bytes()), int64(file.Len()), logcheck.Options{Progress: func(n, _ int64) { told = append(told, n) }})
	must(t, err)
	if !rep.Clean() || len(told) < 3 {
		t.Fatalf("%v, told %d", rep.Result.Findings, told)
	}
	for i, n := range told {
		if n < 0 || n > int64(file.Len()) || i > 0 && n < told[i-1] {
			t.Errorf("of %d: %d", file.Len(), told)
		}
	}
}
