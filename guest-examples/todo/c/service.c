// A to-do list: several kinds of PATCH, checks that point at the field, and a state that has outgrown its first shape.
//
// Lists of state version 1 held bare texts. They are read through from_first whenever one is touched.
#include "steward.h"

// One thing to do.
typedef struct { uint64_t id; st_text text; bool done; } item;
// A list. The id is what the next item gets; ids are never used again.
typedef struct { st_text title; st_list items; uint64_t next_id; } todo;
// The list as state version 1 kept it.
typedef struct { st_text title; st_list items; } first_todo;
typedef struct { st_text text; } add_body;
typedef struct { uint64_t id; bool done; } complete_body;
typedef struct { uint64_t id; } remove_body;
typedef struct { st_text title; } rename_body;

static const st_field item_fields[] = {
    ST_FIELD(item, id, ST_U64),
    ST_FIELD(item, text, ST_TEXT, .least = ST_BOUND(1), .most = ST_BOUND(1000)),
    ST_FIELD(item, done, ST_BOOL, .fallback = "false"),
};
static const st_shape item_shape = ST_SHAPE(item, item_fields);
static const st_field todo_fields[] = {
    ST_FIELD(todo, title, ST_TEXT, .least = ST_BOUND(1), .most = ST_BOUND(200), .docs = "What the list is about."),
    ST_FIELD(todo, items, ST_LIST, .of = &item_shape, .fallback = "[]", .most = ST_BOUND(1000),
        .docs = "What is to be done, the oldest first."),
    ST_FIELD_AS(todo, next_id, "nextId", ST_U64, .fallback = "1", .least = ST_BOUND(1)),
};
static const st_field first_fields[] = {
    ST_FIELD(first_todo, title, ST_TEXT),
    ST_FIELD(first_todo, items, ST_LIST, .items = ST_TEXT, .fallback = "[]"),
};
static const st_field add_fields[] = {ST_FIELD(add_body, text, ST_TEXT, .least = ST_BOUND(1))};
static const st_field complete_fields[] = {
    ST_FIELD(complete_body, id, ST_U64),
    ST_FIELD(complete_body, done, ST_BOOL, .fallback = "true"),
};
static const st_field remove_fields[] = {ST_FIELD(remove_body, id, ST_U64)};
static const st_field rename_fields[] = {ST_FIELD(rename_body, title, ST_TEXT)};
static const st_shape todo_shape = ST_SHAPE(todo, todo_fields);
static const st_shape first_shape = ST_SHAPE(first_todo, first_fields);
static const st_shape add_shape = ST_SHAPE(add_body, add_fields);
static const st_shape complete_shape = ST_SHAPE(complete_body, complete_fields);
static const st_shape remove_shape = ST_SHAPE(remove_body, remove_fields);
static const st_shape rename_shape = ST_SHAPE(rename_body, rename_fields);

// Refuses a list that a client sent with ids which are not its own.
static int check_ids(st_context *ctx, void *state, const void *body) {
    todo *list = state;
    const item *items = list->items.at;
    uint64_t last = 0;
    for (size_t i = 0; i < list->items.count; i++) {
        if (items[i].id <= last) return st_invalid(ctx, st_c(st_textf("items/%d/id", (int)i)), "ids must rise from 1");
        last = items[i].id;
    }
    if (list->next_id <= last) list->next_id = last + 1;
    return ST_OK;
}

static int add(st_context *ctx, void *state, const void *body) {
    todo *list = state;
    const add_body *added = body;
    *(item *)st_push(&list->items, sizeof(item)) = (item){.id = list->next_id++, .text = added->text};
    return ST_OK;
}

// Returns where the item of an id is, or how many there are.
static size_t find(const todo *list, uint64_t id) {
    const item *items = list->items.at;
    size_t at = 0;
    while (at < list->items.count && items[at].id != id) at++;
    return at;
}

static int complete(st_context *ctx, void *state, const void *body) {
    todo *list = state;
    const complete_body *completed = body;
    size_t at = find(list, completed->id);
    if (at == list->items.count) return st_invalid(ctx, "id", "there is no item %llu", (unsigned long long)completed->id);
    ((item *)list->items.at)[at].done = completed->done;
    return ST_OK;
}

static int remove_item(st_context *ctx, void *state, const void *body) {
    todo *list = state;
    const remove_body *removed = body;
    size_t at = find(list, removed->id);
    // Whoever removes an item twice gets what they want; it makes no second version.
    if (at == list->items.count) st_unchanged(ctx);
    else st_pull(&list->items, sizeof(item), at);
    return ST_OK;
}

static int rename_list(st_context *ctx, void *state, const void *body) {
    ((todo *)state)->title = ((const rename_body *)body)->title;
    return ST_OK;
}

static int from_first(st_context *ctx, void *state, const void *body) {
    todo *list = state;
    const first_todo *old = body;
    const st_text *texts = old->items.at;
    *list = (todo){.title = old->title, .next_id = 1};
    for (size_t i = 0; i < old->items.count; i++) {
        *(item *)st_push(&list->items, sizeof(item)) = (item){.id = list->next_id++, .text = texts[i]};
    }
    return ST_OK;
}

ST_SERVICE(
    .name = "todo",
    .factory = "/core/todos",
    .docs = "A to-do list. Whoever posts it first makes it; posting it again replaces it.",
    .options = {"PERSISTENCE", "REPLICATION", "OWNER_SELECTION", "IDEMPOTENT_POST"},
    .state = &todo_shape,
    .state_version = 2,
    .create = check_ids,
    .patch = {
        {.kind = "add", .act = add, .body = &add_shape},
        {.kind = "complete", .act = complete, .body = &complete_shape},
        {.kind = "remove", .act = remove_item, .body = &remove_shape},
        {.kind = "rename", .act = rename_list, .body = &rename_shape},
    },
    .migrations = {{.from = 1, .old = &first_shape, .act = from_first}},
)
