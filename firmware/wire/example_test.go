package wire_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/wire"
)

// A message is one JSON line and one signature line; it is bound to its topic.
func ExampleSeal() {
	signer, verifier := exampleKey(wire.KeyName("tagajo-demo", wire.RoleLink))
	body := wire.AppendLease(nil, &wire.Lease{Gateway: "gw-1", TTLMS: 3000, Rules: 42, ServerMS: 1769990400263})
	msg, err := wire.Seal(signer, "tagajo-demo", "gw-1", wire.KindLease, body)
	if err != nil {
		fmt.Println(err)
		return
	}
	line, _, _ := strings.Cut(string(msg), "\n")
	fmt.Println(line)

	v := wire.Verifiers{}.With(wire.RoleLink, verifier)
	body, err = wire.Open(v, "tagajo-demo", "gw-1", wire.KindLease, msg)
	if err != nil {
		fmt.Println(err)
		return
	}
	lease, err := wire.ParseLease(body)
	fmt.Println(lease.TTLMS, lease.Rules, err)

	_, err = wire.Open(v, "tagajo-demo", "gw-2", wire.KindLease, msg)
	fmt.Println(wire.FaultOf(err))
	// Output:
	// {"monban":1,"kind":"lease","topic":"monban/1/tagajo-demo/gw-1/down/lease","body":{"gateway":"gw-1","challenge":"00000000000000000000000000000000","ttl_ms":3000,"rules":42,"modes":0,"state":0,"server_ms":1769990400263}}
	// 3000 42 <nil>
	// topic
}

func exampleKey(name string) (note.Signer, note.Verifier) {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	vkey, err := note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey))
	if err != nil {
		panic(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		panic(err)
	}
	hash := vkey[len(name)+1 : len(name)+9]
	signer, err := note.NewSigner("PRIV" + "ATE+KEY+" + name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, private.Seed()...)))
	if err != nil {
		panic(err)
	}
	return signer, verifier
}
