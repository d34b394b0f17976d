// What the mock host itself asks of a request, whatever the service says to it: the expiry in a body, and what it takes to create anew
// what was deleted. See mock.h.
#ifndef STEWARD_MOCK_ADMISSION_H
#define STEWARD_MOCK_ADMISSION_H

#include <strings.h>

// Reads a built-in field of a body that is a whole number, `least` or more. Returns false, with the fault, for one that cannot be.
ST_API bool st_whole_in(st_optional body, const char *field, int64_t least, const char *needed, st_moment *number, st_fault *fault) {
    st_optional wanted = body.given ? st_member(body.text, st_t(field)) : (st_optional){0};
    if (!wanted.given || st_same(wanted.text, st_t("null"))) return true;
    bool whole = st_parse_i64(wanted.text, &number->micros);
    number->given = whole && number->micros >= least;
    if (number->given) return true;
    st_text reason = st_textf("%s is %s: it must be %s", field, st_c(wanted.text), whole ? needed : "a whole number of 64 bits");
    *fault = (st_fault){400, st_t("validation"), reason, st_textf("/%s", field)};
    return false;
}

ST_API bool st_expiry_in(st_optional body, st_moment *expires, st_fault *fault) {
    return st_whole_in(body, "documentExpirationTimeMicros", 0, "0 (never) or microseconds since the Unix epoch", expires, fault);
}

// Tells whether a directive of the pragma asks to create anew what was deleted.
ST_API bool st_forces(st_headers headers) {
    for (size_t i = 0; i < headers.count; i++) {
        const char *at = strcasecmp(st_c(headers.at[i].name), "pragma") ? "" : st_c(headers.at[i].value);
        while (*at) {
            at += strspn(at, ",; \t");
            st_text directive = {at, strcspn(at, ",;")};
            at += directive.size;
            while (directive.size && strchr(" \t", directive.at[directive.size - 1])) directive.size--;
            if (st_same(directive, st_t("xn-force-index-update"))) return true;
        }
    }
    return false;
}

// Returns false, with the fault, for a creation at a link whose document was deleted, at that version, unless a header or a higher
// version asks for it.
ST_API bool st_may_create(const st_request *asked, bool deleted, uint64_t version, st_fault *fault) {
    st_moment named = {0};
    if (!st_whole_in(asked->body, "documentVersion", INT64_MIN, "", &named, fault)) return false;
    if (!deleted || st_forces(asked->headers) || (named.given && named.micros > (int64_t)version)) return true;
    st_text remedy = st_textf("create it anew with documentVersion %llu or higher, or with the header Pragma: xn-force-index-update",
        (unsigned long long)version + 1);
    st_text reason = st_textf("%s was deleted, at version %llu: %s", st_c(asked->link), (unsigned long long)version, st_c(remedy));
    *fault = (st_fault){409, st_t("marked-deleted"), reason, st_t("")};
    return false;
}

#endif
