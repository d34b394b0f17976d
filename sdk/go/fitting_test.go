package steward_test

import (
	"encoding/json"
	"steward"
	"steward/mock"
	"testing"
)

// States fit the schema that they came with: what is nil in Go is empty in them, and the mock host refuses what the host would refuse.

type shelf struct {
	Titles []string            `json:"titles" steward:"default"`
	Marks  map[string][]string `json:"marks" steward:"default"`
	Cover  []byte              `json:"cover" steward:"default"`
	Boxes  []box               `json:"boxes" steward:"default"`
	Sealed *[]string           `json:"sealed" steward:"default"`
	Spare  []string            `json:"spare,omitempty"`
	Code   [2]byte             `json:"code" steward:"default"`
}

type box struct {
	Content []string       `json:"content" steward:"default"`
	Weights map[string]int `json:"weights" steward:"default"`
}

var shelves = steward.New(steward.Service[shelf]{
	Factory: "/shelves", StateVersion: 2,
	Patch: steward.Do[shelf](func(s *shelf, _ *steward.Context) error {
		s.Titles, s.Cover, s.Boxes = nil, nil, append(s.Boxes, box{})
		s.Marks["none"] = nil
		return nil
	}),
	Migrate: map[uint32]steward.Migration[shelf]{1: func(string) (shelf, error) { return shelf{}, nil }},
})

func TestListsAndMapsThatAreNilAreEmptyInAState(t *testing.T) {
	host := mock.Serving(t, shelves)
	made := host.Post("/shelves", `{"documentSelfLink": "a"}`)
	made.Has("/titles", []string{}).Has("/marks", struct{}{}).Has("/cover", "").Has("/boxes", []string{}).Has("/code", []int{0, 0})
	made.Has("/sealed", nil).Has("/spare", nil)
	changed := host.Patch("/shelves/a", `{}`)
	changed.Has("/titles", []string{}).Has("/cover", "").Has("/marks/none", []string{})
	changed.Has("/boxes/0/content", []string{}).Has("/boxes/0/weights", struct{}{})
	host.Put("/shelves/a", `{"boxes": [{}]}`).Has("/titles", []string{}).Has("/boxes/0/content", []string{})
	migrated, err := shelves.Migrate(`{}`, 1)
	if want := `{"titles":[],"marks":{},"cover":"","boxes":[],"sealed":null,"code":[0,0]}`; err != nil || migrated != want {
		t.Errorf("%s %v", migrated, err)
	}
}

// spoiler leaves whatever state its body asks for, whatever its schema says.
type spoiler struct {
	steward.Guest
	schema string
}

func (s spoiler) Describe() string {
	return `{"name": "spoiler", "factory": "/spoilers", "handlers": ["handle-create", "handle-patch"], "stateSchema": ` + s.schema + `}`
}

func (s spoiler) Handle(occasion steward.Occasion, document string, request steward.Request) (steward.Outcome, error) {
	if occasion == steward.OnCreate {
		document = `{"count": 1}`
	} else {
		var body struct{ Leave json.RawMessage }
		if err := json.Unmarshal([]byte(*request.Body), &body); err != nil {
			return steward.Outcome{}, err
		}
		document = string(body.Leave)
	}
	return steward.Outcome{Document: &document}, nil
}

func TestTheMockHostRefusesStatesThatBreakTheirSchema(t *testing.T) {
	schema := `{"type": "object", "required": ["count"], "additionalProperties": false, "properties": {
		"count": {"type": "integer", "minimum": 1, "maximum": 9},
		"names": {"type": "array", "items": {"$ref": "#/$defs/name"}, "maxItems": 2},
		"marks": {"type": "object", "additionalProperties": {"type": ["number", "null"]}},
		"stage": {"enum": ["ONE", "TWO"]},
		"owner": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]}
	}, "$defs": {"name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5}}}`
	host := mock.Serving(t, spoiler{schema: schema})
	host.Post("/spoilers", `{"documentSelfLink": "a"}`).Has("/count", 1)
	for _, wrong := range []string{
		`{}`, `[]`, `{"count": null}`, `{"count": "1"}`, `{"count": 1.5}`, `{"count": 0}`, `{"count": 10}`, `{"count": 1, "cuont": 1}`,
		`{"count": 1, "names": null}`, `{"count": 1, "names": {}}`, `{"count": 1, "names": [1]}`, `{"count": 1, "names": ["A"]}`,
		`{"count": 1, "names": ["abcdef"]}`, `{"count": 1, "names": ["a", "b", "c"]}`, `{"count": 1, "marks": {"a": "b"}}`,
		`{"count": 1, "stage": "THREE"}`, `{"count": 1, "owner": ""}`, `{"count": 1, "owner": 1}`,
	} {
		refused := host.Patch("/spoilers/a", `{"leave": `+wrong+`}`)
		if refused.Status != 500 || refused.Field("/code") != "guest-outcome" {
			t.Errorf("%s: %d %s", wrong, refused.Status, refused.Body)
		}
	}
	host.Patch("/spoilers/a", `{"leave": {"count": 0}, "count": 0}`).IsRefused(400, "/count")
	right := `{"count": 9, "names": ["a", "abcde"], "marks": {"a": 1.5, "b": null}, "stage": "TWO", "owner": null}`
	host.Patch("/spoilers/a", `{"leave": `+right+`}`).Has("/owner", nil).Has("/marks/a", 1.5).Has("/count", 9)
	if versions := host.Versions("/spoilers/a"); len(versions) != 2 {
		t.Errorf("a refusal changes nothing: %v", versions)
	}
}
