package sim

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/directory"
)

// hashKey is a note key that "signs" with a hash: it keeps a simulated day short and is worthless
// otherwise. The envelope around it is the real one.
type hashKey struct{ name string }

// Name implements note.Signer and note.Verifier.
func (k hashKey) Name() string { return k.name }

// KeyHash implements note.Signer and note.Verifier.
func (k hashKey) KeyHash() uint32 { return binary.BigEndian.Uint32(k.sum(nil)) }

// Sign implements note.Signer.
func (k hashKey) Sign(msg []byte) ([]byte, error) { return k.sum(msg), nil }

// Verify implements note.Verifier.
func (k hashKey) Verify(msg, sig []byte) bool { return bytes.Equal(k.sum(msg), sig) }

func (k hashKey) sum(msg []byte) []byte {
	h := sha256.Sum256(append([]byte(k.name+"\x00"), msg...))
	return h[:8]
}

var (
	_ note.Signer   = hashKey{}
	_ note.Verifier = hashKey{}
)

func (w *World) roleKey(r wire.Role) hashKey { return hashKey{wire.KeyName(w.opt.Site, r)} }

func (w *World) gatewayKey(gw access.GatewayID) hashKey {
	return hashKey{wire.GatewayKeyName(w.opt.Site, gw)}
}

// cardsOf reads the numbers in the card files, which the directory forgets on purpose: somebody has
// to hold the cards in front of the readers. Files with a byte order mark or in CP932 are left to the
// import's own complaints: their ASCII columns read the same.
func cardsOf(files []directory.File) (map[string]Card, error) {
	cards := map[string]Card{}
	for _, f := range files {
		if f.Kind != directory.KindCards {
			continue
		}
		r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(f.Data, []byte("\xef\xbb\xbf"))))
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		column := map[string]int{}
		for i, row := range rows {
			if i == 0 {
				for n, title := range row {
					column[columnName(strings.TrimSpace(title))] = n
				}
				continue
			}
			get := func(name string) string {
				n, ok := column[name]
				if !ok || n >= len(row) {
					return ""
				}
				return strings.TrimSpace(row[n])
			}
			facility, _ := strconv.ParseUint(get("facility_code"), 10, 64) // what is no number the import complains of
			number, _ := strconv.ParseUint(get("card_number"), 10, 64)
			cards[get("card_id")] = Card{ID: get("card_id"), Number: Number{get("format"), facility, number}, PIN: get("pin")}
		}
	}
	return cards, nil
}

// columnName gives the English name of a card column; the import takes both.
func columnName(title string) string {
	switch title {
	case "カード管理番号":
		return "card_id"
	case "形式":
		return "format"
	case "施設コード":
		return "facility_code"
	case "カード番号":
		return "card_number"
	case "暗証番号":
		return "pin"
	default:
		return strings.ToLower(title)
	}
}

func gatewayID(s string) access.GatewayID { return access.GatewayID(s) }
func doorID(s string) access.DoorID       { return access.DoorID(s) }
