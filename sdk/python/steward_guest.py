"""The component's exports, in the names that componentize-py gives them. It is the module that `steward build` makes a component of."""

import json

import service as _service  # noqa: F401  it registers itself
from componentize_py_types import Err
from steward import run
from steward.context import Answer, Level, Outcome, Request
from steward.fault import Fault
from steward.service import served
from wit_world.imports import host as imported
from wit_world.imports import types

if len(served) != 1:
    raise TypeError(f"service.py makes {len(served)} services with @service, and a component is one")
ONE = served[0]
_ACTIONS = {name: types.Action[name.upper()] for name in ("get", "post", "put", "patch", "delete")}
# Reading and writing a text once fills caches that every instance then has from its beginning.
json.loads(json.dumps({"a": [1, 2.5, None, "ä"]}))


class Imported:
    """The host, as a service sees it."""

    def log(self, level: Level, message: str, fields: str) -> None:
        imported.log(types.Level(int(level)), message, fields)

    def read(self, link: str) -> str:
        return asked(imported.read, link)

    def query(self, spec: str) -> str:
        return asked(imported.query, spec)

    def stat(self, name: str, value: float) -> None:
        imported.stat(name, value)


HOST = Imported()


def asked(ask, text: str) -> str:
    try:
        return ask(text)
    except Err as error:
        fault = error.value
        raise Fault(fault.status, fault.code, fault.message, fault.pointer) from None


def request_of(given: types.Request) -> Request:
    return Request(
        given.link, given.query, headers_of(given.headers), given.body, given.principal, given.cause.name.lower(), given.now_micros, given.seed,
        given.version, given.exists, given.expires_micros,
    )


def headers_of(given: list[types.Header]) -> list[tuple[str, str]]:
    return [(header.name, header.value) for header in given]


def headers_to(given: list[tuple[str, str]]) -> list[types.Header]:
    return [types.Header(name, value) for name, value in given]


def decided(call) -> types.Outcome:
    outcome: Outcome = refusable(call)
    effects = [
        types.Effect(effect.to, _ACTIONS[effect.action], headers_to(effect.headers), effect.body, effect.delay_millis, effect.tag)
        for effect in outcome.effects
    ]
    return types.Outcome(outcome.document, outcome.status, headers_to(outcome.headers), outcome.reply, effects, outcome.expires_micros)


def refusable(call):
    try:
        return run.guarded(HOST, call)
    except Fault as fault:
        raise Err(types.Fault(fault.status, fault.code, fault.message, fault.pointer)) from None


def handler(action: str):
    def handle(_, document: str, request: types.Request) -> types.Outcome:
        return decided(lambda: run.handle(ONE, action, document, request_of(request), HOST))

    return handle


class Service:
    """What the world calls `service`."""

    def describe(self) -> str:
        return ONE.describe()

    handle_create = handler("create")
    handle_start = handler("start")
    handle_stop = handler("stop")
    handle_get = handler("get")
    handle_post = handler("post")
    handle_put = handler("put")
    handle_patch = handler("patch")
    handle_delete = handler("delete")
    handle_maintenance = handler("maintenance")

    def handle_reply(self, document: str, tag: str, reply: types.Reply, request: types.Request) -> types.Outcome:
        answer = Answer(tag, reply.status, headers_of(reply.headers), reply.body, reply.from_)
        return decided(lambda: run.handle_reply(ONE, document, answer, request_of(request), HOST))

    def migrate(self, document: str, from_version: int) -> str:
        return refusable(lambda: run.migrate(ONE, document, from_version))

    def merge(self, ours: str, theirs: str) -> str:
        return refusable(lambda: run.merge(ONE, ours, theirs))
