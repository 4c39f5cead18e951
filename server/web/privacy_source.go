package web

import "context"

// Privacy is what the personal data of the site may be used for (PR-1).
type Privacy interface {
	// PurposesOfUse gives the purposes, what people are told, and the draft of the file entry.
	PurposesOfUse(ctx context.Context) (PurposesOfUse, error)
	// RegisterPurpose adds one or changes its words, with the leaf of act. ErrBadPurpose says that it is malformed.
	RegisterPurpose(ctx context.Context, p PurposeOfUse, act Action) error
	// EndPurpose takes one away. ErrNotFound, or ErrBadPurpose for the one that must stay.
	EndPurpose(ctx context.Context, use string, act Action) error
}

// PurposeOfUse is one registered purpose.
type PurposeOfUse struct{ Use, Name, NameEN, Basis string }

// PurposesOfUse is all of it.
type PurposesOfUse struct {
	Purposes []PurposeOfUse
	Entry    []FileItem // draft of the 個人情報ファイル簿 entry, in the form's order
}

// FileItem is one item of that entry.
type FileItem struct {
	Item  string
	Lines []string
}
