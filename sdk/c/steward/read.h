// From JSON to structs by their shapes. A fault points at the first field that does not fit.
#ifndef STEWARD_READ_H
#define STEWARD_READ_H

enum { ST_FIELDS_MAX = 64 };

// Where in a text a value lies, from the inside outwards.
typedef struct st_path {
    const struct st_path *above;
    st_text name;
} st_path;

ST_API void st_put_pointer(st_buffer *out, const st_path *path) {
    if (!path) return;
    st_put_pointer(out, path->above);
    st_putc(out, '/');
    for (size_t i = 0; i < path->name.size; i++) {
        char letter = path->name.at[i];
        if (letter == '~') st_puts(out, "~0");
        else if (letter == '/') st_puts(out, "~1");
        else st_putc(out, letter);
    }
}

// Refuses the value at a path; the reason follows its name.
ST_API bool st_misfit(st_fault *fault, const st_path *path, st_text reason) {
    st_buffer pointer = {0}, message = {0};
    st_put_pointer(&pointer, path);
    for (size_t i = 1; i < pointer.size; i++) st_putc(&message, pointer.at[i] == '/' ? '.' : pointer.at[i]);
    if (!path) st_puts(&message, "body");
    st_putc(&message, ' ');
    st_put(&message, reason);
    *fault = (st_fault){400, st_t("validation"), st_done(&message), path ? st_done(&pointer) : st_t("")};
    return false;
}

ST_API bool st_wrong_kind(st_fault *fault, const st_path *path, st_kind kind, st_cursor *c) {
    static const char *const wanted[] = {
        "true or false", "an integer", "an integer", "a number", "a text", "JSON", "an object", "a list"};
    char first = st_peek(c);
    st_text found = st_skip(c);
    if (first == '{') found = st_t("an object");
    else if (first == '[') found = st_t("a list");
    else if (first == '"') found = found.size <= 42 ? st_textf("the text %.*s", (int)found.size, found.at) : st_t("a longer text");
    return st_misfit(fault, path, st_textf("must be %s, found %.*s", wanted[kind], (int)found.size, found.at));
}

ST_API bool st_bounded(const st_field *field, double size, st_text shown, const char *unit, const st_path *path, st_fault *fault) {
    bool low = field->least.set && size < field->least.value, high = field->most.set && size > field->most.value;
    if (!low && !high) return true;
    st_buffer reason = {0};
    st_puts(&reason, *unit ? "must have " : "must be ");
    st_put_f64(&reason, low ? field->least.value : field->most.value);
    st_putf(&reason, "%s or %s, %s %.*s", unit, low ? "more" : "less", *unit ? "has" : "found", (int)shown.size, shown.at);
    return st_misfit(fault, path, st_done(&reason));
}

ST_API bool st_among(const char *choices, st_text text) {
    while (*choices) {
        size_t size = 0;
        while (choices[size] && choices[size] != '|') size++;
        if (st_same((st_text){choices, size}, text)) return true;
        choices += size + (choices[size] == '|');
    }
    return false;
}

ST_API bool st_read_object(const st_shape *shape, st_cursor *c, void *into, const st_path *path, st_fault *fault);
ST_API bool st_read_value(const st_field *field, st_kind kind, st_cursor *c, void *into, const st_path *path, st_fault *fault);

ST_API size_t st_size_of(st_kind kind, const st_shape *of) {
    switch (kind) {
    case ST_BOOL: return sizeof(bool);
    case ST_I64: case ST_U64: case ST_F64: return 8;
    case ST_TEXT: case ST_JSON: return sizeof(st_text);
    case ST_OBJECT: return of->size;
    case ST_LIST: return sizeof(st_list);
    }
    return 0;
}

ST_API bool st_read_list(const st_field *field, st_cursor *c, st_list *into, const st_path *path, st_fault *fault) {
    st_kind kind = field->of ? ST_OBJECT : field->items;
    size_t size = st_size_of(kind, field->of), room = 0;
    st_field plain = {.of = field->of};
    bool first = true;
    *into = (st_list){0};
    st_take(c, '[');
    while (st_more(c, ']', &first)) {
        if (into->count == room) {
            room = room * 2 + 4;
            void *longer = st_alloc(size * room);
            if (into->count) memcpy(longer, into->at, size * into->count);
            into->at = longer;
        }
        st_path inside = {path, st_textf("%llu", (unsigned long long)into->count)};
        if (!st_read_value(&plain, kind, c, (char *)into->at + size * into->count, &inside, fault)) return false;
        into->count++;
    }
    st_text count = st_textf("%llu", (unsigned long long)into->count);
    return st_bounded(field, (double)into->count, count, " elements", path, fault);
}

ST_API bool st_read_number(const st_field *field, st_kind kind, st_text text, void *into, const st_path *path, st_fault *fault) {
    if (kind == ST_F64) {
        *(double *)into = st_parse_f64(text);
        return st_bounded(field, *(double *)into, text, "", path, fault);
    }
    bool fits = kind == ST_U64 ? st_parse_u64(text, into) : st_parse_i64(text, into);
    if (fits) {
        double size = kind == ST_U64 ? (double)*(uint64_t *)into : (double)*(int64_t *)into;
        return st_bounded(field, size, text, "", path, fault);
    }
    const char *why = "must have 64 bits or less";
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] == '.' || (text.at[i] | 32) == 'e') why = "must be an integer";
    }
    if (kind == ST_U64 && text.at[0] == '-') why = "must be 0 or more";
    return st_misfit(fault, path, st_textf("%s, found %.*s", why, (int)text.size, text.at));
}

ST_API bool st_read_value(const st_field *field, st_kind kind, st_cursor *c, void *into, const st_path *path, st_fault *fault) {
    char first = st_peek(c);
    bool is_number = first == '-' || (first >= '0' && first <= '9');
    switch (kind) {
    case ST_BOOL:
        if (first != 't' && first != 'f') break;
        *(bool *)into = first == 't';
        st_skip(c);
        return true;
    case ST_I64: case ST_U64: case ST_F64:
        if (!is_number) break;
        return st_read_number(field, kind, st_skip(c), into, path, fault);
    case ST_TEXT: {
        if (first != '"') break;
        st_text text = *(st_text *)into = st_read_text(c);
        if (field->choices && !st_among(field->choices, text)) {
            return st_misfit(fault, path, st_textf("must be one of %s, found \"%.*s\"", field->choices, (int)text.size, text.at));
        }
        size_t size = st_characters(text);
        return st_bounded(field, (double)size, st_textf("%llu", (unsigned long long)size), " characters", path, fault);
    }
    case ST_JSON: *(st_text *)into = st_skip(c); return true;
    case ST_OBJECT: return st_read_object(field->of, c, into, path, fault);
    case ST_LIST:
        if (first != '[') break;
        return st_read_list(field, c, into, path, fault);
    }
    return st_wrong_kind(fault, path, kind, c);
}

ST_API bool st_read_fallback(const st_field *field, void *object, const st_path *path, st_fault *fault) {
    st_text text = st_t(field->fallback);
    if (field->kind == ST_TEXT && *field->fallback != '"') {
        *(st_text *)((char *)object + field->offset) = text;
        return true;
    }
    st_cursor c = st_cursor_of(text);
    return st_read_value(field, field->kind, &c, (char *)object + field->offset, path, fault);
}

// Reads an object; fields that it does not know are passed over.
ST_API bool st_read_object(const st_shape *shape, st_cursor *c, void *into, const st_path *path, st_fault *fault) {
    bool seen[ST_FIELDS_MAX] = {0}, first = true;
    if (st_peek(c) != '{') return st_wrong_kind(fault, path, ST_OBJECT, c);
    memset(into, 0, shape->size);
    st_take(c, '{');
    while (st_more(c, '}', &first)) {
        st_text name = st_read_text(c);
        st_take(c, ':');
        size_t at = 0;
        while (at < shape->count && !st_same(st_t(shape->fields[at].name), name)) at++;
        if (at == shape->count) { st_skip(c); continue; }
        const st_field *field = &shape->fields[at];
        st_path inside = {path, name};
        if (field->given && st_peek(c) == 'n') { st_skip(c); continue; }
        if (!st_read_value(field, field->kind, c, (char *)into + field->offset, &inside, fault)) return false;
        seen[at] = true;
        if (field->given) *((bool *)into + field->given - 1) = true;
    }
    for (size_t at = 0; at < shape->count; at++) {
        const st_field *field = &shape->fields[at];
        st_path inside = {path, st_t(field->name)};
        if (seen[at]) continue;
        if (field->fallback ? !st_read_fallback(field, into, &inside, fault) : !field->given && !st_misfit(fault, &inside, st_t("is required"))) {
            return false;
        }
    }
    return true;
}

// Reads a text that a client sent, or that the host kept.
ST_API bool st_read_whole(const st_shape *shape, st_text text, void *into, st_fault *fault) {
    st_cursor c = st_cursor_of(text);
    if (!st_read_object(shape, &c, into, NULL, fault)) return false;
    if (!c.broken && st_peek(&c) == 0) return true;
    *fault = (st_fault){400, st_t("malformed"), st_t("body is no JSON"), st_t("")};
    return false;
}

#endif
