package app

import (
	"errors"
	"fmt"
	"sync"

	"monban/server/web"
)

// folder is a folder of files that are made on request, opened when it can be. One that cannot be used (a disk away, another owner) keeps no server from
// starting: who asks for a file is told, `doctor` too, and doors go on.
type folder[T any] struct {
	open func() (*T, error)

	mu     sync.Mutex
	got    *T
	closed bool
}

// openFolder tries once; what fails is tried again by get.
func openFolder[T any](open func() (*T, error)) (*folder[T], error) {
	p := &folder[T]{open: open}
	_, err := p.get()
	return p, err
}

// get gives the spool; web.ErrNoPlace when its folder cannot be used.
func (p *folder[T]) get() (*T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.got != nil {
		return p.got, nil
	}
	if p.closed {
		return nil, fmt.Errorf("the server ends: %w", web.ErrBusy)
	}
	var err error
	if p.got, err = p.open(); err != nil {
		p.got, err = nil, errors.Join(err, web.ErrNoPlace)
	}
	return p.got, err
}

// close ends what runs in it.
func (p *folder[T]) close(end func(*T)) {
	p.mu.Lock()
	got := p.got
	p.closed = true
	p.mu.Unlock()
	if got != nil {
		end(got)
	}
}
