// Texts with their size, in UTF-8, and a buffer to write them into.
#ifndef STEWARD_TEXT_H
#define STEWARD_TEXT_H

// A text. It needs no zero at its end.
typedef struct {
    const char *at;
    size_t size;
} st_text;

// A text that may be missing.
typedef struct {
    uint8_t given;
    st_text text;
} st_optional;

// A text in the making.
typedef struct {
    char *at;
    size_t size, room;
} st_buffer;

// Returns a text that ends with a zero.
ST_API st_text st_t(const char *text) {
    size_t size = 0;
    while (text && text[size]) size++;
    return (st_text){text, size};
}

ST_API bool st_same(st_text left, st_text right) {
    return left.size == right.size && (left.size == 0 || memcmp(left.at, right.at, left.size) == 0);
}

ST_API bool st_begins(st_text text, st_text with) {
    return text.size >= with.size && st_same((st_text){text.at, with.size}, with);
}

// Returns a copy with a zero at its end.
ST_API const char *st_c(st_text text) {
    char *copy = st_alloc(text.size + 1);
    if (text.size) memcpy(copy, text.at, text.size);
    return copy;
}

// Returns how many characters a text has.
ST_API size_t st_characters(st_text text) {
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) count += (text.at[i] & 0xc0) != 0x80;
    return count;
}

ST_API void st_put(st_buffer *out, st_text text) {
    if (out->size + text.size > out->room) {
        size_t room = (out->size + text.size) * 2 + 64;
        char *larger = st_alloc_aligned(room, 1);
        if (out->size) memcpy(larger, out->at, out->size);
        out->at = larger, out->room = room;
    }
    if (text.size) memcpy(out->at + out->size, text.at, text.size);
    out->size += text.size;
}

ST_API void st_puts(st_buffer *out, const char *text) { st_put(out, st_t(text)); }

ST_API void st_putc(st_buffer *out, char letter) { st_put(out, (st_text){&letter, 1}); }

ST_API void st_put_u64(st_buffer *out, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + number % 10); while (number /= 10);
    st_put(out, (st_text){digits + at, sizeof digits - at});
}

ST_API void st_put_i64(st_buffer *out, int64_t number) {
    if (number < 0) st_putc(out, '-');
    st_put_u64(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

// Writes a number with up to 15 significant digits; what is no number as null.
ST_API void st_put_f64(st_buffer *out, double number) {
    if (number != number || number - number != 0) { st_puts(out, "null"); return; }
    if (number < 0) st_putc(out, '-'), number = -number;
    if (number < 1e15 && number == (double)(uint64_t)number) { st_put_u64(out, (uint64_t)number); return; }
    int exponent = 0;
    while (number >= 10) number /= 10, exponent++;
    while (number < 1) number *= 10, exponent--;
    uint64_t digits = (uint64_t)(number * 1e14 + 0.5);
    if (digits >= 1000000000000000u) digits /= 10, exponent++;
    char text[16];
    for (int i = 14; i >= 0; i--, digits /= 10) text[i] = (char)('0' + digits % 10);
    size_t last = 15;
    while (last > 1 && text[last - 1] == '0') last--;
    st_putc(out, text[0]);
    if (last > 1) st_putc(out, '.'), st_put(out, (st_text){text + 1, last - 1});
    if (exponent) st_putc(out, 'e'), st_put_i64(out, exponent);
}

// Writes as printf does, of which it knows %s %d %u %lld %llu %f %% and %.*s.
ST_API void st_vputf(st_buffer *out, const char *format, va_list values) {
    for (; *format; format++) {
        if (*format != '%') { st_putc(out, *format); continue; }
        format++;
        if (*format == '.') {
            int size = va_arg(values, int);
            const char *text = va_arg(values, const char *);
            st_put(out, (st_text){text, (size_t)size});
            format += 2;
            continue;
        }
        bool wide = format[0] == 'l' && format[1] == 'l';
        if (wide) format += 2;
        switch (*format) {
        case 's': st_puts(out, va_arg(values, const char *)); break;
        case 'd': st_put_i64(out, wide ? va_arg(values, long long) : va_arg(values, int)); break;
        case 'u': st_put_u64(out, wide ? va_arg(values, unsigned long long) : va_arg(values, unsigned)); break;
        case 'f': st_put_f64(out, va_arg(values, double)); break;
        default: st_putc(out, *format);
        }
    }
}

ST_API __attribute__((format(printf, 2, 3))) void st_putf(st_buffer *out, const char *format, ...) {
    va_list values;
    va_start(values, format);
    st_vputf(out, format, values);
    va_end(values);
}

ST_API st_text st_done(const st_buffer *out) { return (st_text){out->at, out->size}; }

// Returns a text made as printf makes it, see st_vputf.
ST_API __attribute__((format(printf, 1, 2))) st_text st_textf(const char *format, ...) {
    st_buffer out = {0};
    va_list values;
    va_start(values, format);
    st_vputf(&out, format, values);
    va_end(values);
    return st_done(&out);
}

#endif
