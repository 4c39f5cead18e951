// Package witnesstest is a small witness written from the C2SP texts (tlog-witness, tlog-cosignature) alone, sharing no code with the
// program's: for tests only.
package witnesstest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Witness is one witness; it is an http.Handler. Logs it knows are added with Know.
type Witness struct {
	Now func() time.Time // nil = time.Now

	name string
	key  ed25519.PrivateKey
	id   [4]byte
	path string

	mu    sync.Mutex
	logs  map[string][]note.Verifier // origin → keys
	trees map[string]tree            // what is in the file
	asked int
}

type tree struct {
	Size int64  `json:"size"`
	Root []byte `json:"root"`
}

// New makes a witness that keeps its state in a file; the key follows from the name.
func New(name, path string) (*Witness, error) {
	seed := sha256.Sum256([]byte("witness " + name))
	w := &Witness{name: name, key: ed25519.NewKeyFromSeed(seed[:]), path: path, logs: map[string][]note.Verifier{}, trees: map[string]tree{}}
	h := sha256.New() // key ID: SHA-256(name ‖ LF ‖ 0x04 ‖ key), the first four bytes
	fmt.Fprintf(h, "%s\n\x04%s", name, w.public())
	copy(w.id[:], h.Sum(nil))
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return w, nil
	}
	if err != nil {
		return nil, err
	}
	return w, json.Unmarshal(data, &w.trees)
}

func (w *Witness) public() ed25519.PublicKey { return w.key.Public().(ed25519.PublicKey) }

// VKey is its verifier key.
func (w *Witness) VKey() string {
	return fmt.Sprintf("%s+%x+%s", w.name, w.id, base64.StdEncoding.EncodeToString(append([]byte{4}, w.public()...)))
}

// Know adds a log.
func (w *Witness) Know(log note.Verifier) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logs[log.Name()] = append(w.logs[log.Name()], log)
}

// Held is the size of the log's tree that it cosigned last.
func (w *Witness) Held(origin string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trees[origin].Size
}

// Asked counts requests.
func (w *Witness) Asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// ServeHTTP takes POST …/add-checkpoint.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/add-checkpoint") {
		http.Error(rw, "not here", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	status, answer := w.Add(string(body))
	if status == http.StatusConflict {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
	}
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, answer)
}

// Add is add-checkpoint without HTTP, as by files.
func (w *Witness) Add(body string) (status int, answer string) {
	w.mu.Lock() // check and persist are one step
	defer w.mu.Unlock()
	w.asked++
	head, signed, ok := strings.Cut(body, "\n\n")
	lines := strings.Split(head, "\n")
	first, isOld := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseInt(first, 10, 64)
	if !ok || !isOld || err != nil || old < 0 || len(lines) > 64 {
		return http.StatusBadRequest, "malformed\n"
	}
	var proof tlog.TreeProof
	for _, l := range lines[1:] {
		h, err := tlog.ParseHash(l)
		if err != nil {
			return http.StatusBadRequest, "malformed hash\n"
		}
		proof = append(proof, h)
	}
	origin, _, _ := strings.Cut(signed, "\n")
	keys, known := w.logs[origin]
	if !known {
		return http.StatusNotFound, "unknown log\n"
	}
	n, err := note.Open([]byte(signed), note.VerifierList(keys...))
	if err != nil {
		return http.StatusForbidden, "no signature of a known key\n"
	}
	text := strings.SplitN(n.Text, "\n", 4)
	if len(text) < 4 {
		return http.StatusBadRequest, "not a checkpoint\n"
	}
	size, err := strconv.ParseInt(text[1], 10, 64)
	root, rootErr := tlog.ParseHash(text[2])
	if err != nil || rootErr != nil || old > size {
		return http.StatusBadRequest, "not a checkpoint\n"
	}
	held := w.trees[origin]
	if held.Size != old || old == size && string(held.Root) != string(root[:]) && old > 0 {
		return http.StatusConflict, strconv.FormatInt(held.Size, 10) + "\n"
	}
	if old > 0 && old < size {
		var was tlog.Hash
		copy(was[:], held.Root)
		if tlog.CheckTree(proof, size, root, old, was) != nil {
			return http.StatusUnprocessableEntity, "the proof does not hold\n"
		}
	} else if len(proof) > 0 {
		return http.StatusUnprocessableEntity, "a proof of nothing\n"
	}
	w.trees[origin] = tree{size, root[:]}
	if err := w.persist(); err != nil {
		w.trees[origin] = held
		return http.StatusInternalServerError, "not stored\n"
	}
	return http.StatusOK, w.line(n.Text)
}

// persist swaps the file whole before anything is answered.
func (w *Witness) persist() error {
	data, err := json.Marshal(w.trees)
	if err != nil {
		return err
	}
	f, err := os.Create(w.path + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return os.Rename(w.path+".new", w.path)
}

// line is the cosignature of a checkpoint's text.
func (w *Witness) line(text string) string {
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	seconds := now().Unix()
	sig := ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text))
	raw := binary.BigEndian.AppendUint64(append([]byte(nil), w.id[:]...), uint64(seconds))
	return "\u2014 " + w.name + " " + base64.StdEncoding.EncodeToString(append(raw, sig...)) + "\n"
}
