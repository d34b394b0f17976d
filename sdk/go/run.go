package steward

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Serve makes a service the one of this component, and returns it for tests. It panics if the service cannot be, which no test and no
// deployment overlooks.
func Serve[S any](service Service[S]) Guest {
	g := New(service)
	Export(g)
	return g
}

// New returns a service for tests: of an older version of a service, say, which [Serve] would make the component's.
func New[S any](service Service[S]) Guest {
	state := reflect.TypeFor[S]()
	if state.Kind() != reflect.Struct {
		panic(fmt.Sprintf("steward: a state is a struct, and %v is none", state))
	}
	if service.NoPut && service.Put != nil {
		panic("steward: a service with NoPut has no Put, which would never run")
	}
	return &guest[S]{service: service, shape: shapeOf(state)}
}

type guest[S any] struct {
	service Service[S]
	shape   *shape
}

// writes says when a call makes a new version.
type writes int

const (
	always writes = iota
	ifChanged
	never
)

func (g *guest[S]) has(option Option) bool { return slices.Contains(g.service.Options, option) }

func (g *guest[S]) Handle(occasion Occasion, document string, request Request) (Outcome, error) {
	act, ok := g.handler(occasion)
	if !ok {
		return Outcome{}, missing(string(occasion), "this request")
	}
	ctx := newContext(request)
	var state S
	value := reflect.ValueOf(&state).Elem()
	if g.has(Stateless) {
		return g.conclude(ctx, act(&state, ctx), nil)
	}
	var fault *Fault
	writes := always
	switch occasion {
	case OnCreate:
		fault = g.shape.read(document, value)
	case OnStart, OnStop, OnMaintenance:
		fault, writes = g.shape.restore(document, value), ifChanged
	case OnGet:
		fault, writes = g.shape.restore(document, value), never
	default:
		fault = g.shape.restore(document, value)
	}
	if fault != nil {
		return Outcome{}, fault
	}
	if occasion == OnCreate || occasion == OnPut {
		ctx.outcome.ExpiresMicros = builtIn(&request).Expires
	}
	return g.change(&state, ctx, writes, document, act)
}

// handler returns what runs on an occasion.
func (g *guest[S]) handler(occasion Occasion) (func(*S, *Context) error, bool) {
	s := &g.service
	plain := func(act func(*S, *Context) error) (func(*S, *Context) error, bool) { return act, act != nil }
	taking := func(handler Handler[S]) (func(*S, *Context) error, bool) {
		if handler == nil {
			return nil, false
		}
		return handler.handle, true
	}
	switch occasion {
	case OnCreate:
		if s.Create == nil && !g.has(Stateless) {
			return func(*S, *Context) error { return nil }, true
		}
		return plain(s.Create)
	case OnStart:
		return plain(s.Start)
	case OnStop:
		return plain(s.Stop)
	case OnGet:
		return plain(s.Get)
	case OnPost:
		return taking(s.Post)
	case OnPut:
		return taking(s.Put)
	case OnPatch:
		return taking(s.Patch)
	case OnDelete:
		return plain(s.Delete)
	case OnMaintenance:
		return plain(s.Maintenance.act)
	}
	return nil, false
}

func (g *guest[S]) HandleReply(document string, answer Answer, request Request) (Outcome, error) {
	act, ok := g.service.Replies[answer.Tag]
	if !ok {
		act, ok = g.service.Replies[""]
	}
	if !ok {
		return Outcome{}, missing("handle-reply", fmt.Sprintf("the tag %q", answer.Tag))
	}
	var state S
	if fault := g.shape.restore(document, reflect.ValueOf(&state).Elem()); fault != nil {
		return Outcome{}, fault
	}
	return g.change(&state, newContext(request), ifChanged, document, func(state *S, ctx *Context) error {
		return act(state, ctx, &answer)
	})
}

func (g *guest[S]) change(
	state *S, ctx *Context, writes writes, before string, act func(*S, *Context) error,
) (Outcome, error) {
	if writes == ifChanged {
		// The stored text may be written in another way than this module writes.
		text, err := g.text(state)
		if err != nil {
			return Outcome{}, err
		}
		before = text
	}
	if err := act(state, ctx); err != nil || writes == never || ctx.unchanged {
		return g.conclude(ctx, err, nil)
	}
	after, err := g.written(state, ctx.request.Body)
	if err != nil {
		return Outcome{}, err
	}
	if writes == ifChanged && before == after {
		return g.conclude(ctx, nil, nil)
	}
	return g.conclude(ctx, nil, &after)
}

func (g *guest[S]) conclude(ctx *Context, err error, document *string) (Outcome, error) {
	if err != nil {
		return Outcome{}, err
	}
	if ctx.broken != nil {
		return Outcome{}, ctx.broken
	}
	ctx.outcome.Document = document
	return ctx.outcome, nil
}

// written returns the text of a state that its own schema allows; a handler has left it after a request with that body.
func (g *guest[S]) written(state *S, body *string) (string, error) {
	fault := g.shape.bounds(reflect.ValueOf(state).Elem(), "")
	text, err := g.text(state)
	if fault == nil || err != nil {
		return text, err
	}
	if body != nil && holdsSame(*body, text, fault.Pointer) {
		// It is the client who is to mend it.
		return "", fault
	}
	return "", Refused(500, "guest-outcome", "the service has left a state that does not fit: "+fault.Message)
}

// text returns the text of a state. What is nil in it and may be no null is empty then, as it is in Go.
func (g *guest[S]) text(state *S) (string, error) {
	g.shape.furnish(reflect.ValueOf(state).Elem())
	return textOf(state)
}

func (g *guest[S]) Migrate(document string, from uint32) (string, error) {
	migrate, ok := g.service.Migrate[from]
	if !ok {
		return "", missing("migrate", fmt.Sprintf("state version %d", from))
	}
	state, err := migrate(document)
	if err != nil {
		return "", err
	}
	return g.written(&state, nil)
}

func (g *guest[S]) Merge(ours, theirs string) (string, error) {
	if g.service.Merge == nil {
		return "", missing("merge", "two states")
	}
	var states [2]S
	for i, text := range []string{ours, theirs} {
		if fault := g.shape.restore(text, reflect.ValueOf(&states[i]).Elem()); fault != nil {
			return "", fault
		}
	}
	merged, err := g.service.Merge(states[0], states[1])
	if err != nil {
		return "", err
	}
	return g.written(&merged, nil)
}

// spoken are the fields of a body that speak to the host and to the SDK rather than to the service.
type spoken struct {
	Kind    *string
	Expires *int64
	// rawKind is the field kind as it stands in the body, of whatever type.
	rawKind json.RawMessage
}

// kindFound says what stands in the place of the kind.
func (s spoken) kindFound() string {
	if s.Kind != nil {
		return fmt.Sprintf("the kind %q", *s.Kind)
	}
	other := strings.TrimSpace(string(s.rawKind))
	switch {
	case other == "" || other == "null":
		return "no kind"
	case other == "true" || other == "false":
		return "a boolean instead of a text"
	case other[0] == '[':
		return "a list instead of a text"
	case other[0] == '{':
		return "an object instead of a text"
	default:
		return "a number instead of a text"
	}
}

func builtIn(request *Request) (fields spoken) {
	if request.Body == nil {
		return fields
	}
	// By their exact names: a struct would take them in any case. A body of another form says nothing to the SDK, nor does a value.
	given := map[string]json.RawMessage{}
	_ = json.Unmarshal([]byte(*request.Body), &given)
	expires := told[int64](given["documentExpirationTimeMicros"])
	return spoken{Kind: told[string](given["kind"]), Expires: expires, rawKind: given["kind"]}
}

// told returns what a field says, and nil if it is not there, null, or of another type.
func told[T any](field json.RawMessage) *T {
	var value *T
	if json.Unmarshal(field, &value) != nil {
		return nil
	}
	return value
}

func (k Kinds[S]) handle(state *S, ctx *Context) error {
	fields := builtIn(&ctx.request)
	if fields.Kind != nil {
		if handler, ok := k[*fields.Kind]; ok {
			return handler.handle(state, ctx)
		}
	}
	// Without a kind of its own it takes whatever no other takes.
	if handler, ok := k[""]; ok {
		return handler.handle(state, ctx)
	}
	fault := Invalid("/kind", "kind must be one of %s, found %s", strings.Join(sorted(k), ", "), fields.kindFound())
	fault.Code = "unknown-kind"
	return fault
}

func (k Kinds[S]) bodies() map[string]*shape {
	shapes := map[string]*shape{}
	for kind, handler := range k {
		shapes[kind] = handler.bodies()[""]
	}
	return shapes
}

func sorted[V any](all map[string]V) []string {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
