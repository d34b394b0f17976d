package main

import (
	"steward"
	"steward/mock"
	"testing"
)

// What a to-do list promises.

func list(t *testing.T) (*mock.Host, string) {
	host := mock.Serving(t, service)
	return host, host.Post("/core/todos", `{"title": "house"}`).Link()
}

func TestItemsAreAddedCompletedAndRemoved(t *testing.T) {
	host, link := list(t)
	host.Patch(link, `{"kind": "add", "text": "sweep"}`)
	host.Patch(link, `{"kind": "add", "text": "mop"}`)
	host.Patch(link, `{"kind": "complete", "id": 1}`)
	removed := host.Patch(link, `{"kind": "remove", "id": 2}`)
	removed.Has("/items", []Item{{ID: 1, Text: "sweep", Done: true}})
	host.Patch(link, `{"kind": "add", "text": "dust"}`).Has("/items/1/id", 3)
}

func TestRemovingTwiceMakesNoSecondVersion(t *testing.T) {
	host, link := list(t)
	host.Patch(link, `{"kind": "add", "text": "sweep"}`)
	host.Patch(link, `{"kind": "remove", "id": 1}`).Has("/documentVersion", 2)
	host.Patch(link, `{"kind": "remove", "id": 1}`).Has("/documentVersion", 2)
}

func TestMistakesAreRefusedWithTheirField(t *testing.T) {
	host, link := list(t)
	for body, pointer := range map[string]string{
		`{}`:            "/title",
		`{"title": ""}`: "/title",
		`{"title": "t", "items": [{"id": 1, "text": ""}]}`:          "/items/0/text",
		`{"title": "t", "items": [{"id": 0, "text": "sweep"}]}`:     "/items/0/id",
		`{"title": "t", "items": [{"id": "one", "text": "sweep"}]}`: "/items/0/id",
	} {
		host.Post("/core/todos", body).IsRefused(400, pointer)
	}
	for body, pointer := range map[string]string{
		`{"kind": "complete", "id": 7}`:   "/id",
		`{"kind": "add"}`:                 "/text",
		`{"kind": "rename", "title": ""}`: "/title",
		`{"kind": "burn"}`:                "/kind",
		`{}`:                              "/kind",
	} {
		host.Patch(link, body).IsRefused(400, pointer)
	}
	if versions := host.Versions(link); len(versions) != 1 {
		t.Errorf("there are %d versions", len(versions))
	}
}

func TestPostingAListAgainReplacesIt(t *testing.T) {
	host := mock.Serving(t, service)
	host.Post("/core/todos", `{"documentSelfLink": "a", "title": "one"}`)
	again := host.Post("/core/todos", `{"documentSelfLink": "a", "title": "two"}`)
	again.Has("/documentVersion", 1).Has("/title", "two")
}

func TestListsOfTheFirstVersionAreRead(t *testing.T) {
	first := steward.New(steward.Service[TodoV1]{Name: "todo", Factory: "/core/todos"})
	host := mock.Serving(t, first)
	link := host.Post("/core/todos", `{"title": "house", "items": ["sweep", "mop"]}`).Link()
	host.With(service)
	patched := host.Patch(link, `{"kind": "complete", "id": 2}`)
	patched.Has("/documentVersion", 1).Has("/items", []Item{{1, "sweep", false}, {2, "mop", true}})
}
