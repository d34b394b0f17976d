package steward

import (
	"strings"
	"time"
)

// Effect is one request that the host sends after the commit, until it succeeded or was given up.
type Effect struct {
	// To is a link, or a URL that the service was granted.
	To string
	// Action is what to ask for.
	Action Action
	// Headers of the request.
	Headers []Header
	// Body is a JSON text; nil: none.
	Body *string
	// DelayMillis is 0 for at once; else a durable timer.
	DelayMillis int64
	// Tag is not empty if the answer comes back to the reply handler.
	Tag string
}

// After sends it that much later. The timer is durable and moves with the document.
func (e *Effect) After(delay time.Duration) *Effect {
	e.DelayMillis = delay.Milliseconds()
	return e
}

// ReplyTag brings the answer back to the reply handler, with this tag.
func (e *Effect) ReplyTag(tag string) *Effect {
	e.Tag = tag
	return e
}

// Header adds a header.
func (e *Effect) Header(name, value string) *Effect {
	e.Headers = append(e.Headers, Header{strings.ToLower(name), value})
	return e
}

// Outcome is what a handler decided.
type Outcome struct {
	// Document is the new state without built-in fields; nil: state unchanged, no new version; in handle-create, the
	// state is the one that came.
	Document *string
	// Status is 0 for the host's choice.
	Status uint16
	// Headers of the answer.
	Headers []Header
	// Reply is the body of the answer; nil: the state with its built-in fields.
	Reply *string
	// Effects are what to send after the commit.
	Effects []*Effect
	// ExpiresMicros is when the document shall expire; 0: never. Nil: as the body of the creation or PUT wants it, else unchanged.
	ExpiresMicros *int64
}
