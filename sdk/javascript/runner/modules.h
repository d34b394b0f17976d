/* Modules, and the beginning of an instance: once when the runner is made, and once when a script is there. Part of runner.c. */
#pragma once

/* ---- Modules: those of the SDK, and the files of the script. ---- */

static JSModuleDef *compiled(const char *name, const char *bytes, size_t count) {
    JSValue module = JS_Eval(context, bytes, count, name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(module)) return NULL;
    JSModuleDef *found = JS_VALUE_GET_PTR(module);
    JS_FreeValue(context, module);
    return found;
}

/* `steward` is the SDK; a relative name is resolved against the file that imports it; anything else stays and is not found. */
static char *resolve(JSContext *ctx, const char *base, const char *name, void *opaque) {
    (void)opaque;
    if (!strcmp(name, "steward")) return js_strdup(ctx, "steward/index.js");
    if (strncmp(name, "./", 2) && strncmp(name, "../", 3)) return js_strdup(ctx, name);
    const char *slash = strrchr(base, '/');
    size_t kept = slash ? (size_t)(slash - base) : 0;
    char *full = js_malloc(ctx, kept + strlen(name) + 2);
    if (!full) return NULL;
    memcpy(full, base, kept);
    full[kept] = 0;
    while (*name) {
        size_t part = strcspn(name, "/");
        if (part == 2 && !strncmp(name, "..", 2)) {
            char *above = strrchr(full, '/');
            *(above ? above : full) = 0;
        } else if (part && !(part == 1 && *name == '.')) {
            size_t end = strlen(full);
            if (end) full[end++] = '/';
            memcpy(full + end, name, part);
            full[end + part] = 0;
        }
        name += part + (name[part] == '/');
    }
    return full;
}

/* Returns the file whose name is the first `count` bytes of `name`, and `ending`. */
static source *named(const char *name, size_t count, const char *ending) {
    size_t more = strlen(ending);
    for (uint32_t i = 0; i < files.count; i++) {
        text it = files.first[i].name;
        if (it.count == count + more && !memcmp(it.bytes, name, count) && !memcmp(it.bytes + count, ending, more)) return files.first + i;
    }
    return NULL;
}

static JSModuleDef *load(JSContext *ctx, const char *name, void *opaque) {
    (void)opaque;
    for (int i = 0; *SDK[i][0]; i++)
        if (!strcmp(SDK[i][0], name)) return compiled(name, SDK[i][1], strlen(SDK[i][1]));
    source *file = named(name, strlen(name), "");
    size_t stem = strlen(name);
    if (stem > 3 && !strcmp(name + stem - 3, ".js")) stem -= 3;
    if (!file) file = named(name, stem, ".ts");
    if (!file) file = named(name, stem, ".js");
    if (file) {
        /* Under its own name, which is the one that people know. */
        char *own = strndup(file->name.bytes, file->name.count);
        return own ? compiled(own, file->text.bytes, file->text.count) : NULL;
    }
    JS_ThrowReferenceError(ctx, "there is no module '%s': a script imports \"steward\" and files beside it", name);
    return NULL;
}

static void work(void) {
    JSContext *ctx;
    int done;
    while ((done = JS_ExecutePendingJob(engine, &ctx)) > 0) {}
    if (done < 0) fail();
}

/* Evaluates a module and returns what it exports. */
static JSValue evaluated(JSModuleDef *module) {
    if (!module) fail();
    JSValue promise = checked(JS_EvalFunction(context, JS_DupValue(context, JS_MKPTR(JS_TAG_MODULE, module))));
    work();
    switch (JS_PromiseState(context, promise)) {
    case JS_PROMISE_REJECTED:
        JS_Throw(context, JS_PromiseResult(context, promise));
        fail();
    case JS_PROMISE_PENDING:
        JS_ThrowTypeError(context, "the script waits at its top level for something that never comes");
        fail();
    default: break;
    }
    JS_FreeValue(context, promise);
    return checked(JS_GetModuleNamespace(context, module));
}

static JSValue exported(JSValueConst namespace, const char *name) { return checked(JS_GetPropertyStr(context, namespace, name)); }

/* Starts the engine and evaluates the SDK: runs once, before the picture of the memory is taken. */
EXPORT("prepare") void prepare(void) {
    engine = JS_NewRuntime();
    JS_SetMaxStackSize(engine, STACK_BYTES_MAX);
    context = JS_NewContext(engine);
    JS_SetModuleLoaderFunc(engine, resolve, load, NULL);
    JSValue global = JS_GetGlobalObject(context);
    JSValue host = JS_NewObject(context);
    JS_SetPropertyFunctionList(context, host, HOST_FUNCTIONS, sizeof HOST_FUNCTIONS / sizeof *HOST_FUNCTIONS);
    JS_SetPropertyStr(context, global, "__host", host);
    explain = JS_UNDEFINED;
    JSModuleDef *module = load(context, "steward/runner.js", NULL);
    JSValue sdk = evaluated(module);
    run = exported(sdk, "run");
    begun = exported(sdk, "begin");
    describe = exported(sdk, "describe");
    migrate = exported(sdk, "migrate");
    merge = exported(sdk, "merge");
    explain = exported(sdk, "explain");
    JS_FreeValue(context, sdk);
    strip = JS_UNDEFINED;
    JS_FreeValue(context, global);
#define ATOM(name, word) name = JS_NewAtom(context, word)
    ATOM(name_fault, "fault"); ATOM(name_status, "status"); ATOM(name_code, "code"); ATOM(name_message, "message");
    ATOM(name_pointer, "pointer"); ATOM(name_document, "document"); ATOM(name_headers, "headers"); ATOM(name_reply, "reply");
    ATOM(name_effects, "effects"); ATOM(name_expires, "expires"); ATOM(name_to, "to"); ATOM(name_action, "action");
    ATOM(name_body, "body"); ATOM(name_delay, "delay"); ATOM(name_tag, "tag"); ATOM(name_trap, "trap");
    JS_RunGC(engine);
}

/* Evaluates the script in an instance that has not done so. Its clock stands at the epoch, and its randomness is always the same. */
static void begin(void) {
    JS_UpdateStackTop(engine);
    if (is_loaded) return;
    is_loaded = true;
    const request *later = asked;
    asked = NULL;
    random_state = 0;
    keeps = true;
    script_sources(&files);
    keeps = false;
    if (!files.count) __builtin_trap();
    source first = files.first[0];
    char *name = strndup(first.name.bytes, first.name.count);
    JSValue script = evaluated(compiled(name, first.text.bytes, first.text.count));
    JS_FreeValue(context, checked(JS_Call(context, begun, JS_UNDEFINED, 1, &script)));
    asked = later;
}
