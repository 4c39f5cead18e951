package web

import (
	"context"
	"errors"
	"time"

	"monban/firmware/access"
)

// Actions on the page of alerts (AL-3).
const (
	ActionAlertAcknowledged ActionKind = "alert_acknowledged" // Target = the alert
	ActionAlertsSilenced    ActionKind = "alerts_silenced"    // Target = door/… or gateway/…
	ActionSilenceEnded      ActionKind = "silence_ended"      // Target = the silence
	ActionAlertTested       ActionKind = "alert_tested"       // Target = the channel
)

// ErrNotSilenced says that alerts of this kind are never held back, or not for so long.
var ErrNotSilenced = errors.New("cannot be silenced")

// Alerts is who is told of findings, and what became of it.
type Alerts interface {
	// AlertBoard is everything on the page; of its alerts those that the asker sees, on the page of those that wait.
	AlertBoard(ctx context.Context, q AlertQuery) (AlertBoard, error)
	// AcknowledgeAlert says that somebody has seen it, on whatever page it stands. ErrNotFound, or ErrState when somebody has
	// already. One that the asker does not see is not there; of the query only In and Duress count.
	AcknowledgeAlert(ctx context.Context, id string, q AlertQuery, act Action) error
	// Silence holds alerts back for a time of at most 8 h; act.Reason says why. ErrNotFound for a place that does not exist,
	// ErrNotSilenced.
	Silence(ctx context.Context, s SilenceOrder, act Action) error
	// EndSilence ends one early. ErrNotFound when it has ended.
	EndSilence(ctx context.Context, id string, act Action) error
	// TestChannel sends a message and waits a little for what becomes of it: "" when it arrived, else the error's text.
	// ErrNotFound for a channel that does not exist, ErrBusy while it is still on its way.
	TestChannel(ctx context.Context, channel string, act Action) (fault string, err error)
}

// AlertQuery says who asks.
type AlertQuery struct {
	In     Reach
	Names  bool // the reasons of silences too, which may name people
	Duress bool // alerts of a PIN under duress too (AD-13)
	Skip   int  // so many of those that wait, the newest
	Limit  int  // so many of those that wait, > 0
}

// AlertBoard is the page of alerts.
type AlertBoard struct {
	OfficeOpen bool
	NextOpen   time.Time // when it is closed
	Hours      string    // 08:30–17:15
	DigestAt   string
	Every      []string
	Digest     []string
	Channels   []ChannelLine
	Routes     []RouteLine // the root last
	Silences   []SilenceLine
	Alerts     []AlertLine // newest first; of those that wait a page, of the others the newest
	More       bool        // there are older ones that wait
	Places     []AlertPlace
}

// ChannelLine is a channel and what it did last.
type ChannelLine struct {
	Name, Kind string
	Duress     bool
	Sent       time.Time // zero = never
	Failed     time.Time // of the last try that failed and was not made good; zero = none
	Error      string
	Waiting    int
	GivenUp    int
}

// RouteLine is one branch of the tree.
type RouteLine struct {
	Name            string // "" = the root
	Severity        Severity
	Kinds           []string
	Zones           []string // as people call them
	Hours, OffHours []string
	Then            []string
}

// SilenceLine is a silence, in force or over.
type SilenceLine struct {
	ID, Kind string
	Place    string
	Door     access.DoorID // one of the two
	Gateway  access.GatewayID
	From     time.Time
	Until    time.Time
	By       string
	Reason   string // only with names
	InForce  bool
}

// AlertLine is an alert and its messages.
type AlertLine struct {
	ID       string // of the finding, too
	Kind     string
	Severity Severity
	Place    string
	Door     access.DoorID    // "" = none
	Gateway  access.GatewayID // likewise
	Count    int
	At       time.Time
	Held     string // machine word, "" = told at once
	Level    int
	Acked    time.Time // zero = not
	AckedBy  string    // full name, "" = by taking the case
	Messages []AlertMessage
}

// AlertMessage is one message of an alert.
type AlertMessage struct {
	Channel, What, State string // machine words
	At                   time.Time
	Error                string
}

// AlertPlace is a door or gateway, and what it is called in messages.
type AlertPlace struct {
	Door    access.DoorID // one of the two
	Gateway access.GatewayID
	Name    string
	Code    string
}

// Value names the place in forms and leaves: door/ID or gateway/ID.
func (p AlertPlace) Value() string {
	if p.Door != "" {
		return "door/" + string(p.Door)
	}
	return "gateway/" + string(p.Gateway)
}

// SilenceOrder is what to hold back: of a door or of a gateway.
type SilenceOrder struct {
	Door    access.DoorID
	Gateway access.GatewayID
	Kind    string // "" = all
	For     time.Duration
}
