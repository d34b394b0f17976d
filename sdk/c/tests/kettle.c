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

// A leaflet remembers at which version it was told to begin, and has another one printed.
typedef struct { uint64_t told; } leaflet;

static const st_field leaflet_fields[] = {ST_FIELD(leaflet, told, ST_U64, .fallback = "0")};
static const st_shape leaflet_shape = ST_SHAPE(leaflet, leaflet_fields);

static int begin(st_context *ctx, void *state, const void *body) {
    ((leaflet *)state)->told = ctx->request->version;
    return ST_OK;
}

static int print(st_context *ctx, void *state, const void *body) {
    st_create(ctx, "/core/leaflets", st_t("{\"documentSelfLink\":\"a\",\"documentVersion\":99}"));
    return ST_OK;
}

static const st_service leaflets = {.name = "leaflet", .factory = "/core/leaflets", .state = &leaflet_shape, .create = begin,
    .patch = {{.act = print}}, .options = {"IDEMPOTENT_POST"}};

static st_response create_at(const char *version) {
    return st_post("/core/leaflets", st_c(st_textf("{\"documentSelfLink\":\"a\",\"documentVersion\":%s}", version)));
}

static bool is_new(st_response answer, const char *version) {
    return answer.status == 201 && st_same(st_at(answer.body, "/documentVersion"), st_t(version)) && st_same(st_at(answer.body, "/told"), st_t("0"));
}

// Returns the link of a leaflet.
static st_text printed(void) {
    st_mock.service = &leaflets;
    return st_link_of(create_at("null"));
}

// Returns the link of a leaflet that was deleted at version 2.
static st_text deleted(void) {
    st_text one = printed();
    st_put_to(one, "{}");
    st_response gone = st_delete_of(one);
    st_has(gone, "/documentVersion", "2");
    st_has(gone, "/documentUpdateAction", "\"DELETE\"");
    return one;
}

static void is_gone(st_text one) {
    st_is_refused(st_get_of(one), 404, "");
    st_is_refused(st_patch_to(one, "{}"), 404, "");
    st_is_refused(st_put_to(one, "{}"), 404, "");
}

ST_TEST(what_was_deleted_is_created_anew_by_a_higher_version) {
    st_text one = deleted();
    is_gone(one);
    const char *low[] = {"null", "2", "-1"};
    for (size_t i = 0; i < 3; i++) {
        st_response refused = create_at(low[i]);
        st_is_refused(refused, 409, "");
        st_has(refused, "/code", "\"marked-deleted\"");
        st_has(refused, "/message", "\"/core/leaflets/a was deleted, at version 2: create it anew with documentVersion 3 or higher, "
            "or with the header Pragma: xn-force-index-update\"");
    }
    st_is_refused(create_at("\"3\""), 400, "/documentVersion");
    st_check(is_new(create_at("9"), "3") && st_versions_of(one) == 4);
    // It lives, and a POST replaces it.
    st_has(create_at("null"), "/documentVersion", "4");
}

ST_TEST(the_pragma_creates_anew_and_forgets_the_history) {
    st_text one = deleted();
    const char *body = "{\"documentSelfLink\":\"a\"}";
    st_is_refused(st_post_with("/core/leaflets", body, "pragma", "no-cache"), 409, "");
    st_is_refused(st_post_with("/core/leaflets", body, "x-pragma", "xn-force-index-update"), 409, "");
    st_check(is_new(st_post_with("/core/leaflets", body, "pragma", "no-cache ; xn-force-index-update "), "3"));
    st_check(st_versions_of(one) == 1);
    st_delete_of(one);
    st_check(is_new(create_at("5"), "5") && st_versions_of(one) == 3);
}

ST_TEST(an_effect_needs_a_number_as_well_and_forgets_the_history) {
    st_text one = deleted();
    st_patch_to(st_link_of(st_post("/core/leaflets", "{}")), "{}");
    st_settle();
    st_has(st_get_of(one), "/documentVersion", "3");
    st_check(st_versions_of(one) == 1);
}

ST_TEST(what_has_expired_leaves_its_link_free) {
    st_text one = printed();
    st_put_to(one, st_c(st_textf("{\"documentExpirationTimeMicros\":%lld}", (long long)st_mock.now + ST_SECONDS(1))));
    st_advance(ST_SECONDS(1));
    is_gone(one);
    st_check(st_versions_of(one) == 0);
    // The expiry was version 2.
    st_response anew = create_at("null");
    st_check(is_new(anew, "3") && st_versions_of(one) == 1);
    st_has(anew, "/documentExpirationTimeMicros", "0");
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
