package store

// PolicyVersion is one stored compiled policy part.
type PolicyVersion struct {
	Idx     int64 // policy_hash leaf
	Version uint64
	Sum     []byte // SHA-256 of Bytes
	Bytes   []byte
}

// Policy reads one version; ErrNotFound.
func (r Reader) Policy(gateway, part string, version uint64) (p PolicyVersion, err error) {
	err = r.row(`SELECT idx, version, sum, bytes FROM policy_version WHERE gateway = ? AND part = ? AND version = ?`, gateway, part, int64(version)).
		Scan(&p.Idx, &p.Version, &p.Sum, &p.Bytes)
	return p, found(err)
}

// NewestPolicy reads the newest version of a part; ErrNotFound when there is none.
func (r Reader) NewestPolicy(gateway, part string) (p PolicyVersion, err error) {
	err = r.row(`SELECT idx, version, sum, bytes FROM policy_version WHERE gateway = ? AND part = ? ORDER BY version DESC LIMIT 1`, gateway, part).
		Scan(&p.Idx, &p.Version, &p.Sum, &p.Bytes)
	return p, found(err)
}
