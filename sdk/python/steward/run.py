"""One call of a service, from texts to values and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .context import Answer, Context, Host, Level, Outcome, Request
from .fault import Fault, fault_of, place_of
from .service import Service
from .shape import Shape, text_of

_ASKED = ("create", "post", "put", "patch", "delete")


def guarded(host: Host, call: Callable[[], Any]) -> Any:
    """Runs a call; an exception that is no fault becomes one that says where, and a line of the log."""
    try:
        return call()
    except Fault:
        raise
    except (Exception, SystemExit) as error:
        fault = fault_of(error)
        host.log(Level.ERROR, fault.message, text_of({"at": place_of(error)}))
        raise fault from error


def restore(shape: Shape, text: str) -> Any:
    """Reads a state that the host kept."""
    try:
        return shape.read(json.loads(text))
    except Fault as fault:
        message = f"stored state does not fit this module, raise state_version and add a migration: {fault.message}"
        raise Fault(500, "state-unreadable", message) from fault


def written(shape: Shape, state: Any) -> str:
    """Returns the text of a state that its own schema allows."""
    text = text_of(state)
    shape.read(json.loads(text))
    return text


def handle(service: Service, action: str, document: str, request: Request, host: Host) -> Outcome:
    """Runs a handler. Raises the fault with which the service refuses."""
    if not service.handles(action):
        raise missing(f"handle-{action}", "this request")
    ctx = Context(request, host)
    body = json.loads(request.body) if request.body is not None else None
    if service.stateless:
        return concluded(ctx, chosen(service, action, body).call(service.cls, ctx, body), None)
    state = service.shape.read(json.loads(document)) if action == "create" else restore(service.shape, document)
    if action in ("create", "put") and isinstance(body, dict):
        ctx.outcome.expires_micros = body.get("documentExpirationTimeMicros")
    before = text_of(state) if action not in _ASKED else None
    answer = chosen(service, action, body).call(state, ctx, body) if action in service.handlers else None
    return concluded(ctx, answer, None if action == "get" or ctx.keeps_state else kept(service, state, before))


def kept(service: Service, state: Any, before: str | None) -> str | None:
    """Returns the new state, unless it is the old one."""
    after = written(service.shape, state)
    return None if before == after else after


def concluded(ctx: Context, answer: Any, document: str | None) -> Outcome:
    """Returns the outcome of a handler that returned an answer, or None for the state."""
    if answer is not None:
        ctx.outcome.reply = text_of(answer)
    ctx.outcome.document = document
    return ctx.outcome


def chosen(service: Service, action: str, body: Any) -> Any:
    """Returns the method that the body's kind chooses."""
    kinds = service.handlers[action]
    kind = body.get("kind") if isinstance(body, dict) else None
    # A list, say, is no key of anything.
    if isinstance(kind, str) and kind in kinds:
        return kinds[kind]
    if "" in kinds:
        return kinds[""]
    found = "no kind" if kind is None else f"the kind {json.dumps(kind)}"
    raise Fault(400, "unknown-kind", f"kind must be one of {', '.join(sorted(kinds))}, found {found}", "/kind")


def handle_reply(service: Service, document: str, answer: Answer, request: Request, host: Host) -> Outcome:
    """Takes the answer to an effect."""
    method = service.replies.get(answer.tag) or service.replies.get("")
    if not method:
        raise missing("handle-reply", f"the tag {json.dumps(answer.tag)}")
    ctx, state = Context(request, host), restore(service.shape, document)
    before = text_of(state)
    replied = method.call(state, ctx, None, answer)
    return concluded(ctx, replied, None if ctx.keeps_state else kept(service, state, before))


def migrate(service: Service, document: str, version: int) -> str:
    """Returns a state of an older version in the shape of today."""
    if version not in service.migrations:
        raise missing("migrate", f"state version {version}")
    function, shape = service.migrations[version]
    return written(service.shape, function(restore(shape, document)))


def merge(service: Service, ours: str, theirs: str) -> str:
    """Returns one state out of two that were written in two clusters."""
    if not service.merge:
        raise missing("merge", "two states")
    return written(service.shape, service.merge(restore(service.shape, ours), restore(service.shape, theirs)))


def missing(handler: str, subject: str) -> Fault:
    """Returns the refusal of a call that the descriptor did not invite."""
    return Fault(501, "handler-missing", f"this service has no {handler} for {subject}")
