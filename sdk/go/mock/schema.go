package mock

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// What the host asks of a state: that it fits the schema of its service.
//
// Known are type, const, enum, required, properties, additionalProperties, items, allOf, anyOf, oneOf, local references, the bounds of
// numbers, texts and lists, and pattern. Other words of a schema are looked at by the real host alone.

// patterns are the patterns of a schema, by their texts.
//
// They are Go's expressions, which know no look-around and no back references. The host's know neither, and it refuses a module for those.
type patterns map[string]*regexp.Regexp

// read compiles the patterns of a schema, and returns why it could not compile others.
func (p patterns) read(schema any) (unread []error) {
	switch value := schema.(type) {
	case map[string]any:
		if text, ok := value["pattern"].(string); ok {
			pattern, err := regexp.Compile(text)
			if err != nil {
				unread = append(unread, err)
			} else {
				p[text] = pattern
			}
		}
		for _, inside := range value {
			unread = append(unread, p.read(inside)...)
		}
	case []any:
		for _, inside := range value {
			unread = append(unread, p.read(inside)...)
		}
	}
	return unread
}

// misfit is a value that its schema does not take.
type misfit struct {
	// pointer is where it is, or would have to be.
	pointer string
	// reason goes on where the name of the field ends.
	reason string
}

// comparison compares a value with a schema, part by part, and ends at the first misfit.
type comparison struct {
	patterns patterns
	root     any
}

func (c *comparison) value(schema, value any, pointer string) *misfit {
	if schema == false {
		return &misfit{pointer, "is not known here"}
	}
	rules, isObject := schema.(map[string]any)
	if !isObject {
		return nil
	}
	if target, ok := rules["$ref"].(string); ok {
		if wrong := c.value(at(c.root, strings.TrimPrefix(target, "#")), value, pointer); wrong != nil {
			return wrong
		}
	}
	if wrong := c.choices(rules, value, pointer); wrong != nil {
		return wrong
	}
	if wrong := c.kind(rules, value, pointer); wrong != nil {
		return wrong
	}
	switch value := value.(type) {
	case json.Number:
		return number(rules, value, pointer)
	case string:
		if wrong := length(rules, "minLength", "maxLength", utf8.RuneCountInString(value), "characters", pointer); wrong != nil {
			return wrong
		}
		text, _ := rules["pattern"].(string)
		if pattern := c.patterns[text]; pattern != nil && !pattern.MatchString(value) {
			return &misfit{pointer, fmt.Sprintf("must be a text like %s, found %q", text, value)}
		}
	case []any:
		if wrong := length(rules, "minItems", "maxItems", len(value), "elements", pointer); wrong != nil {
			return wrong
		}
		for index, item := range value {
			if wrong := c.value(rules["items"], item, fmt.Sprintf("%s/%d", pointer, index)); wrong != nil {
				return wrong
			}
		}
	case map[string]any:
		return c.fields(rules, value, pointer)
	}
	return nil
}

func (c *comparison) choices(rules map[string]any, value any, pointer string) *misfit {
	parts, _ := rules["allOf"].([]any)
	for _, part := range parts {
		if wrong := c.value(part, value, pointer); wrong != nil {
			return wrong
		}
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		choices, _ := rules[word].([]any)
		var first *misfit
		for _, choice := range choices {
			wrong := c.value(choice, value, pointer)
			if wrong == nil {
				first = nil
				break
			}
			if first == nil || len(wrong.pointer) > len(first.pointer) {
				first = wrong
			}
		}
		if first != nil {
			return first
		}
	}
	return nil
}

func (c *comparison) kind(rules map[string]any, value any, pointer string) *misfit {
	if only, ok := rules["const"]; ok && !reflect.DeepEqual(only, value) {
		return &misfit{pointer, fmt.Sprintf("must be %s, found %s", written(only), written(value))}
	}
	isSame := func(word any) bool { return reflect.DeepEqual(word, value) }
	if words, ok := rules["enum"].([]any); ok && !slices.ContainsFunc(words, isSame) {
		return &misfit{pointer, fmt.Sprintf("must be one of %s, found %s", written(words), written(value))}
	}
	var kinds []any
	switch given := rules["type"].(type) {
	case string:
		kinds = []any{given}
	case []any:
		kinds = given
	}
	if kinds == nil || slices.ContainsFunc(kinds, func(kind any) bool { return is(kind, value) }) {
		return nil
	}
	return &misfit{pointer, fmt.Sprintf("must be of type %s, found %s", strings.Trim(written(kinds), "[]"), written(value))}
}

func (c *comparison) fields(rules, given map[string]any, pointer string) *misfit {
	required, _ := rules["required"].([]any)
	for _, name := range required {
		if _, ok := given[fmt.Sprint(name)]; !ok {
			return &misfit{below(pointer, fmt.Sprint(name)), "is required"}
		}
	}
	own, _ := rules["properties"].(map[string]any)
	_, hasPatterns := rules["patternProperties"]
	for _, name := range inOrder(given) {
		inside, known := own[name]
		if !known && !hasPatterns {
			inside = rules["additionalProperties"]
		}
		if wrong := c.value(inside, given[name], below(pointer, name)); wrong != nil {
			return wrong
		}
	}
	return nil
}

// is tells whether a value, whose numbers are json.Number, is of a type that a schema names.
func is(kind, value any) bool {
	switch value := value.(type) {
	case nil:
		return kind == "null"
	case bool:
		return kind == "boolean"
	case string:
		return kind == "string"
	case []any:
		return kind == "array"
	case map[string]any:
		return kind == "object"
	case json.Number:
		size, _ := value.Float64()
		return kind == "number" || kind == "integer" && size == math.Trunc(size)
	}
	return false
}

func number(rules map[string]any, value json.Number, pointer string) *misfit {
	size, _ := value.Float64()
	for _, bound := range []struct {
		word, told string
		holds      func(limit float64) bool
	}{
		{"minimum", "%v or more", func(limit float64) bool { return size >= limit }},
		{"maximum", "%v or less", func(limit float64) bool { return size <= limit }},
		{"exclusiveMinimum", "more than %v", func(limit float64) bool { return size > limit }},
		{"exclusiveMaximum", "less than %v", func(limit float64) bool { return size < limit }},
	} {
		limit, ok := rules[bound.word].(json.Number)
		if !ok {
			continue
		}
		if size, _ := limit.Float64(); !bound.holds(size) {
			return &misfit{pointer, fmt.Sprintf("must be "+bound.told+", found %s", limit, value)}
		}
	}
	return nil
}

func length(rules map[string]any, least, most string, length int, unit, pointer string) *misfit {
	if limit, ok := rules[least].(json.Number); ok {
		if size, _ := limit.Float64(); float64(length) < size {
			return &misfit{pointer, fmt.Sprintf("must have %s %s or more, has %d", limit, unit, length)}
		}
	}
	if limit, ok := rules[most].(json.Number); ok {
		if size, _ := limit.Float64(); float64(length) > size {
			return &misfit{pointer, fmt.Sprintf("must have %s %s or less, has %d", limit, unit, length)}
		}
	}
	return nil
}

// written returns a value as JSON writes it.
func written(value any) string {
	// It was read from JSON.
	text, _ := json.Marshal(value)
	return string(text)
}

func below(pointer, name string) string {
	return pointer + "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

func inOrder(fields map[string]any) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
