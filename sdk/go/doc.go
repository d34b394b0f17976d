// Package steward is the Go SDK of steward: what the author of a service touches.
//
// A service is a state, a struct with tags, and a few functions that change it. [Serve] makes a component of it: its JSON, its JSON
// Schema, its defaults and its checks come out of the struct. A unit test drives the same service through package mock, which keeps
// documents, carries out effects and moves a clock of its own.
//
//	type Counter struct {
//		Count uint64 `json:"count" steward:"default"`
//		Step  uint64 `json:"step" steward:"default=1,min=1"`
//	}
//
//	type Add struct {
//		By *uint64 `json:"by" steward:"min=1"`
//	}
//
//	var service = steward.Serve(steward.Service[Counter]{
//		Factory: "/core/counters",
//		Patch: steward.With(func(c *Counter, ctx *steward.Context, add Add) error {
//			c.Count += steward.Or(add.By, c.Step)
//			return nil
//		}),
//	})
//
//	func main() {}
//
// # How a call passes through
//
//	host ──WIT──▶ export (wasm) ──▶ Guest (texts) ──▶ run (types) ──▶ your function
//	mock ────────────────────────▶   │
//	                                 └ a service may implement Guest by hand and skip everything to its right
//
// # Rules that a handler can rely on
//
//   - A handler of a client's request (create, post, put, patch, delete) makes a new version, also if the state stays the same, unless
//     it calls [Context.Unchanged]. A start, stop, maintenance or reply handler makes one only if the state has changed. A GET never
//     makes one.
//   - A state that its own schema forbids is never committed: the request is refused with the field's pointer.
//   - An error means that nothing has happened, and no effect will be sent.
//   - A panic is an error too, with its file and line. But an error says better what is wrong.
//   - Time stands still during a call: a sleep ends at once. Wait by an effect with [Effect.After].
package steward
