// The example of the README, word for word.
#include "steward.h"

// A kettle that rings when it is hot.
typedef struct { uint64_t degrees; st_text owner; bool has_owner; } kettle;
typedef struct { uint64_t degrees; } heat_body;

static const st_field kettle_fields[] = {
    ST_FIELD(kettle, degrees, ST_U64, .fallback = "20", .most = ST_BOUND(100)),
    ST_FIELD(kettle, owner, ST_TEXT, ST_OPTIONAL(kettle, has_owner), .most = ST_BOUND(40)),
};
static const st_field heat_fields[] = {ST_FIELD(heat_body, degrees, ST_U64, .least = ST_BOUND(1))};
static const st_shape kettle_shape = ST_SHAPE(kettle, kettle_fields);
static const st_shape heat_shape = ST_SHAPE(heat_body, heat_fields);

static int heat(st_context *ctx, void *state, const void *body) {
    kettle *k = state;
    const heat_body *h = body;
    if (h->degrees > 100 - k->degrees) return st_conflict(ctx, "water boils at %d", 100);
    k->degrees += h->degrees;
    if (k->degrees == 100) st_after(st_self_patch(ctx, st_t("{\"kind\":\"ring\"}")), ST_SECONDS(3));
    return ST_OK;
}

static int ring(st_context *ctx, void *state, const void *body) {
    st_create(ctx, "/core/rings", st_textf("{\"kettle\":\"%s\"}", st_c(st_link(ctx))));
    ((kettle *)state)->degrees = 90;
    return ST_OK;
}

static int cool(st_context *ctx, void *state, const void *body) {
    kettle *k = state;
    k->degrees = k->degrees > 25 ? k->degrees - 5 : 20;
    return ST_OK;
}

ST_SERVICE(
    .name = "kettle",
    .factory = "/core/kettles",
    .state = &kettle_shape,
    .patch = {{.kind = "heat", .act = heat, .body = &heat_shape}, {.kind = "ring", .act = ring}},
    .maintenance = cool, .every_micros = ST_MINUTES(1),
)

#include "steward/mock.h"

static st_response created(const st_effect *effect) { return (st_response){201, st_t("null")}; }

ST_TEST(a_hot_kettle_rings_after_three_seconds) {
    st_answers(created);
    st_text one = st_link_of(st_post("/core/kettles", "{}"));
    st_is_refused(st_patch_to(one, "{\"kind\": \"heat\", \"degrees\": 0}"), 400, "/degrees");
    st_patch_to(one, "{\"kind\": \"heat\", \"degrees\": 80}");
    st_restart();              // timers outlive it
    st_advance(ST_SECONDS(3)); // virtual time: nobody waits
    st_check(st_same(st_mock.sent[1].to, st_t("/core/rings")));
    st_check(st_versions_of(one) == 3);
}

// ---- What stands in no README ----

ST_TEST(bodies_are_told_apart_by_their_kind) {
    st_text one = st_link_of(st_post("/core/kettles", "{\"documentSelfLink\": \"a\", \"owner\": \"\\u00e4\\ud83d\\ude00\\n\"}"));
    st_check(st_same(one, st_t("/core/kettles/a")));
    st_has(st_get_of(one), "/owner", "\"\xc3\xa4\xf0\x9f\x98\x80\\n\"");
    st_is_refused(st_patch_to(one, "{\"kind\": \"rob\"}"), 400, "/kind");
    st_is_refused(st_patch_to(one, "{}"), 400, "/kind");
    st_is_refused(st_patch_to(one, "{\"kind\": \"heat\"}"), 400, "/degrees");
    st_is_refused(st_patch_to(one, "{\"kind\": \"heat\", \"degrees\": 1.5}"), 400, "/degrees");
    st_is_refused(st_patch_to(one, "{\"kind\": \"heat\", \"degrees\": -1}"), 400, "/degrees");
    st_is_refused(st_patch_to(one, "{\"kind\": \"heat\", \"degrees\": 18446744073709551616}"), 400, "/degrees");
    st_is_refused(st_patch_to(one, "{\"kind\": \"heat\", \"degrees\": 99}"), 409, "");
    st_is_refused(st_put_to(one, "{\"degrees\": 101}"), 400, "/degrees");
    st_check(st_versions_of(one) == 1);
}

ST_TEST(numbers_are_written_as_they_are_read) {
    st_check(st_same(st_textf("%f %f %f %f", 0.1, -2.5, 1e300, 12345678.25), st_t("1e-1 -2.5 1e300 1.234567825e7")));
    st_check(st_parse_f64(st_t("-12.5e-1")) == -1.25);
    int64_t least;
    st_check(st_parse_i64(st_t("-9223372036854775808"), &least) && least == INT64_MIN);
    st_check(!st_parse_i64(st_t("9223372036854775808"), &least));
}

ST_TEST(every_update_that_is_accepted_takes_its_expiry) {
    const char *expires = "/documentExpirationTimeMicros";
    st_text one = st_link_of(st_post("/core/kettles", "{}"));
    st_response heated = st_patch_to(one, "{\"kind\": \"heat\", \"degrees\": 1, \"documentExpirationTimeMicros\": 4102444800000000}");
    st_check(st_same(st_at(heated.body, expires), st_t("4102444800000000")));
    // Who does not speak of it leaves it as it is.
    st_response kept = st_patch_to(one, "{\"kind\": \"heat\", \"degrees\": 1}");
    st_check(st_same(st_at(kept.body, expires), st_t("4102444800000000")));
    st_is_refused(st_patch_to(one, "{\"kind\": \"ring\", \"documentExpirationTimeMicros\": -1}"), 400, "/documentExpirationTimeMicros");
    st_is_refused(st_patch_to(one, "{\"kind\": \"ring\", \"documentExpirationTimeMicros\": 1.5}"), 400, "/documentExpirationTimeMicros");
    st_is_refused(st_post("/core/kettles", "{\"documentExpirationTimeMicros\": \"soon\"}"), 400, "/documentExpirationTimeMicros");
    st_check(st_patch_to(one, "{\"kind\": \"ring\", \"documentExpirationTimeMicros\": 1}").status == 200);
    st_is_refused(st_get_of(one), 404, "");
}

ST_TEST(a_delete_of_what_is_not_there_answers_an_empty_object) {
    st_text one = st_link_of(st_post("/core/kettles", "{}"));
    st_delete_of(one);
    st_check(st_same(st_delete_of(one).body, st_t("{}")));
    st_check(st_same(st_delete_of(st_t("/core/kettles/nobody")).body, st_t("{}")));
}

typedef struct { uint64_t next_id; } numbered;

static const st_field numbered_fields[] = {ST_FIELD_AS(numbered, next_id, "nextId", ST_U64, .least = ST_BOUND(1))};
static const st_shape numbered_shape = ST_SHAPE(numbered, numbered_fields);

ST_TEST(a_field_may_have_another_name_in_json) {
    numbered read;
    st_fault fault;
    st_check(st_read_whole(&numbered_shape, st_t("{\"nextId\":7}"), &read, &fault) && read.next_id == 7);
    st_check(st_same(st_json(&numbered_shape, &read), st_t("{\"nextId\":7}")));
    st_check(!st_read_whole(&numbered_shape, st_t("{\"nextId\":0}"), &read, &fault) && st_same(fault.pointer, st_t("/nextId")));
}

ST_TEST(the_descriptor_is_json) {
    st_text described = st_describe(&st_this_service);
    st_cursor c = st_cursor_of(described);
    st_skip(&c);
    st_check(!c.broken && st_peek(&c) == 0);
    st_check(st_same(st_at(described, "/stateSchema/properties/owner/maxLength"), st_t("40")));
    st_check(st_same(st_at(described, "/actions/handle-patch/ring"), st_t("{\"type\":\"object\"}")));
    st_check(st_same(st_at(described, "/options/3"), st_t("\"PERIODIC_MAINTENANCE\"")));
}

static int seat_rules(st_context *ctx, void *state, const void *body) {
    kettle *k = state;
    if (k->degrees == 13) return st_invalid(ctx, "degrees", "nobody likes 13");
    if (ctx->request->exists) k->degrees++;
    return ST_OK;
}

ST_TEST(a_put_is_decided_on_by_create_or_by_nobody) {
    static const st_service ruled = {.name = "ruled", .factory = "/core/ruled", .state = &kettle_shape, .create = seat_rules};
    st_mock.service = &ruled;
    st_text one = st_link_of(st_post("/core/ruled", "{\"degrees\": 1}"));
    st_is_refused(st_put_to(one, "{\"degrees\": 13}"), 400, "/degrees");
    st_has(st_put_to(one, "{\"degrees\": 2}"), "/degrees", "3");
    static const st_service closed = {.name = "closed", .factory = "/core/closed", .state = &kettle_shape, .no_put = true};
    st_mock.service = &closed;
    st_text other = st_link_of(st_post("/core/closed", "{}"));
    st_is_refused(st_put_to(other, "{\"degrees\": 2}"), 405, "");
    st_check(st_same(st_at(st_describe(&closed), "/put"), st_t("\"none\"")));
}

static int spoil(st_context *ctx, void *state, const void *body) {
    kettle *k = state;
    k->degrees = body ? ((const heat_body *)body)->degrees : 101;
    return ST_OK;
}

ST_TEST(a_state_that_a_handler_spoils_is_its_own_fault_unless_the_client_has_sent_the_value) {
    static const st_service spoilt = {.name = "spoilt", .factory = "/core/spoilt", .state = &kettle_shape,
        .patch = {{.kind = "own", .act = spoil}, {.kind = "over", .act = spoil, .body = &heat_shape}}};
    st_mock.service = &spoilt;
    st_text one = st_link_of(st_post("/core/spoilt", "{}"));
    st_response own = st_patch_to(one, "{\"kind\": \"own\"}");
    st_is_refused(own, 500, "");
    st_has(own, "/code", "\"guest-outcome\"");
    st_has(own, "/message", "\"the service has left a state that does not fit: degrees must be 100 or less, found 101\"");
    st_is_refused(st_patch_to(one, "{\"kind\": \"over\", \"degrees\": 102 }"), 400, "/degrees");
    st_check(st_versions_of(one) == 1);
}

static int empty(st_context *ctx, void *state, const void *body) {
    ((kettle *)state)->degrees = 0;
    return ST_OK;
}

ST_TEST(a_handler_without_a_kind_takes_what_no_other_takes) {
    static const st_service rest = {.name = "rest", .factory = "/core/rest", .state = &kettle_shape,
        .patch = {{.act = empty}, {.kind = "ring", .act = ring}}};
    st_mock.service = &rest;
    st_text one = st_link_of(st_post("/core/rest", "{}"));
    st_has(st_patch_to(one, "{\"kind\": \"ring\"}"), "/degrees", "90");
    st_has(st_patch_to(one, "{\"kind\": \"melt\"}"), "/degrees", "0");
    st_patch_to(one, "{\"kind\": \"ring\"}");
    st_has(st_patch_to(one, "{}"), "/degrees", "0");
}

static int64_t span;

static int fade(st_context *ctx, void *state, const void *body) {
    st_expire_in(ctx, span);
    return ST_OK;
}

static const st_service fading = {.name = "fading", .factory = "/core/fading", .state = &kettle_shape, .patch = {{.act = fade}}};

ST_TEST(what_is_no_expiry_refuses_the_call) {
    const st_request request = {.now_micros = 1, .exists = 1};
    const int64_t none[] = {-1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        st_context ctx = {.request = &request};
        span = none[i];
        st_check(!st_handle(&ctx, &fading, ST_ON_PATCH, st_t("{}")));
        st_check(ctx.fault.status == 500 && st_same(ctx.fault.code, st_t("guest-outcome")) && !ctx.outcome.expires.given);
    }
    st_context ctx = {.request = &request};
    span = INT64_MAX - 1;
    st_check(st_handle(&ctx, &fading, ST_ON_PATCH, st_t("{}")) && ctx.outcome.expires.micros == INT64_MAX);
}
