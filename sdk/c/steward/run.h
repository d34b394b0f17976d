// One call of a service, from texts to structs and back.
#ifndef STEWARD_RUN_H
#define STEWARD_RUN_H

// Why the host calls, in the order of the exports.
typedef enum {
    ST_ON_CREATE, ST_ON_START, ST_ON_STOP, ST_ON_GET, ST_ON_POST, ST_ON_PUT, ST_ON_PATCH, ST_ON_DELETE, ST_ON_MAINTENANCE
} st_occasion;

static const char *const st_occasions[] = {
    "handle-create", "handle-start", "handle-stop", "handle-get", "handle-post", "handle-put", "handle-patch",
    "handle-delete", "handle-maintenance"};

ST_API bool st_has_option(const st_service *service, const char *option) {
    for (size_t i = 0; i < ST_WORDS_MAX && service->options[i]; i++) {
        if (st_same(st_t(service->options[i]), st_t(option))) return true;
    }
    return false;
}

// Returns the handler without a body on an occasion.
ST_API st_act *st_plain(const st_service *service, st_occasion on) {
    switch (on) {
    case ST_ON_CREATE: return service->create;
    case ST_ON_START: return service->start;
    case ST_ON_STOP: return service->stop;
    case ST_ON_GET: return service->get;
    case ST_ON_DELETE: return service->del;
    case ST_ON_MAINTENANCE: return service->maintenance;
    case ST_ON_POST: case ST_ON_PUT: case ST_ON_PATCH: break;
    }
    return NULL;
}

// Returns the handlers with a body on an occasion.
ST_API const st_handler *st_taking(const st_service *service, st_occasion on) {
    return on == ST_ON_POST ? service->post : on == ST_ON_PUT ? service->put : on == ST_ON_PATCH ? service->patch : NULL;
}

ST_API bool st_handles(const st_service *service, st_occasion on) {
    bool stateless = st_has_option(service, "STATELESS");
    if (on == ST_ON_CREATE && !stateless) return true;
    const st_handler *taking = st_taking(service, on);
    return taking ? taking[0].act != NULL : st_plain(service, on) != NULL;
}

ST_API bool st_missing(st_context *ctx, const char *handler, st_text subject) {
    st_refuse(ctx, 501, "handler-missing", "this service has no %s for %.*s", handler, (int)subject.size, subject.at);
    return false;
}

ST_API bool st_unknown_kind(st_context *ctx, const st_handler *handlers, st_optional kind) {
    st_buffer known = {0};
    for (size_t i = 0; i < ST_KINDS_MAX && handlers[i].act; i++) st_putf(&known, i ? ", %s" : "%s", handlers[i].kind);
    st_text found = kind.given ? st_textf("the kind %.*s", (int)kind.text.size, kind.text.at) : st_t("no kind");
    st_invalid(ctx, "/kind", "kind must be one of %.*s, found %.*s", (int)known.size, known.at, (int)found.size, found.at);
    ctx->fault.code = st_t("unknown-kind");
    return false;
}

// Runs the handler that the body's kind chooses.
ST_API bool st_run_taking(st_context *ctx, const st_handler *handlers, void *state) {
    st_text body = ctx->request->body.given ? ctx->request->body.text : st_t("{}");
    st_optional kind = st_member(body, st_t("kind"));
    const st_handler *found = NULL;
    for (size_t i = 0; i < ST_KINDS_MAX && handlers[i].act && !found; i++) {
        if (handlers[i].kind && kind.given && st_same(st_t(handlers[i].kind), st_string(kind))) found = &handlers[i];
    }
    // Without a kind of its own it takes whatever no other takes, wherever it stands.
    for (size_t i = 0; i < ST_KINDS_MAX && handlers[i].act && !found; i++) {
        if (!handlers[i].kind) found = &handlers[i];
    }
    if (!found) return st_unknown_kind(ctx, handlers, kind);
    void *read = NULL;
    if (found->body) {
        read = st_alloc(found->body->size);
        if (!st_read_whole(found->body, body, read, &ctx->fault)) return false;
    }
    return found->act(ctx, state, read) == ST_OK;
}

// Reads a state that the host kept.
ST_API bool st_restore(const st_shape *shape, st_text document, void *state, st_fault *fault) {
    if (st_read_whole(shape, document, state, fault)) return true;
    st_text why = fault->message;
    *fault = (st_fault){500, st_t("state-unreadable"),
        st_textf("stored state does not fit this module, raise state_version and add a migration: %.*s", (int)why.size, why.at),
        st_t("")};
    return false;
}

// Writes a state that its own shape allows; a handler has left it after a request with that body. What does not fit is the service's own
// failure, unless the body has the same at the same place: then it is the client who is to mend it.
ST_API bool st_written(const st_shape *shape, const void *state, st_optional body, st_text *text, st_fault *fault) {
    *text = st_json(shape, state);
    if (st_read_whole(shape, *text, st_alloc(shape->size), fault)) return true;
    st_optional sent = body.given && fault->pointer.size ? st_value_at(body.text, fault->pointer) : (st_optional){0};
    if (sent.given && st_same_json(sent.text, st_value_at(*text, fault->pointer).text)) return false;
    *fault = (st_fault){500, st_t("guest-outcome"),
        st_textf("the service has left a state that does not fit: %.*s", (int)fault->message.size, fault->message.at), st_t("")};
    return false;
}

typedef enum { ST_ALWAYS, ST_IF_CHANGED, ST_NEVER } st_writes;

// Takes the state over into the outcome, if there is a new one.
ST_API bool st_keep(st_context *ctx, const st_shape *shape, const void *state, st_writes writes, st_text before) {
    st_text after;
    if (ctx->broken) return false;
    if (writes == ST_NEVER || ctx->unchanged) return true;
    if (!st_written(shape, state, ctx->request->body, &after, &ctx->fault)) return false;
    if (writes != ST_IF_CHANGED || !st_same(before, after)) ctx->outcome.document = (st_optional){1, after};
    return true;
}

ST_API bool st_act_on(st_context *ctx, const st_service *service, st_occasion on, void *state) {
    const st_handler *taking = st_taking(service, on);
    st_act *plain = st_plain(service, on);
    if (taking && taking[0].act) return st_run_taking(ctx, taking, state);
    if (plain) return plain(ctx, state, NULL) == ST_OK;
    return on == ST_ON_CREATE || st_missing(ctx, st_occasions[on], st_t("this request"));
}

// Runs a handler; false: ctx->fault says why not.
ST_API bool st_handle(st_context *ctx, const st_service *service, st_occasion on, st_text document) {
    if (!st_handles(service, on)) return st_missing(ctx, st_occasions[on], st_t("this request"));
    if (st_has_option(service, "STATELESS")) return st_act_on(ctx, service, on, NULL) && !ctx->broken;
    void *state = st_alloc(service->state->size);
    bool fits = on == ST_ON_CREATE ? st_read_whole(service->state, document, state, &ctx->fault)
                                   : st_restore(service->state, document, state, &ctx->fault);
    if (!fits) return false;
    st_writes writes = on == ST_ON_GET ? ST_NEVER
        : on == ST_ON_START || on == ST_ON_STOP || on == ST_ON_MAINTENANCE ? ST_IF_CHANGED : ST_ALWAYS;
    if ((on == ST_ON_CREATE || on == ST_ON_PUT) && ctx->request->body.given) {
        st_optional wanted = st_member(ctx->request->body.text, st_t("documentExpirationTimeMicros"));
        ctx->outcome.expires.given = wanted.given && st_parse_i64(wanted.text, &ctx->outcome.expires.micros);
    }
    st_text before = st_json(service->state, state);
    return st_act_on(ctx, service, on, state) && st_keep(ctx, service->state, state, writes, before);
}

// Takes the answer to an effect.
ST_API bool st_handle_reply(st_context *ctx, const st_service *service, st_text document, st_text tag, const st_answer *answer) {
    void *state = st_alloc(service->state->size);
    ctx->tag = tag;
    for (size_t i = 0; i < ST_KINDS_MAX && service->replies[i].act; i++) {
        const st_replier *replier = &service->replies[i];
        if (replier->tag && !st_same(st_t(replier->tag), tag)) continue;
        if (!st_restore(service->state, document, state, &ctx->fault)) return false;
        st_text before = st_json(service->state, state);
        return replier->act(ctx, state, answer) == ST_OK && st_keep(ctx, service->state, state, ST_IF_CHANGED, before);
    }
    return st_missing(ctx, "handle-reply", st_textf("the tag \"%.*s\"", (int)tag.size, tag.at));
}

// Makes a state of today out of an older one.
ST_API bool st_migrate(st_context *ctx, const st_service *service, st_text document, uint32_t from, st_text *migrated) {
    for (size_t i = 0; i < ST_WORDS_MAX && service->migrations[i].act; i++) {
        const st_migration *migration = &service->migrations[i];
        if (migration->from != from) continue;
        void *old = st_alloc(migration->old->size), *state = st_alloc(service->state->size);
        return st_restore(migration->old, document, old, &ctx->fault) && migration->act(ctx, state, old) == ST_OK &&
            st_written(service->state, state, (st_optional){0}, migrated, &ctx->fault);
    }
    return st_missing(ctx, "migrate", st_textf("state version %u", from));
}

// Makes one state of two; the handler changes ours.
ST_API bool st_merge(st_context *ctx, const st_service *service, st_text ours, st_text theirs, st_text *merged) {
    void *left = st_alloc(service->state->size), *right = st_alloc(service->state->size);
    if (!service->merge) return st_missing(ctx, "merge", st_t("two states"));
    return st_restore(service->state, ours, left, &ctx->fault) && st_restore(service->state, theirs, right, &ctx->fault) &&
        service->merge(ctx, left, right) == ST_OK && st_written(service->state, left, (st_optional){0}, merged, &ctx->fault);
}

#endif
