// A to-do list: several kinds of PATCH, checks that point at the field, and a state that has outgrown its first shape.
//
// Lists of state version 1 held bare texts. They are read through fromV1 whenever one is touched.
package main

import (
	"fmt"
	"slices"
	"steward"
)

// Todo is a list. Whoever posts it first makes it; posting it again replaces it.
type Todo struct {
	Title string `json:"title" steward:"min=1,max=200" doc:"What the list is about."`
	Items []Item `json:"items" steward:"default=[],max=1000" doc:"What is to be done, the oldest first."`
	// The id that the next item gets; ids are never used again.
	NextID uint64 `json:"nextId" steward:"default=1,min=1"`
}

// Item is one thing to do.
type Item struct {
	ID   uint64 `json:"id"`
	Text string `json:"text" steward:"min=1,max=1000"`
	Done bool   `json:"done" steward:"default"`
}

// TodoV1 is the list as state version 1 kept it.
type TodoV1 struct {
	Title string   `json:"title"`
	Items []string `json:"items" steward:"default=[]"`
}

type Add struct {
	Text string `json:"text" steward:"min=1"`
}

type Complete struct {
	ID   uint64 `json:"id"`
	Done bool   `json:"done" steward:"default=true"`
}

type Remove struct {
	ID uint64 `json:"id"`
}

type Rename struct {
	Title string `json:"title"`
}

var service = steward.Serve(steward.Service[Todo]{
	Factory:      "/core/todos",
	Docs:         "A to-do list.",
	Options:      []steward.Option{steward.Persistence, steward.Replication, steward.OwnerSelection, steward.IdempotentPost},
	StateVersion: 2,
	Create:       (*Todo).checkIDs,
	Patch: steward.Kinds[Todo]{
		"add":      steward.With((*Todo).add),
		"complete": steward.With((*Todo).complete),
		"remove":   steward.With((*Todo).remove),
		"rename": steward.With(func(t *Todo, _ *steward.Context, rename Rename) error {
			t.Title = rename.Title
			return nil
		}),
	},
	Migrate: map[uint32]steward.Migration[Todo]{1: steward.From(fromV1)},
})

func (t *Todo) add(_ *steward.Context, add Add) error {
	t.Items = append(t.Items, Item{ID: t.NextID, Text: add.Text})
	t.NextID++
	return nil
}

func (t *Todo) complete(_ *steward.Context, complete Complete) error {
	at := slices.IndexFunc(t.Items, func(item Item) bool { return item.ID == complete.ID })
	if at < 0 {
		return steward.Invalid("id", "there is no item %d", complete.ID)
	}
	t.Items[at].Done = complete.Done
	return nil
}

func (t *Todo) remove(ctx *steward.Context, remove Remove) error {
	before := len(t.Items)
	t.Items = slices.DeleteFunc(t.Items, func(item Item) bool { return item.ID == remove.ID })
	if len(t.Items) == before {
		// Whoever removes an item twice gets what they want; it makes no second version.
		ctx.Unchanged()
	}
	return nil
}

// checkIDs refuses a list that a client sent with ids which are not its own.
func (t *Todo) checkIDs(*steward.Context) error {
	var last uint64
	for i, item := range t.Items {
		if item.ID <= last {
			return steward.Invalid(fmt.Sprintf("items/%d/id", i), "ids must rise from 1")
		}
		last = item.ID
	}
	t.NextID = max(t.NextID, last+1)
	return nil
}

func fromV1(old TodoV1) (Todo, error) {
	list := Todo{Title: old.Title, Items: []Item{}, NextID: uint64(len(old.Items)) + 1}
	for i, text := range old.Items {
		list.Items = append(list.Items, Item{ID: uint64(i) + 1, Text: text})
	}
	return list, nil
}

func main() {}
