package steward

import (
	"errors"
	"fmt"
	"strings"
)

// Fault says why a handler refuses. The host turns it into a problem document, and nothing has happened.
type Fault struct {
	// Status of HTTP, 400 to 599.
	Status uint16
	// Code is a stable, short name in kebab case, such as validation.
	Code string
	// Message says what was wrong, and what would be right.
	Message string
	// Pointer is the JSON pointer to the field at fault, or empty.
	Pointer string
}

// Error returns the message, with the field if there is one.
func (f *Fault) Error() string {
	if f.Pointer == "" {
		return fmt.Sprintf("%d %s: %s", f.Status, f.Code, f.Message)
	}
	return fmt.Sprintf("%d %s: %s (at %s)", f.Status, f.Code, f.Message, f.Pointer)
}

// Refused refuses with a status, a code and a message.
func Refused(status uint16, code, message string) *Fault {
	return &Fault{Status: status, Code: code, Message: message}
}

// Invalid refuses with 400: the field that the pointer names has a value that cannot be. A leading slash may be left out.
func Invalid(pointer, format string, values ...any) *Fault {
	if pointer != "" && !strings.HasPrefix(pointer, "/") {
		pointer = "/" + pointer
	}
	return &Fault{Status: 400, Code: "validation", Message: fmt.Sprintf(format, values...), Pointer: pointer}
}

// Conflict refuses with 409: the state does not allow it.
func Conflict(format string, values ...any) *Fault {
	return Refused(409, "conflict", fmt.Sprintf(format, values...))
}

// Forbidden refuses with 403: whoever asks may not.
func Forbidden(format string, values ...any) *Fault {
	return Refused(403, "forbidden", fmt.Sprintf(format, values...))
}

// NotFound refuses with 404: the part that was asked for is not there.
func NotFound(format string, values ...any) *Fault {
	return Refused(404, "not-found", fmt.Sprintf(format, values...))
}

// FaultOf returns what a client is told of an error: its Fault if there is one within it, else status 500.
func FaultOf(err error) *Fault {
	var fault *Fault
	if errors.As(err, &fault) {
		return fault
	}
	return Refused(500, "failed", err.Error())
}
