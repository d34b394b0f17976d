// A counter that comes to rest by itself, one step an hour.
#include "steward.h"

typedef struct { uint64_t count, step; } counter;
typedef struct { uint64_t by; bool has_by; } add_body;

static const st_field counter_fields[] = {
    ST_FIELD(counter, count, ST_U64, .fallback = "0"),
    ST_FIELD(counter, step, ST_U64, .fallback = "1", .least = ST_BOUND(1)),
};
static const st_field add_fields[] = {
    ST_FIELD(add_body, by, ST_U64, ST_OPTIONAL(add_body, has_by), .least = ST_BOUND(1)),
};
static const st_shape counter_shape = ST_SHAPE(counter, counter_fields);
static const st_shape add_shape = ST_SHAPE(add_body, add_fields);

static int add(st_context *ctx, void *state, const void *body) {
    counter *c = state;
    const add_body *a = body;
    c->count += a->has_by ? a->by : c->step;
    return ST_OK;
}

static int rest(st_context *ctx, void *state, const void *body) {
    counter *c = state;
    c->count -= c->count < c->step ? c->count : c->step;
    return ST_OK;
}

ST_SERVICE(
    .name = "counter",
    .factory = "/core/counters",
    .state = &counter_shape,
    .patch = {{.act = add, .body = &add_shape}},
    .maintenance = rest, .every_micros = ST_HOURS(1),
)
