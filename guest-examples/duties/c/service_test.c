// What a diary tells of its life.
#include "service.c"
#include "steward/mock.h"

ST_TEST(letters_arrive_when_they_are_due_and_their_answers_come_back) {
    const char *reader = st_c(st_link_of(st_post("/core/diaries", "{}")));
    st_text writer = st_link_of(st_post("/core/diaries", "{}"));
    st_text late = st_textf("{\"to\":\"%s\",\"note\":\"late\",\"delayMillis\":50,\"tag\":\"late\"}", reader);
    st_text soon = st_textf("{\"to\":\"%s\",\"note\":\"soon\"}", reader);
    st_patch_to(writer, st_c(st_textf("{\"letters\":[%s,%s]}", st_c(late), st_c(soon))));
    st_restart(); // timers outlive it
    st_advance(60000);
    st_has(st_get_of(st_t(reader)), "/notes", "[\"soon\",\"late\"]");
    st_has(st_get_of(writer), "/replies", "[\"late 200\"]");
    st_has(st_get_of(writer), "/creates", "1");
    st_has(st_get_of(writer), "/starts", "2");
    st_advance(ST_SECONDS(1));
    st_has(st_get_of(writer), "/ticks", "10");
}

ST_TEST(a_letter_can_be_taken_back) {
    st_text one = st_link_of(st_post("/core/diaries", "{}"));
    const char *letter = "{\"to\":\"%s\",\"note\":\"%s\",\"delayMillis\":9,\"tag\":\"%s\"}";
    st_text a = st_textf(letter, st_c(one), "a", "a+b &c"), b = st_textf(letter, st_c(one), "b", "");
    st_patch_to(one, st_c(st_textf("{\"letters\":[%s,%s]}", st_c(a), st_c(b))));
    st_patch_to(one, "{\"cancel\":\"a+b &c\"}");
    st_advance(20000);
    st_has(st_get_of(one), "/notes", "[\"b\"]");
}

ST_TEST(an_end_is_told_to_the_heir) {
    st_text heir = st_link_of(st_post("/core/diaries", "{}"));
    st_text one = st_textf("{\"documentSelfLink\":\"one\",\"heir\":\"%s\"}", st_c(heir));
    st_patch_to(st_link_of(st_post("/core/diaries", st_c(one))), "{\"expiresInMillis\":10}");
    st_advance(20000);
    st_has(st_get_of(heir), "/notes", "[\"one ended\"]");
}
