// The descriptor: what a service says about itself.
#ifndef STEWARD_DESCRIBE_H
#define STEWARD_DESCRIBE_H

ST_API void st_write_words(st_buffer *out, const char *name, const char *const *words, const char *more) {
    st_putf(out, ",\"%s\":[", name);
    bool first = true;
    for (size_t i = 0; i <= ST_WORDS_MAX; i++) {
        const char *word = i < ST_WORDS_MAX && words[i] ? words[i] : more;
        if (word) st_putf(out, first ? "\"%s\"" : ",\"%s\"", word), first = false;
        if (word == more) break;
    }
    st_putc(out, ']');
}

ST_API void st_write_handlers(st_buffer *out, const st_service *service) {
    bool first = true;
    st_puts(out, ",\"handlers\":[");
    for (int on = ST_ON_CREATE; on <= ST_ON_MAINTENANCE; on++) {
        if (!st_handles(service, (st_occasion)on)) continue;
        st_putf(out, first ? "\"%s\"" : ",\"%s\"", st_occasions[on]);
        first = false;
    }
    if (service->replies[0].act) st_puts(out, first ? "\"handle-reply\"" : ",\"handle-reply\""), first = false;
    if (service->migrations[0].act) st_puts(out, first ? "\"migrate\"" : ",\"migrate\""), first = false;
    if (service->merge) st_puts(out, first ? "\"merge\"" : ",\"merge\"");
    st_putc(out, ']');
}

ST_API void st_write_actions(st_buffer *out, const st_service *service) {
    static const st_occasion taking[] = {ST_ON_POST, ST_ON_PUT, ST_ON_PATCH};
    bool first_action = true;
    st_puts(out, ",\"actions\":{");
    for (size_t a = 0; a < 3; a++) {
        const st_handler *handlers = st_taking(service, taking[a]);
        if (!handlers[0].act) continue;
        st_putf(out, first_action ? "\"%s\":{" : ",\"%s\":{", st_occasions[taking[a]]);
        first_action = false;
        for (size_t i = 0; i < ST_KINDS_MAX && handlers[i].act; i++) {
            st_putf(out, i ? ",\"%s\":" : "\"%s\":", handlers[i].kind ? handlers[i].kind : "");
            if (handlers[i].body) st_write_schema(handlers[i].body, out);
            else st_puts(out, "{\"type\":\"object\"}");
        }
        st_putc(out, '}');
    }
    st_putc(out, '}');
}

ST_API void st_write_wishes(st_buffer *out, const st_service *service) {
    if (service->maintenance) st_putf(out, ",\"maintenanceIntervalMicros\":%lld", (long long)service->every_micros);
    if (service->migrations[0].act) {
        st_puts(out, ",\"readsStateVersions\":[");
        for (size_t i = 0; i < ST_WORDS_MAX && service->migrations[i].act; i++) {
            st_putf(out, i ? ",%u" : "%u", service->migrations[i].from);
        }
        st_putc(out, ']');
    }
    if (service->retention) st_putf(out, ",\"versionRetention\":%llu", (unsigned long long)service->retention);
    if (service->task) st_puts(out, ",\"task\":true");
    if (service->eager) st_puts(out, ",\"start\":\"eager\"");
    if (service->merge_patch) st_puts(out, ",\"patch\":\"merge\"");
    if (service->no_put) st_puts(out, ",\"put\":\"none\"");
    if (service->per_call) st_puts(out, ",\"isolation\":\"per-call\"");
    if (service->outbound[0]) {
        st_puts(out, ",\"capabilities\":{\"outbound\":[");
        for (size_t i = 0; i < ST_WORDS_MAX && service->outbound[i]; i++) st_putf(out, i ? ",\"%s\"" : "\"%s\"", service->outbound[i]);
        st_puts(out, "]}");
    }
    if (service->deadline_millis || service->memory_bytes) {
        st_putf(out, ",\"limits\":{\"deadlineMillis\":%llu,\"memoryBytes\":%llu}",
            (unsigned long long)service->deadline_millis, (unsigned long long)service->memory_bytes);
    }
}

ST_API st_text st_describe(const st_service *service) {
    static const char *const kept[ST_WORDS_MAX] = {"PERSISTENCE", "REPLICATION", "OWNER_SELECTION"};
    st_buffer out = {0};
    st_puts(&out, "{\"name\":");
    st_put_json(&out, st_t(service->name));
    st_puts(&out, ",\"factory\":"), st_put_json(&out, st_t(service->factory));
    st_putf(&out, ",\"version\":\"%s\"", service->version ? service->version : "0.1.0");
    if (service->kind) st_puts(&out, ",\"documentKind\":"), st_put_json(&out, st_t(service->kind));
    if (service->docs) st_puts(&out, ",\"docs\":"), st_put_json(&out, st_t(service->docs));
    st_write_words(&out, "options", service->options[0] ? service->options : kept, service->maintenance ? "PERIODIC_MAINTENANCE" : NULL);
    st_putf(&out, ",\"stateVersion\":%u", service->state_version ? service->state_version : 1);
    st_write_handlers(&out, service);
    st_write_actions(&out, service);
    st_write_wishes(&out, service);
    if (!st_has_option(service, "STATELESS")) st_puts(&out, ",\"stateSchema\":"), st_write_schema(service->state, &out);
    st_putc(&out, '}');
    return st_done(&out);
}

#endif
