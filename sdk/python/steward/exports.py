"""The component's exports, in the names that componentize-py gives them: texts and records of the world outside, the service inside.

Only a component can import this module: its bindings, `wit_world`, are made with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from componentize_py_types import Err
from wit_world.imports import host as imported
from wit_world.imports import types

from . import run
from .context import Answer, Level, Outcome, Request
from .fault import Fault
from .service import Service

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


def asked(ask: Callable[[str], str], text: str) -> str:
    """Returns what the host answers; raises the fault with which it refuses."""
    try:
        return ask(text)
    except Err as error:
        fault = error.value
        raise Fault(fault.status, fault.code, fault.message, fault.pointer) from None


def request_of(given: types.Request) -> Request:
    """Returns a request as the SDK has it."""
    return Request(
        given.link, given.query, headers_of(given.headers), given.body, given.principal, given.cause.name.lower(), given.now_micros, given.seed,
        given.version, given.exists, given.expires_micros,
    )


def headers_of(given: list[types.Header]) -> list[tuple[str, str]]:
    """Returns headers as the SDK has them."""
    return [(header.name, header.value) for header in given]


def headers_to(given: list[tuple[str, str]]) -> list[types.Header]:
    """Returns headers as the world has them."""
    return [types.Header(name, value) for name, value in given]


def decided(call: Callable[[], Outcome]) -> types.Outcome:
    """Returns what a call decides, as the world has it."""
    outcome: Outcome = refusable(call)
    effects = [
        types.Effect(effect.to, _ACTIONS[effect.action], headers_to(effect.headers), effect.body, effect.delay_millis, effect.tag)
        for effect in outcome.effects
    ]
    return types.Outcome(outcome.document, outcome.status, headers_to(outcome.headers), outcome.reply, effects, outcome.expires_micros)


def refusable(call: Callable[[], Any]) -> Any:
    """Returns what a call returns, or refuses as the world has it."""
    try:
        return run.guarded(HOST, call)
    except Fault as fault:
        raise Err(types.Fault(fault.status, fault.code, fault.message, fault.pointer)) from None


def handler(action: str) -> Callable[..., types.Outcome]:
    """Returns the function of the world that runs a handler."""

    def handle(self: Exports, document: str, request: types.Request) -> types.Outcome:
        one = self.at(request)
        return decided(lambda: run.handle(one, action, document, request_of(request), HOST))

    return handle


class Exports:
    """What the world calls `service`, but for which service it is."""

    def at(self, request: types.Request | None) -> Service:
        """Returns the service of this component, ready for a request; None: for what is no request, and happens at no time."""
        raise NotImplementedError

    def describe(self) -> str:
        return self.at(None).describe()

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
        one = self.at(request)
        answer = Answer(tag, reply.status, headers_of(reply.headers), reply.body, reply.from_)
        return decided(lambda: run.handle_reply(one, document, answer, request_of(request), HOST))

    def migrate(self, document: str, from_version: int) -> str:
        one = self.at(None)
        return refusable(lambda: run.migrate(one, document, from_version))

    def merge(self, ours: str, theirs: str) -> str:
        one = self.at(None)
        return refusable(lambda: run.merge(one, ours, theirs))
