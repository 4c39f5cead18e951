//go:build !linux

package outbox

import "errors"

// reserve is only known on Linux; gateways run nothing else.
func reserve(string, int64) error { return errors.ErrUnsupported }
