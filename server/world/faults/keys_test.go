package faults

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"

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
	for n := len(keys.Gateways); ; n++ {
		if n == 40 { // the file would only get longer
			keys.Gateways, n = nil, 0
		}
		gw := access.GatewayID(fmt.Sprintf("gw-%d", n))
		if keys, err = keys.With(gw, rand.Reader); err != nil {
			return err
		}
		if err := keys.Save(path); err != nil {
			return err
		}
		token := keys.Gateways[gw].Token
		fmt.Printf("key %s %x\n", gw, token[:])
	}
}

// keysLedger is the newest key that was said to be saved.
type keysLedger struct{ gateway, token string }

func (l *keysLedger) writer() string { return "keys" }

func (l *keysLedger) forget() { *l = keysLedger{} }

func (l *keysLedger) told(f []string) error {
	if len(f) != 3 || f[0] != "key" {
		return errors.New("not a line of this writer")
	}
	l.gateway, l.token = f[1], f[2]
	return nil
}

// check: the newest saved key is there, or the file was saved once more.
func (l *keysLedger) check(folder string) (int, error) {
	if l.gateway == "" {
		return 0, nil
	}
	keys, err := policypub.LoadKeys(filepath.Join(folder, "site-keys.json"))
	if err != nil {
		return 0, fmt.Errorf("LOST key of %s: %w", l.gateway, err)
	}
	got, ok := keys.Gateways[access.GatewayID(l.gateway)]
	if len(keys.Gateways) == 1 && l.gateway == "gw-39" { // begun anew
		return 1, nil
	}
	if !ok || fmt.Sprintf("%x", got.Token[:]) != l.token {
		return 0, fmt.Errorf("LOST key of %s", l.gateway)
	}
	return 1, nil
}
