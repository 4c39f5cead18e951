// Package store keeps the server's state in one SQLite file: the entry log, the rows folded from it,
// the directory, accounts and sessions. It is the only package that knows SQL.
//
// There is one writer at a time: whoever has the turn commits whatever waits in one transaction,
// `synchronous=FULL`, and only then returns to the callers: a nil error from Write means that the
// data is on the disk (I1, I4). The tree in memory moves only after the commit. After an I/O error
// the writer latches: nothing more is written until the file has been closed, opened and verified.
//
// # How to add a noun
//
// One file per noun, store/<noun>.go. Reads are methods on Reader, which Tx and ReadTx both embed, so
// they work inside a write and outside; writes are methods on *Tx. Each method is one or a few
// statements, written out, with the query as a constant string: statements are prepared once per
// connection and found again by that string, so never build one with Sprintf from values. Inside use
// r.query, r.row and tx.exec. Times are int64 UTC milliseconds, days are text YYYY-MM-DD, a missing
// optional value is NULL. A row that does not exist is ErrNotFound.
//
// A function given to Write may run more than once (a batch that fails is re-run one by one): it
// must set its results, not add to them, and must have no effect outside the transaction. What has
// to happen after the commit goes into tx.AfterCommit.
//
// Whatever an auditor must be able to check is a leaf first and a row second: append it through
// AppendDecision, AppendRecord, AppendAction, AppendSystem and their kin, never by INSERT.
package store
