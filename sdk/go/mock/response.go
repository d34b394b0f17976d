package mock

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"steward"
	"strconv"
	"strings"
	"testing"
)

// Response is the answer to a request.
type Response struct {
	t *testing.T
	// Status of HTTP.
	Status uint16
	// Headers that the service set.
	Headers []steward.Header
	// Body is a JSON text; null if there is none.
	Body []byte
}

func refusal(err error) *Response {
	fault := steward.FaultOf(err)
	// Texts and a number can always be written.
	body, _ := json.Marshal(map[string]any{
		"statusCode": fault.Status, "code": fault.Code, "message": fault.Message, "pointer": fault.Pointer,
	})
	return &Response{Status: fault.Status, Body: body}
}

// Link returns the self-link of the document in the body. The test fails if there is none.
func (r *Response) Link() string {
	r.t.Helper()
	var body struct{ DocumentSelfLink string }
	if err := json.Unmarshal(r.Body, &body); err != nil || body.DocumentSelfLink == "" {
		r.t.Fatalf("there is no document in the answer: %d %s", r.Status, r.Body)
	}
	return body.DocumentSelfLink
}

// Version returns the version of the document in the body. The test fails if there is none.
func (r *Response) Version() uint64 {
	r.t.Helper()
	var body struct{ DocumentVersion *uint64 }
	if err := json.Unmarshal(r.Body, &body); err != nil || body.DocumentVersion == nil {
		r.t.Fatalf("there is no document in the answer: %d %s", r.Status, r.Body)
	}
	return *body.DocumentVersion
}

// Into reads the body into a value. The test fails if it has another shape.
func (r *Response) Into(value any) {
	r.t.Helper()
	if err := json.Unmarshal(r.Body, value); err != nil {
		r.t.Fatalf("the answer has another shape: %v: %d %s", err, r.Status, r.Body)
	}
}

// Field returns what a JSON pointer names in the body; nil if there is nothing. Numbers are json.Number.
func (r *Response) Field(pointer string) any { return at(tree(r.Body), pointer) }

// at returns what a JSON pointer names in a tree; nil if there is nothing.
func at(value any, pointer string) any {
	for _, segment := range strings.Split(pointer, "/")[1:] {
		segment = strings.ReplaceAll(strings.ReplaceAll(segment, "~1", "/"), "~0", "~")
		switch inside := value.(type) {
		case map[string]any:
			value = inside[segment]
		case []any:
			index, err := strconv.Atoi(segment)
			if err != nil || index < 0 || index >= len(inside) {
				return nil
			}
			value = inside[index]
		default:
			return nil
		}
	}
	return value
}

// Has fails the test unless the JSON pointer names this value in the body.
func (r *Response) Has(pointer string, wanted any) *Response {
	r.t.Helper()
	text, err := json.Marshal(wanted)
	if err != nil {
		r.t.Fatal(err)
	}
	if found := r.Field(pointer); !reflect.DeepEqual(found, tree(text)) {
		r.t.Errorf("%s is %v, wanted %s: %d %s", pointer, found, text, r.Status, r.Body)
	}
	return r
}

// IsRefused fails the test unless the request was refused with this status and pointer.
func (r *Response) IsRefused(status uint16, pointer string) *Response {
	r.t.Helper()
	if found := fmt.Sprint(r.Field("/pointer")); r.Status != status || found != pointer {
		r.t.Errorf("wanted a refusal %d at %q: %d %s", status, pointer, r.Status, r.Body)
	}
	return r
}

func (r *Response) answer(to *steward.Effect) steward.Answer {
	answer := steward.Answer{Tag: to.Tag, Status: r.Status, Headers: r.Headers, From: to.To}
	if text := string(r.Body); text != "" && text != "null" {
		answer.Body = &text
	}
	return answer
}

// tree returns a JSON text as values, with numbers as they are written.
func tree(text []byte) any {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil && !errors.Is(err, nil) {
		return nil
	}
	return value
}
