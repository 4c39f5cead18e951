package faults

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"monban/firmware/access"
	"monban/server/policypub"
)

// writeKeys saves the site's keys again and again, each time with one gateway more, as `gateway add` does.
func writeKeys(folder string) error {
	path := filepath.Join(folder, "site-keys.json")
	keys, err := policypub.LoadKeys(path)
	if err != nil {
		if keys, err = policypub.NewKeys(rand.Reader); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	for n := newestKey(keys) + 1; ; n++ {
		gw := keyed(n)
		if keys, err = keys.With(gw, rand.Reader); err != nil {
			return err
		}
		keys = keys.Without(keyed(n - mostKeys)) // the file would only get longer
		if err := keys.Save(path); err != nil {
			return err
		}
		token := keys.Gateways[gw].Token
		fmt.Printf("key %d %x\n", n, token[:])
	}
}

// mostKeys is how many gateways the file holds at most.
const mostKeys = 40

func keyed(n int) access.GatewayID { return access.GatewayID(fmt.Sprintf("gw-%d", n)) }

// newestKey is the number of the newest gateway in the file, -1 for none.
func newestKey(keys policypub.Keys) int {
	newest := -1
	for gw := range keys.Gateways {
		if n, err := strconv.Atoi(strings.TrimPrefix(string(gw), "gw-")); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}

// keysLedger is the newest key that was said to be saved.
type keysLedger struct {
	number int
	token  string
}

func (l *keysLedger) writer() string { return "keys" }

func (l *keysLedger) forget() { *l = keysLedger{} }

func (l *keysLedger) told(f []string) (err error) {
	if len(f) != 3 || f[0] != "key" {
		return errors.New("not a line of this writer")
	}
	l.number, err = strconv.Atoi(f[1])
	l.token = f[2]
	return err
}

// check: the newest key that was told of is there. More may have been saved since than anybody has read of, so many even that
// this one had to make room.
func (l *keysLedger) check(folder string) (int, error) {
	if l.token == "" {
		return 0, nil
	}
	keys, err := policypub.LoadKeys(filepath.Join(folder, "site-keys.json"))
	if err != nil {
		return 0, fmt.Errorf("LOST key of %s: %w", keyed(l.number), err)
	}
	newest := newestKey(keys)
	if newest >= l.number+mostKeys {
		return 1, nil
	}
	if got, ok := keys.Gateways[keyed(l.number)]; !ok || fmt.Sprintf("%x", got.Token[:]) != l.token {
		return 0, fmt.Errorf("LOST key of %s; the newest is %s", keyed(l.number), keyed(newest))
	}
	return 1, nil
}
