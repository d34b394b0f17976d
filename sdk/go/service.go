package steward

import (
	"reflect"
	"time"
)

// Option is something that the host shall do, or not do, for the documents of a service.
type Option string

// The options. Without any, documents are kept, replicated and owned.
const (
	Persistence          Option = "PERSISTENCE"
	Replication          Option = "REPLICATION"
	OwnerSelection       Option = "OWNER_SELECTION"
	IdempotentPost       Option = "IDEMPOTENT_POST"
	StrictUpdateChecking Option = "STRICT_UPDATE_CHECKING"
	Immutable            Option = "IMMUTABLE"
	Stateless            Option = "STATELESS"
	Instrumentation      Option = "INSTRUMENTATION"
)

// Index is a field to index: its path with dots, and string, number or boolean.
type Index struct {
	Path string `json:"path"`
	Type string `json:"type"`
}

// Limits are what one call may have; 0: the host's choice.
type Limits struct {
	DeadlineMillis uint64 `json:"deadlineMillis,omitempty"`
	MemoryBytes    uint64 `json:"memoryBytes,omitempty"`
	DocumentBytes  uint64 `json:"documentBytes,omitempty"`
}

// Service describes a service with states of type S, a struct. Only Factory is needed.
//
// GET, PUT and DELETE work without a handler.
type Service[S any] struct {
	// Factory is the path where its documents live.
	Factory string
	// Name, Version and Docs; default: the type in kebab case, 0.1.0, nothing.
	Name, Version, Docs string
	// Kind is the documentKind; default: the name.
	Kind string
	// Options; default: Persistence, Replication, OwnerSelection.
	Options []Option
	// StateVersion is the shape of the state, from 1; older ones come in through Migrate.
	StateVersion uint32
	// Retention is how many versions before the newest one are kept; 0: the host's choice.
	Retention uint64
	// Task lets a POST answer 202.
	Task bool
	// Eager lets Start run for every document as soon as a node owns it; default: before whatever happens to it first.
	Eager bool
	// MergePatch lets the host patch by RFC 7396, without a handler.
	MergePatch bool
	// NoPut lets the host refuse PUT with 405. Default: Put decides on it, or without one Create, as on a POST.
	NoPut bool
	// Index names the fields to index instead of all.
	Index []Index
	// Outbound names hosts outside that effects may address.
	Outbound []string
	// Limits wanted.
	Limits Limits
	// PerCall asks for an instance for each call.
	PerCall bool

	// Create runs on the POST, and on a PUT if there is no Put (ctx.Exists() is true then); the state is what the client sent.
	Create func(state *S, ctx *Context) error
	// Start runs after Create (ctx.Exists() is false), and whenever a node takes ownership or another module takes over.
	Start func(state *S, ctx *Context) error
	// Stop runs on deletion and expiry.
	Stop func(state *S, ctx *Context) error
	// Get, Post, Put, Patch and Delete run on requests, see [Do], [With] and [Kinds].
	Get    func(state *S, ctx *Context) error
	Post   Handler[S]
	Put    Handler[S]
	Patch  Handler[S]
	Delete func(state *S, ctx *Context) error
	// Maintenance runs at an interval, see [Every].
	Maintenance Periodic[S]
	// Replies run when an effect with that tag was answered; the empty tag stands for any other.
	Replies map[string]func(state *S, ctx *Context, answer *Answer) error
	// Migrate makes states of today out of older ones, by their version, see [From].
	Migrate map[uint32]Migration[S]
	// Merge makes one state of two that were written in two clusters.
	Merge func(ours, theirs S) (S, error)
}

// Handler runs on a request with a body.
type Handler[S any] interface {
	// handle runs on a state.
	handle(state *S, ctx *Context) error
	// bodies returns the shapes of the bodies by their kind; nil: any.
	bodies() map[string]*shape
}

// Do is a handler that takes no body, or reads it from the request by itself.
type Do[S any] func(state *S, ctx *Context) error

func (d Do[S]) handle(state *S, ctx *Context) error { return d(state, ctx) }
func (d Do[S]) bodies() map[string]*shape           { return nil }

// With returns a handler that takes a body of type B, a struct. A body that does not fit is refused with the field's pointer.
func With[S, B any](act func(state *S, ctx *Context, body B) error) Handler[S] {
	return typed[S, B]{act, shapeOf(reflect.TypeFor[B]())}
}

type typed[S, B any] struct {
	act   func(*S, *Context, B) error
	shape *shape
}

func (t typed[S, B]) handle(state *S, ctx *Context) error {
	text := "{}"
	if ctx.request.Body != nil {
		text = *ctx.request.Body
	}
	var body B
	if fault := t.shape.read(text, reflect.ValueOf(&body).Elem()); fault != nil {
		return fault
	}
	return t.act(state, ctx, body)
}

func (t typed[S, B]) bodies() map[string]*shape { return map[string]*shape{"": t.shape} }

// Kinds chooses the handler by the kind that the body names.
type Kinds[S any] map[string]Handler[S]

// Periodic is what runs at an interval.
type Periodic[S any] struct {
	interval time.Duration
	act      func(state *S, ctx *Context) error
}

// Every runs a handler at an interval.
func Every[S any](interval time.Duration, act func(state *S, ctx *Context) error) Periodic[S] {
	return Periodic[S]{interval, act}
}

// Migration makes a state out of an older one.
type Migration[S any] func(text string) (S, error)

// From returns a migration that reads states of type Old.
func From[S, Old any](act func(old Old) (S, error)) Migration[S] {
	shape := shapeOf(reflect.TypeFor[Old]())
	return func(text string) (S, error) {
		var old Old
		if fault := shape.restore(text, reflect.ValueOf(&old).Elem()); fault != nil {
			var none S
			return none, fault
		}
		return act(old)
	}
}

// Or returns what a pointer points to, or else the other value: for fields of bodies that may be missing.
func Or[T any](value *T, other T) T {
	if value == nil {
		return other
	}
	return *value
}
