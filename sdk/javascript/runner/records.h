/* The records of wit/ and script.wit, the host's functions, and the names under which it finds ours.
 *
 * By the canonical ABI a record lies in memory as a struct of C does for wasm32.
 */
#pragma once
#include <stdint.h>

typedef struct { const char *bytes; uint32_t count; } text;
typedef struct { text name, value; } header;
typedef struct { header *first; uint32_t count; } headers;
typedef struct { uint8_t is_some; text text; } maybe_text;

typedef struct {
    text link, query;
    headers headers;
    maybe_text body;
    text principal;
    uint8_t cause;
    int64_t now_micros;
    uint64_t seed, version;
    uint8_t exists;
    int64_t expires_micros;
} request;

typedef struct { uint16_t status; headers headers; maybe_text body; text from; } reply;

typedef struct { text to; uint8_t action; headers headers; maybe_text body; int64_t delay_millis; text reply_tag; } effect;

typedef struct { uint8_t is_some; int64_t value; } maybe_moment;

typedef struct {
    maybe_text document;
    uint16_t status;
    headers headers;
    maybe_text reply;
    struct { effect *first; uint32_t count; } effects;
    maybe_moment expires_micros;
} outcome;

typedef struct { uint16_t status; text code, message, pointer; } fault;

typedef struct { uint8_t is_fault; union { outcome outcome; fault fault; } is; } handled;
typedef struct { uint8_t is_fault; union { text text; fault fault; } is; } answered;
typedef struct { uint8_t is_wrong; text text; } stripped;

/* Arguments that do not fit into registers come as a record of their own. */
typedef struct { text document; request request; } handler_arguments;
typedef struct { text document, tag; reply reply; request request; } reply_arguments;

typedef struct { text name, text; } source;
typedef struct { source *first; uint32_t count; } sources;

#define HOST "steward:service/host@0.1.0"
#define SCRIPT "steward:script/script@0.1.0"
#define FROM(module, name) __attribute__((import_module(module), import_name(name))) extern
#define EXPORT(name) __attribute__((export_name(name)))
#define SERVICE(name) EXPORT("steward:service/service@0.1.0#" name)
#define AFTER(name) EXPORT("cabi_post_steward:service/service@0.1.0#" name)

FROM(HOST, "log") void host_log(uint32_t level, const char *message, uint32_t bytes, const char *fields, uint32_t fields_bytes);
FROM(HOST, "read") void host_read(const char *link, uint32_t bytes, answered *answer);
FROM(HOST, "query") void host_query(const char *spec, uint32_t bytes, answered *answer);
FROM(HOST, "stat") void host_stat(const char *name, uint32_t bytes, double value);
FROM(SCRIPT, "sources") void script_sources(sources *answer);
