package steward

import (
	"unsafe"
)

// The functions of a component, in the layout of the component model's canonical ABI for the world in wit/.
//
// What the host hands over lies in an arena that is free again when the call ends, so all of it is copied. What the service hands back
// is held by handed until the next call begins: by then the host has copied it.

//go:wasmimport steward:sdk begin
func begin(nowNanos int64, seed uint64)

//go:wasmimport steward:sdk end
func end()

//go:wasmimport steward:sdk arena
func setArena(address, bytes uint32)

// arenaBytes is what the host can hand over without asking Go for memory.
const arenaBytes = 64 << 10

var (
	arena [arenaBytes / 8]uint64
	// beyond holds what did not fit into the arena.
	beyond [][]uint64
	handed result
	texts  []string
)

func init() {
	setArena(addressOf(unsafe.Pointer(&arena)), arenaBytes)
}

// allocate is called when the arena is full.
//
//go:wasmexport steward-allocate
func allocate(bytes uint32) uint32 {
	memory := make([]uint64, (bytes+7)/8+1)
	beyond = append(beyond, memory)
	return addressOf(unsafe.Pointer(unsafe.SliceData(memory)))
}

type text struct{ address, bytes uint32 }

type list struct{ address, count uint32 }

type optional struct {
	given uint32
	text  text
}

type header struct{ name, value text }

type request struct {
	link, query text
	headers     list
	body        optional
	principal   text
	cause       uint8
	_           [3]byte
	nowMicros   int64
	seed        uint64
	version     uint64
	exists      bool
	_           [7]byte
	expires     int64
}

type reply struct {
	status  uint16
	_       [2]byte
	headers list
	body    optional
	from    text
}

type called struct {
	document text
	request  request
}

type replied struct {
	document, tag text
	reply         reply
	request       request
}

type effect struct {
	to      text
	action  uint8
	_       [3]byte
	headers list
	body    optional
	delay   int64
	tag     text
}

type outcome struct {
	document optional
	status   uint16
	_        [2]byte
	headers  list
	reply    optional
	effects  list
	_        [4]byte
	expires  struct {
		given uint64
		value int64
	}
}

type faulty struct {
	status                 uint16
	_                      [2]byte
	code, message, pointer text
}

// result is `result<outcome, fault>`: the fault lies where the outcome would.
type result struct {
	failed uint64
	ok     outcome
}

// jsonResult is `result<json, fault>`.
type jsonResult struct {
	failed uint32
	fault  faulty
}

func addressOf(pointer unsafe.Pointer) uint32 { return uint32(uintptr(pointer)) }

func at[T any](address uint32) *T { return (*T)(unsafe.Pointer(uintptr(address))) }

func (t text) lift() string {
	if t.bytes == 0 {
		return ""
	}
	return string(unsafe.Slice(at[byte](t.address), t.bytes))
}

func (o *optional) lift() *string {
	// The discriminant is one byte; the host leaves those beside it as they are.
	if uint8(o.given) == 0 {
		return nil
	}
	text := o.text.lift()
	return &text
}

func (l list) lift() []Header {
	if l.count == 0 {
		return nil
	}
	headers := make([]Header, l.count)
	for i, header := range unsafe.Slice(at[header](l.address), l.count) {
		headers[i] = Header{header.name.lift(), header.value.lift()}
	}
	return headers
}

func (r *request) lift() Request {
	return Request{
		Link: r.link.lift(), Query: r.query.lift(), Headers: r.headers.lift(), Body: r.body.lift(),
		Principal: r.principal.lift(), Cause: Cause(r.cause), NowMicros: r.nowMicros, Seed: r.seed, Version: r.version,
		Exists: r.exists, ExpiresMicros: r.expires,
	}
}

func (r *reply) lift(tag string) Answer {
	return Answer{Tag: tag, Status: r.status, Headers: r.headers.lift(), Body: r.body.lift(), From: r.from.lift()}
}

// lower returns where a text lies, and holds it there.
func lower(value string) text {
	texts = append(texts, value)
	return lent(value)
}

// lent returns where a text lies that its owner holds.
func lent(value string) text {
	return text{addressOf(unsafe.Pointer(unsafe.StringData(value))), uint32(len(value))}
}

func lowerOptional(value *string) optional {
	if value == nil {
		return optional{}
	}
	return optional{1, lower(*value)}
}

// held keeps lists that were handed over.
var held []any

func lowerList[T, U any](items []T, convert func(T) U) list {
	if len(items) == 0 {
		return list{}
	}
	lowered := make([]U, len(items))
	for i, item := range items {
		lowered[i] = convert(item)
	}
	held = append(held, lowered)
	return list{addressOf(unsafe.Pointer(unsafe.SliceData(lowered))), uint32(len(items))}
}

func lowerHeader(h Header) header { return header{lower(h.Name), lower(h.Value)} }

func lowerEffect(e *Effect) effect {
	return effect{
		to: lower(e.To), action: uint8(e.Action), headers: lowerList(e.Headers, lowerHeader), body: lowerOptional(e.Body),
		delay: e.DelayMillis, tag: lower(e.Tag),
	}
}

func lowerFault(err error) faulty {
	fault := FaultOf(err)
	return faulty{
		status: fault.Status, code: lower(fault.Code), message: lower(fault.Message), pointer: lower(fault.Pointer),
	}
}

func lowerOutcome(decided Outcome, err error) uint32 {
	handed = result{}
	if err != nil {
		handed.failed = 1
		*(*faulty)(unsafe.Pointer(&handed.ok)) = lowerFault(err)
		return addressOf(unsafe.Pointer(&handed))
	}
	handed.ok = outcome{
		document: lowerOptional(decided.Document), status: decided.Status,
		headers: lowerList(decided.Headers, lowerHeader), reply: lowerOptional(decided.Reply),
		effects: lowerList(decided.Effects, lowerEffect),
	}
	if decided.ExpiresMicros != nil {
		handed.ok.expires.given, handed.ok.expires.value = 1, *decided.ExpiresMicros
	}
	return addressOf(unsafe.Pointer(&handed))
}

func lowerJSON(value string, err error) uint32 {
	answer := (*jsonResult)(unsafe.Pointer(&handed))
	*answer = jsonResult{}
	if err != nil {
		answer.failed, answer.fault = 1, lowerFault(err)
	} else {
		*(*text)(unsafe.Pointer(&answer.fault)) = lower(value)
	}
	return addressOf(unsafe.Pointer(answer))
}

// enter begins a call: what the call before has handed over is free.
func enter(nowMicros int64, seed uint64) {
	begin(nowMicros*1000, seed)
	clear(texts)
	clear(held)
	texts, held = texts[:0], held[:0]
}

// leave ends a call: what the host has handed over is free.
func leave() {
	beyond = nil
	end()
}

func handle(occasion Occasion, address uint32) uint32 {
	call := at[called](address)
	document, asked := call.document.lift(), call.request.lift()
	enter(asked.NowMicros, asked.Seed)
	defer leave()
	return lowerOutcome(Guarded(func() (Outcome, error) { return service().Handle(occasion, document, asked) }))
}

func service() Guest {
	if exported == nil {
		panic("steward: nothing is served; write: var service = steward.Serve(steward.Service[…]{…})")
	}
	return exported
}

//go:wasmexport steward:service/service@0.1.0#describe
func describe() uint32 {
	enter(0, 0)
	defer leave()
	described := (*text)(unsafe.Pointer(&handed))
	*described = lower(service().Describe())
	return addressOf(unsafe.Pointer(described))
}

//go:wasmexport steward:service/service@0.1.0#handle-create
func handleCreate(call uint32) uint32 { return handle(OnCreate, call) }

//go:wasmexport steward:service/service@0.1.0#handle-start
func handleStart(call uint32) uint32 { return handle(OnStart, call) }

//go:wasmexport steward:service/service@0.1.0#handle-stop
func handleStop(call uint32) uint32 { return handle(OnStop, call) }

//go:wasmexport steward:service/service@0.1.0#handle-get
func handleGet(call uint32) uint32 { return handle(OnGet, call) }

//go:wasmexport steward:service/service@0.1.0#handle-post
func handlePost(call uint32) uint32 { return handle(OnPost, call) }

//go:wasmexport steward:service/service@0.1.0#handle-put
func handlePut(call uint32) uint32 { return handle(OnPut, call) }

//go:wasmexport steward:service/service@0.1.0#handle-patch
func handlePatch(call uint32) uint32 { return handle(OnPatch, call) }

//go:wasmexport steward:service/service@0.1.0#handle-delete
func handleDelete(call uint32) uint32 { return handle(OnDelete, call) }

//go:wasmexport steward:service/service@0.1.0#handle-maintenance
func handleMaintenance(call uint32) uint32 { return handle(OnMaintenance, call) }

//go:wasmexport steward:service/service@0.1.0#handle-reply
func handleReply(address uint32) uint32 {
	call := at[replied](address)
	document, answer, asked := call.document.lift(), call.reply.lift(call.tag.lift()), call.request.lift()
	enter(asked.NowMicros, asked.Seed)
	defer leave()
	return lowerOutcome(Guarded(func() (Outcome, error) { return service().HandleReply(document, answer, asked) }))
}

//go:wasmexport steward:service/service@0.1.0#migrate
func migrate(address, bytes, from uint32) uint32 {
	document := text{address, bytes}.lift()
	enter(0, 0)
	defer leave()
	return lowerJSON(Guarded(func() (string, error) { return service().Migrate(document, from) }))
}

//go:wasmexport steward:service/service@0.1.0#merge
func merge(oursAddress, oursBytes, theirsAddress, theirsBytes uint32) uint32 {
	ours, theirs := text{oursAddress, oursBytes}.lift(), text{theirsAddress, theirsBytes}.lift()
	enter(0, 0)
	defer leave()
	return lowerJSON(Guarded(func() (string, error) { return service().Merge(ours, theirs) }))
}
