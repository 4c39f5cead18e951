package commission

import (
	"html/template"
	"io"
	"time"
)

// Sheet is the paper of one acceptance. It names no person: who did it signs by hand.
type Sheet struct {
	Site, Gateway, Door string
	Board, Software     string
	Begun, Ended        time.Time
	Steps               []Step
	ByHand              []Text
}

// Accepted reports whether every step was seen.
func (s Sheet) Accepted() bool {
	for _, st := range s.Steps {
		if st.Seen.IsZero() {
			return false
		}
	}
	return len(s.Steps) > 0
}

var sheetPage = template.Must(template.New("sheet").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.Format(time.TimeOnly) },
	"date":  func(t time.Time) string { return t.Format("2006-01-02 15:04 MST") },
}).Parse(`<!doctype html>
<html lang="ja"><head><meta charset="utf-8"><title>扉の受入検査票 / Door acceptance sheet: {{.Door}}</title>
<style>
@page { size: A4; margin: 15mm }
body { font-family: "BIZ UDPGothic", "Noto Sans CJK JP", sans-serif; font-size: 10.5pt; line-height: 1.5; max-width: 180mm; margin: auto }
h1 { font-size: 15pt } table { border-collapse: collapse; width: 100%; margin-bottom: 5mm } tr { break-inside: avoid }
th, td { border: 1px solid #333; padding: 1.5mm 2.5mm; text-align: left; vertical-align: top } th { background: #eee }
.box { width: 28mm } span[lang=en] { display: block; color: #444; font-size: 9pt }
</style></head><body>
<h1>扉の受入検査票 <span lang="en">Door acceptance sheet</span></h1>
<table>
<tr><th>拠点 <span lang="en">Site</span></th><td>{{.Site}}</td><th>扉 <span lang="en">Door</span></th><td>{{.Door}}</td></tr>
<tr><th>装置 <span lang="en">Gateway</span></th><td>{{.Gateway}}</td><th>配線 <span lang="en">Board profile</span></th><td>{{.Board}}</td></tr>
<tr><th>開始 <span lang="en">Begun</span></th><td>{{date .Begun}}</td><th>終了 <span lang="en">Ended</span></th><td>{{date .Ended}}</td></tr>
<tr><th>ソフトウェア <span lang="en">Software</span></th><td>{{.Software}}</td><th>結果 <span lang="en">Result</span></th><td>{{if .Accepted}}全項目を確認 <span lang="en">every step was recorded</span>{{else}}未確認の項目あり <span lang="en">steps are missing</span>{{end}}</td></tr>
</table>
<h2>装置が記録した項目 <span lang="en">Recorded by the gateway</span></h2>
<table><tr><th>項目 <span lang="en">What was done</span></th><th class="box">記録の時刻 <span lang="en">Recorded at</span></th></tr>
{{range .Steps}}<tr><td>{{.Do.JA}} <span lang="en">{{.Do.EN}}</span></td><td class="box">{{if .Seen.IsZero}}未確認 <span lang="en">not seen</span>{{else}}☑ {{clock .Seen}}{{end}}</td></tr>
{{end}}</table>
<h2>人が確かめる項目 <span lang="en">Seen by a person</span></h2>
<table><tr><th>項目 <span lang="en">What was done</span></th><th class="box">確認 <span lang="en">Seen</span></th></tr>
{{range .ByHand}}<tr><td>{{.JA}} <span lang="en">{{.EN}}</span></td><td class="box">☐</td></tr>
{{end}}</table>
<table><tr><th>検査者（署名） <span lang="en">Tested by (signature)</span></th><th>立会者（署名） <span lang="en">Witnessed by (signature)</span></th><th>消防署の指示（非常解錠） <span lang="en">Fire authority on emergency release</span></th></tr>
<tr><td style="height:18mm"></td><td></td><td></td></tr></table>
</body></html>
`))

// Write writes the sheet as one HTML file with both languages, to be printed.
func (s Sheet) Write(w io.Writer) error { return sheetPage.Execute(w, s) }
