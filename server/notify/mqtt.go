package notify

import (
	"context"
	"encoding/json"
	"fmt"
)

// Publisher hands a message to the broker and returns nil after the broker has taken it; the link implements it (D5).
type Publisher interface {
	PublishAlert(ctx context.Context, payload []byte) error
}

// MQTT publishes messages on the site's alert topic. The broker says nothing about who has read them.
type MQTT struct {
	to    Publisher
	words words
}

// NewMQTT makes an MQTT channel.
func NewMQTT(to Publisher, lang string, w *Words) *MQTT { return &MQTT{to, w.in(lang)} }

// Send implements Channel.
func (c *MQTT) Send(ctx context.Context, id string, m *Message) error {
	body, err := json.Marshal(struct {
		ID string `json:"id"`
		Message
		Subject string `json:"subject"`
	}{id, *m, c.words.subject(m)})
	if err != nil {
		return err
	}
	if err := c.to.PublishAlert(ctx, body); err != nil {
		return fmt.Errorf("mqtt: %w", err)
	}
	return nil
}
