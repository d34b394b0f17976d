// The C SDK of steward: what the author of a service touches. Headers only.
//
// A service is a struct, a table that names its fields, and a few functions that change it. ST_SERVICE makes a component of them: JSON in
// and out, a JSON Schema, defaults, checks and a descriptor come out of the table. A test includes the service and steward/mock.h,
// which is a host in memory with a clock of its own.
//
//   host --WIT--> export.h (wasm only) --> run.h --> your function
//   mock.h -------------------------------> run.h --> your function
//
// A handler returns ST_OK, or what st_conflict and the like return: then nothing has happened, and no effect will be sent.
//
// All that a call allocates (st_alloc, texts, lists) lives until the call ends; nothing is freed by hand.
#ifndef STEWARD_H
#define STEWARD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steward/memory.h"
#include "steward/text.h"
#include "steward/types.h"
#include "steward/json.h"
#include "steward/context.h"
#include "steward/read.h"
#include "steward/write.h"
#include "steward/run.h"
#include "steward/describe.h"
#ifdef __wasm__
#include "steward/export.h"
#include "steward/sanitize.h"
#endif

#endif
