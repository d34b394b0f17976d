// Package mock is a host in the memory of a unit test: documents with all their versions, effects, timers, maintenance, restarts.
//
// One goroutine, no ports, no waiting. The clock stands until [Host.Advance] moves it, effects wait until [Host.Settle], and the same
// test takes the same course every time. What a guest may rely on holds here too: an error changes nothing, effects of one document go
// out in their order, answers come back with their tags, timers outlive a restart.
//
// Left out: quorum, owners and replication, which no guest can see; rare words of schemas, see schema.go;
// repeated attempts: an effect that fails is given up at once, where a real host would try again for a while; the end of a
// deletion, which a real host forgets after seven days.
package mock

import (
	"encoding/json"
	"fmt"
	"slices"
	"steward"
	"strings"
	"testing"
	"time"
)

// effectsInARow are carried out by one Settle before it is taken for a circle.
const effectsInARow = 100_000

// beginning is the clock at the beginning of every test: 2026-01-01T00:00:00Z.
const beginning = 1_767_225_600_000_000

// Sent is an effect that was carried out.
type Sent struct {
	// From is the document that had asked for it.
	From string
	// Effect is what was sent.
	Effect *steward.Effect
	// Response is what came back.
	Response *Response
}

// Line is a line of a guest's log.
type Line struct {
	Level   steward.Level
	Message string
	// Fields is a JSON object.
	Fields string
}

// Host is the mock host. Make one with [Serving].
type Host struct {
	t     *testing.T
	world *world
	stubs []stub

	// Sent are the effects that were carried out, the oldest first.
	Sent []Sent
	// Refusals are what handlers refused that nobody was there to hear: of starts, maintenance and replies.
	Refusals []error
}

type stub struct {
	prefix string
	answer func(*steward.Effect) *Response
}

// Serving makes a host with services.
func Serving(t *testing.T, guests ...steward.Guest) *Host {
	t.Helper()
	host := &Host{t: t, world: newWorld()}
	for _, guest := range guests {
		host.With(guest)
	}
	return host
}

// With adds a service. One whose factory is served already is replaced, and its documents stay: an upgrade.
func (h *Host) With(guest steward.Guest) *Host {
	h.t.Helper()
	service, err := newService(guest)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, unread := range service.patterns.read(service.StateSchema) {
		h.t.Logf("a pattern of %s is checked by nobody here, and the host may refuse it: %v", service.Name, unread)
	}
	h.world.services[service.Factory] = service
	return h
}

// Answering answers effects whose target begins with a prefix, and to which no service here listens.
func (h *Host) Answering(prefix string, answer func(*steward.Effect) *Response) *Host {
	h.stubs = append(h.stubs, stub{prefix, answer})
	return h
}

// Answer makes an answer for [Host.Answering]; the body is any value that has a JSON form.
func Answer(status uint16, body any) *Response {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("mock: the body of an answer has no JSON form: %v", err))
	}
	return &Response{Status: status, Body: text}
}

// Post sends a POST with a JSON text: to a factory it creates a document.
func (h *Host) Post(link, body string) *Response { return h.Ask(steward.Post, link).Body(body).Send() }

// Patch sends a PATCH with a JSON text.
func (h *Host) Patch(link, body string) *Response {
	return h.Ask(steward.Patch, link).Body(body).Send()
}

// Put sends a PUT with a JSON text.
func (h *Host) Put(link, body string) *Response { return h.Ask(steward.Put, link).Body(body).Send() }

// Get sends a GET.
func (h *Host) Get(link string) *Response { return h.Ask(steward.Get, link).Send() }

// Delete sends a DELETE without a body.
func (h *Host) Delete(link string) *Response { return h.Ask(steward.Delete, link).Send() }

// Ask begins a request with headers, a principal or no body.
func (h *Host) Ask(action steward.Action, link string) *Ask {
	link, query, _ := strings.Cut(link, "?")
	return &Ask{h, asked{action: action, link: link, query: query}}
}

// Ask is a request in the making, see [Host.Ask].
type Ask struct {
	host  *Host
	asked asked
}

// Body gives it a body, a JSON text.
func (a *Ask) Body(text string) *Ask {
	a.asked.body = []byte(text)
	return a
}

// Header adds a header.
func (a *Ask) Header(name, value string) *Ask {
	a.asked.headers = append(a.asked.headers, steward.Header{Name: strings.ToLower(name), Value: value})
	return a
}

// Principal lets a user ask.
func (a *Ask) Principal(link string) *Ask {
	a.asked.principal = link
	return a
}

// Send sends it.
func (a *Ask) Send() *Response {
	response := a.host.operate(&a.asked)
	response.t = a.host.t
	return response
}

// operate carries out a request, before which all is gone whose time has passed.
func (h *Host) operate(a *asked) *Response {
	h.buryExpired()
	response, err := h.world.operate(a)
	if err != nil {
		return refusal(err)
	}
	return response
}

func (h *Host) buryExpired() {
	for _, link := range h.world.alive() {
		h.refuse(h.world.buryExpired(link))
	}
}

// Settle carries out the effects that are due, and those that they bring about, until none is left.
func (h *Host) Settle() {
	h.t.Helper()
	for range effectsInARow {
		next := h.world.due()
		if next == nil {
			return
		}
		response := h.carryOut(next.effect)
		response.t = h.t
		if next.effect.Tag != "" {
			h.refuse(h.world.reply(next.from, response.answer(next.effect)))
		}
		h.Sent = append(h.Sent, Sent{next.from, next.effect, response})
	}
	h.t.Fatalf("effects cause effects for ever: %d in a row, the last one went to %s", effectsInARow, h.Sent[len(h.Sent)-1].Effect.To)
}

func (h *Host) refuse(err error) {
	if err != nil {
		h.Refusals = append(h.Refusals, err)
	}
}

func (h *Host) carryOut(effect *steward.Effect) *Response {
	if h.world.serviceOf(effect.To) == nil {
		for _, stub := range h.stubs {
			if strings.HasPrefix(effect.To, stub.prefix) {
				return stub.answer(effect)
			}
		}
	}
	link, query, _ := strings.Cut(effect.To, "?")
	sent := asked{action: effect.Action, link: link, query: query, headers: effect.Headers, cause: steward.CauseEffect}
	if effect.Body != nil {
		sent.body = []byte(*effect.Body)
	}
	return h.operate(&sent)
}

// Advance moves the clock, and does on the way all that falls due: effects, maintenance, expiry.
func (h *Host) Advance(span time.Duration) {
	h.t.Helper()
	end := h.world.now + span.Microseconds()
	h.Settle()
	for {
		moment, ok := h.world.nextMoment()
		if !ok || moment > end {
			break
		}
		h.world.now = max(moment, h.world.now)
		h.Settle()
		for _, link := range h.world.alive() {
			h.refuse(h.world.maintain(link))
		}
		h.Settle()
		h.buryExpired()
		h.Settle()
	}
	h.world.now = end
	h.Settle()
}

// Restart takes ownership of every document anew, as after a restart or a failover: the start handlers run. Effects and timers that
// wait have outlived it. Call [Host.Settle] to let them go on.
func (h *Host) Restart() {
	for _, link := range h.world.alive() {
		h.refuse(h.world.unasked(link, steward.OnStart, steward.CauseStart))
	}
}

// Now is what the clock shows.
func (h *Host) Now() time.Time { return time.UnixMicro(h.world.now).UTC() }

// Versions returns every version of a document that is kept, with its built-in fields, the oldest first; the newest in the shape of
// today. Of a document that has expired there is none.
func (h *Host) Versions(link string) []*Response {
	h.t.Helper()
	var versions []*Response
	if record := h.world.documents[link]; record != nil {
		for index := range record.versions {
			body, err := h.world.full(link, record.first+uint64(index))
			if err != nil {
				h.t.Fatalf("%s cannot be read: %v", link, err)
			}
			versions = append(versions, &Response{t: h.t, Status: 200, Body: body})
		}
	}
	return versions
}

// Links returns the links of the documents that live, in order.
func (h *Host) Links() []string { return h.world.alive() }

// Waiting returns the effects that wait, the next one first.
func (h *Host) Waiting() []*steward.Effect {
	var effects []*steward.Effect
	for _, pending := range h.world.pending {
		effects = append(effects, pending.effect)
	}
	return effects
}

// Log returns the lines that guests logged.
func (h *Host) Log() []Line { return slices.Clone(h.world.log) }

// Stat returns the sum of a statistic.
func (h *Host) Stat(name string) float64 { return h.world.stats[name] }
