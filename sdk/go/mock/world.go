package mock

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"steward"
	"strings"
)

// service is a guest and what its descriptor says.
type service struct {
	guest        steward.Guest
	Name         string
	Factory      string
	DocumentKind string
	Options      []string
	Handlers     []string
	Interval     int64 `json:"maintenanceIntervalMicros"`
	StateVersion uint32
	Patch        string
	Put          string
	Task         bool
	StateSchema  any
	patterns     patterns
}

func newService(guest steward.Guest) (*service, error) {
	service := &service{guest: guest, patterns: patterns{}}
	text := guest.Describe()
	if err := json.Unmarshal([]byte(text), service); err != nil {
		return nil, fmt.Errorf("the descriptor cannot be read: %w: %s", err, text)
	}
	if service.DocumentKind == "" {
		service.DocumentKind = service.Name
	}
	if service.Factory == "" {
		return nil, fmt.Errorf("the descriptor names no factory: %s", text)
	}
	// With numbers as they are written, as states are compared with it.
	service.StateSchema = at(tree([]byte(text)), "/stateSchema")
	return service, nil
}

func (s *service) has(option string) bool { return slices.Contains(s.Options, option) }

func (s *service) handles(handler string) bool { return slices.Contains(s.Handlers, handler) }

// version is one version of a document; its state is a JSON text without built-in fields.
type version struct {
	state           string
	action          steward.Action
	updated, expiry int64
}

// record is a document, or what is left of it.
type record struct {
	factory string
	// first is the number of the oldest version that is kept: no number is given twice.
	first uint64
	// versions are those that are kept: none of a document that has expired.
	versions     []version
	deleted      bool
	stateVersion uint32
	// maintenance is the next moment of it; 0: never.
	maintenance int64
}

func (r *record) newest() *version { return &r.versions[len(r.versions)-1] }

func (r *record) version() uint64 { return r.first + uint64(len(r.versions)) - 1 }

// forget gives up every version, and goes on counting.
func (r *record) forget() {
	r.first += uint64(len(r.versions))
	r.versions = nil
}

// pending is an effect that waits for its turn.
type pending struct {
	due    int64
	order  uint64
	from   string
	effect *steward.Effect
}

// world is what the mock host remembers.
type world struct {
	services  map[string]*service
	documents map[string]*record
	pending   []pending
	now       int64
	log       []Line
	stats     map[string]float64
	count     uint64
}

func newWorld() *world {
	return &world{services: map[string]*service{}, documents: map[string]*record{}, stats: map[string]float64{}, now: beginning}
}

// next returns 1, 2, 3 …: keys of documents, order of effects, seeds.
func (w *world) next() uint64 {
	w.count++
	return w.count
}

// serviceOf returns the service of a factory, or of the document, or the stateless one above the path.
func (w *world) serviceOf(link string) *service {
	for {
		if service := w.services[link]; service != nil {
			return service
		}
		slash := strings.LastIndexByte(link, '/')
		if slash < 0 {
			return nil
		}
		link = link[:slash]
	}
}

func (w *world) alive() []string {
	var links []string
	for link, record := range w.documents {
		if !record.deleted {
			links = append(links, link)
		}
	}
	slices.Sort(links)
	return links
}

func (w *world) living(link string) *record {
	if record := w.documents[link]; record != nil && !record.deleted {
		return record
	}
	return nil
}

func (w *world) queue(from string, effects []*steward.Effect) {
	for _, effect := range effects {
		if tag, all, ok := cancels(from, effect); ok {
			w.pending = slices.DeleteFunc(w.pending, func(p pending) bool {
				return p.from == from && (all || p.effect.Tag == tag)
			})
		}
	}
	for _, effect := range effects {
		if _, _, ok := cancels(from, effect); ok {
			continue
		}
		w.pending = append(w.pending, pending{w.now + effect.DelayMillis*1000, w.next(), from, effect})
	}
	slices.SortFunc(w.pending, func(a, b pending) int {
		if a.due != b.due {
			return int(min(max(a.due-b.due, -1), 1))
		}
		return int(a.order) - int(b.order)
	})
}

// cancels tells whether an effect gives up others of its document: those with the tag, or all.
func cancels(from string, effect *steward.Effect) (tag string, all, ok bool) {
	path, query, named := strings.Cut(effect.To, "?")
	if effect.Action != steward.Delete || path != from+"/effects" || effect.DelayMillis > 0 || effect.Tag != "" {
		return "", false, false
	}
	// What of a query cannot be read names nothing.
	values, _ := url.ParseQuery(query)
	return values.Get("tag"), !named, true
}

func (w *world) due() *pending {
	if len(w.pending) == 0 || w.pending[0].due > w.now {
		return nil
	}
	first := w.pending[0]
	w.pending = w.pending[1:]
	return &first
}

// nextMoment returns when the next timer, maintenance or expiry is.
func (w *world) nextMoment() (int64, bool) {
	var moments []int64
	if len(w.pending) > 0 {
		moments = append(moments, w.pending[0].due)
	}
	for _, link := range w.alive() {
		record := w.documents[link]
		for _, moment := range []int64{record.maintenance, record.newest().expiry} {
			if moment > 0 {
				moments = append(moments, moment)
			}
		}
	}
	if len(moments) == 0 {
		return 0, false
	}
	return slices.Min(moments), true
}

// full returns a document with its built-in fields: the newest version in the shape of today, earlier ones as they were written.
func (w *world) full(link string, number uint64) ([]byte, error) {
	record := w.documents[link]
	at := record.versions[number-record.first]
	state := at.state
	service := w.services[record.factory]
	if number == record.version() {
		today, err := w.state(service, link)
		if err != nil {
			return nil, err
		}
		state = today
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(state), &fields); err != nil {
		return nil, err
	}
	for name, value := range map[string]any{
		"documentVersion": number, "documentKind": service.DocumentKind, "documentSelfLink": link,
		"documentUpdateTimeMicros": at.updated, "documentUpdateAction": at.action.String(),
		"documentExpirationTimeMicros": at.expiry, "documentOwner": "mock",
	} {
		// Texts and numbers can always be written.
		fields[name], _ = json.Marshal(value)
	}
	return json.Marshal(fields)
}

// Log, Read, Query and Stat are what a guest may ask of its host.

func (w *world) Log(level uint8, message, fields string) {
	w.log = append(w.log, Line{steward.Level(level), message, fields})
}

func (w *world) Read(link string) (string, error) {
	response, err := w.operate(&asked{action: steward.Get, link: link, cause: steward.CauseEffect})
	if err != nil {
		return "", err
	}
	return string(response.Body), nil
}

func (w *world) Query(spec string) (string, error) {
	task, err := w.query([]byte(spec))
	return string(task), err
}

func (w *world) Stat(name string, value float64) { w.stats[name] += value }
