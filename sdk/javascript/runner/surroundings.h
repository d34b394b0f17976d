/* What the SDK finds in the engine besides the language. Part of runner.c. */
#pragma once

/* ---- What the SDK finds in `steward:host`. ---- */

static JSValue js_log(JSContext *ctx, JSValueConst this, int count, JSValueConst *arguments) {
    (void)this; (void)count;
    int32_t level = 0;
    size_t message_bytes = 0, fields_bytes = 0;
    if (JS_ToInt32(ctx, &level, arguments[0]) < 0) return JS_EXCEPTION;
    const char *message = JS_ToCStringLen(ctx, &message_bytes, arguments[1]);
    const char *fields = JS_ToCStringLen(ctx, &fields_bytes, arguments[2]);
    if (!message || !fields) return JS_EXCEPTION;
    host_log(level, message, message_bytes, fields, fields_bytes);
    JS_FreeCString(ctx, message);
    JS_FreeCString(ctx, fields);
    return JS_UNDEFINED;
}

static JSValue fault_given(const fault *given) {
    JSValue list = checked(JS_NewArray(context));
    JS_SetPropertyUint32(context, list, 0, JS_NewInt32(context, given->status));
    JS_SetPropertyUint32(context, list, 1, string(given->code));
    JS_SetPropertyUint32(context, list, 2, string(given->message));
    JS_SetPropertyUint32(context, list, 3, string(given->pointer));
    return list;
}

/* `read` and `query`: a text, or the four parts of a fault as a list. */
static JSValue js_ask(JSContext *ctx, JSValueConst this, int count, JSValueConst *arguments, int is_query) {
    (void)this; (void)count;
    size_t bytes = 0;
    const char *words = JS_ToCStringLen(ctx, &bytes, arguments[0]);
    if (!words) return JS_EXCEPTION;
    answered answer;
    if (is_query) host_query(words, bytes, &answer);
    else host_read(words, bytes, &answer);
    JS_FreeCString(ctx, words);
    return answer.is_fault ? fault_given(&answer.is.fault) : string(answer.is.text);
}

static JSValue js_stat(JSContext *ctx, JSValueConst this, int count, JSValueConst *arguments) {
    (void)this; (void)count;
    size_t bytes = 0;
    double value = 0;
    const char *name = JS_ToCStringLen(ctx, &bytes, arguments[0]);
    if (!name || JS_ToFloat64(ctx, &value, arguments[1]) < 0) return JS_EXCEPTION;
    host_stat(name, bytes, value);
    JS_FreeCString(ctx, name);
    return JS_UNDEFINED;
}

enum { BODY, HEADERS, ANSWER_BODY, ANSWER_HEADERS };

/* Parts of the request that most handlers never look at. */
static JSValue js_part(JSContext *ctx, JSValueConst this, int count, JSValueConst *arguments, int part) {
    (void)ctx; (void)this; (void)count; (void)arguments;
    if (!asked) return JS_UNDEFINED;
    const maybe_text *body = part == BODY ? &asked->body : answer_at_hand ? &answer_at_hand->body : NULL;
    switch (part) {
    case BODY:
    case ANSWER_BODY: return body && body->is_some ? parsed(body->text) : JS_UNDEFINED;
    case HEADERS: return headers_given(asked->headers);
    default: return answer_at_hand ? headers_given(answer_at_hand->headers) : JS_UNDEFINED;
    }
}

/* SplitMix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators". */
static JSValue js_random(JSContext *ctx, JSValueConst this, int count, JSValueConst *arguments) {
    (void)this; (void)count; (void)arguments;
    uint64_t mixed = (random_state += 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return JS_NewFloat64(ctx, (double)((mixed ^ (mixed >> 31)) >> 11) * 0x1p-53);
}

static const JSCFunctionListEntry HOST_FUNCTIONS[] = {
    JS_CFUNC_DEF("log", 3, js_log),
    JS_CFUNC_MAGIC_DEF("read", 1, js_ask, 0),
    JS_CFUNC_MAGIC_DEF("query", 1, js_ask, 1),
    JS_CFUNC_DEF("stat", 2, js_stat),
    JS_CFUNC_MAGIC_DEF("body", 0, js_part, BODY),
    JS_CFUNC_MAGIC_DEF("headers", 0, js_part, HEADERS),
    JS_CFUNC_MAGIC_DEF("answerBody", 0, js_part, ANSWER_BODY),
    JS_CFUNC_MAGIC_DEF("answerHeaders", 0, js_part, ANSWER_HEADERS),
    JS_CFUNC_DEF("random", 0, js_random),
};
