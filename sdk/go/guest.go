package steward

import (
	"fmt"
	"runtime"
	"strings"
)

// Occasion is why the host calls a guest, as descriptors name it.
type Occasion string

// The occasions of handlers that take the state and the request.
const (
	OnCreate      Occasion = "handle-create"
	OnStart       Occasion = "handle-start"
	OnStop        Occasion = "handle-stop"
	OnGet         Occasion = "handle-get"
	OnPost        Occasion = "handle-post"
	OnPut         Occasion = "handle-put"
	OnPatch       Occasion = "handle-patch"
	OnDelete      Occasion = "handle-delete"
	OnMaintenance Occasion = "handle-maintenance"
)

// Guest is what a component exports. States, bodies and replies are JSON texts.
//
// [Serve] implements it; by hand it is needed only for what types cannot say, see [Export].
type Guest interface {
	// Describe returns the descriptor.
	Describe() string
	// Handle runs one handler.
	Handle(occasion Occasion, document string, request Request) (Outcome, error)
	// HandleReply takes the answer to an effect.
	HandleReply(document string, answer Answer, request Request) (Outcome, error)
	// Migrate returns the state in the shape of this module's own state version.
	Migrate(document string, from uint32) (string, error)
	// Merge returns one state out of two that were written independently.
	Merge(ours, theirs string) (string, error)
}

var exported Guest

// Export makes a guest the service of this component. [Serve] does it by itself.
func Export(guest Guest) {
	if exported != nil {
		panic("steward: a component is one service, and a second one is served")
	}
	exported = guest
}

// missing refuses a call that the descriptor did not invite.
func missing(handler, subject string) *Fault {
	return Refused(501, "handler-missing", fmt.Sprintf("this service has no %s for %s", handler, subject))
}

// Guarded runs a call; a panic becomes a fault that says where.
func Guarded[T any](call func() (T, error)) (result T, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			message := fmt.Sprintf("panic: %v", reason)
			at := culprit()
			hostLog(Error, message, fmt.Sprintf(`{"at":%q}`, at))
			err = Refused(500, "guest-panic", message+" at "+at)
		}
	}()
	return call()
}

// culprit returns the place of the innermost function that belongs to the service.
func culprit() string {
	var counters [64]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(3, counters[:])])
	outer := ""
	for {
		frame, more := frames.Next()
		at := place(frame.File, frame.Line)
		switch {
		case strings.HasPrefix(frame.Function, "steward."), strings.HasPrefix(frame.Function, "runtime."):
			// The SDK, or how Go raises a panic.
		case isLibrary(frame.Function):
			if outer == "" {
				outer = at
			}
		default:
			return at
		}
		if !more {
			return outer
		}
	}
}

// isLibrary returns true for functions of the standard library: their packages have no dot in the first segment, and are not main.
func isLibrary(function string) bool {
	first, _, nested := strings.Cut(function, "/")
	if nested {
		return !strings.Contains(first, ".") && first != "main"
	}
	return !strings.HasPrefix(function, "main.")
}
