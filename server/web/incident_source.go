package web

import (
	"context"
	"time"

	"monban/server/incident"
	"monban/server/visit"
)

// Incidents are what findings become when they are more than a violation (AL-4). A refusal is an error of package incident.
type Incidents interface {
	// ListIncidents gives the open ones, with all the closed ones of the last two years too, newest first.
	ListIncidents(ctx context.Context, all bool) ([]IncidentDetail, error)
	// IncidentByID: ErrNotFound. Without names the findings hold references; without duress it is as if no finding told of a PIN given
	// under duress (AD-13).
	IncidentByID(ctx context.Context, id string, names, duress bool) (IncidentDetail, error)
	// BeginIncident gives the new id; ErrNotFound when a finding that it names is not there.
	BeginIncident(ctx context.Context, x incident.Record, by visit.Actor) (string, error)
	// StepIncident moves one; verb is the verb of the leaf, reason stands in its opening.
	StepIncident(ctx context.Context, id, verb, reason string, by visit.Actor, move func(x *incident.Record, nowMS int64) error) error
	// IncidentBundle gives the leaves behind an incident with their proofs and writes the leaf of that. With names act.Reason says why and
	// use is a registered purpose of use: FormFault otherwise (PR-1).
	IncidentBundle(ctx context.Context, id string, names bool, use string, act Action) (IncidentBundle, error)
}

// IncidentDetail is an incident with what pages show beside it.
type IncidentDetail struct {
	incident.Record
	Found []Finding
	Due   *incident.Deadlines // nil = no personal data leaked
	Names map[string]string   // full names of the accounts in it
}

// IncidentBundle is what is handed to the CSIRT window.
type IncidentBundle struct {
	IncidentDetail
	Checkpoint string // signed, of Size leaves
	Size       int64
	Leaves     []ProvedLeaf
	Mask       func(text string) string // takes the names that the directory knows out of a text; nil = names were asked for
	People     []BundlePerson           // empty without names
	At         time.Time
}

// ProvedLeaf is a leaf with the proof that it stands in the log.
type ProvedLeaf struct {
	Index int64
	Body  []byte
	Proof [][]byte // hashes, from the leaf up
}

// BundlePerson says whose attempt a finding is about.
type BundlePerson struct {
	Finding       string
	Name, Section string
}
