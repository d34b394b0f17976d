package mock

import (
	"encoding/json"
	"fmt"
	"steward"
	"steward/internal/surroundings"
	"strings"
)

// effectsMax are the most effects of one call, as in the real host.
const effectsMax = 64

// asked is a request to the mock host.
type asked struct {
	action      steward.Action
	link, query string
	headers     []steward.Header
	body        []byte
	principal   string
	cause       steward.Cause
}

func occasionOf(action steward.Action) steward.Occasion {
	return [...]steward.Occasion{steward.OnGet, steward.OnPost, steward.OnPut, steward.OnPatch, steward.OnDelete}[action]
}

func notAllowed(a *asked) error {
	return steward.Refused(405, "not-allowed", fmt.Sprintf("%s does not take %s", a.link, a.action))
}

// operate carries out a request.
func (w *world) operate(a *asked) (*Response, error) {
	if a.link == "/core/query-tasks" && a.action == steward.Post {
		task, err := w.query(a.body)
		return &Response{Status: 200, Body: task}, err
	}
	service := w.serviceOf(a.link)
	nothing := steward.Refused(404, "not-found", "nothing lives at "+a.link)
	switch {
	case service == nil:
		return nil, nothing
	case service.has("STATELESS"):
		return w.stateless(service, a)
	case a.link == service.Factory && a.action == steward.Post:
		return w.create(service, a)
	case a.link == service.Factory && a.action == steward.Get:
		return w.list(a.link), nil
	case a.link == service.Factory:
		return nil, notAllowed(a)
	case w.living(a.link) != nil:
		return w.update(service, a)
	case a.action == steward.Delete:
		return Answer(200, struct{}{}), nil
	}
	return nil, nothing
}

func (w *world) stateless(service *service, a *asked) (*Response, error) {
	occasion := occasionOf(a.action)
	if !service.handles(string(occasion)) {
		return nil, notAllowed(a)
	}
	outcome, err := w.call(service, occasion, "{}", a, false)
	if err != nil {
		return nil, err
	}
	body := "null"
	if outcome.Reply != nil {
		body = *outcome.Reply
	}
	w.queue(a.link, outcome.Effects)
	return &Response{Status: statusOr(outcome.Status, 200), Headers: outcome.Headers, Body: []byte(body)}, nil
}

func (w *world) create(service *service, a *asked) (*Response, error) {
	var named struct{ DocumentSelfLink string }
	if err := json.Unmarshal(a.body, &named); err != nil {
		return nil, steward.Refused(400, "malformed", "body is no JSON: "+err.Error())
	}
	key := strings.TrimLeft(strings.TrimPrefix(named.DocumentSelfLink, service.Factory+"/"), "/")
	if key == "" {
		key = fmt.Sprintf("%08x", w.next())
	}
	one := *a
	one.link = service.Factory + "/" + key
	if w.living(one.link) != nil {
		if service.has("IDEMPOTENT_POST") {
			one.action = steward.Put
			return w.update(service, &one)
		}
		return nil, steward.Refused(409, "already-exists", one.link+" exists")
	}
	if err := one.checkRevival(w.documents[one.link]); err != nil {
		return nil, err
	}
	expiry, err := a.expiry()
	if err != nil {
		return nil, err
	}
	whole, err := w.inTurn(service, &one, withoutBuiltIn(a.body), false, steward.OnCreate, steward.OnStart)
	if err != nil {
		return nil, err
	}
	// What was here before leaves no expiry behind.
	for _, expiry := range []*int64{expiry, new(int64)} {
		if whole.ExpiresMicros == nil {
			whole.ExpiresMicros = expiry
		}
	}
	w.makeRoom(service, &one)
	status := uint16(201)
	if service.Task {
		status = 202
	}
	return w.answer(service, one.link, steward.Post, whole, status)
}

// makeRoom makes the record of a document that is about to get its first version, or takes up the one that is left at its link.
func (w *world) makeRoom(service *service, a *asked) {
	found := w.documents[a.link]
	if found == nil {
		found = &record{factory: service.Factory}
		w.documents[a.link] = found
	}
	if a.forgets() {
		found.forget()
	}
	found.deleted, found.maintenance = false, 0
	if service.Interval > 0 {
		found.maintenance = w.now + service.Interval
	}
}

// inTurn runs handlers one after the other, each on what the one before it has left.
func (w *world) inTurn(
	service *service, a *asked, state string, exists bool, occasions ...steward.Occasion,
) (steward.Outcome, error) {
	whole := steward.Outcome{Document: &state}
	for _, occasion := range occasions {
		if !service.handles(string(occasion)) {
			continue
		}
		outcome, err := w.call(service, occasion, *whole.Document, a, exists)
		if err != nil {
			return whole, err
		}
		whole = joined(whole, outcome)
	}
	if err := service.checkState(a.body, whole.Document); err != nil {
		return whole, err
	}
	if len(whole.Effects) > effectsMax {
		return whole, tooManyEffects(len(whole.Effects))
	}
	return whole, nil
}

func (w *world) update(service *service, a *asked) (*Response, error) {
	if err := w.checkVersion(service, a); err != nil {
		return nil, err
	}
	expiry, err := a.expiry()
	if err != nil {
		return nil, err
	}
	if a.action == steward.Delete {
		return w.bury(service, a)
	}
	state, err := w.state(service, a.link)
	if err != nil {
		return nil, err
	}
	outcome, err := w.decide(service, a, state)
	if err != nil {
		return nil, err
	}
	// Whoever accepts an update accepts the expiry in its body, unless the service says another one.
	if outcome.ExpiresMicros == nil && a.action != steward.Get && outcome.Status < 400 {
		outcome.ExpiresMicros = expiry
	}
	return w.answer(service, a.link, a.action, outcome, 200)
}

// decide returns what becomes of a document: the service says, or the host where the service has no handler.
func (w *world) decide(service *service, a *asked, state string) (outcome steward.Outcome, err error) {
	occasion := occasionOf(a.action)
	switch {
	case service.handles(string(occasion)):
		return w.call(service, occasion, state, a, true)
	case a.action == steward.Get:
		return outcome, nil
	case a.action == steward.Put && service.Put != "none":
		// Another state in place of the document's, on which the create handler decides.
		if a.body == nil {
			return outcome, steward.Refused(400, "validation", a.link+" needs a body, a JSON object")
		}
		return w.inTurn(service, a, withoutBuiltIn(a.body), true, steward.OnCreate)
	case a.action == steward.Patch && service.Patch == "merge":
		// Both are JSON: the one was committed, and the other made here.
		merged, _ := json.Marshal(merge(tree([]byte(state)), tree([]byte(withoutBuiltIn(a.body)))))
		text := string(merged)
		outcome.Document = &text
		return outcome, service.checkState(a.body, &text)
	}
	return outcome, notAllowed(a)
}

func (w *world) bury(service *service, a *asked) (*Response, error) {
	state, err := w.state(service, a.link)
	if err != nil {
		return nil, err
	}
	occasions := []steward.Occasion{steward.OnDelete, steward.OnStop}
	if a.cause != steward.CauseClient && a.cause != steward.CauseEffect {
		occasions = occasions[1:]
	}
	whole, err := w.inTurn(service, a, state, true, occasions...)
	if err != nil {
		return nil, err
	}
	response, err := w.answer(service, a.link, steward.Delete, whole, 200)
	if err == nil {
		w.documents[a.link].deleted = true
	}
	return response, err
}

// unasked runs a handler that no client caused on a living document.
func (w *world) unasked(link string, occasion steward.Occasion, cause steward.Cause) error {
	service := w.serviceOf(link)
	if service == nil || !service.handles(string(occasion)) {
		return nil
	}
	state, err := w.state(service, link)
	if err != nil {
		return err
	}
	outcome, err := w.call(service, occasion, state, &asked{action: steward.Patch, link: link, cause: cause}, true)
	if err == nil {
		w.commit(service, link, steward.Patch, outcome)
	}
	return err
}

func (w *world) reply(link string, answer steward.Answer) error {
	service := w.serviceOf(link)
	if service == nil || w.living(link) == nil {
		return nil
	}
	state, err := w.state(service, link)
	if err != nil {
		return err
	}
	request := w.request(&asked{action: steward.Patch, link: link, cause: steward.CauseReply}, true)
	outcome, err := w.within(func() (steward.Outcome, error) { return service.guest.HandleReply(state, answer, request) })
	if err == nil {
		err = service.checkState(nil, outcome.Document)
	}
	if err == nil {
		w.commit(service, link, steward.Patch, outcome)
	}
	return err
}

func (w *world) maintain(link string) error {
	record := w.documents[link]
	if record.maintenance == 0 || record.maintenance > w.now {
		return nil
	}
	err := w.unasked(link, steward.OnMaintenance, steward.CauseMaintenance)
	record.maintenance = 0
	if interval := w.services[record.factory].Interval; interval > 0 {
		record.maintenance = w.now + interval
	}
	return err
}

func (w *world) buryExpired(link string) error {
	expiry := w.documents[link].newest().expiry
	if expiry == 0 || expiry > w.now {
		return nil
	}
	_, err := w.bury(w.serviceOf(link), &asked{action: steward.Delete, link: link, cause: steward.CauseMaintenance})
	if err == nil {
		w.documents[link].forget()
	}
	return err
}

func (w *world) list(factory string) *Response {
	links := []string{}
	for _, link := range w.alive() {
		if w.documents[link].factory == factory {
			links = append(links, link)
		}
	}
	return Answer(200, map[string]any{"documentLinks": links, "documentCount": len(links)})
}

func (w *world) checkVersion(service *service, a *asked) error {
	if !service.has("STRICT_UPDATE_CHECKING") || a.action != steward.Put && a.action != steward.Patch {
		return nil
	}
	var named struct{ DocumentVersion *uint64 }
	// A body that names no version names none.
	_ = json.Unmarshal(a.body, &named)
	have := w.documents[a.link].version()
	if named.DocumentVersion != nil && *named.DocumentVersion == have {
		return nil
	}
	return steward.Refused(409, "version-conflict", fmt.Sprintf("the version is %d, the request names another or none", have))
}

// state returns the state in the shape that the service speaks today.
func (w *world) state(service *service, link string) (string, error) {
	record := w.documents[link]
	if record.stateVersion == service.StateVersion {
		return record.newest().state, nil
	}
	migrated, err := service.guest.Migrate(record.newest().state, record.stateVersion)
	if err != nil {
		return "", err
	}
	return migrated, service.checkState(nil, &migrated)
}

func (w *world) request(a *asked, exists bool) steward.Request {
	request := steward.Request{
		Link: a.link, Query: a.query, Headers: a.headers, Principal: a.principal, Cause: a.cause,
		NowMicros: w.now, Seed: w.next() * 0x9e3779b97f4a7c15, Exists: exists,
	}
	if a.body != nil {
		text := string(a.body)
		request.Body = &text
	}
	if record := w.documents[a.link]; record != nil && exists {
		request.Version, request.ExpiresMicros = record.version(), record.newest().expiry
	}
	return request
}

func (w *world) call(
	service *service, occasion steward.Occasion, state string, a *asked, exists bool,
) (steward.Outcome, error) {
	request := w.request(a, exists)
	outcome, err := w.within(func() (steward.Outcome, error) { return service.guest.Handle(occasion, state, request) })
	if err == nil {
		err = service.checkState(a.body, outcome.Document)
	}
	return outcome, err
}

func (w *world) within(call func() (steward.Outcome, error)) (steward.Outcome, error) {
	before := surroundings.Host
	surroundings.Host = w
	defer func() { surroundings.Host = before }()
	outcome, err := steward.Guarded(call)
	if err == nil && len(outcome.Effects) > effectsMax {
		err = tooManyEffects(len(outcome.Effects))
	}
	return outcome, err
}

// answer commits an outcome, and returns the answer to the one who asked.
func (w *world) answer(
	service *service, link string, action steward.Action, outcome steward.Outcome, status uint16,
) (*Response, error) {
	w.commit(service, link, action, outcome)
	response := &Response{Status: statusOr(outcome.Status, status), Headers: outcome.Headers}
	if outcome.Reply != nil {
		response.Body = []byte(*outcome.Reply)
		return response, nil
	}
	body, err := w.full(link, w.documents[link].version())
	response.Body = body
	return response, err
}

func (w *world) commit(service *service, link string, action steward.Action, outcome steward.Outcome) {
	record := w.documents[link]
	var expiry int64
	if len(record.versions) > 0 {
		expiry = record.newest().expiry
	}
	if outcome.ExpiresMicros != nil {
		expiry = *outcome.ExpiresMicros
	}
	if outcome.Document != nil {
		record.versions = append(record.versions, version{*outcome.Document, action, w.now, expiry})
		record.stateVersion = service.StateVersion
	} else if newest := record.newest(); expiry != newest.expiry {
		// A new expiry alone makes a new version of the same state.
		record.versions = append(record.versions, version{newest.state, action, w.now, expiry})
	}
	w.queue(link, outcome.Effects)
}

func statusOr(status, other uint16) uint16 {
	if status == 0 {
		return other
	}
	return status
}

func joined(first, second steward.Outcome) steward.Outcome {
	whole := second
	if whole.Document == nil {
		whole.Document = first.Document
	}
	if whole.Reply == nil {
		whole.Reply = first.Reply
	}
	if whole.ExpiresMicros == nil {
		whole.ExpiresMicros = first.ExpiresMicros
	}
	whole.Status = statusOr(second.Status, first.Status)
	whole.Headers = append(append([]steward.Header{}, first.Headers...), second.Headers...)
	whole.Effects = append(append([]*steward.Effect{}, first.Effects...), second.Effects...)
	return whole
}

func tooManyEffects(count int) error {
	return steward.Refused(500, "guest-answer",
		fmt.Sprintf("the guest asked for %d effects, %d are allowed in one call", count, effectsMax))
}

// withoutBuiltIn returns a body as a state: without the fields that belong to the host.
func withoutBuiltIn(body []byte) string {
	fields := map[string]json.RawMessage{}
	// What is no object has no fields.
	_ = json.Unmarshal(body, &fields)
	for name := range fields {
		if strings.HasPrefix(name, "document") || name == "kind" {
			delete(fields, name)
		}
	}
	text, _ := json.Marshal(fields)
	return string(text)
}

// merge applies a merge patch. Source: RFC 7396.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	fields, ok := target.(map[string]any)
	if !ok {
		fields = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(fields, name)
		} else {
			fields[name] = merge(fields[name], value)
		}
	}
	return fields
}
