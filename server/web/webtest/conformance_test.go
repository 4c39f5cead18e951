package webtest_test

import (
	"testing"
	"time"

	"monban/server/web/webtest"
)

// The sources in memory keep the promises that the pages' tests rely on.
func TestMemory(t *testing.T) {
	for name, check := range webtest.Conformance() {
		t.Run(name, func(t *testing.T) {
			m := new(webtest.Memory)
			m.Grow(5, "record")
			check(t, webtest.Fresh{
				Stores: m,
				Code:   func(hash [32]byte, made time.Time) { m.PutSetupCode(hash, made) },
				Leaves: func() int { return len(m.Actions()) },
			})
		})
	}
}
