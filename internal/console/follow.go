package console

import (
	"context"
	"fmt"
	"time"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// A reader who follows asks anew after followWait, and after retry if there was no answer, or one at once without
// anything new.
const (
	followWait = 20 * time.Second
	retry      = time.Second
)

// Follow shows each event after a number, as it happens, until ctx ends or show fails. That the process does not
// answer is told once; when it does again, or another in its place, Follow goes on.
func (c *Client) Follow(ctx context.Context, after uint64, show func([]admin.Event) error, trouble func(error)) error {
	process, err := c.Status(ctx)
	if err != nil {
		return err
	}
	for lost := false; ctx.Err() == nil; {
		began := time.Now()
		if lost {
			if now, err := c.Status(ctx); err == nil {
				lost = false
				if !now.Started.Equal(process.Started) {
					process, after = now, 0 // another one, which counts from the beginning
				}
			}
		}
		var list []admin.Event
		if !lost {
			list, err = c.Events(ctx, after, followWait)
			if err != nil && ctx.Err() == nil {
				lost = true
				trouble(fmt.Errorf("%w; trying again every second", err))
			}
		}
		if len(list) > 0 {
			after = list[len(list)-1].Number
			if err := show(list); err != nil {
				return err
			}
		} else if time.Since(began) < retry {
			pause(ctx, retry)
		}
	}
	return ctx.Err()
}

// Watch shows the process as it is, at once and then every second, until ctx ends or show fails. It fails if the process
// does not answer at first; later that is told, once, and Watch goes on when it does again.
func (c *Client) Watch(ctx context.Context, show func(*admin.Status) error, trouble func(error)) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	for lost := false; ctx.Err() == nil; s, err = c.Status(ctx) {
		switch {
		case err == nil:
			lost = false
			if err := show(s); err != nil {
				return err
			}
		case !lost && ctx.Err() == nil:
			lost = true
			trouble(fmt.Errorf("%w; trying again every second", err))
		}
		pause(ctx, topInterval)
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
