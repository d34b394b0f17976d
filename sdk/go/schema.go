package steward

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

type kind int

const (
	anything kind = iota
	object
	mapping
	listing
	wording
	integer
	number
	truth
)

// shape is what is known of a type: what JSON it takes, and which bounds it has. It is made once per type.
type shape struct {
	kind     kind
	fields   []field
	items    *shape
	nullable bool
	unsigned bool
	format   string
	docs     string
	choices  []string
	// Bounds of numbers; of texts and lists their length. Nil: none.
	min, max *float64
	// constrained is true if a value of the type may break a bound.
	constrained bool
	// nested is true if a field below the first level has a default.
	nested bool
	// hollow is true if a value of the type may hold a list, a map or bytes that encoding/json writes as null while they are nil.
	hollow bool
}

type field struct {
	name     string
	index    []int
	shape    *shape
	required bool
	// omitted is true if encoding/json leaves the field out while it is empty.
	omitted bool
	// fallback is the JSON text of the default; empty: the zero value.
	fallback string
}

var shapes = map[reflect.Type]*shape{}

// shapeOf returns the shape of a type. It panics if a tag cannot be understood.
func shapeOf(t reflect.Type) *shape {
	if known, ok := shapes[t]; ok {
		return known
	}
	s := &shape{}
	shapes[t] = s
	s.fill(t)
	return s
}

func (s *shape) fill(t reflect.Type) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		s.kind, s.format = wording, "date-time"
		return
	case t.Kind() != reflect.Pointer && implements[json.Marshaler](t):
		return
	case t.Kind() != reflect.Pointer && implements[encoding.TextMarshaler](t):
		s.kind = wording
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		s.kind = truth
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind, s.format = integer, t.Kind().String()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		s.kind, s.format, s.unsigned = integer, t.Kind().String(), true
	case reflect.Float32, reflect.Float64:
		s.kind = number
	case reflect.String:
		s.kind = wording
	case reflect.Slice, reflect.Array:
		s.kind, s.hollow = listing, t.Kind() == reflect.Slice
		if s.hollow && t.Elem().Kind() == reflect.Uint8 {
			// Bytes that may grow are written as a text; those of an array as a list of numbers.
			s.kind = wording
			return
		}
		s.inherit(shapeOf(t.Elem()))
	case reflect.Map:
		s.kind, s.hollow = mapping, true
		s.inherit(shapeOf(t.Elem()))
	case reflect.Pointer:
		// Its own copy: bounds of a field are those of this field alone.
		*s = *shapeOf(t.Elem())
		s.nullable = true
	case reflect.Struct:
		s.kind = object
		s.addFields(t, nil)
	case reflect.Interface:
	default:
		panic(fmt.Sprintf("steward: a value of type %v has no JSON form", t))
	}
}

func (s *shape) inherit(items *shape) {
	s.items = items
	s.constrained = s.constrained || items.constrained
	s.nested = s.nested || items.nested || items.hasDefaults()
	s.hollow = s.hollow || items.hollow
}

func (s *shape) hasDefaults() bool {
	for _, field := range s.fields {
		if field.fallback != "" {
			return true
		}
	}
	return false
}

func implements[I any](t reflect.Type) bool {
	i := reflect.TypeFor[I]()
	return t.Implements(i) || reflect.PointerTo(t).Implements(i)
}

func (s *shape) addFields(t reflect.Type, above []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int{}, above...), i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			s.addFields(f.Type, index)
			continue
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		omitted := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		added := field{name: name, index: index, required: !omitted && f.Type.Kind() != reflect.Pointer, omitted: omitted}
		own := *shapeOf(f.Type)
		own.docs = f.Tag.Get("doc")
		added.shape = &own
		added.read(t, f)
		s.constrained = s.constrained || own.constrained
		s.nested = s.nested || own.nested || own.hasDefaults()
		s.hollow = s.hollow || own.hollow
		s.fields = append(s.fields, added)
	}
}

// read reads the tag of a field: default, default=1, min=1, max=9, enum=ONE|TWO.
func (f *field) read(t reflect.Type, of reflect.StructField) {
	tag := of.Tag.Get("steward")
	wrong := func(word, why string) {
		panic(fmt.Sprintf("steward: field %v.%s has the tag %q: %s", t, of.Name, word, why))
	}
	for _, word := range strings.Split(tag, ",") {
		name, value, given := strings.Cut(word, "=")
		switch name {
		case "":
		case "default":
			f.required = false
			if given {
				f.fallback = fallback(f.shape, value)
				if !json.Valid([]byte(f.fallback)) {
					wrong(word, "the value is none of its type")
				}
			}
		case "min", "max":
			bound, err := strconv.ParseFloat(value, 64)
			if err != nil {
				wrong(word, "the bound is no number")
			}
			if name == "min" {
				f.shape.min = &bound
			} else {
				f.shape.max = &bound
			}
			f.shape.constrained = true
		case "enum":
			f.shape.choices = strings.Split(value, "|")
			f.shape.constrained = true
		default:
			wrong(word, "there are default, min, max and enum")
		}
	}
}

// fallback returns the JSON text of a default.
func fallback(of *shape, value string) string {
	if of.kind != wording {
		return value
	}
	// A text can always be written.
	text, _ := json.Marshal(value)
	return string(text)
}

// schema returns the JSON Schema.
func (s *shape) schema() map[string]any { return s.write(map[*shape]bool{}) }

func (s *shape) write(above map[*shape]bool) map[string]any {
	schema := map[string]any{}
	if s == nil {
		schema["type"] = "object"
		return schema
	}
	if s.items != nil && above[s.items] {
		// A type that contains itself: what is inside is checked by the module, the schema leaves it open.
		return schema
	}
	name := [...]string{"", "object", "object", "array", "string", "integer", "number", "boolean"}[s.kind]
	switch {
	case name == "":
	case s.nullable:
		schema["type"] = []string{name, "null"}
	default:
		schema["type"] = name
	}
	set := func(word string, value any, given bool) {
		if given {
			schema[word] = value
		}
	}
	set("format", s.format, s.format != "")
	set("description", s.docs, s.docs != "")
	if s.unsigned {
		schema["minimum"] = 0
	}
	least, most := "minimum", "maximum"
	switch s.kind {
	case wording:
		least, most = "minLength", "maxLength"
	case listing:
		least, most = "minItems", "maxItems"
	}
	if s.min != nil {
		schema[least] = *s.min
	}
	if s.max != nil {
		schema[most] = *s.max
	}
	if s.choices != nil {
		choices := []any{}
		for _, choice := range s.choices {
			choices = append(choices, json.RawMessage(fallback(s, choice)))
		}
		if s.nullable {
			choices = append(choices, nil)
		}
		schema["enum"] = choices
	}
	if s.items != nil {
		above[s.items] = true
		inside := s.items.write(above)
		delete(above, s.items)
		set("items", inside, s.kind == listing)
		set("additionalProperties", inside, s.kind == mapping)
	}
	if s.kind == object {
		s.writeFields(schema, above)
	}
	return schema
}

func (s *shape) writeFields(schema map[string]any, above map[*shape]bool) {
	properties, required := map[string]any{}, []string{}
	for _, field := range s.fields {
		property := field.shape.write(above)
		if field.fallback != "" {
			property["default"] = json.RawMessage(field.fallback)
		}
		properties[field.name] = property
		if field.required {
			required = append(required, field.name)
		}
	}
	schema["properties"] = properties
	if len(required) > 0 {
		schema["required"] = required
	}
}
