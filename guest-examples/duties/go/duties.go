// A diary of a document's life, as guest-examples/duties is in Rust: which handlers ran, and what came of the requests that it was told to
// send. And what a service can do wrong, when it is told to.
package main

import (
	"fmt"
	"steward"
	"time"
)

// Diary is what a document's life has left behind.
type Diary struct {
	Heir    string   `json:"heir" steward:"default" doc:"Another diary that is told when this one ends."`
	Creates uint64   `json:"creates" steward:"default"`
	Starts  uint64   `json:"starts" steward:"default"`
	Ticks   uint64   `json:"ticks" steward:"default"`
	Notes   []string `json:"notes" steward:"default=[]"`
	Replies []string `json:"replies" steward:"default=[]"`
}

// Letter is a note to write into another diary.
type Letter struct {
	To          string `json:"to"`
	Note        string `json:"note"`
	DelayMillis uint64 `json:"delayMillis" steward:"default"`
	Tag         string `json:"tag" steward:"default"`
}

// Entry is what a diary is told.
type Entry struct {
	Note            *string  `json:"note"`
	Letters         []Letter `json:"letters" steward:"default=[]"`
	ExpiresInMillis *int64   `json:"expiresInMillis"`
	Cancel          *string  `json:"cancel" doc:"The tag of letters that are not to be sent any more."`
}

// Message is what one diary sends to another.
type Message struct {
	Note string `json:"note"`
}

var service = steward.Serve(steward.Service[Diary]{
	Factory:  "/core/diaries",
	Eager:    true,
	NoPut:    true,
	Options:  []steward.Option{steward.Persistence, steward.Replication, steward.OwnerSelection, steward.Instrumentation},
	Outbound: []string{"127.0.0.1"},
	Create: func(d *Diary, ctx *steward.Context) error {
		d.Creates++
		return nil
	},
	Start: func(d *Diary, ctx *steward.Context) error {
		d.Starts++
		return nil
	},
	Stop: (*Diary).stop,
	Patch: steward.Kinds[Diary]{
		"":        steward.With((*Diary).write),
		"trap":    steward.Do[Diary](trap),
		"loop":    steward.Do[Diary](loop),
		"recurse": steward.Do[Diary](recurse),
		"hoard":   steward.Do[Diary](hoard),
	},
	Maintenance: steward.Every(100*time.Millisecond, func(d *Diary, ctx *steward.Context) error {
		d.Ticks++
		return nil
	}),
	Replies: map[string]func(*Diary, *steward.Context, *steward.Answer) error{"": (*Diary).answered},
})

func (d *Diary) stop(ctx *steward.Context) error {
	if d.Heir != "" {
		ctx.Patch(d.Heir, Message{ctx.Key() + " ended"})
	}
	return nil
}

func (d *Diary) write(ctx *steward.Context, entry Entry) error {
	ctx.Stat("letters", float64(len(entry.Letters)))
	if entry.Note != nil {
		d.Notes = append(d.Notes, *entry.Note)
	}
	if entry.Cancel != nil {
		ctx.Cancel(*entry.Cancel)
	}
	for _, letter := range entry.Letters {
		effect := ctx.Patch(letter.To, Message{letter.Note})
		effect.After(time.Duration(letter.DelayMillis) * time.Millisecond).ReplyTag(letter.Tag)
	}
	if entry.ExpiresInMillis != nil {
		ctx.ExpireIn(time.Duration(*entry.ExpiresInMillis) * time.Millisecond)
	}
	return nil
}

func (d *Diary) answered(_ *steward.Context, answer *steward.Answer) error {
	d.Replies = append(d.Replies, fmt.Sprintf("%s %d", answer.Tag, answer.Status))
	return nil
}

func trap(*Diary, *steward.Context) error { panic("told to") }

func loop(*Diary, *steward.Context) error {
	for {
	}
}

func recurse(d *Diary, _ *steward.Context) error {
	d.Ticks = deep(1)
	return nil
}

func deep(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return deep(n+1) + n
}

func hoard(*Diary, *steward.Context) error {
	var hoard [][]byte
	for {
		hoard = append(hoard, make([]byte, 1<<20))
	}
}

func main() {}
