package store

import (
	"fmt"
)

// Command is a remote command on its way (D13): what may still happen with it. Who and why is in the leaves, what
// came of it in the records that carry ID as their attempt.
type Command struct {
	ID           [16]byte
	Gateway      string
	Door         string
	Action       string // door.CommandKind
	State        string // requested, withdrawn, sent, not_sent
	Why          string // of not_sent, a machine word
	RequestedBy  string // account
	RequestedMS  int64
	RequestedIdx int64
	OrderedBy    string // account, "" = nobody yet
	OrderedMS    int64
	OrderedIdx   int64
	Confirm      bool   // a second person has to look afterwards
	ConfirmedBy  string // account, "" = nobody yet
	ConfirmedMS  int64
	Settled      bool // nothing more is looked for
}

// States of a Command.
const (
	CommandRequested = "requested"
	CommandWithdrawn = "withdrawn"
	CommandSent      = "sent"
	CommandNotSent   = "not_sent"
)

const commandColumns = `id, gateway, door, action, state, why, requested_by, requested_ms, requested_idx, ordered_by, ordered_ms,
	ordered_idx, confirm, confirmed_by, confirmed_ms, settled`

func scanCommand(scan func(...any) error) (c Command, err error) {
	var id []byte
	err = scan(&id, &c.Gateway, &c.Door, &c.Action, &c.State, &c.Why, &c.RequestedBy, &c.RequestedMS, &c.RequestedIdx, &c.OrderedBy,
		&c.OrderedMS, &c.OrderedIdx, &c.Confirm, &c.ConfirmedBy, &c.ConfirmedMS, &c.Settled)
	copy(c.ID[:], id)
	return c, found(err)
}

// Command reads one command; ErrNotFound.
func (r Reader) Command(id [16]byte) (Command, error) {
	return scanCommand(r.row(`SELECT `+commandColumns+` FROM command WHERE id = ?`, id[:]).Scan)
}

// Commands lists commands, newest first.
func (r Reader) Commands(limit int) ([]Command, error) {
	return r.commands(`SELECT `+commandColumns+` FROM command ORDER BY requested_ms DESC, id LIMIT ?`, limit)
}

// UnsettledCommands lists the commands of which something is still to come, oldest first.
func (r Reader) UnsettledCommands(limit int) ([]Command, error) {
	return r.commands(`SELECT `+commandColumns+` FROM command WHERE settled = 0 ORDER BY requested_ms, id LIMIT ?`, limit)
}

func (r Reader) commands(q string, limit int) ([]Command, error) {
	rows, err := r.query(q, limit)
	if err != nil {
		return nil, fmt.Errorf("read commands: %w", err)
	}
	defer rows.Close()
	var out []Command
	for rows.Next() {
		c, err := scanCommand(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read commands: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// InsertCommand stores a new command; ErrExists when its id is taken.
func (tx *Tx) InsertCommand(c Command) error {
	_, err := tx.exec(`INSERT INTO command (`+commandColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID[:], c.Gateway, c.Door, c.Action, c.State, c.Why, c.RequestedBy, c.RequestedMS, c.RequestedIdx, c.OrderedBy, c.OrderedMS,
		c.OrderedIdx, c.Confirm, c.ConfirmedBy, c.ConfirmedMS, c.Settled)
	if err != nil {
		return fmt.Errorf("insert command: %w", unique(err))
	}
	return nil
}

// MoveCommand replaces what may change of a command that is still in the state from; ErrNotFound when it is not,
// so that of two who agree at once one only moves it.
func (tx *Tx) MoveCommand(from string, c Command) error {
	res, err := tx.exec(`UPDATE command SET state = ?, why = ?, ordered_by = ?, ordered_ms = ?, ordered_idx = ?, confirm = ?,
		confirmed_by = ?, confirmed_ms = ?, settled = ? WHERE id = ? AND state = ?`,
		c.State, c.Why, c.OrderedBy, c.OrderedMS, c.OrderedIdx, c.Confirm, c.ConfirmedBy, c.ConfirmedMS, c.Settled, c.ID[:], from)
	return changedOne("move command", res, err)
}
