// Reading JSON from its beginning to its end. The host hands over only texts that are valid JSON; others end the reading.
#ifndef STEWARD_JSON_H
#define STEWARD_JSON_H

// A place in a JSON text.
typedef struct {
    const char *at, *end;
    bool broken;
} st_cursor;

ST_API st_cursor st_cursor_of(st_text text) { return (st_cursor){text.at, text.at + text.size, false}; }

// Returns the next letter that is no space; 0 at the end.
ST_API char st_peek(st_cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t')) c->at++;
    return c->at < c->end ? *c->at : 0;
}

ST_API bool st_take(st_cursor *c, char letter) {
    if (st_peek(c) != letter) return false;
    c->at++;
    return true;
}

ST_API bool st_take_word(st_cursor *c, const char *word) {
    st_text wanted = st_t(word), rest = {c->at, (size_t)(c->end - c->at)};
    if (!st_begins(rest, wanted)) return false;
    c->at += wanted.size;
    return true;
}

ST_API uint32_t st_hex4(st_cursor *c) {
    uint32_t value = 0;
    for (int i = 0; i < 4 && c->at < c->end; i++, c->at++) {
        char digit = *c->at;
        value = value * 16 + (uint32_t)(digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
    }
    return value;
}

ST_API void st_put_letter(st_buffer *out, uint32_t letter) {
    if (letter < 0x80) { st_putc(out, (char)letter); return; }
    int more = letter < 0x800 ? 1 : letter < 0x10000 ? 2 : 3;
    st_putc(out, (char)((0xf0 << (3 - more)) | (letter >> (6 * more))));
    while (more-- > 0) st_putc(out, (char)(0x80 | ((letter >> (6 * more)) & 0x3f)));
}

ST_API void st_read_escape(st_cursor *c, st_buffer *out) {
    static const char names[] = "\"\\/bfnrt", letters[] = "\"\\/\b\f\n\r\t";
    char name = c->at < c->end ? *c->at++ : 0;
    if (name == 'u') {
        uint32_t letter = st_hex4(c);
        if (letter >= 0xd800 && letter < 0xdc00 && st_take_word(c, "\\u")) {
            letter = 0x10000 + ((letter - 0xd800) << 10) + (st_hex4(c) - 0xdc00);
        }
        st_put_letter(out, letter);
        return;
    }
    for (size_t i = 0; i < sizeof names - 1; i++) {
        if (names[i] == name) st_putc(out, letters[i]);
    }
}

// Reads a text; one without a backslash is not copied.
ST_API st_text st_read_text(st_cursor *c) {
    st_buffer out = {0};
    if (!st_take(c, '"')) { c->broken = true; return (st_text){"", 0}; }
    const char *begin = c->at;
    for (; c->at < c->end && *c->at != '"'; ) {
        if (*c->at != '\\') { c->at++; continue; }
        st_put(&out, (st_text){begin, (size_t)(c->at - begin)});
        c->at++;
        st_read_escape(c, &out);
        begin = c->at;
    }
    st_text last = {begin, (size_t)(c->at - begin)};
    if (!st_take(c, '"')) c->broken = true;
    if (!out.at) return last;
    st_put(&out, last);
    return st_done(&out);
}

// Steps over a value, and returns its text.
ST_API st_text st_skip(st_cursor *c) {
    st_peek(c);
    const char *begin = c->at;
    int depth = 0;
    do {
        char letter = st_peek(c);
        if (letter == '"') { st_read_text(c); continue; }
        if (letter == 0) { c->broken = true; break; }
        if (letter == '{' || letter == '[') depth++, c->at++;
        else if (letter == '}' || letter == ']') depth--, c->at++;
        else if (letter == ',' || letter == ':') c->at++;
        else while (c->at < c->end && *c->at > ' ' && *c->at != ',' && *c->at != '}' && *c->at != ']') c->at++;
    } while (depth > 0 && !c->broken);
    return (st_text){begin, (size_t)(c->at - begin)};
}

// Begins an object or a list; then st_more tells whether there is one more in it.
ST_API bool st_more(st_cursor *c, char close, bool *first) {
    if (c->broken || st_take(c, close)) return false;
    if (!*first && !st_take(c, ',')) { c->broken = true; return false; }
    *first = false;
    return true;
}

// Returns the value of a member of an object, or of an element of a list by its number; given is false if there is none.
ST_API st_optional st_member(st_text json, st_text name) {
    st_cursor c = st_cursor_of(json);
    bool first = true, is_list = st_take(&c, '[');
    if (!is_list && !st_take(&c, '{')) return (st_optional){0};
    for (uint64_t i = 0; st_more(&c, is_list ? ']' : '}', &first); i++) {
        st_text key;
        if (is_list) key = st_textf("%llu", (unsigned long long)i);
        else key = st_read_text(&c), st_take(&c, ':');
        st_text value = st_skip(&c);
        if (st_same(key, name)) return (st_optional){1, value};
    }
    return (st_optional){0};
}

// Returns what a text has at a pointer.
ST_API st_optional st_value_at(st_text json, st_text pointer) {
    st_optional found = {1, json};
    for (size_t i = 0; found.given && i < pointer.size;) {
        st_buffer step = {0};
        for (i++; i < pointer.size && pointer.at[i] != '/'; i++) {
            bool is_escaped = pointer.at[i] == '~' && i + 1 < pointer.size;
            st_putc(&step, !is_escaped ? pointer.at[i] : pointer.at[++i] == '1' ? '/' : '~');
        }
        found = st_member(found.text, st_done(&step));
    }
    return found;
}

// Returns true if two texts are the same JSON, with whatever between their parts.
ST_API bool st_same_json(st_text one, st_text other) {
    st_cursor left = st_cursor_of(one), right = st_cursor_of(other);
    for (char letter = st_peek(&left); letter == st_peek(&right); letter = st_peek(&left)) {
        if (letter == 0) return true;
        if (letter != '"') left.at++, right.at++;
        else if (!st_same(st_read_text(&left), st_read_text(&right))) return false;
    }
    return false;
}

// Returns a text that JSON has as a text; empty if it is none.
ST_API st_text st_string(st_optional json) {
    st_cursor c = st_cursor_of(json.text);
    return json.given && st_peek(&c) == '"' ? st_read_text(&c) : (st_text){"", 0};
}

// Reads the digits of an integer; false if it is none of 64 bits.
ST_API bool st_parse_u64(st_text text, uint64_t *number) {
    *number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') return false;
        uint64_t digit = (uint64_t)(text.at[i] - '0');
        if (*number > (UINT64_MAX - digit) / 10) return false;
        *number = *number * 10 + digit;
    }
    return text.size > 0;
}

ST_API bool st_parse_i64(st_text text, int64_t *number) {
    uint64_t size;
    bool negative = text.size && text.at[0] == '-';
    if (!st_parse_u64((st_text){text.at + negative, text.size - negative}, &size)) return false;
    if (size > (uint64_t)INT64_MAX + negative) return false;
    *number = (int64_t)(negative ? 0 - size : size);
    return true;
}

// Reads a number; the last of more than 15 digits may be off.
ST_API double st_parse_f64(st_text text) {
    double value = 0;
    int64_t exponent = 0, written = 0;
    bool negative = false, fraction = false;
    for (size_t i = 0; i < text.size; i++) {
        char letter = text.at[i];
        if (letter == '-') negative = true;
        else if (letter == '.') fraction = true;
        else if ((letter | 32) == 'e') {
            size_t plus = text.at[i + 1] == '+';
            st_parse_i64((st_text){text.at + i + 1 + plus, text.size - i - 1 - plus}, &written);
            break;
        } else value = value * 10 + (letter - '0'), exponent -= fraction;
    }
    for (exponent += written; exponent > 0 && value - value == 0; exponent--) value *= 10;
    double divisor = 1;
    for (; exponent < 0 && exponent > -400; exponent++) divisor *= 10;
    value /= divisor;
    return negative ? -value : value;
}

ST_API void st_put_json(st_buffer *out, st_text text) {
    static const char hex[] = "0123456789abcdef";
    st_putc(out, '"');
    const char *begin = text.at, *end = text.at + text.size, *at = begin;
    for (; at < end; at++) {
        unsigned char letter = (unsigned char)*at;
        if (letter >= ' ' && letter != '"' && letter != '\\') continue;
        st_put(out, (st_text){begin, (size_t)(at - begin)});
        begin = at + 1;
        if (letter >= ' ') st_putc(out, '\\'), st_putc(out, (char)letter);
        else if (letter == '\n') st_puts(out, "\\n");
        else st_puts(out, "\\u00"), st_putc(out, hex[letter >> 4]), st_putc(out, hex[letter & 15]);
    }
    st_put(out, (st_text){begin, (size_t)(end - begin)});
    st_putc(out, '"');
}

#endif
