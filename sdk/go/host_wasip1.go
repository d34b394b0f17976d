package steward

import (
	"runtime"
	"unsafe"
)

//go:wasmimport steward:service/host@0.1.0 log
//go:noescape
func importLog(level, message, messageBytes, fields, fieldsBytes uint32)

//go:wasmimport steward:service/host@0.1.0 read
func importRead(link, linkBytes, answer uint32)

//go:wasmimport steward:service/host@0.1.0 query
func importQuery(spec, specBytes, answer uint32)

//go:wasmimport steward:service/host@0.1.0 stat
func importStat(name, nameBytes uint32, value float64)

func hostLog(level Level, message, fields string) {
	m, f := lent(message), lent(fields)
	importLog(uint32(level), m.address, m.bytes, f.address, f.bytes)
	runtime.KeepAlive(message)
	runtime.KeepAlive(fields)
}

func hostRead(link string) (string, *Fault) { return ask(importRead, link) }

func hostQuery(spec string) (string, *Fault) { return ask(importQuery, spec) }

// ask lets the host write its answer to a place that neither moves nor is used twice, since a service waits for one answer at a time.
func ask(imported func(address, bytes, answer uint32), asked string) (string, *Fault) {
	answer := &waited
	// Held, since a long answer asks Go for memory while this waits.
	lowered := lower(asked)
	imported(lowered.address, lowered.bytes, addressOf(unsafe.Pointer(answer)))
	if uint8(answer.failed) == 0 {
		return (*text)(unsafe.Pointer(&answer.fault)).lift(), nil
	}
	f := &answer.fault
	return "", &Fault{Status: f.status, Code: f.code.lift(), Message: f.message.lift(), Pointer: f.pointer.lift()}
}

var waited jsonResult

func hostStat(name string, value float64) {
	lowered := lent(name)
	importStat(lowered.address, lowered.bytes, value)
	runtime.KeepAlive(name)
}
