package downlink

import (
	"context"
	"errors"
	"fmt"

	"monban/firmware/wire"
)

// PublishAlert publishes an alert for whoever may hear alerts, and returns nil after the broker has taken it. It is no message to
// a gateway, and gateways may not read it.
func (d *Downlink) PublishAlert(ctx context.Context, payload []byte) error {
	client := d.small.client.Load()
	if client == nil {
		return errors.New("no connection to the broker")
	}
	if len(payload) > wire.MaxMessage {
		return fmt.Errorf("alert of %d bytes, at most %d are sent", len(payload), wire.MaxMessage)
	}
	if err := wait(ctx, (*client).Publish(AlertTopic(d.cfg.Site), 1, false, payload), writeTimeout); err != nil {
		return fmt.Errorf("publish alert: %w", err)
	}
	return nil
}

// AlertTopic is where a site's alerts are published. It has fewer levels than any topic of a gateway.
func AlertTopic(site string) string { return "monban/1/" + site + "/alert" }
