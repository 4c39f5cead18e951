package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"monban/firmware/access"
	"monban/firmware/door"
)

const commandLimit = 50

// Who may do what with a command (RA-2). A role for one zone holds for the doors into that zone.
const (
	askRoles   = RoleSet(1<<RoleZoneManager | 1<<RoleReception | 1<<RoleCSIRT)
	testRoles  = askRoles | 1<<RoleSystemAdmin
	agreeRoles = askRoles | 1<<RoleChiefSecurity | 1<<RoleCISO
)

type commandsView struct {
	Base
	Doors  []commandDoorView
	Lines  []commandLine
	Fault  string // refusal of what was just tried
	Said   *commandLine
	Reason string // as typed, when it was refused
	StepUp string // where to get a fresh check of identity first; "" = not needed
}

type commandDoorView struct {
	ID, Name string
	State    Tag
	Rule     string // how many persons an unlock takes
	Actions  []choice
}

type commandLine struct {
	ID        string
	What      string
	Door      string
	State     Tag
	Text      string // what it means and what to do
	Why       string
	Asked     time.Time
	AskedBy   string
	Agreed    time.Time
	AgreedBy  string
	Confirmed time.Time
	MayAgree  bool
	MayEnd    bool
	MayLook   bool // may confirm
	ToConfirm bool
}

// rolesIn are the roles of an account that are in force at now for a zone.
func (a Account) rolesIn(zone access.ZoneID, now time.Time) RoleSet {
	here := a
	here.Roles = nil
	for _, as := range a.Roles {
		if as.Zone == "" || as.Zone == zone {
			here.Roles = append(here.Roles, as)
		}
	}
	return here.rolesAt(now)
}

// may reports whether the account that asks has one of these roles for a zone.
func (rq *request) may(set RoleSet, zone access.ZoneID) bool {
	return rq.account.rolesIn(zone, rq.now)&set != 0
}

func (h *Handler) commandsView(rq *request) (commandsView, error) {
	v := commandsView{Base: h.base(rq, "commands.title")}
	v.Here = "/commands"
	ctx := rq.Context()
	doors, err := h.src.Commands.CommandDoors(ctx)
	if err != nil {
		return v, fmt.Errorf("doors: %w", err)
	}
	if h.freshAt(rq, "POST /commands") != "" {
		v.StepUp = "/step-up?next=/commands"
	}
	for _, d := range doors {
		x := commandDoorView{ID: string(d.Door), Name: d.Name, State: v.say.commandDoorState(d), Rule: v.say.rule(d)}
		for _, a := range []door.CommandKind{door.CommandUnlock, door.CommandRearm, door.CommandSelfTest} {
			if canOrder(d, a) && rq.may(rolesFor(a), d.Enter) {
				x.Actions = append(x.Actions, choice{Value: a.String(), Label: v.T("command_action." + a.String())})
			}
		}
		v.Doors = append(v.Doors, x)
	}
	list, err := h.src.Commands.ListCommands(ctx, rq.names, commandLimit)
	if err != nil {
		return v, fmt.Errorf("commands: %w", err)
	}
	for _, c := range list {
		v.Lines = append(v.Lines, v.say.commandLine(rq, c))
	}
	return v, nil
}

// canOrder reports whether an action makes sense at a door; the source decides again.
func canOrder(d CommandDoor, a door.CommandKind) bool {
	switch a {
	case door.CommandUnlock:
		return !d.Observe && d.Persons > 0
	case door.CommandRearm:
		return !d.Observe
	case door.CommandSelfTest:
		return true
	case door.CommandNone:
	}
	return false
}

// rolesFor are the roles that may ask for an action; none for an unknown one.
func rolesFor(a door.CommandKind) RoleSet {
	switch a {
	case door.CommandUnlock, door.CommandRearm:
		return askRoles
	case door.CommandSelfTest:
		return testRoles
	case door.CommandNone:
	}
	return 0
}

func (b speaker) rule(d CommandDoor) string {
	switch {
	case d.Observe:
		return b.T("commands.rule_observe")
	case d.Persons == 1:
		return b.T("commands.rule_one")
	case d.Persons == 2:
		return b.T("commands.rule_two")
	default:
		return b.T("commands.rule_off")
	}
}

func (b speaker) commandDoorState(d CommandDoor) Tag {
	switch {
	case !d.Linked:
		return Tag{b.T("commands.unlinked"), ToneLost, "unlinked"}
	case !d.Known:
		return Tag{b.T("state.unknown"), ToneLost, "unknown"}
	case d.State == door.Secured || d.State == door.Unlocked || d.State == door.Open:
		return Tag{b.T("state." + d.State.String()), ToneQuiet, "dot"}
	default:
		return Tag{b.T("state." + d.State.String()), ToneWarn, "finding"}
	}
}

func (b speaker) commandLine(rq *request, c Command) commandLine {
	l := commandLine{
		ID: c.ID, What: b.T("command_action." + c.Action.String()), Door: c.DoorName, Why: c.Why, Asked: c.Asked, AskedBy: c.AskedName,
		Agreed: c.Agreed, AgreedBy: c.AgreedName, Confirmed: c.Confirmed, ToConfirm: c.Confirm, Text: b.commandText(c),
	}
	word := b.T("command_state." + c.State.String())
	switch c.State {
	case CommandDone:
		l.State = Tag{word, ToneGood, "check"}
		if strings.HasPrefix(c.Detail, "failed.") {
			l.State = Tag{b.T("commands.failed"), ToneWarn, "finding"}
		}
	case CommandAsked, CommandOnItsWay:
		l.State = Tag{word, ToneNote, "clock"}
	case CommandUnknown:
		l.State = Tag{word, ToneAlarm, "alarm"}
	case CommandRefused, CommandNotSent, CommandUnanswered:
		l.State = Tag{word, ToneWarn, "stop"}
	default:
		l.State = Tag{word, ToneQuiet, "dash"}
	}
	mine := c.AskedBy == rq.account.ID
	agree := rq.may(agreeRoles, c.Enter)
	l.MayAgree = c.State == CommandAsked && agree && !mine
	l.MayEnd = c.State == CommandAsked && (mine || agree)
	l.MayLook = c.Confirm && agree && c.AgreedBy != rq.account.ID
	return l
}

// commandText is what a result means, in words.
func (b speaker) commandText(c Command) string {
	switch c.State {
	case CommandRefused:
		if b.words.has("command_why." + c.Detail) {
			return b.T("command_why." + c.Detail)
		}
		return b.T("reason." + c.Reason.String())
	case CommandNotSent:
		if b.words.has("command_why." + c.Detail) {
			return b.T("command_why." + c.Detail)
		}
		return b.T("command_why.other")
	case CommandDone:
		parts, failed := strings.CutPrefix(c.Detail, "failed.")
		if !failed {
			return ""
		}
		var words []string
		for p := range strings.SplitSeq(parts, ".") {
			words = append(words, b.known("part", p))
		}
		return b.T("commands.failed_parts", "parts", strings.Join(words, b.T("list.separator")))
	case CommandUnknown:
		return b.T("commands.unknown_text")
	case CommandUnanswered:
		return b.T("commands.unanswered_text")
	default:
		return ""
	}
}

func (h *Handler) getCommands(w http.ResponseWriter, rq *request) error {
	v, err := h.commandsView(rq)
	if err != nil {
		return err
	}
	if rq.names && len(v.Lines) > 0 { // who asked, who agreed and why are shown (RA-4)
		if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewCommands, "")); err != nil {
			return fmt.Errorf("record view: %w", err)
		}
	}
	if id := rq.URL.Query().Get("said"); id != "" {
		c, err := h.src.Commands.CommandByID(rq.Context(), id, false)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("command: %w", err)
		}
		if err == nil {
			l := v.say.commandLine(rq, c)
			v.Said = &l
		}
	}
	return h.render(w, rq, "commands", v)
}

// refuseCommand shows the page with what was wrong.
func (h *Handler) refuseCommand(w http.ResponseWriter, rq *request, key string, code int) error {
	v, err := h.commandsView(rq)
	if err != nil {
		return err
	}
	if !rq.names { // the form's route may show more than the page: it does not
		for i := range v.Lines {
			v.Lines[i].Why, v.Lines[i].AskedBy, v.Lines[i].AgreedBy = "", "", ""
		}
	}
	v.Fault, v.Reason = v.T(key), rq.post("reason")
	return h.renderStatus(w, rq, "commands", v, code)
}

// commandFault maps a refusal of the source to its words; "" for anything else.
func commandFault(err error) string {
	switch {
	case errors.Is(err, ErrSamePerson):
		return "commands.same_person"
	case errors.Is(err, ErrTooLate):
		return "commands.too_late"
	case errors.Is(err, ErrNotAllowed):
		return "commands.not_allowed"
	}
	return ""
}

// postCommand asks for an order. Where one person is enough, it is sent at once.
func (h *Handler) postCommand(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	kind, err := door.ParseCommandKind(rq.post("action"))
	if err != nil || kind == door.CommandNone {
		return errBadInput
	}
	doors, err := h.src.Commands.CommandDoors(rq.Context())
	if err != nil {
		return fmt.Errorf("doors: %w", err)
	}
	var at *CommandDoor
	for i := range doors {
		if string(doors[i].Door) == rq.post("door") {
			at = &doors[i]
		}
	}
	if at == nil {
		return ErrNotFound
	}
	if !rq.may(rolesFor(kind), at.Enter) {
		return errForbidden
	}
	why := strings.TrimSpace(rq.post("reason"))
	if why == "" || len(why) > 1000 || !utf8.ValidString(why) {
		return h.refuseCommand(w, rq, "account.reason_missing", http.StatusUnprocessableEntity)
	}
	act := rq.action(ActionUnlockAsked, "") // the source names it after what was asked
	act.Reason = why
	c, err := h.src.Commands.AskCommand(rq.Context(), CommandOrder{Door: at.Door, Action: kind}, act)
	if key := commandFault(err); key != "" {
		return h.refuseCommand(w, rq, key, http.StatusConflict)
	}
	if err != nil {
		return fmt.Errorf("ask for command: %w", err)
	}
	return redirect(w, rq, "/commands?said="+c.ID)
}

// onCommand checks who wants to do something with a command.
func (h *Handler) onCommand(rq *request) (Command, error) {
	if err := rq.form(); err != nil {
		return Command{}, err
	}
	c, err := h.src.Commands.CommandByID(rq.Context(), rq.PathValue("id"), false)
	if err != nil {
		return Command{}, fmt.Errorf("command: %w", err)
	}
	return c, nil
}

// postAgree is the second person: the command is sent.
func (h *Handler) postAgree(w http.ResponseWriter, rq *request) error {
	c, err := h.onCommand(rq)
	if err != nil {
		return err
	}
	if !rq.may(agreeRoles, c.Enter) {
		return errForbidden
	}
	c, err = h.src.Commands.AgreeCommand(rq.Context(), c.ID, rq.action(ActionCommandOrdered, ""))
	if key := commandFault(err); key != "" {
		return h.refuseCommand(w, rq, key, http.StatusConflict)
	}
	if err != nil {
		return fmt.Errorf("agree to command: %w", err)
	}
	return redirect(w, rq, "/commands?said="+c.ID)
}

// postWithdraw ends a request; it needs no second look, for nothing happens.
func (h *Handler) postWithdraw(w http.ResponseWriter, rq *request) error {
	c, err := h.onCommand(rq)
	if err != nil {
		return err
	}
	if c.AskedBy != rq.account.ID && !rq.may(agreeRoles, c.Enter) {
		return errForbidden
	}
	err = h.src.Commands.WithdrawCommand(rq.Context(), c.ID, rq.action(ActionCommandWithdrawn, ""))
	if key := commandFault(err); key != "" {
		return h.refuseCommand(w, rq, key, http.StatusConflict)
	}
	if err != nil {
		return fmt.Errorf("withdraw command: %w", err)
	}
	return redirect(w, rq, "/commands?done=command_withdrawn")
}

// postConfirm is the second person afterwards (RA-2).
func (h *Handler) postConfirm(w http.ResponseWriter, rq *request) error {
	c, err := h.onCommand(rq)
	if err != nil {
		return err
	}
	if !rq.may(agreeRoles, c.Enter) {
		return errForbidden
	}
	act := rq.action(ActionCommandConfirmed, "")
	act.Reason = clip(strings.TrimSpace(rq.post("reason")), 1000)
	err = h.src.Commands.ConfirmCommand(rq.Context(), c.ID, act)
	if key := commandFault(err); key != "" {
		return h.refuseCommand(w, rq, key, http.StatusConflict)
	}
	if err != nil {
		return fmt.Errorf("confirm command: %w", err)
	}
	return redirect(w, rq, "/commands?done=command_confirmed")
}
