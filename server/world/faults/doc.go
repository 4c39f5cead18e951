// Package faults tests what reaches a disk: the product's own outbox, store and policy cache under power cuts,
// kill -9, full disks, failing input/output and damaged files (reliability goals 1, 2, 4–7). It holds tests
// only. docs/reliability-tests.md says what each one shows and how to run its large form.
package faults
