package web

import (
	"fmt"
	"net/http"

	"monban/firmware/door"
)

type apiCommand struct {
	ID        string    `json:"id"`
	Door      *apiPlace `json:"door"`
	Action    string    `json:"action"`
	State     string    `json:"state"`
	Detail    *string   `json:"detail"`
	Text      string    `json:"text"`
	Why       *string   `json:"reason"`
	Asked     *string   `json:"asked"`
	AskedBy   *apiWho   `json:"asked_by"`
	Agreed    *string   `json:"agreed"`
	AgreedBy  *apiWho   `json:"agreed_by"`
	Confirm   bool      `json:"to_confirm"`
	Confirmed *string   `json:"confirmed"`
	Mine      bool      `json:"mine"`
}

func (s speaker) command(rq *request, c Command) apiCommand {
	out := apiCommand{ID: c.ID, Door: place(string(c.Door), c.DoorName), Action: c.Action.String(), State: c.State.String(), Detail: orNull(c.Detail), Text: s.commandText(c),
		Asked: s.at(c.Asked), AskedBy: s.somebody(Who{Ref: c.AskedBy, Name: c.AskedName}), Agreed: s.at(c.Agreed), AgreedBy: s.somebody(Who{Ref: c.AgreedBy, Name: c.AgreedName}),
		Confirm: c.Confirm, Confirmed: s.at(c.Confirmed), Mine: c.AskedBy == rq.account.ID}
	if rq.names {
		out.Why = orNull(c.Why)
	}
	return out
}

// apiCommands lists the latest commands, newest first.
func (h *Handler) apiCommands(w http.ResponseWriter, rq *request) error {
	list, err := h.src.Commands.ListCommands(rq.Context(), rq.names, commandLimit)
	if err != nil {
		return fmt.Errorf("commands: %w", err)
	}
	if rq.names && len(list) > 0 {
		if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewCommands, "")); err != nil {
			return fmt.Errorf("record view: %w", err)
		}
	}
	s := h.speaker(rq)
	return h.answer(w, rq, http.StatusOK, listOf(list, "", func(c Command) apiCommand { return s.command(rq, c) }))
}

// commandID reads a command's id out of the path.
func (h *Handler) commandNamed(rq *request, names bool) (Command, error) {
	id := rq.PathValue("id")
	if !isAttempt(id) {
		return Command{}, ErrNotFound
	}
	c, err := h.src.Commands.CommandByID(rq.Context(), id, names)
	if err != nil {
		return Command{}, fmt.Errorf("command: %w", err)
	}
	return c, nil
}

func (h *Handler) apiCommand(w http.ResponseWriter, rq *request) error {
	c, err := h.commandNamed(rq, rq.names)
	if err != nil {
		return err
	}
	if rq.names {
		if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewCommands, "")); err != nil {
			return fmt.Errorf("record view: %w", err)
		}
	}
	return h.answer(w, rq, http.StatusOK, h.speaker(rq).command(rq, c))
}

// ordersAllowed: what moves a door takes a token that was made for it, with a fresh check of identity (D28).
func (rq *request) ordersAllowed(kind door.CommandKind) error {
	if kind != door.CommandSelfTest && !rq.apiToken.Orders {
		return errNoOrders
	}
	return nil
}

// apiAsk asks for an order. Where one person is enough, it is sent at once.
func (h *Handler) apiAsk(w http.ResponseWriter, rq *request) error {
	in, err := rq.body("door", "action", "reason")
	if err != nil {
		return err
	}
	kind, err := door.ParseCommandKind(in["action"])
	if err != nil || kind == door.CommandNone {
		return fault{field: "action", what: "one_of", pairs: []string{"values", "remote_unlock, rearm, self_test"}}
	}
	doors, err := h.src.Commands.CommandDoors(rq.Context())
	if err != nil {
		return fmt.Errorf("doors: %w", err)
	}
	var at *CommandDoor
	for i := range doors {
		if string(doors[i].Door) == in["door"] {
			at = &doors[i]
		}
	}
	if at == nil {
		return fault{field: "door", what: "door"}
	}
	act := rq.action(ActionUnlockAsked, "") // the source names it after what was asked
	if act.Reason, err = reasonIn(in); err != nil {
		return err
	}
	if !rq.may(rolesFor(kind), at.Enter) {
		return errForbidden
	}
	if err := rq.ordersAllowed(kind); err != nil {
		return err
	}
	c, err := h.src.Commands.AskCommand(rq.Context(), CommandOrder{Door: at.Door, Action: kind}, act)
	if err != nil {
		return fmt.Errorf("ask for command: %w", err)
	}
	w.Header().Set("Location", "/api/1/commands/"+c.ID)
	return h.answer(w, rq, http.StatusCreated, h.speaker(rq).command(rq, c))
}

// apiAgree is the second person: the command is sent.
func (h *Handler) apiAgree(w http.ResponseWriter, rq *request) error {
	if _, err := rq.body(); err != nil {
		return err
	}
	c, err := h.commandNamed(rq, false)
	if err != nil {
		return err
	}
	if !rq.may(agreeRoles, c.Enter) {
		return errForbidden
	}
	if err := rq.ordersAllowed(c.Action); err != nil {
		return err
	}
	if c, err = h.src.Commands.AgreeCommand(rq.Context(), c.ID, rq.action(ActionCommandOrdered, "")); err != nil {
		return fmt.Errorf("agree to command: %w", err)
	}
	return h.answer(w, rq, http.StatusOK, h.speaker(rq).command(rq, c))
}

// apiWithdraw ends a request: nothing happens, so that any token with the role will do.
func (h *Handler) apiWithdraw(w http.ResponseWriter, rq *request) error {
	if _, err := rq.body(); err != nil {
		return err
	}
	c, err := h.commandNamed(rq, false)
	if err != nil {
		return err
	}
	if c.AskedBy != rq.account.ID && !rq.may(agreeRoles, c.Enter) {
		return errForbidden
	}
	if err := h.src.Commands.WithdrawCommand(rq.Context(), c.ID, rq.action(ActionCommandWithdrawn, "")); err != nil {
		return fmt.Errorf("withdraw command: %w", err)
	}
	if c, err = h.src.Commands.CommandByID(rq.Context(), c.ID, false); err != nil {
		return fmt.Errorf("command: %w", err)
	}
	return h.answer(w, rq, http.StatusOK, h.speaker(rq).command(rq, c))
}
