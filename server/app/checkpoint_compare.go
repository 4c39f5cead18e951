package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/report"
	"monban/server/store"
)

// Compared is what a checkpoint that somebody holds says of this log.
type Compared int

// Results of a comparison. The zero value is none.
const (
	ComparedSame    Compared = iota + 1 // the newest checkpoint
	ComparedOlder                       // the log has grown since and holds what it names
	ComparedNewer                       // newer than the newest stored checkpoint, and the log holds what it names
	ComparedOther                       // another log: of a size that this one has, with other entries
	ComparedBehind                      // it names more entries than the log has
	ComparedUnknown                     // of a log whose key is not here
	ComparedLost                        // of the log before a recorded restore, and names entries that the restore says are lost
	ComparedBeyond                      // of the log before a restore, and names more entries than the restore knew of
)

// Good reports whether the log is the one that the checkpoint names.
func (c Compared) Good() bool { return c == ComparedSame || c == ComparedOlder || c == ComparedNewer }

// Comparison is the outcome with what is told of it.
type Comparison struct {
	Result   Compared
	Size     int64 // leaves that the checkpoint names
	Now      int64 // leaves of the log
	Root     tlog.Hash
	Own      tlog.Hash // the log's root of that size, when it has one
	Signed   bool      // the checkpoint bore the log's signature, and it held
	Earlier  bool      // of a log that this one follows
	Succeeds int64     // leaves that were restored from that one
	LostTo   int64     // leaves that it is known to have had
	Restored time.Time // when
}

// errNoCheckpoint says that a text holds no checkpoint.
var errNoCheckpoint = errors.New("holds no checkpoint: three lines, monban/ and 8 characters, a number, 44 characters that end in =")

// originForm finds a checkpoint's first line, also behind what a log server or a QR reader puts before it.
var originForm = regexp.MustCompile(`(?:^|[^a-z0-9/])(monban/[0-9a-f]{8})$`)

// readCheckpoint finds a checkpoint in what somebody typed, got by mail or read from a QR code: blanks and quote marks around lines,
// lines before and behind, digits as an input method writes them do not matter. sigs are the lines that may be signatures.
func readCheckpoint(text string) (origin string, size int64, root tlog.Hash, sigs []string, err error) {
	// A line of a log server writes the ends of lines and = with a backslash (CEF, JSON).
	text = strings.NewReplacer(`\n`, "\n", `\=`, "=", `\u2014`, "—").Replace(text)
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == '\ufeff' || r == '\u200b':
			return -1
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case r == '\u3000' || r == '\u00a0' || r == '\t':
			return ' '
		}
		return r
	}, text)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(strings.TrimLeft(line, "> |")); line != "" {
			lines = append(lines, line)
		}
	}
	for i := range lines {
		at := originForm.FindStringSubmatch(lines[i])
		if i+2 >= len(lines) || at == nil {
			continue
		}
		size, err := strconv.ParseInt(lines[i+1], 10, 64)
		if err != nil || size <= 0 {
			continue
		}
		root, err := tlog.ParseHash(lines[i+2])
		if err != nil {
			continue
		}
		for _, l := range lines[i+3:] {
			for _, dash := range []string{"—", "–", "-", "ー", "―"} {
				if rest, ok := strings.CutPrefix(l, dash+" "); ok {
					rest, _, _ = strings.Cut(rest, `"`) // what stands behind a text in JSON
					sigs = append(sigs, "— "+rest)
				}
			}
		}
		return at[1], size, root, sigs, nil
	}
	return "", 0, root, nil, errNoCheckpoint
}

// Compare holds a checkpoint against the log of a site, beside a running server or not. It reads only.
func Compare(ctx context.Context, cfg *config.Config, text string) (c Comparison, err error) {
	origin, size, root, sigs, err := readCheckpoint(text)
	if err != nil {
		return c, err
	}
	opt, err := logKeys(cfg.Path(keysDir))
	if err != nil {
		return c, err
	}
	keys := logcheck.Keys{Log: opt.Log, Before: opt.Before}
	c.Size, c.Root = size, root
	key := keys.Of(origin)
	if key == nil {
		c.Result = ComparedUnknown
		return c, nil
	}
	c.Earlier = origin != opt.Log.Name()
	for _, line := range sigs {
		whole := entrylog.Checkpoint{Origin: origin, Size: size, Root: root}.Text() + "\n" + line + "\n"
		if _, err := note.Open([]byte(whole), note.VerifierList(key)); err == nil {
			c.Signed = true
		}
	}
	return c, store.ReadFile(ctx, cfg.Path(databaseFile), nil, cfg.Terms(), func(r *store.ReadTx) error {
		if c.Now, err = r.LogSize(); err != nil {
			return err
		}
		if c.Earlier {
			after, err := r.SuccessionOf(origin)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err == nil {
				c.Succeeds, c.Restored = after.Size, time.UnixMilli(after.AtMS).In(cfg.Location())
				if _, c.LostTo = after.Lost(); size > after.Size {
					c.Result = c.ofLost(&after)
					return nil
				}
			}
		}
		if size > c.Now {
			c.Result = ComparedBehind
			return nil
		}
		if c.Own, err = r.RootAt(size); err != nil {
			return err
		}
		if c.Own != root {
			c.Result = ComparedOther
			return nil
		}
		newest, err := r.NewestCheckpoint()
		if err != nil {
			return err
		}
		switch {
		case size == newest && !c.Earlier:
			c.Result = ComparedSame
		case size > newest:
			c.Result = ComparedNewer
		default:
			c.Result = ComparedOlder
		}
		return nil
	})
}

// ofLost judges a checkpoint that names more of the log before than was restored. What was lost cannot be shown; where that log is known to have ended, by a
// signature of its own, the root must be that one.
func (c *Comparison) ofLost(after *entrylog.Succession) Compared {
	if c.Size > c.LostTo {
		return ComparedBeyond
	}
	if known, err := after.KnownCheckpoint(); err == nil && known.Size == c.Size {
		if c.Own = known.Root; c.Own != c.Root {
			return ComparedOther
		}
	}
	return ComparedLost
}

// Print says the outcome in plain words.
func (c *Comparison) Print(w io.Writer, japanese bool) error {
	say := comparedEN
	signed, unsigned := "It bears the log's signature, which holds.", "No signature of the log came with it, or it was mistyped: size and root alone were compared."
	earlier := "It is of an earlier log of this site, which this one follows after a restore; what was lost then stands in the succession (monban-server verify)."
	if japanese {
		say = comparedJA
		signed, unsigned = "記録の署名が付いており、正しい署名です。", "記録の署名がないか、写し間違いがあります。件数とハッシュだけを照合しました。"
		earlier = "復元の前の記録のチェックポイントです。失われた範囲は継承の記録にあります（monban-server verify）。"
	}
	text := strings.NewReplacer("{size}", strconv.FormatInt(c.Size, 10), "{now}", strconv.FormatInt(c.Now, 10), "{since}", strconv.FormatInt(c.Now-c.Size, 10), "{root}", c.Root.String(), "{own}", c.Own.String(),
		"{restored}", strconv.FormatInt(c.Succeeds, 10), "{lost}", strconv.FormatInt(c.LostTo, 10), "{date}", c.Restored.Format("2006-01-02 15:04")).Replace(say[c.Result])
	if c.Result != ComparedUnknown {
		if c.Signed {
			text += "\n" + signed
		} else {
			text += "\n" + unsigned
		}
		if c.Earlier {
			text += "\n" + earlier
		}
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

var comparedEN = map[Compared]string{
	ComparedSame:    "EQUAL: this is the newest checkpoint of this log ({size} entries).",
	ComparedOlder:   "CONSISTENT: the log holds the {size} entries that the checkpoint names, unchanged, and {since} more since.",
	ComparedNewer:   "CONSISTENT: the checkpoint is newer than the newest one stored here; the log holds the {size} entries that it names, unchanged, and {since} more.",
	ComparedOther:   "NOT THE SAME LOG: among the first {size} entries at least one was changed, taken out or put in since this checkpoint was made, or the checkpoint is mistyped.\nThe checkpoint says {root}\nthe log says        {own}\nCompare once more character by character; if it stays so, keep the database and the checkpoint as evidence.",
	ComparedBehind:  "NOT THE SAME LOG: the checkpoint names {size} entries, the log has {now}. The database was taken back to an older state, or the number is mistyped.",
	ComparedUnknown: "NOT THE SAME LOG: its first line names a log whose key this site does not have. It is of another site, or mistyped.",
	ComparedLost:    "BEFORE A RESTORE: the checkpoint is of this site's earlier log. It was restored on {date} with its first {restored} entries; that entries {restored} to {lost} were lost is recorded in the log. The checkpoint names {size}: what it says of the lost ones cannot be shown here. The database that was replaced, or a gateway's queue, may still have them.",
	ComparedBeyond:  "NOT THE SAME LOG: the checkpoint is of this site's earlier log and names {size} entries. The restore of {date} recorded that log as of at most {lost}: more was lost than anybody knew then, or the checkpoint is mistyped. Keep the checkpoint as evidence.",
}

var comparedJA = map[Compared]string{
	ComparedSame:    "一致：この記録の最新のチェックポイントです（{size} 件）。",
	ComparedOlder:   "整合：チェックポイントが示す {size} 件は、変わらずに残っています。その後 {since} 件増えています。",
	ComparedNewer:   "整合：ここに保存された最新のものより新しいチェックポイントです。示された {size} 件は変わらずに残っており、さらに {since} 件あります。",
	ComparedOther:   "同じ記録ではありません：このチェックポイントの後で、最初の {size} 件のうち少なくとも一件が変更、削除または挿入されたか、写し間違いです。\nチェックポイント {root}\nこの記録         {own}\n一文字ずつ照合し直してください。変わらなければ、データベースとチェックポイントを証拠として保全してください。",
	ComparedBehind:  "同じ記録ではありません：チェックポイントは {size} 件を示しますが、この記録は {now} 件です。データベースが古い状態に戻されたか、件数の写し間違いです。",
	ComparedUnknown: "同じ記録ではありません：一行目が示す記録の鍵がこの拠点にありません。ほかの拠点のものか、写し間違いです。",
	ComparedLost:    "復元の前の記録です：この拠点の以前の記録のチェックポイントです。{date} に最初の {restored} 件から復元され、{restored} 件目から {lost} 件目までの喪失は記録に残っています。このチェックポイントは {size} 件を示すため、失われた部分はここでは確かめられません。置き換える前のデータベースやゲートウェイの待ち行列に残っていることがあります。",
	ComparedBeyond:  "同じ記録ではありません：この拠点の以前の記録のチェックポイントで、{size} 件を示します。{date} の復元の記録では、その記録は多くても {lost} 件でした。当時わかっていたより多くが失われたか、写し間違いです。チェックポイントを証拠として保全してください。",
}

// Newest gives the newest stored checkpoint of a site, beside a running server or not.
func Newest(ctx context.Context, cfg *config.Config) (signed string, err error) {
	err = store.ReadFile(ctx, cfg.Path(databaseFile), nil, cfg.Terms(), func(r *store.ReadTx) error {
		size, err := r.NewestCheckpoint()
		if err != nil {
			return err
		}
		signed, err = r.CheckpointAt(size)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = errors.New("nothing is signed yet")
	}
	return signed, err
}

// CheckpointCode draws a checkpoint as a QR code of characters: two modules a character.
func CheckpointCode(signed string) (string, error) {
	return report.QRText(strings.TrimSuffix(signed, "\n"))
}
