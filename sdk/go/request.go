package steward

import (
	"encoding/json"
	"fmt"
)

// Action is what a request asks for.
type Action uint8

// The actions.
const (
	Get Action = iota
	Post
	Put
	Patch
	Delete
)

// String returns the HTTP method.
func (a Action) String() string {
	return [...]string{"GET", "POST", "PUT", "PATCH", "DELETE"}[a]
}

// Cause is why a handler is called.
type Cause uint8

// The causes: a client asked, an effect of a document did, a node took ownership of the document, the maintenance interval is over,
// an effect has been answered.
const (
	CauseClient Cause = iota
	CauseEffect
	CauseStart
	CauseMaintenance
	CauseReply
)

// Level is how urgent a line of the log is.
type Level uint8

// The levels: each step, a branch not usually taken, a rare change of state, someone should look tomorrow, something broke.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

// Header is a header of a request or an answer; its name is in lower case.
type Header struct {
	Name, Value string
}

// Request is what a handler is told besides the state.
type Request struct {
	// Link is the document's self-link; for a stateless service the path that was asked for.
	Link string
	// Query is the query part of the URI without the question mark.
	Query string
	// Headers of the request.
	Headers []Header
	// Body as the client sent it, a JSON text; nil if there is none.
	Body *string
	// Principal is who asks: a self-link of a user, or empty.
	Principal string
	// Cause is why the handler is called.
	Cause Cause
	// NowMicros is now, in microseconds since the Unix epoch; fixed during one call.
	NowMicros int64
	// Seed is the randomness for this call.
	Seed uint64
	// Version of the document before this request.
	Version uint64
	// Exists is false in the create handler and the start handler that follows it.
	Exists bool
	// ExpiresMicros is when the document expires, in microseconds since the Unix epoch; 0: never.
	ExpiresMicros int64
}

// Answer is the answer to an effect that had a reply tag.
type Answer struct {
	// Tag of the effect.
	Tag string
	// Status of HTTP; 0 if nobody answered until the effect was given up.
	Status uint16
	// Headers of the answer.
	Headers []Header
	// Body is a JSON text; nil if there is none.
	Body *string
	// From is the link or URL that answered.
	From string
}

// Ok returns true for a status of 200 to 299.
func (a *Answer) Ok() bool {
	return a.Status >= 200 && a.Status < 300
}

// JSON reads the body into value. A body that is missing or does not fit is a Fault with status 502: the other side broke its promise.
func (a *Answer) JSON(value any) error {
	if a.Body == nil {
		return Refused(502, "answer-unreadable", a.From+": answered without a body")
	}
	if err := json.Unmarshal([]byte(*a.Body), value); err != nil {
		return Refused(502, "answer-unreadable", fmt.Sprintf("%s: cannot read the answer: %v", a.From, err))
	}
	return nil
}

// Problem returns what went wrong, in words: the problem's detail or message, or the status.
func (a *Answer) Problem() string {
	var problem struct{ Detail, Message, Title string }
	if a.Body != nil {
		// A body that is no problem document has no words.
		_ = json.Unmarshal([]byte(*a.Body), &problem)
	}
	for _, words := range []string{problem.Detail, problem.Message, problem.Title} {
		if words != "" {
			return fmt.Sprintf("%s answered %d: %s", a.From, a.Status, words)
		}
	}
	return fmt.Sprintf("%s answered %d", a.From, a.Status)
}
