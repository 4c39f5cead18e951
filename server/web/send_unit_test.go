package web

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"
)

// slowLine is a connection that notes what is asked of it.
type slowLine struct {
	httptest.ResponseRecorder
	until time.Time // its write deadline
	fresh int       // deadlines since the last piece
	ends  int       // pieces that it takes; after them the peer is gone
}

var errGone = errors.New("the peer went away")

func (l *slowLine) SetReadDeadline(time.Time) error { return nil }

func (l *slowLine) SetWriteDeadline(t time.Time) error {
	l.until = t
	l.fresh++
	return nil
}

func (l *slowLine) Write(b []byte) (int, error) {
	if l.ends--; l.ends < 0 {
		return 0, errGone
	}
	if left := time.Until(l.until); len(b) > pieceSize || l.fresh == 0 || left < pieceTime/2 || left > pieceTime {
		return 0, errors.New("a piece of " + strconv.Itoa(len(b)) + " bytes without a deadline of its own")
	}
	l.fresh = 0
	return l.ResponseRecorder.Write(b)
}

// RR-1: a large paper goes in pieces, each with a deadline of its own: a slow line takes it whole, and a peer that takes nothing is cut off.
func TestLargeFileGoesInPieces(t *testing.T) {
	file := bytes.Repeat([]byte("門番"), pieceSize/2)
	l := &slowLine{ResponseRecorder: *httptest.NewRecorder(), ends: 100}
	sendFile(l, file)
	if !bytes.Equal(l.Body.Bytes(), file) || l.Header().Get("Content-Length") != strconv.Itoa(len(file)) {
		t.Errorf("%d of %d bytes, Content-Length %q", l.Body.Len(), len(file), l.Header().Get("Content-Length"))
	}
	l = &slowLine{ResponseRecorder: *httptest.NewRecorder(), ends: 2}
	n, err := piecewise{l, http.NewResponseController(l)}.Write(file)
	if n != 2*pieceSize || !errors.Is(err, errGone) {
		t.Errorf("%d bytes, %v", n, err)
	}
	sendFile(&slowLine{ResponseRecorder: *httptest.NewRecorder()}, file) // nobody is told
}
