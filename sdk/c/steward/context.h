// What a handler sees of the world, and what it asks the world to do.
#ifndef STEWARD_CONTEXT_H
#define STEWARD_CONTEXT_H

enum { ST_OK = 0, ST_REFUSED = 1, ST_EFFECTS_MAX = 64 };

struct st_context {
    const st_request *request;
    // Of the effect that was answered; empty elsewhere.
    st_text tag;
    st_outcome outcome;
    st_fault fault;
    uint64_t random;
    bool unchanged;
    // The call asked for something that cannot be, and fails with the fault, whatever the handler returns.
    bool broken;
};

// The capabilities of a guest: imports of a component, the mock host in a test.
ST_API void st_host_log(st_level level, st_text message, st_text fields);
// Reads or queries; false: fault says why not.
ST_API bool st_host_read(st_text link, st_text *json, st_fault *fault);
ST_API bool st_host_query(st_text spec, st_text *json, st_fault *fault);
ST_API void st_host_stat(st_text name, double value);

// ---- Refusals: `return st_conflict(ctx, "water boils at %d", 100);` ----

ST_API int st_vrefuse(st_context *ctx, uint16_t status, const char *code, st_text pointer, const char *format, va_list values) {
    st_buffer message = {0};
    st_vputf(&message, format, values);
    ctx->fault = (st_fault){status, st_t(code), st_done(&message), pointer};
    return ST_REFUSED;
}

#define ST_REFUSES(name, status, code)                                                          \
    ST_API __attribute__((format(printf, 2, 3))) int name(st_context *ctx, const char *format, ...) { \
        va_list values;                                                                         \
        va_start(values, format);                                                               \
        int refused = st_vrefuse(ctx, status, code, st_t(""), format, values);                  \
        va_end(values);                                                                         \
        return refused;                                                                         \
    }

// The state does not allow it; whoever asks may not; the part that was asked for is not there.
ST_REFUSES(st_conflict, 409, "conflict")
ST_REFUSES(st_forbidden, 403, "forbidden")
ST_REFUSES(st_not_found, 404, "not-found")

// Refuses with 400: the field that the pointer names has a value that cannot be. A leading slash may be left out.
ST_API __attribute__((format(printf, 3, 4))) int st_invalid(st_context *ctx, const char *pointer, const char *format, ...) {
    va_list values;
    va_start(values, format);
    st_text whole = *pointer && *pointer != '/' ? st_textf("/%s", pointer) : st_t(pointer);
    int refused = st_vrefuse(ctx, 400, "validation", whole, format, values);
    va_end(values);
    return refused;
}

// Refuses with any status, code and message.
ST_API __attribute__((format(printf, 4, 5))) int st_refuse(
    st_context *ctx, uint16_t status, const char *code, const char *format, ...) {
    va_list values;
    va_start(values, format);
    int refused = st_vrefuse(ctx, status, code, st_t(""), format, values);
    va_end(values);
    return refused;
}

// ---- The request ----

ST_API st_text st_link(const st_context *ctx) { return ctx->request->link; }

// Returns the last segment of the self-link.
ST_API st_text st_key(const st_context *ctx) {
    st_text link = ctx->request->link;
    size_t begin = link.size;
    while (begin > 0 && link.at[begin - 1] != '/') begin--;
    return (st_text){link.at + begin, link.size - begin};
}

// Returns the tag of the effect that was answered, for a handler of replies that takes any; an empty text elsewhere.
ST_API st_text st_tag(const st_context *ctx) { return ctx->tag; }

// Returns the first header of that name (in lower case), or an empty text.
ST_API st_text st_header_of(const st_context *ctx, const char *name) {
    for (size_t i = 0; i < ctx->request->headers.count; i++) {
        const st_header *header = &ctx->request->headers.at[i];
        if (st_same(header->name, st_t(name))) return header->value;
    }
    return st_t("");
}

// Returns a parameter of the query as it was sent, or an empty text.
ST_API st_text st_parameter(const st_context *ctx, const char *name) {
    st_text query = ctx->request->query, wanted = st_textf("%s=", name);
    for (size_t begin = 0, end; begin < query.size; begin = end + 1) {
        for (end = begin; end < query.size && query.at[end] != '&';) end++;
        st_text pair = {query.at + begin, end - begin};
        if (st_begins(pair, wanted)) return (st_text){pair.at + wanted.size, pair.size - wanted.size};
    }
    return st_t("");
}

// Returns a number that nobody can guess, another one at each call. SplitMix64 over the host's seed.
// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators".
ST_API uint64_t st_random(st_context *ctx) {
    uint64_t mixed = ctx->random += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

// ---- Lists ----

// Adds an element of that size at the end of a list and returns it, all zero: `*(item *)st_push(&list, sizeof(item)) = (item){…};`
ST_API void *st_push(st_list *list, size_t size) {
    char *longer = st_alloc(size * (list->count + 1));
    if (list->count) memcpy(longer, list->at, size * list->count);
    list->at = longer;
    return longer + size * list->count++;
}

// Takes an element of that size out of a list; those behind it move up.
ST_API void st_pull(st_list *list, size_t size, size_t index) {
    char *hole = (char *)list->at + size * index;
    memmove(hole, hole + size, size * (--list->count - index));
}

// ---- Effects, sent after the commit in their order ----

ST_API st_effect *st_send(st_context *ctx, st_action action, st_text to, st_optional body) {
    if (!ctx->outcome.effects.at) ctx->outcome.effects.at = st_alloc(sizeof(st_effect) * (ST_EFFECTS_MAX + 1));
    // One more than may be is enough for the host to refuse the call.
    size_t at = ctx->outcome.effects.count <= ST_EFFECTS_MAX ? ctx->outcome.effects.count++ : ST_EFFECTS_MAX;
    st_effect *effect = &ctx->outcome.effects.at[at];
    *effect = (st_effect){.to = to, .action = (uint8_t)action, .body = body};
    return effect;
}

ST_API st_effect *st_patch(st_context *ctx, st_text link, st_text json) {
    return st_send(ctx, ST_PATCH, link, (st_optional){1, json});
}

// Patches this document itself: the next step of a task.
ST_API st_effect *st_self_patch(st_context *ctx, st_text json) { return st_patch(ctx, st_link(ctx), json); }

// Gives up what this document has to send with the tag, such as a timer that is not needed any more; with the state of this call, or not at
// all. What is being sent at this moment may arrive all the same.
ST_API void st_cancel(st_context *ctx, const char *tag) {
    st_buffer to = {0};
    st_put(&to, st_link(ctx)), st_puts(&to, "/effects?tag=");
    for (const unsigned char *at = (const unsigned char *)tag; *at; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '-' || *at == '_';
        plain ? st_putc(&to, (char)*at) : st_putf(&to, "%%%02X", *at);
    }
    st_send(ctx, ST_DELETE, st_done(&to), (st_optional){0});
}

// Posts to a factory, which creates a document there.
ST_API st_effect *st_create(st_context *ctx, const char *factory, st_text json) {
    return st_send(ctx, ST_POST, st_t(factory), (st_optional){1, json});
}

// Sends it that much later, by a durable timer.
ST_API st_effect *st_after(st_effect *effect, int64_t micros) {
    effect->delay_millis = micros / 1000;
    return effect;
}

// Brings the answer back to the reply handler of this tag.
ST_API st_effect *st_reply_tag(st_effect *effect, const char *tag) {
    effect->tag = st_t(tag);
    return effect;
}

ST_API void st_add_header(st_headers *headers, const char *name, st_text value) {
    st_header *longer = st_alloc(sizeof(st_header) * (headers->count + 1));
    if (headers->count) memcpy(longer, headers->at, sizeof(st_header) * headers->count);
    longer[headers->count] = (st_header){st_t(name), value};
    *headers = (st_headers){longer, headers->count + 1};
}

ST_API st_effect *st_effect_header(st_effect *effect, const char *name, st_text value) {
    st_add_header(&effect->headers, name, value);
    return effect;
}

// ---- The answer and the document ----

// Answers with a body of its own, a JSON text, instead of the state, which is committed all the same.
ST_API void st_answer_with(st_context *ctx, st_text json) { ctx->outcome.reply = (st_optional){1, json}; }

ST_API void st_set_header(st_context *ctx, const char *name, st_text value) {
    st_add_header(&ctx->outcome.headers, name, value);
}

// Makes no new version, whatever the handler did to the state.
ST_API void st_unchanged(st_context *ctx) { ctx->unchanged = true; }

// Lets the document expire that long from now. A span that is negative or beyond what microseconds count refuses the call.
ST_API void st_expire_in(st_context *ctx, int64_t micros) {
    int64_t now = ctx->request->now_micros;
    if (micros >= 0 && micros <= INT64_MAX - now) {
        ctx->outcome.expires = (st_moment){1, now + micros};
        return;
    }
    st_refuse(ctx, 500, "guest-outcome", "%lld us from now is no expiry: it must be 0 or later, and not beyond what microseconds count",
        (long long)micros);
    ctx->broken = true;
}

// ---- The host ----

ST_API void st_log_at(const char *file, int line, st_level level, st_text message) {
    st_buffer fields = {0};
    st_puts(&fields, "{\"at\":");
    st_put_json(&fields, st_textf("%s:%d", file, line));
    st_putc(&fields, '}');
    st_host_log(level, message, st_done(&fields));
}

// Writes a line to the host's log, made as printf makes it, which says where in the sources it is.
#define st_log(level, ...) st_log_at(__FILE__, __LINE__, level, st_textf(__VA_ARGS__))

// Reads the committed state of another document, with its built-in fields. Returns ST_OK, or refuses as the other service did.
ST_API int st_read(st_context *ctx, st_text link, st_text *json) {
    return st_host_read(link, json, &ctx->fault) ? ST_OK : ST_REFUSED;
}

// Runs a direct query and returns the finished query task.
ST_API int st_query(st_context *ctx, st_text spec, st_text *json) {
    return st_host_query(spec, json, &ctx->fault) ? ST_OK : ST_REFUSED;
}

// Adds a value to a statistic of this document.
ST_API void st_stat(const char *name, double value) { st_host_stat(st_t(name), value); }

// Ends the call, and the instance, with words, file and line: for what cannot be.
#define st_assert(condition) ((condition) ? (void)0 : st_break(__FILE__, __LINE__, "assertion failed: " #condition))

ST_API void st_break(const char *file, int line, const char *words) {
    st_log_at(file, line, ST_ERROR, st_textf("%s at %s:%d", words, file, line));
    __builtin_trap();
}

#endif
