package mock

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"steward"
	"strconv"
	"strings"
)

// What the host itself asks of a request and of a state, whatever the service says to it: the expiry in a body, what it takes to create
// anew what was deleted, and a state that fits its schema.

const (
	// expirationTime is the field of a body that says when its document ends.
	expirationTime = "documentExpirationTimeMicros"
	// namedVersion is the field of a body that names a version.
	namedVersion = "documentVersion"
	// force is the directive of a pragma by which a deleted document is created anew, and its history forgotten.
	force = "xn-force-index-update"
)

// expiry returns the expiry that a body asks for; nil if it says nothing of it.
func (a *asked) expiry() (*int64, error) {
	micros, err := a.whole(expirationTime)
	if micros != nil && *micros < 0 {
		needed := "0 (never) or microseconds since the Unix epoch"
		return nil, steward.Invalid("/"+expirationTime, "%s is %d: it must be %s", expirationTime, *micros, needed)
	}
	return micros, err
}

// whole returns a built-in field of the body that is a whole number; nil if the body says nothing of it.
func (a *asked) whole(field string) (*int64, error) {
	given := map[string]json.RawMessage{}
	// What is no object has no fields.
	_ = json.Unmarshal(a.body, &given)
	text := string(given[field])
	if text == "" || text == "null" {
		return nil, nil
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, steward.Invalid("/"+field, "%s is %s: it must be a whole number of 64 bits", field, text)
	}
	return &number, nil
}

// checkRevival refuses to create what the record says was deleted, unless a header or a higher version asks for it.
func (a *asked) checkRevival(found *record) error {
	named, err := a.whole(namedVersion)
	if err != nil || found == nil || !found.deleted || len(found.versions) == 0 {
		return err
	}
	deletion := found.version()
	if a.forces() || named != nil && *named > int64(deletion) {
		return nil
	}
	return steward.Refused(409, "marked-deleted", fmt.Sprintf(
		"%s was deleted, at version %d: create it anew with %s %d or higher, or with the header Pragma: %s",
		a.link, deletion, namedVersion, deletion+1, force))
}

// forgets tells whether a creation forgets the versions before it.
func (a *asked) forgets() bool { return a.forces() || a.cause != steward.CauseClient }

func (a *asked) forces() bool {
	for _, header := range a.headers {
		directives := strings.FieldsFunc(header.Value, func(r rune) bool { return r == ',' || r == ';' })
		isForce := func(directive string) bool { return strings.TrimSpace(directive) == force }
		if strings.EqualFold(header.Name, "pragma") && slices.ContainsFunc(directives, isForce) {
			return true
		}
	}
	return false
}

// checkState refuses a state that its schema does not take: by 400 if the body has the same value at the same place, for then it is the
// client who is to mend it, else as a failure of the service.
func (s *service) checkState(body []byte, state *string) error {
	if state == nil || s.StateSchema == nil {
		return nil
	}
	held := tree([]byte(*state))
	wrong := (&comparison{s.patterns, s.StateSchema}).value(s.StateSchema, held, "")
	if wrong == nil {
		return nil
	}
	subject := strings.ReplaceAll(strings.TrimPrefix(wrong.pointer, "/"), "/", ".")
	if subject == "" {
		subject = "the state"
	}
	reason := subject + " " + wrong.reason
	if found := at(held, wrong.pointer); found != nil && reflect.DeepEqual(at(tree(body), wrong.pointer), found) {
		return steward.Invalid(wrong.pointer, "%s", reason)
	}
	return steward.Refused(500, "guest-outcome", "the service has left a state that does not fit: "+reason)
}
