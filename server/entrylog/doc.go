// Package entrylog is the entry log as a pure value: the bytes of its leaves, the RFC 6962 tree over
// them, checkpoints in C2SP form, the openings that leaves commit to, and the check of all of it.
//
// A leaf never holds a name, a person id, a card number or token, a purpose or the name of a zone
// (PR-2): it holds a commitment, and what it commits to lies encrypted beside it. Nothing here does
// I/O, reads a clock or makes randomness; server/store keeps the rows, server/keystore the keys,
// server/signer the signing keys. Serves I2, I3 and I8; docs/log-format.md describes every byte.
package entrylog
