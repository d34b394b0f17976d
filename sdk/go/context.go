package steward

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Context is the request at hand, and what this call asks for besides the new state.
//
// Effects are collected and go out after the commit, in order, each after the one before it has been settled. If the handler refuses,
// none of them goes out.
type Context struct {
	request   Request
	random    uint64
	outcome   Outcome
	unchanged bool
	// A body that has no JSON form, or an expiry that is none, refuses the whole call, so that effects stay pleasant to write.
	broken *Fault
}

func newContext(request Request) *Context {
	return &Context{request: request, random: request.Seed}
}

// Request returns all that the host told about the request.
func (c *Context) Request() *Request { return &c.request }

// Link returns the document's self-link; for a stateless service the path that was asked for.
func (c *Context) Link() string { return c.request.Link }

// Key returns the last segment of the self-link.
func (c *Context) Key() string { return c.request.Link[strings.LastIndexByte(c.request.Link, '/')+1:] }

// Cause returns why the handler runs.
func (c *Context) Cause() Cause { return c.request.Cause }

// Principal returns who asks: a self-link of a user, or an empty text.
func (c *Context) Principal() string { return c.request.Principal }

// Version returns the document's version before this request.
func (c *Context) Version() uint64 { return c.request.Version }

// Exists returns false in the create handler and in the start handler that follows it, true everywhere else.
func (c *Context) Exists() bool { return c.request.Exists }

// Now is the moment of the call. Time stands still during it.
func (c *Context) Now() time.Time { return time.UnixMicro(c.request.NowMicros).UTC() }

// Header returns the first header of that name, whatever its case, or an empty text.
func (c *Context) Header(name string) string {
	for _, header := range c.request.Headers {
		if strings.EqualFold(header.Name, name) {
			return header.Value
		}
	}
	return ""
}

// Parameter returns a parameter of the query, or an empty text.
func (c *Context) Parameter(name string) string {
	// What of a query cannot be read is not there.
	values, _ := url.ParseQuery(c.request.Query)
	return values.Get(name)
}

// Random returns a number that nobody can guess, another one at each call. Recorded with the request, as the clock is.
func (c *Context) Random() uint64 {
	// SplitMix64 over the host's seed. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators".
	c.random += 0x9e3779b97f4a7c15
	mixed := c.random
	mixed = (mixed ^ mixed>>30) * 0xbf58476d1ce4e5b9
	mixed = (mixed ^ mixed>>27) * 0x94d049bb133111eb
	return mixed ^ mixed>>31
}

// Rand returns a source of random numbers of all kinds, out of [Context.Random]. The functions of package math/rand themselves give the
// same numbers in every instance.
func (c *Context) Rand() *rand.Rand { return rand.New(source{c}) }

type source struct{ ctx *Context }

func (s source) Uint64() uint64 { return s.ctx.Random() }

// SelfPatch patches this document itself, after the commit: the next step of a task.
func (c *Context) SelfPatch(body any) *Effect { return c.Patch(c.request.Link, body) }

// Create posts to a factory (or a URL), which creates a document there.
func (c *Context) Create(factory string, body any) *Effect { return c.withBody(Post, factory, body) }

// Patch patches another document.
func (c *Context) Patch(link string, body any) *Effect { return c.withBody(Patch, link, body) }

// Put replaces another document.
func (c *Context) Put(link string, body any) *Effect { return c.withBody(Put, link, body) }

// Delete deletes another document, or this one.
func (c *Context) Delete(link string) *Effect { return c.Send(&Effect{To: link, Action: Delete}) }

// Cancel gives up what this document has to send with the tag, such as a timer that is not needed any more; with the state of this call, or
// not at all. What is being sent at this moment may arrive all the same.
func (c *Context) Cancel(tag string) {
	// A plus means itself to the host.
	escaped := strings.ReplaceAll(url.QueryEscape(tag), "+", "%20")
	c.Send(&Effect{To: c.request.Link + "/effects?tag=" + escaped, Action: Delete})
}

// Send sends any effect.
func (c *Context) Send(effect *Effect) *Effect {
	c.outcome.Effects = append(c.outcome.Effects, effect)
	return effect
}

func (c *Context) withBody(action Action, to string, body any) *Effect {
	text, err := textOf(body)
	if err != nil && c.broken == nil {
		c.broken = FaultOf(err)
	}
	return c.Send(&Effect{To: to, Action: action, Body: &text})
}

// Reply answers with a body of its own instead of the state, which is committed all the same.
func (c *Context) Reply(body any) {
	text, err := textOf(body)
	if err != nil && c.broken == nil {
		c.broken = FaultOf(err)
	}
	c.outcome.Reply = &text
}

// Unchanged makes no new version, whatever the handler did to the state.
func (c *Context) Unchanged() { c.unchanged = true }

// Status answers with this status instead of the host's choice.
func (c *Context) Status(status uint16) { c.outcome.Status = status }

// SetHeader adds a header to the answer.
func (c *Context) SetHeader(name, value string) {
	c.outcome.Headers = append(c.outcome.Headers, Header{strings.ToLower(name), value})
}

// ExpireIn lets the document expire that long from now. A span that is negative refuses the call.
func (c *Context) ExpireIn(span time.Duration) {
	moment := c.request.NowMicros + span.Microseconds()
	if span < 0 || moment < c.request.NowMicros {
		c.noExpiry(span.String() + " is no span until an expiry: it must be 0 or longer")
		return
	}
	c.outcome.ExpiresMicros = &moment
}

// ExpireAt lets the document expire at a moment; the zero time: never. A moment before 1970, or one that microseconds cannot count,
// refuses the call.
func (c *Context) ExpireAt(moment time.Time) {
	var micros int64
	if !moment.IsZero() {
		if moment.Before(time.UnixMicro(0)) || moment.After(time.UnixMicro(math.MaxInt64)) {
			c.noExpiry(moment.String() + " is no expiry: it must be 1970 or later, and not beyond what microseconds count")
			return
		}
		micros = moment.UnixMicro()
	}
	c.outcome.ExpiresMicros = &micros
}

func (c *Context) noExpiry(message string) {
	if c.broken == nil {
		c.broken = Refused(500, "guest-outcome", message)
	}
}

// Expires returns when the document will expire; the zero time: never. What a client asks for on creation is in it.
func (c *Context) Expires() time.Time {
	micros := c.request.ExpiresMicros
	if c.outcome.ExpiresMicros != nil {
		micros = *c.outcome.ExpiresMicros
	}
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Log writes a line to the host's log, with fields: names and values in turns. Its field at says where in the sources this is called.
func (c *Context) Log(level Level, message string, fields ...any) {
	all := map[string]any{"at": caller(2)}
	for i := 0; i+1 < len(fields); i += 2 {
		all[fmt.Sprint(fields[i])] = fields[i+1]
	}
	text, err := json.Marshal(all)
	if err != nil {
		// A line that says less is better than none.
		text, _ = json.Marshal(map[string]any{"at": all["at"], "fields": err.Error()})
	}
	hostLog(level, message, string(text))
}

// Read reads the committed state of another document into value. Waits, and holds this document's turn meanwhile. The error is the
// other service's fault, or status 502 if its state does not fit.
func (c *Context) Read(link string, value any) error {
	text, fault := hostRead(link)
	if fault != nil {
		return fault
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return Refused(502, "answer-unreadable", fmt.Sprintf("cannot read the state of %s: %v", link, err))
	}
	return nil
}

// Query runs a direct query and reads the finished query task into value. Waits, and holds this document's turn meanwhile. The error is
// the fault with which the query was refused.
func (c *Context) Query(spec, value any) error {
	asked, err := textOf(spec)
	if err != nil {
		return err
	}
	text, fault := hostQuery(asked)
	if fault != nil {
		return fault
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return Refused(502, "answer-unreadable", fmt.Sprintf("cannot read the query's results: %v", err))
	}
	return nil
}

// Stat adds a value to a statistic of this document, see /stats.
func (c *Context) Stat(name string, value float64) { hostStat(name, value) }

// textOf returns the JSON text of a value that the service made.
func textOf(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "null", Refused(500, "no-json", "cannot write a value as JSON: "+err.Error())
	}
	return string(text), nil
}

// caller returns file and line of a caller, the file as it lies in the project.
func caller(skip int) string {
	_, file, line, ok := runtime.Caller(skip)
	if !ok {
		return ""
	}
	return place(file, line)
}

func place(file string, line int) string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		file = strings.TrimPrefix(file, info.Main.Path+"/")
	}
	if filepath.IsAbs(file) {
		file = filepath.Base(file)
	}
	return fmt.Sprintf("%s:%d", strings.TrimPrefix(file, "./"), line)
}
