package app

import (
	"context"
	"errors"
	"io"
)

// VerifyOptions of Verify.
type VerifyOptions struct {
	Database string
	Keys     string
	Openings bool
	Out      io.Writer
}

// Verify walks a log.
func Verify(context.Context, VerifyOptions) (int, error) { return 0, errors.New("not yet") }
