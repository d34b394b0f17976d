// From structs to JSON by their shapes, and the shapes themselves as JSON Schema.
#ifndef STEWARD_WRITE_H
#define STEWARD_WRITE_H

ST_API void st_write_object(const st_shape *shape, const void *object, st_buffer *out);

ST_API void st_write_value(const st_field *field, st_kind kind, const void *value, st_buffer *out) {
    switch (kind) {
    case ST_BOOL: st_puts(out, *(const bool *)value ? "true" : "false"); break;
    case ST_I64: st_put_i64(out, *(const int64_t *)value); break;
    case ST_U64: st_put_u64(out, *(const uint64_t *)value); break;
    case ST_F64: st_put_f64(out, *(const double *)value); break;
    case ST_TEXT: st_put_json(out, *(const st_text *)value); break;
    case ST_JSON: {
        st_text json = *(const st_text *)value;
        st_put(out, json.size ? json : st_t("null"));
        break;
    }
    case ST_OBJECT: st_write_object(field->of, value, out); break;
    case ST_LIST: {
        const st_list *list = value;
        st_kind items = field->of ? ST_OBJECT : field->items;
        size_t size = st_size_of(items, field->of);
        st_putc(out, '[');
        for (size_t i = 0; i < list->count; i++) {
            if (i) st_putc(out, ',');
            st_write_value(field, items, (const char *)list->at + size * i, out);
        }
        st_putc(out, ']');
        break;
    }
    }
}

ST_API void st_write_object(const st_shape *shape, const void *object, st_buffer *out) {
    bool first = true;
    st_putc(out, '{');
    for (size_t i = 0; i < shape->count; i++) {
        const st_field *field = &shape->fields[i];
        if (field->given && !*((const bool *)object + field->given - 1)) continue;
        if (!first) st_putc(out, ',');
        first = false;
        st_putf(out, "\"%s\":", field->name);
        st_write_value(field, field->kind, (const char *)object + field->offset, out);
    }
    st_putc(out, '}');
}

// Returns the JSON text of a struct.
ST_API st_text st_json(const st_shape *shape, const void *object) {
    st_buffer out = {0};
    st_write_object(shape, object, &out);
    return st_done(&out);
}

ST_API void st_write_schema(const st_shape *shape, st_buffer *out);

ST_API void st_write_bound(const char *const names[3], st_kind kind, st_bound bound, st_buffer *out) {
    if (!bound.set) return;
    st_putf(out, ",\"%s\":", names[kind == ST_TEXT ? 1 : kind == ST_LIST ? 2 : 0]);
    st_put_f64(out, bound.value);
}

ST_API void st_write_field_schema(const st_field *field, st_kind kind, st_buffer *out) {
    static const char *const least[] = {"minimum", "minLength", "minItems"}, *const most[] = {"maximum", "maxLength", "maxItems"};
    static const char *const types[] = {"boolean", "integer", "integer", "number", "string", "", "object", "array"};
    if (kind == ST_OBJECT) { st_write_schema(field->of, out); return; }
    if (kind == ST_JSON) { st_puts(out, "{}"); return; }
    st_putf(out, field->given ? "{\"type\":[\"%s\",\"null\"]" : "{\"type\":\"%s\"", types[kind]);
    if (kind == ST_U64 && !field->least.set) st_puts(out, ",\"minimum\":0");
    st_write_bound(least, kind, field->least, out);
    st_write_bound(most, kind, field->most, out);
    if (field->choices) {
        st_puts(out, ",\"enum\":[\"");
        for (const char *at = field->choices; *at; at++) *at == '|' ? st_puts(out, "\",\"") : st_putc(out, *at);
        st_puts(out, field->given ? "\",null]" : "\"]");
    }
    if (kind == ST_LIST) {
        st_field plain = {.of = field->of};
        st_puts(out, ",\"items\":");
        st_write_field_schema(&plain, field->of ? ST_OBJECT : field->items, out);
    }
    if (field->docs) st_puts(out, ",\"description\":"), st_put_json(out, st_t(field->docs));
    if (field->fallback) {
        st_puts(out, ",\"default\":");
        if (kind == ST_TEXT && *field->fallback != '"') st_put_json(out, st_t(field->fallback));
        else st_puts(out, field->fallback);
    }
    st_putc(out, '}');
}

ST_API void st_write_schema(const st_shape *shape, st_buffer *out) {
    st_puts(out, "{\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < shape->count; i++) {
        st_putf(out, i ? ",\"%s\":" : "\"%s\":", shape->fields[i].name);
        st_write_field_schema(&shape->fields[i], shape->fields[i].kind, out);
    }
    st_puts(out, "},\"required\":[");
    bool first = true;
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->fields[i].fallback || shape->fields[i].given) continue;
        st_putf(out, first ? "\"%s\"" : ",\"%s\"", shape->fields[i].name);
        first = false;
    }
    st_puts(out, "]}");
}

#endif
