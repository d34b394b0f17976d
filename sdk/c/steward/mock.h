// A host in the memory of a test: documents with all their versions, effects, timers, maintenance, restarts. A test is a file that
// includes the service and this header, and nothing else has to be linked:
//
//   #include "service.c"
//   #include "steward/mock.h"
//
//   ST_TEST(a_patch_adds_a_step) {
//       st_text counter = st_link_of(st_post("/core/counters", "{\"step\": 5}"));
//       st_has(st_patch_to(counter, "{}"), "/count", "5");
//   }
//
// No ports, no waiting. The clock stands until st_advance moves it, effects wait until st_settle, and the same test takes the same
// course every time. Each test begins with an empty host.
//
// Left out: quorum, owners and replication, which no guest can see; several services at once (see st_answers); queries; a native PATCH
// by merging; repeated attempts: an effect that fails is given up at once; that a host forgets a deletion after seven days.
#ifndef STEWARD_MOCK_H
#define STEWARD_MOCK_H

#include <stdio.h>

#include "steward/mock_admission.h"

enum { ST_MOCK_MAX = 4096 };

// The answer to a request; the body of a refusal has code, message and pointer.
typedef struct {
    uint16_t status;
    st_text body;
} st_response;

typedef struct {
    st_text state;
    st_action action;
    int64_t updated, expiry;
} st_version;

// A document, or what is left of it: no version of one that has expired. `first` is the number of the oldest that is kept.
typedef struct {
    st_text link;
    st_version versions[ST_MOCK_MAX];
    size_t first, count;
    bool deleted;
    uint32_t state_version;
    int64_t maintenance;
} st_document;

typedef struct {
    int64_t due;
    uint64_t order;
    st_text from;
    st_effect effect;
} st_pending;

// The host of the test that runs.
static struct {
    const st_service *service;
    st_document *documents[ST_MOCK_MAX];
    size_t document_count;
    st_pending pending[ST_MOCK_MAX];
    size_t pending_count;
    // Effects that were carried out, the oldest first.
    st_effect sent[ST_MOCK_MAX];
    size_t sent_count;
    // Refusals that nobody was there to hear.
    size_t refusals;
    st_text logged;
    double stats;
    int64_t now;
    uint64_t next;
    st_response (*answers)(const st_effect *effect);
} st_mock;

static int st_failures;

ST_API void st_host_log(st_level level, st_text message, st_text fields) {
    st_mock.logged = st_textf("%d %.*s %.*s", (int)level, (int)message.size, message.at, (int)fields.size, fields.at);
}

ST_API void st_host_stat(st_text name, double value) { (void)name, st_mock.stats += value; }

// ---- What is there ----

ST_API st_document *st_find(st_text link) {
    for (size_t i = 0; i < st_mock.document_count; i++) {
        if (st_same(st_mock.documents[i]->link, link)) return st_mock.documents[i];
    }
    return NULL;
}

ST_API st_document *st_living(st_text link) {
    st_document *document = st_find(link);
    return document && !document->deleted ? document : NULL;
}

ST_API uint64_t st_number_of(const st_document *document) { return document->first + document->count - 1; }

// Gives up every version, and goes on counting.
ST_API void st_forget(st_document *document) { document->first += document->count, document->count = 0; }

ST_API uint32_t st_today(void) { return st_mock.service->state_version ? st_mock.service->state_version : 1; }

ST_API st_response st_refusal(const st_fault *fault) {
    st_buffer body = {0};
    st_putf(&body, "{\"statusCode\":%d,\"code\":", fault->status);
    st_put_json(&body, fault->code), st_puts(&body, ",\"message\":"), st_put_json(&body, fault->message);
    st_puts(&body, ",\"pointer\":"), st_put_json(&body, fault->pointer), st_putc(&body, '}');
    return (st_response){fault->status, st_done(&body)};
}

ST_API st_response st_refused_with(uint16_t status, const char *code, st_text subject) {
    return st_refusal(&(st_fault){status, st_t(code), subject, st_t("")});
}

// Returns the newest state in the shape of today.
ST_API bool st_state_of(const st_document *document, st_text *state, st_fault *fault) {
    *state = document->versions[document->count - 1].state;
    if (document->state_version == st_today()) return true;
    st_request nobody = {.exists = 1};
    st_context ctx = {.request = &nobody};
    bool migrated = st_migrate(&ctx, st_mock.service, *state, document->state_version, state);
    *fault = ctx.fault;
    return migrated;
}

// Returns a document with its built-in fields.
ST_API st_response st_shown(const st_document *document, uint16_t status) {
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    const st_version *newest = &document->versions[document->count - 1];
    st_text state;
    st_fault fault;
    st_buffer out = {0};
    if (!st_state_of(document, &state, &fault)) return st_refusal(&fault);
    st_put(&out, (st_text){state.at, state.size - 1});
    st_puts(&out, state.size > 2 ? ",\"documentSelfLink\":" : "\"documentSelfLink\":"), st_put_json(&out, document->link);
    st_puts(&out, ",\"documentKind\":"), st_put_json(&out, st_t(st_mock.service->kind ? st_mock.service->kind : st_mock.service->name));
    st_putf(&out, ",\"documentVersion\":%llu,\"documentUpdateAction\":\"%s\"", (unsigned long long)st_number_of(document), methods[newest->action]);
    st_putf(&out, ",\"documentUpdateTimeMicros\":%lld,\"documentExpirationTimeMicros\":%lld}", (long long)newest->updated, (long long)newest->expiry);
    return (st_response){status, st_done(&out)};
}

// ---- One call ----

ST_API st_request st_request_for(st_text link, st_optional body, st_cause cause) {
    st_document *document = st_living(link);
    st_request request = {.link = link, .body = body, .cause = (uint8_t)cause, .now_micros = st_mock.now, .exists = document != NULL};
    request.seed = ++st_mock.next * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < link.size; i++) {
        if (link.at[i] == '?') request.query = (st_text){link.at + i + 1, link.size - i - 1}, request.link.size = i;
    }
    if (document) {
        request.version = st_number_of(document);
        request.expires_micros = document->versions[document->count - 1].expiry;
    }
    return request;
}

// Tells whether an effect gives up others of its document.
ST_API bool st_cancels(st_text from, const st_effect *effect) {
    st_text own = st_textf("%.*s/effects", (int)from.size, from.at);
    bool plain = effect->action == ST_DELETE && effect->delay_millis <= 0 && !effect->tag.size;
    return plain && st_begins(effect->to, own) && (effect->to.size == own.size || effect->to.at[own.size] == '?');
}

// Tells whether that is one of them.
ST_API bool st_is_cancelled(st_text from, const st_effect *by, const st_pending *pending) {
    if (!st_same(pending->from, from)) return false;
    st_request request = {.link = from};
    st_context ctx = {.request = &request};
    st_cancel(&ctx, st_c(pending->effect.tag));
    bool all = by->to.size == from.size + sizeof("/effects") - 1;
    return all || st_same(ctx.outcome.effects.at[0].to, by->to);
}

ST_API void st_queue(st_text from, const st_outcome *outcome) {
    for (size_t i = 0; i < outcome->effects.count; i++) {
        const st_effect *effect = &outcome->effects.at[i];
        for (size_t at = 0; st_cancels(from, effect) && at < st_mock.pending_count;) {
            if (!st_is_cancelled(from, effect, &st_mock.pending[at])) at++;
            else st_mock.pending[at] = st_mock.pending[--st_mock.pending_count];
        }
    }
    for (size_t i = 0; i < outcome->effects.count && st_mock.pending_count < ST_MOCK_MAX; i++) {
        st_effect effect = outcome->effects.at[i];
        if (st_cancels(from, &effect)) continue;
        st_mock.pending[st_mock.pending_count++] = (st_pending){st_mock.now + effect.delay_millis * 1000, ++st_mock.next, from, effect};
    }
}

ST_API void st_commit(st_document *document, st_action action, const st_outcome *outcome) {
    int64_t expiry = document->count ? document->versions[document->count - 1].expiry : 0;
    if (outcome->expires.given) expiry = outcome->expires.micros;
    if (outcome->document.given && document->count < ST_MOCK_MAX) {
        document->versions[document->count++] = (st_version){outcome->document.text, action, st_mock.now, expiry};
        document->state_version = st_today();
    } else if (document->count && document->count < ST_MOCK_MAX && expiry != document->versions[document->count - 1].expiry) {
        // A new expiry alone makes a new version of the same state.
        st_text state = document->versions[document->count - 1].state;
        document->versions[document->count++] = (st_version){state, action, st_mock.now, expiry};
    }
    st_queue(document->link, outcome);
}

ST_API bool st_decides(st_context *ctx, bool decided) {
    if (!decided || ctx->outcome.effects.count <= ST_EFFECTS_MAX) return decided;
    st_refuse(ctx, 500, "guest-answer", "the guest asked for more than %d effects", ST_EFFECTS_MAX);
    return false;
}

ST_API st_response st_answered_with(st_document *document, st_action action, const st_outcome *outcome, uint16_t status) {
    st_commit(document, action, outcome);
    if (outcome->status) status = outcome->status;
    return outcome->reply.given ? (st_response){status, outcome->reply.text} : st_shown(document, status);
}

// Runs a handler that no client caused.
ST_API void st_unasked(st_document *document, st_occasion on, st_cause cause) {
    st_request request = st_request_for(document->link, (st_optional){0}, cause);
    st_context ctx = {.request = &request, .random = request.seed};
    st_text state;
    if (!st_handles(st_mock.service, on)) return;
    bool decided = st_state_of(document, &state, &ctx.fault) && st_decides(&ctx, st_handle(&ctx, st_mock.service, on, state));
    if (decided) st_commit(document, ST_PATCH, &ctx.outcome);
    else st_mock.refusals++;
}

ST_API st_response st_ask_with(st_action action, st_text link, st_optional body, st_headers headers, st_cause cause);

ST_API st_response st_make(const st_request *asked) {
    st_text factory = st_t(st_mock.service->factory), link = st_string(st_member(asked->body.text, st_t("documentSelfLink")));
    if (!link.size) link = st_textf("%llu", (unsigned long long)++st_mock.next);
    if (!st_begins(link, factory)) link = st_textf("%s/%.*s", st_mock.service->factory, (int)link.size, link.at);
    st_cause cause = (st_cause)asked->cause;
    if (st_living(link) && st_has_option(st_mock.service, "IDEMPOTENT_POST")) return st_ask_with(ST_PUT, link, asked->body, asked->headers, cause);
    if (st_living(link)) return st_refused_with(409, "already-exists", link);
    st_request request = st_request_for(link, asked->body, cause);
    request.headers = asked->headers;
    st_context ctx = {.request = &request, .random = request.seed};
    st_document *document = st_find(link);
    uint64_t last = document ? st_number_of(document) : 0;
    st_moment expires = {0};
    if (!st_may_create(&request, document && document->count, last, &ctx.fault)) return st_refusal(&ctx.fault);
    if (!st_expiry_in(request.body, &expires, &ctx.fault)) return st_refusal(&ctx.fault);
    if (!st_decides(&ctx, st_handle(&ctx, st_mock.service, ST_ON_CREATE, asked->body.text))) return st_refusal(&ctx.fault);
    st_outcome started = {0};
    if (st_handles(st_mock.service, ST_ON_START)) {
        st_context start = {.request = &request, .random = ctx.random};
        if (!st_decides(&start, st_handle(&start, st_mock.service, ST_ON_START, ctx.outcome.document.text))) return st_refusal(&start.fault);
        if (start.outcome.document.given) ctx.outcome.document = start.outcome.document;
        started = start.outcome;
    }
    if (!document) document = st_mock.documents[st_mock.document_count++] = st_alloc(sizeof *document);
    document->link = link;
    if (st_forces(request.headers) || cause != ST_CLIENT) st_forget(document);
    // What was here before leaves no expiry behind.
    if (!ctx.outcome.expires.given) ctx.outcome.expires = (st_moment){.given = true};
    document->deleted = false;
    document->maintenance = st_mock.service->maintenance ? st_mock.now + st_mock.service->every_micros : 0;
    st_response response = st_answered_with(document, ST_POST, &ctx.outcome, st_mock.service->task ? 202 : 201);
    st_queue(link, &started);
    return response;
}

ST_API st_response st_bury(st_document *document, st_request *request) {
    st_occasion occasions[] = {ST_ON_DELETE, ST_ON_STOP};
    st_context ctx = {.request = request, .random = request->seed};
    st_text state;
    if (!st_state_of(document, &state, &ctx.fault)) return st_refusal(&ctx.fault);
    for (size_t i = request->cause == ST_MAINTENANCE; i < 2; i++) {
        if (!st_handles(st_mock.service, occasions[i])) continue;
        if (!st_handle(&ctx, st_mock.service, occasions[i], state)) return st_refusal(&ctx.fault);
        if (ctx.outcome.document.given) state = ctx.outcome.document.text;
    }
    // The end is a version of its own.
    ctx.outcome.document = (st_optional){1, state};
    st_response response = st_answered_with(document, ST_DELETE, &ctx.outcome, 200);
    document->deleted = true;
    return response;
}

// Ends the documents whose time has passed.
ST_API void st_bury_expired(void) {
    for (size_t i = 0; i < st_mock.document_count; i++) {
        st_document *document = st_mock.documents[i];
        int64_t expiry = document->deleted ? 0 : document->versions[document->count - 1].expiry;
        if (!expiry || expiry > st_mock.now) continue;
        st_request request = st_request_for(document->link, (st_optional){0}, ST_MAINTENANCE);
        st_bury(document, &request);
        if (document->deleted) st_forget(document);
        else st_mock.refusals++;
    }
}

// Sends any request; the link may have a query.
ST_API st_response st_ask_with(st_action action, st_text link, st_optional body, st_headers headers, st_cause cause) {
    static const st_occasion occasions[] = {ST_ON_GET, ST_ON_POST, ST_ON_PUT, ST_ON_PATCH, ST_ON_DELETE};
    st_bury_expired();
    st_request request = st_request_for(link, body, cause);
    request.headers = headers;
    st_context ctx = {.request = &request, .random = request.seed};
    bool stateless = st_has_option(st_mock.service, "STATELESS");
    if (!stateless && st_same(request.link, st_t(st_mock.service->factory)) && action == ST_POST) return st_make(&request);
    st_document *document = st_living(request.link);
    bool within = st_begins(request.link, st_textf("%s/", st_mock.service->factory));
    if (!document && !stateless && within && action == ST_DELETE) return (st_response){200, st_t("{}")};
    if (!document && !stateless) return st_refused_with(404, "not-found", request.link);
    st_moment expires = {0};
    if (document && !st_expiry_in(body, &expires, &ctx.fault)) return st_refusal(&ctx.fault);
    if (action == ST_DELETE && document) return st_bury(document, &request);
    st_text state = st_t("{}");
    st_occasion on = occasions[action];
    bool handled = st_handles(st_mock.service, on);
    if (!handled && action == ST_PUT && document && !st_mock.service->no_put) {
        if (!body.given) return st_refused_with(400, "validation", request.link);
        on = ST_ON_CREATE, state = body.text, handled = true;
    }
    if (!handled) return action == ST_GET && document ? st_shown(document, 200) : st_refused_with(405, "not-allowed", request.link);
    bool decided = (stateless || on == ST_ON_CREATE || st_state_of(document, &state, &ctx.fault)) &&
        st_decides(&ctx, st_handle(&ctx, st_mock.service, on, state));
    if (!decided) return st_refusal(&ctx.fault);
    // Whoever accepts an update accepts the expiry in its body, unless the service says another one.
    if (!ctx.outcome.expires.given && action != ST_GET && ctx.outcome.status < 400) ctx.outcome.expires = expires;
    if (document) return st_answered_with(document, action, &ctx.outcome, 200);
    st_queue(request.link, &ctx.outcome);
    return (st_response){ctx.outcome.status ? ctx.outcome.status : 200, ctx.outcome.reply.text};
}

ST_API st_response st_ask(st_action action, st_text link, st_optional body, st_cause cause) {
    return st_ask_with(action, link, body, (st_headers){0}, cause);
}

ST_API bool st_host_read(st_text link, st_text *json, st_fault *fault) {
    st_response response = st_ask(ST_GET, link, (st_optional){0}, ST_EFFECT);
    *json = response.body;
    *fault = (st_fault){response.status, st_string(st_member(response.body, st_t("code"))), st_string(st_member(response.body, st_t("message"))), st_t("")};
    return response.status < 300;
}

ST_API bool st_host_query(st_text spec, st_text *json, st_fault *fault) {
    (void)spec, (void)json;
    *fault = (st_fault){400, st_t("not-available"), st_t("the mock host runs no queries"), st_t("")};
    return false;
}

// ---- What tests call ----

ST_API st_response st_post(const char *link, const char *json) { return st_ask(ST_POST, st_t(link), (st_optional){1, st_t(json)}, ST_CLIENT); }
ST_API st_response st_post_with(const char *link, const char *json, const char *header, const char *value) {
    st_header one = {st_t(header), st_t(value)};
    return st_ask_with(ST_POST, st_t(link), (st_optional){1, st_t(json)}, (st_headers){&one, 1}, ST_CLIENT);
}
ST_API st_response st_patch_to(st_text link, const char *json) { return st_ask(ST_PATCH, link, (st_optional){1, st_t(json)}, ST_CLIENT); }
ST_API st_response st_put_to(st_text link, const char *json) { return st_ask(ST_PUT, link, (st_optional){1, st_t(json)}, ST_CLIENT); }
ST_API st_response st_get_of(st_text link) { return st_ask(ST_GET, link, (st_optional){0}, ST_CLIENT); }
ST_API st_response st_delete_of(st_text link) { return st_ask(ST_DELETE, link, (st_optional){0}, ST_CLIENT); }

// Answers effects that do not go to the service itself; without it they are answered with 404.
ST_API void st_answers(st_response (*answers)(const st_effect *effect)) { st_mock.answers = answers; }

ST_API void st_carry_out(const st_pending *pending) {
    const st_effect *effect = &pending->effect;
    bool own = st_begins(effect->to, st_t(st_mock.service->factory));
    st_response response = !own && st_mock.answers ? st_mock.answers(effect)
        : st_ask_with((st_action)effect->action, effect->to, effect->body, effect->headers, ST_EFFECT);
    st_mock.sent[st_mock.sent_count++ % ST_MOCK_MAX] = *effect;
    st_document *document = st_living(pending->from);
    if (!effect->tag.size || !document) return;
    st_answer answer = {.status = response.status, .body = {response.body.size > 0, response.body}, .from = effect->to};
    st_request request = st_request_for(pending->from, (st_optional){0}, ST_REPLY);
    st_context ctx = {.request = &request, .random = request.seed};
    st_text state;
    bool decided = st_state_of(document, &state, &ctx.fault) &&
        st_decides(&ctx, st_handle_reply(&ctx, st_mock.service, state, effect->tag, &answer));
    if (decided) st_commit(document, ST_PATCH, &ctx.outcome);
    else st_mock.refusals++;
}

ST_API st_pending *st_next_pending(void) {
    st_pending *next = NULL;
    for (size_t i = 0; i < st_mock.pending_count; i++) {
        st_pending *other = &st_mock.pending[i];
        if (!next || other->due < next->due || (other->due == next->due && other->order < next->order)) next = other;
    }
    return next;
}

// Carries out the effects that are due, and those that they bring about.
ST_API void st_settle(void) {
    for (int i = 0; i < 100000; i++) {
        st_pending *next = st_next_pending();
        if (!next || next->due > st_mock.now) return;
        st_pending pending = *next;
        *next = st_mock.pending[--st_mock.pending_count];
        st_carry_out(&pending);
    }
    printf("  effects cause effects for ever\n"), st_failures++;
}

// Moves the clock, and does on the way all that falls due: effects, maintenance, expiry.
ST_API void st_advance(int64_t micros) {
    int64_t end = st_mock.now + micros;
    for (;;) {
        st_settle();
        st_pending *next = st_next_pending();
        int64_t moment = next ? next->due : INT64_MAX;
        for (size_t i = 0; i < st_mock.document_count; i++) {
            st_document *document = st_mock.documents[i];
            if (document->deleted) continue;
            int64_t expiry = document->versions[document->count - 1].expiry;
            if (document->maintenance && document->maintenance < moment) moment = document->maintenance;
            if (expiry && expiry < moment) moment = expiry;
        }
        if (moment > end) break;
        if (moment > st_mock.now) st_mock.now = moment;
        for (size_t i = 0; i < st_mock.document_count; i++) {
            st_document *document = st_mock.documents[i];
            if (!document->deleted && document->maintenance && document->maintenance <= st_mock.now) {
                document->maintenance = st_mock.now + st_mock.service->every_micros;
                st_unasked(document, ST_ON_MAINTENANCE, ST_MAINTENANCE);
            }
        }
        st_bury_expired();
    }
    st_mock.now = end;
}

// Takes ownership of every document anew, as after a restart: timers have outlived it.
ST_API void st_restart(void) {
    for (size_t i = 0; i < st_mock.document_count; i++) {
        if (!st_mock.documents[i]->deleted) st_unasked(st_mock.documents[i], ST_ON_START, ST_START);
    }
}

// Returns how many versions of a document are kept: none of one that has expired.
ST_API size_t st_versions_of(st_text link) {
    st_document *document = st_find(link);
    return document ? document->count : 0;
}

// Returns the JSON text that a pointer names in a body; empty if there is nothing.
ST_API st_text st_at(st_text json, const char *pointer) {
    st_optional found = st_value_at(json, st_t(pointer));
    return found.given ? found.text : st_t("");
}

ST_API void st_expect(const char *file, int line, bool holds, st_response response, const char *wanted) {
    if (holds) return;
    st_failures++;
    printf("  %s:%d: wanted %s: %d %.*s\n", file, line, wanted, response.status, (int)response.body.size, response.body.at);
}

// Fails the test unless the pointer names this JSON text in the body.
#define st_has(response, pointer, json) do { \
        st_response st_r = (response); \
        st_expect(__FILE__, __LINE__, st_same(st_at(st_r.body, pointer), st_t(json)), st_r, pointer " " json); \
    } while (0)

// Fails the test unless the request was refused with this status at this field.
#define st_is_refused(response, with, pointer) do { \
        st_response st_r = (response); \
        bool st_fits = st_r.status == (with) && st_same(st_string(st_member(st_r.body, st_t("pointer"))), st_t(pointer)); \
        st_expect(__FILE__, __LINE__, st_fits, st_r, "a refusal " #with " at " pointer); \
    } while (0)

#define st_check(condition) st_expect(__FILE__, __LINE__, condition, (st_response){0}, #condition)

// Returns the self-link of the document in a body.
ST_API st_text st_link_of(st_response response) { return st_string(st_member(response.body, st_t("documentSelfLink"))); }

static struct {
    const char *name;
    void (*run)(void);
} st_tests[ST_MOCK_MAX];
static size_t st_test_count;

#define ST_TEST(title) \
    static void title(void); \
    __attribute__((constructor)) static void st_adds_##title(void) { \
        st_tests[st_test_count].name = #title, st_tests[st_test_count++].run = title; \
    } \
    static void title(void)

// Runs the tests; with a word those whose name contains it.
int main(int count, char **words) {
    int failed = 0, ran = 0;
    for (size_t i = 0; i < st_test_count; i++) {
        if (count > 1 && !strstr(st_tests[i].name, words[1])) continue;
        int before = st_failures;
        memset(&st_mock, 0, sizeof st_mock);
        // 2026-01-01T00:00:00Z.
        st_mock.now = 1767225600000000, st_mock.service = &st_this_service;
        st_tests[i].run();
        printf("%s %s\n", st_failures == before ? "ok  " : "FAIL", st_tests[i].name);
        ran++, failed += st_failures != before;
    }
    printf("%d of %d tests passed\n", ran - failed, ran);
    return failed > 0;
}

#endif
