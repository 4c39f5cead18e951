package web

import (
	"fmt"
	"strconv"
	"time"
)

// SelfTest is the newest daily self-test (OP-2).
type SelfTest struct {
	At    time.Time
	Items []SelfTestItem
	Runs  []JobRun // regular work, newest first
}

// SelfTestItem is one thing that was looked at.
type SelfTestItem struct {
	Item  string // machine word
	State string // passed, failed, not_set_up
	Note  string // of one that failed: what to do
}

// JobRun is one run of regular work.
type JobRun struct {
	Job, State string // machine words
	Due        time.Time
	Missed     int
	Tries      int
	Note       string
}

type selfTestView struct {
	At    time.Time
	Items []selfItemView
	Runs  []jobRunView
}

type selfItemView struct {
	Word, Note string
	State      Tag
}

type jobRunView struct {
	Word, Missed, Note string
	Due                time.Time
	State              Tag
}

// selfTest is the section of the self-test on the page of machines.
func (h *Handler) selfTest(rq *request, b Base) (*selfTestView, error) {
	t, ok, err := h.src.Machines.SelfTest(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("self-test: %w", err)
	}
	v := &selfTestView{At: t.At}
	if !ok {
		return v, nil
	}
	for _, x := range t.Items {
		y := selfItemView{Word: b.say.known("self_item", x.Item), Note: x.Note}
		switch x.State {
		case "passed":
			y.State = Tag{b.T("self_state.passed"), ToneGood, "check"}
		case "not_set_up":
			y.State = Tag{b.T("self_state.not_set_up"), ToneQuiet, "dot"}
		default:
			y.State = Tag{b.T("self_state.failed"), ToneAlarm, "fault"}
		}
		v.Items = append(v.Items, y)
	}
	for _, x := range t.Runs {
		y := jobRunView{Word: b.say.known("self_job", x.Job), Due: x.Due, Note: x.Note}
		if x.Missed > 0 {
			y.Missed = strconv.Itoa(x.Missed)
		}
		switch x.State {
		case "done":
			y.State = Tag{b.T("self_state.done"), ToneGood, "check"}
		case "running":
			y.State = Tag{b.T("self_state.running"), ToneNote, "clock"}
		default:
			y.State = Tag{b.T("self_state.failed"), ToneAlarm, "fault"}
		}
		v.Runs = append(v.Runs, y)
	}
	return v, nil
}
