package panel

import (
	"net/http"
	"strings"

	"monban/gateway/hal"
	"monban/gateway/hal/sim"
)

// What the page says after a button.
const (
	saidDone   = "done"
	saidLocked = "locked"
	saidFailed = "failed"
)

// words is one language of the page.
type words map[string]string

var japanese = words{
	"lang": "ja", "other": "en", "otherName": "English",
	"title": "門番 デモ操作盤", "intro": "模擬の扉を操作します。実際の扉にはこの画面はありません。",
	"link": "サーバとの通信", "link-up": "つながっています", "link-down": "切断しています",
	"cut": "通信を切る", "restore": "通信を戻す",
	"lock": "錠", "released": "解錠", "secured": "施錠", "none": "錠なし(記録のみ)",
	"contact": "扉", "open": "開いています", "closed": "閉まっています",
	"tamper": "いたずら検知", "fire": "火災信号", "strike": "錠の故障", "alarm": "あり",
	"enter": "入口リーダ", "exit": "出口リーダ", "lost": "応答なし",
	"card": "カード", "show": "かざす", "pin": "暗証番号", "key": "入力する",
	"doorGroup": "扉の操作", "pass": "開けて入る", "return": "内側から出る", "hold": "開けたままにする",
	"close": "閉める", "force": "こじ開ける", "rex": "退室ボタン",
	"faultGroup": "故障・警報を起こす", "tamper-on": "いたずら検知を出す", "tamper-off": "いたずら検知を戻す",
	"fire-on": "火災信号を出す", "fire-off": "火災信号を戻す", "strike-fail": "錠を故障させる", "strike-ok": "錠を直す",
	"reader-lost": "リーダを外す", "reader-back": "リーダを戻す",
	"said-done": "操作しました。", "said-locked": "扉は施錠されていて開きません。", "said-failed": "この操作はできませんでした。",
	"dark": "消灯", "red": "赤", "green": "緑", "amber": "橙",
	"blinking": "点滅", "double": "二回点滅", "turn": "交互点滅", "steady": "点灯",
	"silent": "音なし", "click": "クリック音", "short": "短音1回", "long": "長音1回", "two_short": "短音2回",
	"three_short": "短音3回", "intermittent": "断続音", "nocards": "デモ用カードが登録されていません。",
}

var english = words{
	"lang": "en", "other": "ja", "otherName": "日本語",
	"title": "monban demo panel", "intro": "Works the simulated doors. No real door has this page.",
	"link": "Link to the server", "link-up": "connected", "link-down": "cut",
	"cut": "Cut the link", "restore": "Restore the link",
	"lock": "Lock", "released": "released", "secured": "secured", "none": "no lock (record only)",
	"contact": "Door", "open": "open", "closed": "closed",
	"tamper": "Tamper", "fire": "Fire signal", "strike": "Strike fault", "alarm": "active",
	"enter": "Entrance reader", "exit": "Exit reader", "lost": "no answer",
	"card": "Card", "show": "Badge", "pin": "PIN", "key": "Key in",
	"doorGroup": "The door", "pass": "Open and go in", "return": "Leave from inside", "hold": "Hold open",
	"close": "Close", "force": "Force open", "rex": "Exit button",
	"faultGroup": "Faults and alarms", "tamper-on": "Begin tampering", "tamper-off": "End tampering",
	"fire-on": "Raise fire signal", "fire-off": "Clear fire signal", "strike-fail": "Break the strike", "strike-ok": "Repair the strike",
	"reader-lost": "Unplug reader", "reader-back": "Plug reader in",
	"said-done": "Done.", "said-locked": "The door is locked and does not open.", "said-failed": "That did not work.",
	"dark": "dark", "red": "red", "green": "green", "amber": "amber",
	"blinking": "blinking", "double": "double blink", "turn": "in turn", "steady": "steady",
	"silent": "silent", "click": "click", "short": "one short tone", "long": "one long tone", "two_short": "two short tones",
	"three_short": "three short tones", "intermittent": "intermittent tone", "nocards": "No demo cards are loaded.",
}

// language takes ?lang=, then the form's, then the browser's wish; Japanese when there is none.
func language(r *http.Request) string {
	for _, l := range []string{r.URL.Query().Get("lang"), r.PostFormValue("lang")} {
		if l == "ja" || l == "en" {
			return l
		}
	}
	for tag := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		switch tag = strings.ToLower(strings.TrimSpace(tag)); {
		case strings.HasPrefix(tag, "ja"):
			return "ja"
		case strings.HasPrefix(tag, "en"):
			return "en"
		}
	}
	return "ja"
}

// view is everything the page shows.
type view struct {
	W      words
	Said   string // a sentence, "" = nothing was done
	Bad    bool
	LinkUp bool
	Cards  []string
	Doors  []doorView
}

type doorView struct {
	sim.State
	Readers []readerView
}

type readerView struct {
	Side   string // enter, exit
	Name   string
	Keypad bool
	Lost   bool
	Light  string // class words
	Other  string
	Blink  string
	Text   string
}

func (p *Panel) view(lang, said string) view {
	w := japanese
	if lang == "en" {
		w = english
	}
	v := view{W: w, Said: w["said-"+said], Bad: said == saidLocked || said == saidFailed, LinkUp: p.hal.Link(), Cards: p.hal.Labels()}
	for _, s := range p.hal.Doors() {
		d := doorView{State: s}
		for _, r := range []struct {
			side  string
			state *sim.ReaderState
		}{{"enter", s.Enter}, {"exit", s.Exit}} {
			if r.state != nil {
				d.Readers = append(d.Readers, readerOf(w, r.side, *r.state))
			}
		}
		v.Doors = append(v.Doors, d)
	}
	return v
}

func readerOf(w words, side string, s sim.ReaderState) readerView {
	r := readerView{
		Side: side, Name: w[side], Keypad: s.Keypad, Lost: s.Lost,
		Light: s.Shows.Light.String(), Other: s.Shows.Other.String(), Blink: s.Shows.Blink.String(),
	}
	light := w[r.Light]
	if s.Shows.Blink == hal.BlinkTurn || s.Shows.Other != hal.Dark {
		light += "+" + w[r.Other]
	}
	r.Text = light
	if s.Shows.Light != hal.Dark {
		r.Text += " " + w[r.Blink]
	}
	r.Text += ", " + w[s.Shows.Tone.String()]
	if s.Lost {
		r.Text, r.Light = w["lost"], "dark"
	}
	return r
}
