package wire

import (
	"crypto/sha256"
	"fmt"

	"monban/firmware/access"
)

// MaxWantChunks is how many chunks one Want may ask for.
const MaxWantChunks = 16

// maxChunks bounds the chunks of one part: their hashes must fit into one note.
const maxChunks = 640

// MaxDelta bounds the delta of a part: above it the whole part is fetched.
const (
	maxDeltaChunks = 4
	MaxDelta       = maxDeltaChunks * MaxChunk
)

// The names of the parts, in the order in which a manifest lists them.
const (
	PartRules = "rules"
	PartModes = "modes"
	PartState = "state"
)

// PartNames lists the parts in the order of a manifest.
func PartNames() [3]string { return [3]string{PartRules, PartModes, PartState} }

// AppendManifest appends the canonical body.
func AppendManifest(b []byte, m *Manifest) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putUint(b, `,"version":`, m.Version)
	b = putHex(b, `,"prev":`, m.Prev[:])
	b = putInt(b, `,"not_before_ms":`, m.NotBeforeMS)
	b = putUint(b, `,"min_version":`, m.MinVersion)
	b = append(b, `,"parts":[`...)
	for i := range m.Parts {
		p := &m.Parts[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = putString(b, `{"name":`, p.Name)
		b = putUint(b, `,"version":`, p.Version)
		b = putUint(b, `,"bytes":`, p.Bytes)
		b = putHex(b, `,"sum":`, p.Sum[:])
		b = putHashes(b, `,"chunks":`, p.Chunks)
		if p.Delta.Bytes > 0 {
			b = putHex(b, `,"delta":{"from":`, p.Delta.From[:])
			b = putUint(b, `,"bytes":`, p.Delta.Bytes)
			b = putHashes(b, `,"chunks":`, p.Delta.Chunks)
			b = append(b, '}')
		}
		b = append(b, '}')
	}
	return append(b, ']', '}')
}

// ParseManifest reads a canonical body: exactly the three parts in their order, each with as many
// chunks as its length asks for.
func ParseManifest(b []byte) (m Manifest, err error) {
	s := scan(KindPolicy, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	m.Version = s.uint(`,"version":`)
	s.hex(`,"prev":`, m.Prev[:])
	m.NotBeforeMS = s.int(`,"not_before_ms":`)
	m.MinVersion = s.uint(`,"min_version":`)
	if m.MinVersion > m.Version {
		s.fail(`"min_version":`, "above the version")
	}
	names := PartNames()
	s.list(`,"parts":`, len(names), func() {
		var p Part
		p.Name = s.oneOf(`{"name":`, names[len(m.Parts)])
		p.Version = s.uint(`,"version":`)
		p.Bytes = s.uint(`,"bytes":`)
		s.hex(`,"sum":`, p.Sum[:])
		p.Chunks = s.hashes(`,"chunks":`, maxChunks)
		if p.Bytes > maxChunks*MaxChunk || uint64(len(p.Chunks)) != (p.Bytes+MaxChunk-1)/MaxChunk {
			s.fail(`"chunks":`, "not as many as the length asks for")
		}
		if s.peek(',') {
			s.hex(`,"delta":{"from":`, p.Delta.From[:])
			p.Delta.Bytes = s.uint(`,"bytes":`)
			p.Delta.Chunks = s.hashes(`,"chunks":`, maxDeltaChunks)
			if p.Delta.Bytes == 0 || p.Delta.Bytes > MaxDelta || uint64(len(p.Delta.Chunks)) != (p.Delta.Bytes+MaxChunk-1)/MaxChunk {
				s.fail(`"delta":`, "its length and its chunks do not fit")
			}
			s.lit("}")
		}
		s.lit("}")
		m.Parts = append(m.Parts, p)
	})
	if len(m.Parts) != len(names) {
		s.fail(`"parts":`, "not the three parts")
	}
	if err := s.end(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// ManifestHash is what the next manifest names as Prev: SHA-256 of the canonical body.
func ManifestHash(m *Manifest) Hash { return sha256.Sum256(AppendManifest(nil, m)) }

// PartOf describes the bytes of one part and cuts them into chunks, which are parts of data.
func PartOf(name string, version uint64, data []byte) (Part, [][]byte, error) {
	if len(data) > maxChunks*MaxChunk {
		return Part{}, nil, fmt.Errorf("part %s: %d bytes are above %d", name, len(data), maxChunks*MaxChunk)
	}
	p := Part{Name: name, Version: version, Bytes: uint64(len(data)), Sum: sha256.Sum256(data)}
	var chunks [][]byte
	for len(data) > 0 {
		n := min(len(data), MaxChunk)
		p.Chunks = append(p.Chunks, sha256.Sum256(data[:n]))
		chunks = append(chunks, data[:n:n])
		data = data[n:]
	}
	return p, chunks, nil
}

// DeltaOf describes a delta and cuts it into chunks, which are parts of data. An empty or oversized
// delta gives the zero Delta: there is none.
func DeltaOf(from Hash, data []byte) (Delta, [][]byte) {
	if len(data) == 0 || len(data) > MaxDelta {
		return Delta{}, nil
	}
	p, chunks, err := PartOf("", 0, data)
	if err != nil {
		return Delta{}, nil
	}
	return Delta{From: from, Bytes: p.Bytes, Chunks: p.Chunks}, chunks
}

// AppendWant appends the canonical body.
func AppendWant(b []byte, m *Want) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putUint(b, `,"rules":`, m.Rules)
	b = putUint(b, `,"modes":`, m.Modes)
	b = putUint(b, `,"state":`, m.State)
	b = putHashes(b, `,"chunks":`, m.Chunks)
	return append(b, '}')
}

// ParseWant reads a canonical body.
func ParseWant(b []byte) (m Want, err error) {
	s := scan(KindWant, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	m.Rules = s.uint(`,"rules":`)
	m.Modes = s.uint(`,"modes":`)
	m.State = s.uint(`,"state":`)
	m.Chunks = s.hashes(`,"chunks":`, MaxWantChunks)
	if err := s.end(); err != nil {
		return Want{}, err
	}
	return m, nil
}
