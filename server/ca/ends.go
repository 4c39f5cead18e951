package ca

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ends is what the list of issued certificates says of their ends, read again when the file has changed.
type ends struct {
	mu      sync.Mutex
	size    int64
	modTime time.Time
	issued  []issuedEnd
}

type issuedEnd struct {
	listEntry
	end time.Time
}

// GatewayEnds gives for each gateway when the newest certificate that was issued to it and is not refused
// ends (OP-1). A gateway without one is not in it. Lines that cannot be read are passed over, and a list that
// cannot be read knows nobody: nothing is let in or refused by it.
func (c *CA) GatewayEnds() map[string]time.Time {
	e := &c.ends
	e.mu.Lock()
	defer e.mu.Unlock()
	path := filepath.Join(c.dir, issuedFile)
	st, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if st.Size() != e.size || !st.ModTime().Equal(e.modTime) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		e.size, e.modTime, e.issued = st.Size(), st.ModTime(), nil
		for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); {
			f := strings.Split(sc.Text(), "\t")
			if len(f) != 3 {
				continue
			}
			if end, err := time.Parse(time.RFC3339, f[2]); err == nil {
				e.issued = append(e.issued, issuedEnd{listEntry{f[0], f[1]}, end})
			}
		}
	}
	out := map[string]time.Time{}
	for _, i := range e.issued {
		if i.end.After(out[i.gateway]) && !c.Denied(i.serial) {
			out[i.gateway] = i.end
		}
	}
	return out
}
