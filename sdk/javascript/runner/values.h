/* Memory of a call, what is told when it breaks, and the way of values from texts to the engine and back. Part of runner.c. */
#pragma once

/* ---- Memory of one call: what the host hands over and what it takes back. All of it goes when the call has returned. ---- */

typedef struct block { struct block *next; } block;
#define ARENA_BYTES (64 * 1024)
static char arena[ARENA_BYTES] __attribute__((aligned(16)));
static size_t arena_used;
static block *large;
/* Texts of the scripts stay for the life of the instance. */
static bool keeps;

static void *allocate(size_t bytes) {
    size_t from = (arena_used + 7) & ~(size_t)7;
    if (!keeps && from + bytes <= ARENA_BYTES) {
        arena_used = from + bytes;
        return arena + from;
    }
    block *made = malloc(sizeof(block) + 8 + bytes);
    if (!made) __builtin_trap();
    if (!keeps) {
        made->next = large;
        large = made;
    }
    return (char *)made + sizeof(block) + 4;
}

static void release(void) {
    arena_used = 0;
    while (large) {
        block *next = large->next;
        free(large);
        large = next;
    }
    asked = NULL;
    answer_at_hand = NULL;
}

/* One byte more than asked for, and a zero there: the engine's parsers want an end. */
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_bytes, size_t align, size_t bytes) {
    (void)align;
    char *made = allocate(bytes + 1);
    made[bytes] = 0;
    if (old_bytes) memcpy(made, old, old_bytes < bytes ? old_bytes : bytes);
    return made;
}

/* ---- What the C library would ask the system. ---- */

/* QuickJS asks for the time of day, and takes it for granted that local time is that of Greenwich. */
int64_t runner_now_micros(void) { return asked ? asked->now_micros : 0; }

/* ---- Failing with words. ---- */

static void tell(JSValue told) {
    JSValue message = JS_GetPropertyUint32(context, told, 0), fields = JS_GetPropertyUint32(context, told, 1);
    size_t message_bytes = 0, fields_bytes = 0;
    const char *words = JS_ToCStringLen(context, &message_bytes, message);
    const char *more = JS_ToCStringLen(context, &fields_bytes, fields);
    if (words && more) host_log(LEVEL_ERROR, words, message_bytes, more, fields_bytes);
}

/* Tells the log what was thrown and where, and ends the instance. */
static _Noreturn void fail(void) {
    JSValue thrown = JS_GetException(context);
    JSValue told = JS_Call(context, explain, JS_UNDEFINED, 1, &thrown);
    if (JS_IsException(told)) {
        JSValue again = JS_GetException(context);
        size_t bytes = 0;
        const char *words = JS_ToCStringLen(context, &bytes, thrown);
        (void)again;
        if (words) host_log(LEVEL_ERROR, words, bytes, "", 0);
    } else {
        tell(told);
    }
    __builtin_trap();
}

static JSValue checked(JSValue value) {
    if (JS_IsException(value)) fail();
    return value;
}

/* ---- From texts to values and back. ---- */

static JSValue string(text it) { return JS_NewStringLen(context, it.bytes, it.count); }

/* Digits in a row from which on an integer may be more than a number can hold. */
enum { LONG_DIGITS = 16 };

static bool has_long_digits(text it) {
    uint32_t run = 0;
    for (uint32_t i = 0; i < it.count; i++) {
        run = it.bytes[i] >= '0' && it.bytes[i] <= '9' ? run + 1 : 0;
        if (run == LONG_DIGITS) return true;
    }
    return false;
}

/* Returns the value of an object in JSON; any other text as it is, for steward/json.js, as is one with long integers. */
static JSValue parsed(text it) {
    if (!it.count || *it.bytes != '{' || has_long_digits(it)) return string(it);
    JSValue value = JS_ParseJSON(context, it.bytes, it.count, "json");
    if (!JS_IsException(value)) return value;
    JS_FreeValue(context, JS_GetException(context));
    return string(it);
}

static text copied(JSValueConst value) {
    size_t count = 0;
    const char *bytes = JS_ToCStringLen(context, &count, value);
    if (!bytes) fail();
    char *copy = allocate(count);
    memcpy(copy, bytes, count);
    JS_FreeCString(context, bytes);
    return (text){ copy, count };
}

static text text_at(JSValueConst object, JSAtom name) {
    JSValue value = checked(JS_GetProperty(context, object, name));
    text it = copied(value);
    JS_FreeValue(context, value);
    return it;
}

static maybe_text maybe_at(JSValueConst object, JSAtom name) {
    JSValue value = checked(JS_GetProperty(context, object, name));
    maybe_text it = { 0 };
    if (!JS_IsUndefined(value)) it = (maybe_text){ 1, copied(value) };
    JS_FreeValue(context, value);
    return it;
}

static int64_t number_at(JSValueConst object, JSAtom name) {
    JSValue value = checked(JS_GetProperty(context, object, name));
    int64_t number = 0;
    if (JS_ToInt64Ext(context, &number, value) < 0) fail();
    JS_FreeValue(context, value);
    return number;
}

static uint32_t length_of(JSValueConst list) {
    int64_t length = 0;
    if (JS_GetLength(context, list, &length) < 0) fail();
    return (uint32_t)length;
}

/* Returns the text at an index of a list. */
static text text_in(JSValueConst list, uint32_t index) {
    JSValue value = checked(JS_GetPropertyUint32(context, list, index));
    text it = copied(value);
    JS_FreeValue(context, value);
    return it;
}

/* Takes headers: a list of names and values in turn, or nothing. */
static headers headers_at(JSValueConst object) {
    JSValue list = checked(JS_GetProperty(context, object, name_headers));
    headers taken = { 0 };
    if (!JS_IsUndefined(list)) {
        taken.count = length_of(list) / 2;
        taken.first = allocate(taken.count * sizeof(header));
        for (uint32_t i = 0; i < taken.count; i++)
            taken.first[i] = (header){ text_in(list, 2 * i), text_in(list, 2 * i + 1) };
    }
    JS_FreeValue(context, list);
    return taken;
}

static JSValue headers_given(headers given) {
    JSValue list = checked(JS_NewArray(context));
    for (uint32_t i = 0; i < given.count; i++) {
        JS_SetPropertyUint32(context, list, 2 * i, string(given.first[i].name));
        JS_SetPropertyUint32(context, list, 2 * i + 1, string(given.first[i].value));
    }
    return list;
}
