package logcheck

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"monban/server/timestamp"
)

// Stamped is a time stamp of another house (RFC 3161) on a checkpoint, that holds.
type Stamped struct {
	Size      int64  // leaves of the checkpoint
	AtMS      int64  // by the authority's clock, UTC ms
	Authority string // subject of its certificate
	Trusted   bool   // the certificate leads to one that the auditor gave
}

// stampAhead is how far the authority's clock and the server's may be apart.
const stampAhead = 5 * time.Minute

// Stamp writes a time stamp on a checkpoint of the leaves before it: the note that it is of, the nonce of the request and the authority's answer (DER).
// Only a bundle of version 3 has them.
func (b *Writer) Stamp(size int64, signed string, nonce, answer []byte) error {
	if b.version < 3 {
		return errors.New("bundle: a time stamp needs version 3")
	}
	return b.parts(lineStamp, strconv.AppendInt(nil, size, 10), []byte(base64.StdEncoding.EncodeToString([]byte(signed))),
		[]byte(hex.EncodeToString(nonce)), []byte(base64.StdEncoding.EncodeToString(answer)))
}

// stampLine checks a time stamp: the checkpoint is signed by its log and of the leaves before the line, the stamp is of that checkpoint, its signature
// holds, and its time does not come before the newest leaf's. Whose it is, is known only with certificates that the auditor gives.
func (w *walk) stampLine(rest []byte) error {
	part := bytes.Split(rest, []byte(" "))
	if w.rep.Head.Version < 3 || len(part) != 4 {
		return errors.New("a time stamp that is incomplete, or in a bundle that has none")
	}
	n, err := parseIndex(part[0])
	if err != nil {
		return err
	}
	signed, err1 := base64.StdEncoding.Strict().DecodeString(string(part[1]))
	nonce, err2 := hex.DecodeString(string(part[2]))
	answer, err3 := base64.StdEncoding.Strict().DecodeString(string(part[3]))
	if err := errors.Join(err1, err2, err3); err != nil || hex.EncodeToString(nonce) != string(part[2]) {
		return errors.New("a time stamp that is not written as this program writes it")
	}
	w.openingMissing()
	add := func(format string, args ...any) error {
		w.rep.Result.Add("timestamp", Key(n), format, args...)
		return nil
	}
	held, err := OpenHeld(&w.c.keys, []NamedNote{{Name: "its checkpoint", Signed: string(signed)}})
	if err != nil {
		return add("%v", err)
	}
	c := held[0].Checkpoint
	root, known := w.c.tree.Root()
	switch {
	case c.Origin != w.c.origin || c.Size != n || n != w.c.Next():
		return add("is of %d leaves of %s and stands after %d of %s", c.Size, c.Origin, w.c.Next(), w.c.origin)
	case !known:
		return add("cannot be compared: a leaf before it is missing or changed")
	case root != c.Root:
		return add("names another root: this is not the log that was stamped; a leaf before %d was changed, taken out or put in", n)
	}
	got, err := timestamp.Check(answer, signed, nonce, w.opt.Stamps)
	if err != nil {
		return add("%v", err)
	}
	if w.at > 0 && got.Time.Before(time.UnixMilli(w.at).Add(-stampAhead)) {
		return add("its time, %s, is before the newest leaf's, %s: one of the clocks was wrong, or the leaves are younger", got.Time.Format(time.RFC3339), time.UnixMilli(w.at).UTC().Format(time.RFC3339))
	}
	w.rep.Stamps = append(w.rep.Stamps, Stamped{Size: n, AtMS: got.Time.UnixMilli(), Authority: got.Authority, Trusted: w.opt.Stamps != nil})
	return nil
}

// sayStamps tells what the time stamps prove: nothing, unless the auditor said whose stamps count.
func (r *Report) sayStamps(say sayFunc, day func(int64) string) {
	list := slices.DeleteFunc(slices.Clone(r.Stamps), func(s Stamped) bool { return !s.Trusted })
	for i, s := range list[max(0, len(list)-pageFindings):] {
		if i == 0 && len(list) > pageFindings {
			say("・それより前のタイムスタンプ %d 件も成り立ちます。", "- %d earlier time stamps hold too.", len(list)-pageFindings)
		}
		say("・%d番より前の記録は、%s の時点で今の内容のまま存在していました(時刻認証局 %s のタイムスタンプ、その局の時計)。このサーバーの時計や鍵を持つ人も、その後に書き直せません。",
			"- The leaves before %d were there as they are now at %s: so says a time stamp of %s by its own clock. Not even who has the log's key and sets this server's clock can have written them after that.", s.Size, day(s.AtMS), s.Authority)
	}
}

// sayNotStamped tells what the time stamps leave open.
func (r *Report) sayNotStamped(say sayFunc, day func(int64) string) {
	if len(r.Stamps) == 0 {
		return
	}
	newest := r.Stamps[len(r.Stamps)-1]
	if !newest.Trusted {
		say("・%[4]d件のタイムスタンプ(最新は%[1]d番より前の記録のもので %[2]s、%[3]q を名乗るもの)は壊れていませんが、証明書はこのファイルに入っていたものです。誰でも作れるため、時刻の証明にはなりません。時刻認証局から受け取った CA 証明書を --timestamps で指定してください。",
			"- %[4]d time stamps are whole, the newest on the leaves before %[1]d (%[2]s, says it is of %[3]q). Their certificates came with the file: anybody can make such, so they prove no time. Give the authority's CA certificate that you got from the authority itself (--timestamps).",
			newest.Size, day(newest.AtMS), newest.Authority, len(r.Stamps))
		return
	}
	if newest.Size < r.Head.To {
		say("・%d番以降の記録には、まだタイムスタンプがありません。", "- The leaves from %d on bear no time stamp yet.", max(newest.Size, r.Head.From))
	}
	say("・記録された出来事の時刻が正しいこと(タイムスタンプは「遅くともその時刻に存在した」ことだけを示します)。認証局の証明書がその後失効していないこと。",
		"- That the times in the leaves are right: a time stamp says that they were there by then, not when it happened. That the authority's certificate was not revoked since.")
}
