/* The script runner: a component with QuickJS inside that runs a service written as a script.
 *
 * Problem. Authors of scripts have no compiler, and an engine of a megabyte per script is too much to compile and to keep.
 *
 * Promise. One component for all scripts. Its memory is a picture taken when it was made, with the engine started and the SDK
 * evaluated, so a new instance begins where that left off: it fetches the text from the host, evaluates it once, and calls it.
 * It reaches nothing but the host's own functions: no files, no sockets, and the clock and the randomness of the request.
 *
 *   host ── handle-patch(document, request) ──▶ this file ── run(…) ──▶ steward/run.js ──▶ the author's handler
 *                                                   │
 *                                                   └── first call of an instance: script.sources(), evaluated as modules
 *
 * What the author's code throws and the SDK does not turn into a refusal is told to the log, with the author's file and line, and
 * ends the instance: what it left half done in its memory is seen by nobody.
 *
 * The headers beside it are parts of this file: one unit is compiled, in the order in which they stand here.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "quickjs.h"
#include "records.h"

/* The handlers of steward/run.js, by number: its list HANDLERS has the same order. */
enum { CREATE, START, STOP, GET, POST, PUT, PATCH, DELETE, MAINTENANCE, REPLY };

enum { LEVEL_ERROR = 4 };

/* How deep a script may recurse before the engine says so itself, with file and line; wasmtime's stack ends later. */
#define STACK_BYTES_MAX (160 * 1024)

/* The modules of the SDK, made by the recipe: names and texts in turn, an empty name at the end. */
extern const char *const SDK[][2];

static JSRuntime *engine;
static JSContext *context;
static JSValue run, begun, describe, migrate, merge, explain, strip;
static JSAtom name_fault, name_status, name_code, name_message, name_pointer, name_document, name_headers, name_reply, name_effects,
    name_expires, name_to, name_action, name_body, name_delay, name_tag, name_trap;

/* The call at hand. */
static const request *asked;
static const reply *answer_at_hand;
static uint64_t random_state;
static sources files;
static bool is_loaded;

#include "values.h"
#include "surroundings.h"
#include "modules.h"

/* ---- Calls. ---- */

static fault fault_at(JSValueConst object) {
    JSValue value = checked(JS_GetProperty(context, object, name_fault));
    fault it = { number_at(value, name_status), text_at(value, name_code), text_at(value, name_message), text_at(value, name_pointer) };
    JS_FreeValue(context, value);
    return it;
}

static bool has(JSValueConst object, JSAtom name) {
    JSValue value = checked(JS_GetProperty(context, object, name));
    bool is_there = !JS_IsUndefined(value);
    JS_FreeValue(context, value);
    return is_there;
}

/* Ends the instance if the SDK caught what is no refusal. */
static void check_whole(JSValueConst result) {
    JSValue told = checked(JS_GetProperty(context, result, name_trap));
    if (!JS_IsUndefined(told)) {
        tell(told);
        __builtin_trap();
    }
}

static effect effect_at(JSValueConst list, uint32_t index) {
    JSValue it = checked(JS_GetPropertyUint32(context, list, index));
    effect made = {
        .to = text_at(it, name_to), .action = number_at(it, name_action), .headers = headers_at(it), .body = maybe_at(it, name_body),
        .delay_millis = number_at(it, name_delay), .reply_tag = text_at(it, name_tag),
    };
    JS_FreeValue(context, it);
    return made;
}

static outcome outcome_of(JSValueConst result) {
    outcome made = { .document = maybe_at(result, name_document), .status = number_at(result, name_status),
        .headers = headers_at(result), .reply = maybe_at(result, name_reply) };
    JSValue list = checked(JS_GetProperty(context, result, name_effects));
    if (!JS_IsUndefined(list)) {
        made.effects.count = length_of(list);
        made.effects.first = allocate(made.effects.count * sizeof(effect));
        for (uint32_t i = 0; i < made.effects.count; i++) made.effects.first[i] = effect_at(list, i);
    }
    JS_FreeValue(context, list);
    if (has(result, name_expires)) made.expires_micros = (maybe_moment){ 1, number_at(result, name_expires) };
    return made;
}

static handled handled_result;
static answered answered_result;
static text described_result;

enum { ARGUMENTS = 14 };

static handled *handle(int handler, text document, const request *request, const char *tag, uint32_t tag_count, const reply *reply) {
    asked = request;
    begin();
    answer_at_hand = reply;
    random_state = request->seed;
    JSValue arguments[ARGUMENTS] = {
        JS_NewInt32(context, handler), parsed(document), string(request->link), string(request->query), string(request->principal),
        JS_NewInt32(context, request->cause), JS_NewInt64(context, request->now_micros), JS_NewInt64(context, request->version),
        JS_NewBool(context, request->exists), JS_NewInt64(context, request->expires_micros),
        JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED,
    };
    if (reply) {
        arguments[10] = JS_NewStringLen(context, tag, tag_count);
        arguments[11] = JS_NewInt32(context, reply->status);
        arguments[12] = string(reply->from);
    }
    JSValue result = checked(JS_Call(context, run, JS_UNDEFINED, ARGUMENTS, arguments));
    for (int i = 0; i < ARGUMENTS; i++) JS_FreeValue(context, arguments[i]);
    check_whole(result);
    handled_result.is_fault = has(result, name_fault);
    if (handled_result.is_fault) handled_result.is.fault = fault_at(result);
    else handled_result.is.outcome = outcome_of(result);
    JS_FreeValue(context, result);
    return &handled_result;
}

#define HANDLER(name, number) \
    SERVICE(name) handled *handler_##number(const handler_arguments *given) { \
        return handle(number, given->document, &given->request, NULL, 0, NULL); \
    } \
    AFTER(name) void after_##number(void *result) { (void)result; release(); }

HANDLER("handle-create", CREATE)
HANDLER("handle-start", START)
HANDLER("handle-stop", STOP)
HANDLER("handle-get", GET)
HANDLER("handle-post", POST)
HANDLER("handle-put", PUT)
HANDLER("handle-patch", PATCH)
HANDLER("handle-delete", DELETE)
HANDLER("handle-maintenance", MAINTENANCE)

SERVICE("handle-reply") handled *handle_reply(const reply_arguments *given) {
    return handle(REPLY, given->document, &given->request, given->tag.bytes, given->tag.count, &given->reply);
}
AFTER("handle-reply") void after_handle_reply(void *result) { (void)result; release(); }

static answered *answered_by(JSValueConst function, int count, JSValue *arguments) {
    JSValue result = checked(JS_Call(context, function, JS_UNDEFINED, count, arguments));
    for (int i = 0; i < count; i++) JS_FreeValue(context, arguments[i]);
    check_whole(result);
    answered_result.is_fault = has(result, name_fault);
    if (answered_result.is_fault) answered_result.is.fault = fault_at(result);
    else answered_result.is.text = text_at(result, name_document);
    JS_FreeValue(context, result);
    return &answered_result;
}

SERVICE("migrate") answered *migrate_state(const char *document, uint32_t count, uint32_t from) {
    begin();
    JSValue arguments[] = { JS_NewStringLen(context, document, count), JS_NewInt32(context, from) };
    return answered_by(migrate, 2, arguments);
}
AFTER("migrate") void after_migrate(void *result) { (void)result; release(); }

SERVICE("merge") answered *merge_states(const char *ours, uint32_t count, const char *theirs, uint32_t theirs_count) {
    begin();
    JSValue arguments[] = { JS_NewStringLen(context, ours, count), JS_NewStringLen(context, theirs, theirs_count) };
    return answered_by(merge, 2, arguments);
}
AFTER("merge") void after_merge(void *result) { (void)result; release(); }

SERVICE("describe") text *describe_service(void) {
    begin();
    JSValue value = checked(JS_Call(context, describe, JS_UNDEFINED, 0, NULL));
    described_result = copied(value);
    JS_FreeValue(context, value);
    return &described_result;
}
AFTER("describe") void after_describe(void *result) { (void)result; release(); }

/* Takes the types out of a file. Needs no script. */
EXPORT("steward:script/typescript@0.1.0#strip") stripped *strip_types(const char *name, uint32_t name_count, const char *bytes, uint32_t count) {
    static stripped result;
    JS_UpdateStackTop(engine);
    if (JS_IsUndefined(strip)) {
        /* Only some instances ever do this: it would double the picture of the memory. */
        JSValue module = evaluated(load(context, "steward/strip.js", NULL));
        strip = exported(module, "strip");
        JS_FreeValue(context, module);
    }
    JSValue arguments[] = { JS_NewStringLen(context, name, name_count), JS_NewStringLen(context, bytes, count) };
    answered *answer = answered_by(strip, 2, arguments);
    result = (stripped){ answer->is_fault, answer->is_fault ? answer->is.fault.message : answer->is.text };
    return &result;
}
EXPORT("cabi_post_steward:script/typescript@0.1.0#strip") void after_strip(void *result) { (void)result; release(); }
