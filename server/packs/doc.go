// Package packs has packs made one after the other and keeps them, encrypted, for whoever asked: a pack of a year takes minutes, so it is
// a job. A job that a restart broke off is begun again; a pack that is made stays through a restart. After KeptFor it goes.
//
// The notes of jobs name the person whom a pack is about, so they are encrypted too. Each try has a key of its own, in its note: a note
// that is gone leaves a file that nobody can read.
package packs
