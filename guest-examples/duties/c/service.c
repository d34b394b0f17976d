// A diary of a document's life, as guest-examples/duties is in Rust: which handlers ran, and what came of the requests that it was told to
// send. And what a service can do wrong, when it is told to.
#include "steward.h"

typedef struct {
    st_text heir;
    uint64_t creates, starts, ticks;
    st_list notes, replies;
} diary;
// A note to write into another diary.
typedef struct { st_text to, note; uint64_t delay_millis; st_text tag; } letter;
// What a diary is told.
typedef struct {
    st_text note;
    st_list letters;
    int64_t expires_in_millis;
    // The tag of letters that are not to be sent any more.
    st_text cancel;
    bool has_note, expires, cancels;
} entry;
// What one diary sends to another.
typedef struct { st_text note; } message;

static const st_field diary_fields[] = {
    ST_FIELD(diary, heir, ST_TEXT, .fallback = "", .docs = "Another diary that is told when this one ends."),
    ST_FIELD(diary, creates, ST_U64, .fallback = "0"),
    ST_FIELD(diary, starts, ST_U64, .fallback = "0"),
    ST_FIELD(diary, ticks, ST_U64, .fallback = "0"),
    ST_FIELD(diary, notes, ST_LIST, .items = ST_TEXT, .fallback = "[]"),
    ST_FIELD(diary, replies, ST_LIST, .items = ST_TEXT, .fallback = "[]"),
};
static const st_field letter_fields[] = {
    ST_FIELD(letter, to, ST_TEXT),
    ST_FIELD(letter, note, ST_TEXT),
    ST_FIELD_AS(letter, delay_millis, "delayMillis", ST_U64, .fallback = "0"),
    ST_FIELD(letter, tag, ST_TEXT, .fallback = ""),
};
static const st_shape letter_shape = ST_SHAPE(letter, letter_fields);
static const st_field entry_fields[] = {
    ST_FIELD(entry, note, ST_TEXT, ST_OPTIONAL(entry, has_note)),
    ST_FIELD(entry, letters, ST_LIST, .of = &letter_shape, .fallback = "[]"),
    ST_FIELD_AS(entry, expires_in_millis, "expiresInMillis", ST_I64, ST_OPTIONAL(entry, expires)),
    ST_FIELD(entry, cancel, ST_TEXT, ST_OPTIONAL(entry, cancels)),
};
static const st_field message_fields[] = {ST_FIELD(message, note, ST_TEXT)};
static const st_shape diary_shape = ST_SHAPE(diary, diary_fields);
static const st_shape entry_shape = ST_SHAPE(entry, entry_fields);
static const st_shape message_shape = ST_SHAPE(message, message_fields);

static st_effect *tell(st_context *ctx, st_text to, st_text note) {
    return st_patch(ctx, to, st_json(&message_shape, &(message){note}));
}

static void add(st_list *texts, st_text text) { *(st_text *)st_push(texts, sizeof(st_text)) = text; }

static int create(st_context *ctx, void *state, const void *body) {
    ((diary *)state)->creates++;
    return ST_OK;
}

static int start(st_context *ctx, void *state, const void *body) {
    ((diary *)state)->starts++;
    return ST_OK;
}

static int stop(st_context *ctx, void *state, const void *body) {
    diary *d = state;
    if (d->heir.size) tell(ctx, d->heir, st_textf("%s ended", st_c(st_key(ctx))));
    return ST_OK;
}

static int tick(st_context *ctx, void *state, const void *body) {
    ((diary *)state)->ticks++;
    return ST_OK;
}

static int put_down(st_context *ctx, void *state, const void *body) {
    diary *d = state;
    const entry *e = body;
    const letter *letters = e->letters.at;
    st_stat("letters", (double)e->letters.count);
    if (e->has_note) add(&d->notes, e->note);
    if (e->cancels) st_cancel(ctx, st_c(e->cancel));
    for (size_t i = 0; i < e->letters.count; i++) {
        st_effect *effect = tell(ctx, letters[i].to, letters[i].note);
        st_reply_tag(st_after(effect, (int64_t)letters[i].delay_millis * 1000), st_c(letters[i].tag));
    }
    if (e->expires) st_expire_in(ctx, e->expires_in_millis * 1000);
    return ST_OK;
}

static int answered(st_context *ctx, void *state, const void *body) {
    const st_answer *answer = body;
    add(&((diary *)state)->replies, st_textf("%s %d", st_c(st_tag(ctx)), answer->status));
    return ST_OK;
}

static int trap(st_context *ctx, void *state, const void *body) {
    st_assert(!"told to");
    return ST_OK;
}

static int loop(st_context *ctx, void *state, const void *body) {
    for (;;) {}
    return ST_OK;
}

// The compiler knows neither how deep it goes nor what lies on the stack.
static uint64_t deep(const volatile uint64_t *above) {
    volatile uint64_t here = *above + 1;
    return here ? deep(&here) + here : 0;
}

static int recurse(st_context *ctx, void *state, const void *body) {
    ((diary *)state)->ticks = deep(&(volatile uint64_t){1});
    return ST_OK;
}

static int hoard(st_context *ctx, void *state, const void *body) {
    for (;;) st_alloc(1 << 20);
    return ST_OK;
}

ST_SERVICE(
    .name = "diary",
    .factory = "/core/diaries",
    .options = {"PERSISTENCE", "REPLICATION", "OWNER_SELECTION", "INSTRUMENTATION"},
    .outbound = {"127.0.0.1"},
    .eager = true,
    .no_put = true,
    .state = &diary_shape,
    .create = create, .start = start, .stop = stop,
    .patch = {
        {.kind = "trap", .act = trap},
        {.kind = "loop", .act = loop},
        {.kind = "recurse", .act = recurse},
        {.kind = "hoard", .act = hoard},
        {.act = put_down, .body = &entry_shape},
    },
    .replies = {{.act = answered}},
    .maintenance = tick, .every_micros = ST_SECONDS(1) / 10,
)
