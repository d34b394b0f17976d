"""One call of a service, from texts to values and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .context import Answer, Context, Host, Level, Outcome, Request
from .fault import Fault, Spoiled, fault_of, place_in, place_of
from .service import Method, Service
from .shape import Shape, at_fault, plain, text_of

_ASKED = ("create", "post", "put", "patch", "delete")


def guarded(host: Host, call: Callable[[], Any]) -> Any:
    """Runs a call; an exception that is no fault becomes one that says where, and a line of the log."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        fault = fault_of(error)
        # A refusal that was meant is nothing to look into.
        if fault is not error or isinstance(fault, Spoiled):
            host.log(Level.ERROR, fault.message, text_of({"at": place_of(error)}))
        if fault is error:
            raise
        raise fault from error


def restore(shape: Shape, text: str) -> Any:
    """Reads a state that the host kept."""
    try:
        return shape.read(json.loads(text))
    except Fault as fault:
        message = f"stored state does not fit this module, raise state_version and add a migration: {fault.message}"
        raise Fault(500, "state-unreadable", message) from fault


def written(shape: Shape, state: Any, function: Callable | None, body: Any = None) -> str:
    """Returns the text of a state that its own schema allows.

    Raises Spoiled if the function has left one that it does not; the fault of the field if the body has the same value at the same place,
    for then it is the client who is to mend it.
    """
    try:
        text = text_of(state)
        shape.read(json.loads(text))
        return text
    except Fault as fault:
        misfit = fault if fault.pointer else unwritable(shape, state) or fault
    sent = at(body, misfit.pointer)
    if sent is not None and same(sent, at(plain(state), misfit.pointer)):
        raise misfit
    field = misfit.pointer[1:].partition("/")[0]
    attribute = next((one.attribute for one in shape.members if one.name == field), field)
    raise Spoiled(misfit.message, place_in(function, attribute))


def at(value: Any, pointer: str) -> Any:
    """Returns what a value has at a pointer; None if it has nothing there."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def same(one: Any, other: Any) -> bool:
    """True if two values are the same JSON: 1 and true are not."""
    return type(one) is type(other) and one == other


def unwritable(shape: Shape, state: Any) -> Fault | None:
    """Returns what is wrong with the first field of a state that cannot be written as JSON."""
    for member in shape.members:
        try:
            text_of(getattr(state, member.attribute, None))
        except Fault as fault:
            return at_fault(f"/{member.name}", f"is no JSON: {fault.message}")
    return None


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
    method = chosen(service, action, body) if action in service.handlers else None
    answer = method.call(state, ctx, body) if method else None
    return concluded(ctx, answer, None if action == "get" or ctx.keeps_state else kept(service, state, before, method, body))


def kept(service: Service, state: Any, before: str | None, method: Method | None, body: Any = None) -> str | None:
    """Returns the new state, unless it is the old one."""
    after = written(service.shape, state, method and method.function, body)
    return None if before == after else after


def concluded(ctx: Context, answer: Any, document: str | None) -> Outcome:
    """Returns the outcome of a handler that returned an answer, or None for the state."""
    if answer is not None:
        ctx.outcome.reply = text_of(answer)
    ctx.outcome.document = document
    return ctx.outcome


def chosen(service: Service, action: str, body: Any) -> Method:
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
    return concluded(ctx, replied, None if ctx.keeps_state else kept(service, state, before, method))


def migrate(service: Service, document: str, version: int) -> str:
    """Returns a state of an older version in the shape of today."""
    if version not in service.migrations:
        raise missing("migrate", f"state version {version}")
    function, shape = service.migrations[version]
    return written(service.shape, function(restore(shape, document)), function)


def merge(service: Service, ours: str, theirs: str) -> str:
    """Returns one state out of two that were written in two clusters."""
    if not service.merge:
        raise missing("merge", "two states")
    return written(service.shape, service.merge(restore(service.shape, ours), restore(service.shape, theirs)), service.merge)


def missing(handler: str, subject: str) -> Fault:
    """Returns the refusal of a call that the descriptor did not invite."""
    return Fault(501, "handler-missing", f"this service has no {handler} for {subject}")
