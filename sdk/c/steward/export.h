// The functions of a component, in the layout of the component model's canonical ABI for the world in wit/. On a machine of 32 bits the
// structs of types.h have that layout already.
#ifndef STEWARD_EXPORT_H
#define STEWARD_EXPORT_H

#define ST_IMPORT(name) __attribute__((import_module("steward:service/host@0.1.0"), import_name(name)))
#define ST_EXPORT(name) __attribute__((export_name(name), used))
#define ST_SERVES(name) ST_EXPORT("steward:service/service@0.1.0#" name)

// `result<outcome, fault>` and `result<json, fault>`.
typedef struct {
    uint8_t failed;
    union { st_outcome ok; st_fault fault; };
} st_result;

typedef struct {
    uint8_t failed;
    union { st_text ok; st_fault fault; };
} st_json_result;

typedef struct {
    st_text document;
    st_request request;
} st_call;

typedef struct {
    st_text document, tag;
    st_answer answer;
    st_request request;
} st_reply_call;

_Static_assert(sizeof(st_call) == 96 && offsetof(st_call, request.expires_micros) == 88, "layout of a call");
_Static_assert(sizeof(st_effect) == 48 && sizeof(st_outcome) == 64 && sizeof(st_fault) == 28, "layout of an outcome");
_Static_assert(sizeof(st_result) == 72 && sizeof(st_json_result) == 32 && offsetof(st_reply_call, request) == 48, "layout of results");

ST_IMPORT("log") void st_import_log(int level, const char *message, size_t size, const char *fields, size_t fields_size);
ST_IMPORT("read") void st_import_read(const char *link, size_t size, st_json_result *result);
ST_IMPORT("query") void st_import_query(const char *spec, size_t size, st_json_result *result);
ST_IMPORT("stat") void st_import_stat(const char *name, size_t size, double value);

ST_API void st_host_log(st_level level, st_text message, st_text fields) {
    st_import_log(level, message.at, message.size, fields.at, fields.size);
}

ST_API bool st_answered(const st_json_result *result, st_text *json, st_fault *fault) {
    if (result->failed) *fault = result->fault;
    else *json = result->ok;
    return !result->failed;
}

ST_API bool st_host_read(st_text link, st_text *json, st_fault *fault) {
    st_json_result result;
    st_import_read(link.at, link.size, &result);
    return st_answered(&result, json, fault);
}

ST_API bool st_host_query(st_text spec, st_text *json, st_fault *fault) {
    st_json_result result;
    st_import_query(spec.at, spec.size, &result);
    return st_answered(&result, json, fault);
}

ST_API void st_host_stat(st_text name, double value) { st_import_stat(name.at, name.size, value); }

// True once a call has ended: its memory is free as soon as the host asks for some, for by then it has read the result.
static bool st_over;

ST_EXPORT("cabi_realloc") void *st_realloc(void *old, size_t old_size, size_t align, size_t size) {
    if (st_over) st_free_all(), st_over = false;
    void *memory = st_alloc_aligned(size, align);
    if (old_size) memcpy(memory, old, old_size);
    return memory;
}

static st_result st_returned;
static st_json_result st_returned_json;

ST_API const st_result *st_return(const st_context *ctx, bool decided) {
    st_returned = (st_result){.failed = !decided};
    if (decided) st_returned.ok = ctx->outcome;
    else st_returned.fault = ctx->fault;
    st_over = true;
    return &st_returned;
}

ST_API const st_json_result *st_return_json(const st_context *ctx, bool decided, st_text json) {
    st_returned_json = (st_json_result){.failed = !decided};
    if (decided) st_returned_json.ok = json;
    else st_returned_json.fault = ctx->fault;
    st_over = true;
    return &st_returned_json;
}

ST_API const st_result *st_call_handler(st_occasion on, const st_call *call) {
    st_context ctx = {.request = &call->request, .random = call->request.seed};
    bool decided = st_handle(&ctx, &st_this_service, on, call->document);
    return st_return(&ctx, decided);
}

#define ST_HANDLER(name, on) \
    ST_SERVES(name) const st_result *st_export_##on(const st_call *call) { return st_call_handler(on, call); }

ST_HANDLER("handle-create", ST_ON_CREATE)
ST_HANDLER("handle-start", ST_ON_START)
ST_HANDLER("handle-stop", ST_ON_STOP)
ST_HANDLER("handle-get", ST_ON_GET)
ST_HANDLER("handle-post", ST_ON_POST)
ST_HANDLER("handle-put", ST_ON_PUT)
ST_HANDLER("handle-patch", ST_ON_PATCH)
ST_HANDLER("handle-delete", ST_ON_DELETE)
ST_HANDLER("handle-maintenance", ST_ON_MAINTENANCE)

ST_SERVES("handle-reply") const st_result *st_export_reply(const st_reply_call *call) {
    st_context ctx = {.request = &call->request, .random = call->request.seed};
    bool decided = st_handle_reply(&ctx, &st_this_service, call->document, call->tag, &call->answer);
    return st_return(&ctx, decided);
}

ST_SERVES("migrate") const st_json_result *st_export_migrate(const char *at, size_t size, uint32_t from) {
    st_context ctx = {.request = &(st_request){0}};
    st_text migrated = {0};
    bool decided = st_migrate(&ctx, &st_this_service, (st_text){at, size}, from, &migrated);
    return st_return_json(&ctx, decided, migrated);
}

ST_SERVES("merge") const st_json_result *st_export_merge(const char *ours, size_t ours_size, const char *theirs, size_t theirs_size) {
    st_context ctx = {.request = &(st_request){0}};
    st_text merged = {0};
    bool decided = st_merge(&ctx, &st_this_service, (st_text){ours, ours_size}, (st_text){theirs, theirs_size}, &merged);
    return st_return_json(&ctx, decided, merged);
}

ST_SERVES("describe") const st_text *st_export_describe(void) {
    static st_text described;
    if (st_over) st_free_all();
    described = st_describe(&st_this_service);
    st_over = true;
    return &described;
}

#endif
