package steward

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// read reads what a client sent. The fault points at the first field that does not fit.
func (s *shape) read(text string, into reflect.Value) *Fault {
	tree, fault := parse(text)
	if fault != nil {
		return fault
	}
	if fault := s.check(tree, ""); fault != nil {
		return fault
	}
	if s.forget(tree) {
		// It was JSON a moment ago, and is still.
		exact, _ := json.Marshal(tree)
		text = string(exact)
	}
	if err := json.Unmarshal([]byte(text), into.Addr().Interface()); err != nil {
		// What the types cannot say, a text that must parse, say, has no pointer.
		return Invalid("", "body does not fit: %v", err)
	}
	s.complete(tree, into)
	return s.bounds(into, "")
}

// forget removes what encoding/json would take for a field although it is written in another case, and returns true if there was
// something: fields have one name, in every language.
func (s *shape) forget(tree any) (forgotten bool) {
	switch value := tree.(type) {
	case map[string]any:
		if s.kind == object {
			return s.forgetStrangers(value)
		}
		if s.kind == mapping {
			for _, item := range value {
				forgotten = s.items.forget(item) || forgotten
			}
		}
	case []any:
		if s.kind == listing {
			for _, item := range value {
				forgotten = s.items.forget(item) || forgotten
			}
		}
	}
	return forgotten
}

func (s *shape) forgetStrangers(given map[string]any) (forgotten bool) {
	isField := map[string]bool{}
	for _, field := range s.fields {
		isField[field.name] = true
		if value, ok := given[field.name]; ok {
			forgotten = field.shape.forget(value) || forgotten
		}
	}
	for name := range given {
		isMeant := func(one field) bool { return strings.EqualFold(one.name, name) }
		if !isField[name] && slices.ContainsFunc(s.fields, isMeant) {
			delete(given, name)
			forgotten = true
		}
	}
	return forgotten
}

// restore reads a state that the host kept.
func (s *shape) restore(text string, into reflect.Value) *Fault {
	if !s.nested {
		s.completeEmpty(into)
	}
	err := json.Unmarshal([]byte(text), into.Addr().Interface())
	if err != nil {
		return Refused(500, "state-unreadable",
			fmt.Sprintf("stored state does not fit this module, raise StateVersion and add Migrate: %v", err))
	}
	if s.nested {
		// It has been read as JSON a moment ago.
		if tree, fault := parse(text); fault == nil {
			s.complete(tree, into)
		}
	}
	return nil
}

func parse(text string) (any, *Fault) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, Refused(400, "malformed", "body is no JSON: "+err.Error())
	}
	return tree, nil
}

// completeEmpty sets the defaults of the first level.
func (s *shape) completeEmpty(into reflect.Value) {
	for _, field := range s.fields {
		field.setDefault(into)
	}
}

func (f *field) setDefault(into reflect.Value) {
	if f.fallback != "" {
		// The tag was tried when the shape was made; a value that does not fit its type stays zero, and bounds tell.
		_ = json.Unmarshal([]byte(f.fallback), into.FieldByIndex(f.index).Addr().Interface())
	}
}

// complete sets the defaults of all fields that a text does not have.
func (s *shape) complete(tree any, into reflect.Value) {
	if tree == nil {
		return
	}
	if into.Kind() == reflect.Pointer {
		into = into.Elem()
	}
	switch s.kind {
	case object:
		given, _ := tree.(map[string]any)
		for _, field := range s.fields {
			if value, ok := given[field.name]; ok {
				field.shape.complete(value, into.FieldByIndex(field.index))
			} else {
				field.setDefault(into)
			}
		}
	case listing:
		for i, item := range tree.([]any) {
			s.items.complete(item, into.Index(i))
		}
	case mapping:
		for name, item := range tree.(map[string]any) {
			key := reflect.ValueOf(name).Convert(into.Type().Key())
			value := reflect.New(into.Type().Elem()).Elem()
			value.Set(into.MapIndex(key))
			s.items.complete(item, value)
			into.SetMapIndex(key, value)
		}
	}
}

// furnish makes empty lists, maps and bytes of those that are nil: encoding/json writes nil as null, which their schema does not take. What
// may be null, or is left out while it is empty, stays as it is.
func (s *shape) furnish(value reflect.Value) {
	if !s.hollow {
		return
	}
	if value.Kind() == reflect.Pointer {
		if !value.IsNil() {
			s.furnishInside(value.Elem())
		}
		return
	}
	switch value.Kind() {
	case reflect.Slice:
		if value.IsNil() {
			value.Set(reflect.MakeSlice(value.Type(), 0, 0))
		}
	case reflect.Map:
		if value.IsNil() {
			value.Set(reflect.MakeMap(value.Type()))
		}
	}
	s.furnishInside(value)
}

func (s *shape) furnishInside(value reflect.Value) {
	switch s.kind {
	case object:
		for _, field := range s.fields {
			inside := value.FieldByIndex(field.index)
			if !field.omitted || !inside.IsZero() {
				field.shape.furnish(inside)
			}
		}
	case listing:
		if s.items.hollow {
			for i := range value.Len() {
				s.items.furnish(value.Index(i))
			}
		}
	case mapping:
		if s.items.hollow {
			for _, key := range value.MapKeys() {
				inside := reflect.New(value.Type().Elem()).Elem()
				inside.Set(value.MapIndex(key))
				s.items.furnish(inside)
				value.SetMapIndex(key, inside)
			}
		}
	}
}

// check compares a text with the types, part by part.
func (s *shape) check(tree any, pointer string) *Fault {
	switch value := tree.(type) {
	case nil:
		if s.nullable || s.kind == anything {
			return nil
		}
	case map[string]any:
		if s.kind == object {
			return s.checkFields(value, pointer)
		}
		if s.kind == mapping {
			for _, name := range sorted(value) {
				if fault := s.items.check(value[name], below(pointer, name)); fault != nil {
					return fault
				}
			}
			return nil
		}
	case []any:
		if s.kind == listing {
			for i, item := range value {
				if fault := s.items.check(item, below(pointer, strconv.Itoa(i))); fault != nil {
					return fault
				}
			}
			return nil
		}
	case string:
		if s.kind == wording {
			return nil
		}
	case bool:
		if s.kind == truth {
			return nil
		}
	case json.Number:
		if s.kind == number {
			return nil
		}
		if s.kind == integer {
			return s.checkInteger(value.String(), pointer)
		}
	}
	if s.kind == anything {
		return nil
	}
	wanted := [...]string{"", "an object", "an object", "a list", "a text", "an integer", "a number", "true or false"}[s.kind]
	return atFault(pointer, "must be %s, found %s", wanted, found(tree))
}

func (s *shape) checkFields(given map[string]any, pointer string) *Fault {
	for _, field := range s.fields {
		value, ok := given[field.name]
		if !ok && field.required {
			return atFault(below(pointer, field.name), "is required")
		}
		if ok {
			if fault := field.shape.check(value, below(pointer, field.name)); fault != nil {
				return fault
			}
		}
	}
	return nil
}

func (s *shape) checkInteger(text, pointer string) *Fault {
	bits := 64
	if digits := strings.TrimLeft(s.format, "uint"); digits != "" && digits != "ptr" {
		bits, _ = strconv.Atoi(digits)
	}
	var err error
	if s.unsigned {
		_, err = strconv.ParseUint(text, 10, bits)
	} else {
		_, err = strconv.ParseInt(text, 10, bits)
	}
	switch {
	case err == nil:
		return nil
	case strings.ContainsAny(text, ".eE"):
		return atFault(pointer, "must be an integer, found %s", text)
	case s.unsigned && text[0] == '-':
		return atFault(pointer, "must be 0 or more, found %s", text)
	}
	return atFault(pointer, "must have %d bits or less, found %s", bits, text)
}

// bounds compares a value with the bounds of its type.
func (s *shape) bounds(value reflect.Value, pointer string) *Fault {
	if !s.constrained {
		return nil
	}
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil
		}
		value = value.Elem()
	}
	if s.choices != nil {
		return s.choose(value, pointer)
	}
	switch s.kind {
	case integer, number:
		return s.range_(value, pointer)
	case wording:
		if value.Kind() == reflect.String {
			return s.length(utf8.RuneCountInString(value.String()), "characters", pointer)
		}
	case listing:
		if fault := s.length(value.Len(), "elements", pointer); fault != nil {
			return fault
		}
		for i := range value.Len() {
			if fault := s.items.bounds(value.Index(i), below(pointer, strconv.Itoa(i))); fault != nil {
				return fault
			}
		}
	case mapping:
		for _, key := range value.MapKeys() {
			if fault := s.items.bounds(value.MapIndex(key), below(pointer, key.String())); fault != nil {
				return fault
			}
		}
	case object:
		for _, field := range s.fields {
			if fault := field.shape.bounds(value.FieldByIndex(field.index), below(pointer, field.name)); fault != nil {
				return fault
			}
		}
	}
	return nil
}

func (s *shape) choose(value reflect.Value, pointer string) *Fault {
	found := fmt.Sprint(value.Interface())
	for _, choice := range s.choices {
		if choice == found {
			return nil
		}
	}
	return atFault(pointer, "must be one of %s, found %q", strings.Join(s.choices, ", "), found)
}

func (s *shape) range_(value reflect.Value, pointer string) *Fault {
	size := value.Convert(reflect.TypeFor[float64]()).Float()
	if s.min != nil && size < *s.min {
		return atFault(pointer, "must be %v or more, found %v", *s.min, value.Interface())
	}
	if s.max != nil && size > *s.max {
		return atFault(pointer, "must be %v or less, found %v", *s.max, value.Interface())
	}
	return nil
}

func (s *shape) length(count int, unit, pointer string) *Fault {
	if s.min != nil && float64(count) < *s.min {
		return atFault(pointer, "must have %v %s or more, has %d", *s.min, unit, count)
	}
	if s.max != nil && float64(count) > *s.max {
		return atFault(pointer, "must have %v %s or less, has %d", *s.max, unit, count)
	}
	return nil
}

// holdsSame returns true if a body has something at a pointer, and a state has the same there.
func holdsSame(body, state, pointer string) bool {
	var values [2]any
	for i, text := range []string{body, state} {
		tree, fault := parse(text)
		if fault != nil {
			return false
		}
		values[i] = valueAt(tree, pointer)
	}
	return values[0] != nil && reflect.DeepEqual(values[0], values[1])
}

// valueAt returns what a tree has at a pointer; nil if it has nothing there.
func valueAt(tree any, pointer string) any {
	for _, step := range strings.Split(pointer, "/")[1:] {
		switch value := tree.(type) {
		case map[string]any:
			tree = value[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
		case []any:
			index, err := strconv.Atoi(step)
			if err != nil || index >= len(value) {
				return nil
			}
			tree = value[index]
		default:
			return nil
		}
	}
	return tree
}

func below(pointer, name string) string {
	return pointer + "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

func atFault(pointer, format string, values ...any) *Fault {
	subject := strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
	if subject == "" {
		subject = "body"
	}
	return Invalid(pointer, "%s %s", subject, fmt.Sprintf(format, values...))
}

func found(tree any) string {
	switch value := tree.(type) {
	case nil:
		return "null"
	case string:
		if len(value) <= 40 {
			return fmt.Sprintf("the text %q", value)
		}
		return "a longer text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprint(tree)
}
