// What the service promises, proven in memory: no host, no ports, a clock of its own.
#include "service.c"
#include "steward/mock.h"

ST_TEST(a_patch_adds_a_step_or_what_it_says) {
    st_text counter = st_link_of(st_post("/core/counters", "{\"step\": 5}"));
    st_has(st_patch_to(counter, "{}"), "/count", "5");
    st_has(st_patch_to(counter, "{\"by\": 37}"), "/count", "42");
}

ST_TEST(a_step_of_nothing_is_refused_with_its_field) {
    st_is_refused(st_post("/core/counters", "{\"step\": 0}"), 400, "/step");
    st_text counter = st_link_of(st_post("/core/counters", "{}"));
    st_is_refused(st_patch_to(counter, "{\"by\": \"much\"}"), 400, "/by");
}

ST_TEST(a_counter_comes_to_rest) {
    st_text counter = st_link_of(st_post("/core/counters", "{\"count\": 2}"));
    st_advance(ST_HOURS(10));
    st_has(st_get_of(counter), "/count", "0");
    st_check(st_versions_of(counter) == 3);
}
