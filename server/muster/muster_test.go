package muster

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func sample() *List {
	return &List{Site: "多賀城デモ市役所", Notes: []string{"gw-2"}, Zones: []Zone{{Name: "サーバ室", Inside: []Person{
		{Name: "𠮷田 太郎", Of: "情報システム課", Category: "職員", Since: "11-26 09:12", Door: "正面扉", Numbers: []string{"gw-1 0123-4567"}},
		{Name: "葛\U000E0100城 蓮", Of: "東北システム保守", Category: "委託", Door: "正面扉", Uncertain: true},
	}}, {Name: "媒体保管庫"}}}
}

// OP-7, PR-2: the copy opens with its code and with no other, until it ends and no longer; nothing of a name stands in it in clear, nothing
// outside the seal can be changed, and no two copies are alike.
func TestCopy(t *testing.T) {
	made := time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)
	code := CodeOf(bytes.Repeat([]byte{7}, 32), made)
	file, err := Make(sample(), code, made, made.Add(4*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"𠮷田", "情報システム課", "0123-4567", "サーバ室", "多賀城", code, tidy(code)} {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("%q stands in the file", secret)
		}
	}
	for _, typed := range []string{code, " " + strings.ToLower(code) + " ", tidy(code)} {
		l, at, err := Open(file, typed, made.Add(3*time.Hour))
		if err != nil || len(l.Zones) != 2 || l.Zones[0].Inside[0].Name != "𠮷田 太郎" || l.Zones[0].Inside[1].Name != "葛\U000E0100城 蓮" || !l.Zones[0].Inside[1].Uncertain || !at.Equal(made) {
			t.Fatalf("%q: %+v, %v, %v", typed, l, at, err)
		}
	}
	for _, other := range []string{"", "AAAA-AAAA-AAAA-AAAA", CodeOf(bytes.Repeat([]byte{7}, 32), made.AddDate(0, 1, 0)), CodeOf(bytes.Repeat([]byte{8}, 32), made)} {
		if _, _, err := Open(file, other, made); !errors.Is(err, ErrCode) {
			t.Errorf("code %q: %v", other, err)
		}
	}
	if _, _, err := Open(file, code, made.Add(4*time.Hour)); !errors.Is(err, ErrEnded) {
		t.Errorf("after its end: %v", err)
	}
	until := made.Add(4 * time.Hour).UnixMilli()
	longer := bytes.Replace(file, fmt.Appendf(nil, `"until":%d`, until), fmt.Appendf(nil, `"until":%d`, until+1), 1)
	if bytes.Equal(longer, file) {
		t.Fatal("the end does not stand where the test changes it")
	}
	if _, _, err := Open(longer, code, made); !errors.Is(err, ErrCode) {
		t.Errorf("a later end: %v", err)
	}
	again, err := Make(sample(), code, made, made.Add(4*time.Hour))
	if err != nil || bytes.Equal(again, file) {
		t.Errorf("two copies are alike, %v", err)
	}
	if _, err := Make(sample(), "", made, made.Add(time.Hour)); err == nil {
		t.Error("a copy without a code")
	}
	if len(code) != 19 || CodeOf(bytes.Repeat([]byte{7}, 32), made.AddDate(0, 0, 3)) != code {
		t.Errorf("code %q", code)
	}
}
