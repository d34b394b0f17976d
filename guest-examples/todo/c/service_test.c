// What a to-do list promises.
#include "service.c"
#include "steward/mock.h"

static st_text house(void) { return st_link_of(st_post("/core/todos", "{\"title\": \"house\"}")); }

ST_TEST(items_are_added_completed_and_removed) {
    st_text list = house();
    st_patch_to(list, "{\"kind\": \"add\", \"text\": \"sweep\"}");
    st_patch_to(list, "{\"kind\": \"add\", \"text\": \"mop\"}");
    st_patch_to(list, "{\"kind\": \"complete\", \"id\": 1}");
    st_has(st_patch_to(list, "{\"kind\": \"remove\", \"id\": 2}"), "/items", "[{\"id\":1,\"text\":\"sweep\",\"done\":true}]");
    st_has(st_patch_to(list, "{\"kind\": \"add\", \"text\": \"dust\"}"), "/items/1/id", "3");
    st_has(st_patch_to(list, "{\"kind\": \"remove\", \"id\": 1}"), "/items", "[{\"id\":3,\"text\":\"dust\",\"done\":false}]");
}

ST_TEST(removing_twice_makes_no_second_version) {
    st_text list = house();
    st_patch_to(list, "{\"kind\": \"add\", \"text\": \"sweep\"}");
    st_has(st_patch_to(list, "{\"kind\": \"remove\", \"id\": 1}"), "/documentVersion", "2");
    st_has(st_patch_to(list, "{\"kind\": \"remove\", \"id\": 1}"), "/documentVersion", "2");
}

ST_TEST(mistakes_are_refused_with_their_field) {
    st_is_refused(st_post("/core/todos", "{}"), 400, "/title");
    st_is_refused(st_post("/core/todos", "{\"title\": \"\"}"), 400, "/title");
    st_is_refused(st_post("/core/todos", "{\"title\": \"t\", \"items\": [{\"id\": 1, \"text\": \"\"}]}"), 400, "/items/0/text");
    st_is_refused(st_post("/core/todos", "{\"title\": \"t\", \"items\": [{\"id\": 0, \"text\": \"sweep\"}]}"), 400, "/items/0/id");
    st_is_refused(st_post("/core/todos", "{\"title\": \"t\", \"items\": [{\"id\": \"one\", \"text\": \"sweep\"}]}"), 400, "/items/0/id");
    st_text list = house();
    st_is_refused(st_patch_to(list, "{\"kind\": \"complete\", \"id\": 7}"), 400, "/id");
    st_is_refused(st_patch_to(list, "{\"kind\": \"add\"}"), 400, "/text");
    st_is_refused(st_patch_to(list, "{\"kind\": \"rename\", \"title\": \"\"}"), 400, "/title");
    st_is_refused(st_patch_to(list, "{\"kind\": \"burn\"}"), 400, "/kind");
    st_is_refused(st_patch_to(list, "{}"), 400, "/kind");
    st_check(st_versions_of(list) == 1);
}

ST_TEST(posting_a_list_again_replaces_it) {
    st_post("/core/todos", "{\"documentSelfLink\": \"a\", \"title\": \"one\"}");
    st_response again = st_post("/core/todos", "{\"documentSelfLink\": \"a\", \"title\": \"two\"}");
    st_has(again, "/documentVersion", "1");
    st_has(again, "/title", "\"two\"");
}

ST_TEST(lists_of_the_first_version_are_read) {
    static const st_service first = {.name = "todo", .factory = "/core/todos", .state = &first_shape};
    st_mock.service = &first;
    st_text list = st_link_of(st_post("/core/todos", "{\"title\": \"house\", \"items\": [\"sweep\", \"mop\"]}"));
    st_mock.service = &st_this_service;
    st_response patched = st_patch_to(list, "{\"kind\": \"complete\", \"id\": 2}");
    st_has(patched, "/documentVersion", "1");
    st_has(patched, "/items", "[{\"id\":1,\"text\":\"sweep\",\"done\":false},{\"id\":2,\"text\":\"mop\",\"done\":true}]");
}
