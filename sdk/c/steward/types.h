// What host and service say to each other, and how a service describes itself.
//
// The first part lies in memory as the component model says (on a machine of 32 bits), so that nothing has to be converted.
#ifndef STEWARD_TYPES_H
#define STEWARD_TYPES_H

typedef enum { ST_GET, ST_POST, ST_PUT, ST_PATCH, ST_DELETE } st_action;

// Why a handler is called.
typedef enum { ST_CLIENT, ST_EFFECT, ST_START, ST_MAINTENANCE, ST_REPLY } st_cause;

typedef enum { ST_TRACE, ST_DEBUG, ST_INFO, ST_WARN, ST_ERROR } st_level;

// A header; its name is in lower case.
typedef struct {
    st_text name, value;
} st_header;

typedef struct {
    st_header *at;
    size_t count;
} st_headers;

// What a handler is told besides the state. Times are microseconds since the Unix epoch.
typedef struct {
    st_text link, query;
    st_headers headers;
    st_optional body;
    st_text principal;
    uint8_t cause;
    int64_t now_micros;
    uint64_t seed, version;
    uint8_t exists;
    int64_t expires_micros;
} st_request;

// One request that the host sends after the commit. See st_after, st_reply_tag, st_effect_header.
typedef struct {
    st_text to;
    uint8_t action;
    st_headers headers;
    st_optional body;
    int64_t delay_millis;
    st_text tag;
} st_effect;

typedef struct {
    uint8_t given;
    int64_t micros;
} st_moment;

// What a handler decided.
typedef struct {
    st_optional document;
    uint16_t status;
    st_headers headers;
    st_optional reply;
    struct {
        st_effect *at;
        size_t count;
    } effects;
    st_moment expires;
} st_outcome;

// The answer to an effect that had a reply tag; the status is 0 if nobody answered.
typedef struct {
    uint16_t status;
    st_headers headers;
    st_optional body;
    st_text from;
} st_answer;

// Why a handler refuses.
typedef struct {
    uint16_t status;
    st_text code, message, pointer;
} st_fault;

// Kinds of fields: bool, int64_t, uint64_t, double, st_text, any JSON as st_text, a struct with a shape of its own, st_list.
typedef enum { ST_BOOL, ST_I64, ST_U64, ST_F64, ST_TEXT, ST_JSON, ST_OBJECT, ST_LIST } st_kind;

typedef struct {
    int set;
    double value;
} st_bound;

#define ST_BOUND(value) {1, value}

typedef struct st_shape st_shape;

// A field of a struct. Write it with ST_FIELD.
typedef struct {
    const char *name;
    st_kind kind;
    size_t offset;
    // The JSON text that a missing field has.
    const char *fallback;
    // One more than where a bool says whether the field is there; 0: it has to be. Write it with ST_OPTIONAL.
    size_t given;
    // Bounds of a number; of a text its characters, of a list its elements.
    st_bound least, most;
    // For a text: what it may be, parted by bars.
    const char *choices;
    // For an object, and for a list of objects.
    const st_shape *of;
    // For a list of anything else.
    st_kind items;
    const char *docs;
} st_field;

// The fields of a struct.
struct st_shape {
    size_t size;
    const st_field *fields;
    size_t count;
};

// A list: elements in a row, of the struct of its shape or of the type of its kind.
typedef struct {
    void *at;
    size_t count;
} st_list;

#define ST_FIELD(type, member, kind, ...) ST_FIELD_AS(type, member, #member, kind, ##__VA_ARGS__)
// A field that has another name in JSON than in the struct.
#define ST_FIELD_AS(type, member, name, kind, ...) {name, kind, offsetof(type, member), ##__VA_ARGS__}
#define ST_OPTIONAL(type, has) .given = offsetof(type, has) + 1
#define ST_SHAPE(type, fields) {sizeof(type), fields, sizeof(fields) / sizeof(fields[0])}

typedef struct st_context st_context;

// A handler: ctx, the state, the body (NULL if the handler has no shape for it; an st_answer for replies).
typedef int st_act(st_context *ctx, void *state, const void *body);

// What runs on a request; the kind chooses among several.
typedef struct {
    const char *kind;
    st_act *act;
    const st_shape *body;
} st_handler;

typedef struct {
    const char *tag;
    st_act *act;
} st_replier;

// Makes the state out of one of an older version, which act gets as its body.
typedef struct {
    uint32_t from;
    const st_shape *old;
    st_act *act;
} st_migration;

enum { ST_KINDS_MAX = 24, ST_WORDS_MAX = 16 };

// A service. Only name, factory and state are needed; GET, PUT and DELETE work without a handler.
typedef struct {
    const char *name, *factory;
    const st_shape *state;
    // Default: 0.1.0, nothing, the name.
    const char *version, *docs, *kind;
    // Default: PERSISTENCE, REPLICATION, OWNER_SELECTION.
    const char *options[ST_WORDS_MAX];
    // Hosts outside that effects may address.
    const char *outbound[ST_WORDS_MAX];
    uint32_t state_version;
    uint64_t retention, deadline_millis, memory_bytes;
    // With no_put the host refuses PUT with 405; without it `put` decides on one, or else `create`.
    bool task, eager, merge_patch, no_put, per_call;
    // The handlers. `create` gets the state that the client sent, with a POST, or with a PUT if there is no `put`; a reply without a tag
    // takes any.
    st_act *create, *start, *stop, *get, *del, *maintenance, *merge;
    int64_t every_micros;
    st_handler post[ST_KINDS_MAX], put[ST_KINDS_MAX], patch[ST_KINDS_MAX];
    st_replier replies[ST_KINDS_MAX];
    st_migration migrations[ST_WORDS_MAX];
} st_service;

#define ST_SECONDS(n) ((n) * 1000000LL)
#define ST_MINUTES(n) ST_SECONDS((n) * 60LL)
#define ST_HOURS(n) ST_MINUTES((n) * 60LL)

// The service of this component.
extern const st_service st_this_service;
#define ST_SERVICE(...) const st_service st_this_service = {__VA_ARGS__};

#endif
