package datarequest

import "errors"

// Reasons why a step is refused.
var (
	ErrMissing   = errors.New("is empty; fill it in")
	ErrText      = errors.New("is too long or holds characters that do not print")
	ErrMyNumber  = errors.New("looks like an Individual Number (個人番号); it may not be recorded here")
	ErrDay       = errors.New("is no day of the last year")
	ErrState     = errors.New("is no longer, or not yet, possible: somebody else has moved the request")
	ErrOwn       = errors.New("is a request of one's own; another officer works on it")
	ErrOther     = errors.New("is somebody else's request")
	ErrLate      = errors.New("the time of the decision is over; it can no longer be extended")
	ErrEntry     = errors.New("is no entry of this person that can be read")
	ErrHeld      = errors.New("the use of an entry is still suspended; another officer erases it or ends the suspension first")
	ErrNothing   = errors.New("nothing was suspended or erased for this request")
	ErrNoPack    = errors.New("is no finished pack of this person that this officer made")
	ErrNotYet    = errors.New("no correction was put beside the entry since the request came")
	ErrSuspended = errors.New("the use of this entry is suspended already")
)

// Fault is a refusal with the field of the form that has to change.
type Fault struct {
	Err   error
	Field string
}

// Error implements error.
func (f *Fault) Error() string { return f.Field + ": " + f.Err.Error() }

// Unwrap gives the reason.
func (f *Fault) Unwrap() error { return f.Err }

func refusal(err error, field string) error { return &Fault{err, field} }
