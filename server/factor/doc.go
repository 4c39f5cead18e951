// Package factor computes second factors of a sign-in: one-time codes of an authenticator app (RFC 6238) and
// recovery codes (RA-3).
//
// It keeps nothing and reads no clock: which step of time was used last and which codes are left is the caller's to
// remember, in the transaction that lets somebody in. A code is never part of an error.
package factor
