"""The decorators that make a service of a class, and its descriptor."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any

from .context import Answer, Context
from .fault import Fault, FieldError, place_among
from .shape import Member, Shape, Unknown, member, schema_of, text_of

ACTIONS = ("create", "start", "stop", "get", "post", "put", "patch", "delete", "maintenance")
_SAFE = ("PERSISTENCE", "REPLICATION", "OWNER_SELECTION")
_UNITS = {"ms": 1000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def _marked(role: str, detail: Any) -> Callable[[Callable], Callable]:
    def mark(method: Callable) -> Callable:
        # Above @staticmethod or below it: the mark belongs to the function.
        function = method.__func__ if isinstance(method, staticmethod) else method
        function._steward = (role, detail)  # type: ignore[attr-defined]
        return method

    return mark


def post(kind: str) -> Callable[[Callable], Callable]:
    """Runs on a POST to the document whose body names this kind."""
    return _marked("post", kind)


def put(kind: str) -> Callable[[Callable], Callable]:
    """Runs on a PUT whose body names this kind."""
    return _marked("put", kind)


def patch(kind: str) -> Callable[[Callable], Callable]:
    """Runs on a PATCH whose body names this kind."""
    return _marked("patch", kind)


def get(method: Callable) -> Callable:
    """Runs on a GET."""
    return _marked("get", "")(method)


def delete(method: Callable) -> Callable:
    """Runs on a DELETE."""
    return _marked("delete", "")(method)


def every(interval: str) -> Callable[[Callable], Callable]:
    """Runs at that interval: `500ms`, `30s`, `1m`, `1h`, `1d`."""
    matched = re.fullmatch(r"(\d+)(ms|s|m|h|d)", interval)
    if not matched:
        raise TypeError(f'an interval is a number with ms, s, m, h or d, and "{interval}" is none')
    return _marked("maintenance", int(matched[1]) * _UNITS[matched[2]])


def reply(tag: str) -> Callable[[Callable], Callable]:
    """Runs when an effect with that tag was answered."""
    return _marked("reply", tag)


def migrate(version: int) -> Callable[[Callable], Callable]:
    """Makes a state out of one of an older state version: a static method that takes the old one, a dict or a dataclass."""
    return _marked("migrate", version)


def _hints(function: Callable, cls: type) -> dict[str, Any]:
    """Returns the annotations of a method. They may name the class itself, which its module does not know before it is decorated."""
    return typing.get_type_hints(function, localns={cls.__name__: cls})


@contextlib.contextmanager
def _named(function: Callable, cls: type, parameter: str) -> Iterator[None]:
    """Tells of which parameter the type or the default is none, and where it stands."""
    try:
        yield
    except Unknown as error:
        code = inspect.unwrap(function).__code__
        place = place_among(code.co_filename, function.__globals__, code.co_firstlineno, rf"\b{parameter}\s*:")
        raise FieldError(f"{parameter} of {cls.__name__}.{function.__name__} {error}", place) from None


class Method:
    """A method with what it takes."""

    def __init__(self, function: Callable, cls: type) -> None:
        self.function = function
        self.wants: dict[str, str] = {}
        self.fields: list[Member] = []
        self.body: tuple[str, Shape] | None = None
        hints = _hints(function, cls)
        for parameter in list(inspect.signature(function).parameters.values()):
            hint = hints.get(parameter.name, Any)
            if parameter.name == "self":
                continue
            if hint is Context or parameter.name == "ctx":
                self.wants[parameter.name] = "ctx"
            elif hint is Answer or parameter.name == "answer":
                self.wants[parameter.name] = "answer"
            elif isinstance(hint, type) and dataclasses.is_dataclass(hint):
                self.body = (parameter.name, Shape(hint))
            else:
                with _named(function, cls, parameter.name):
                    self._take(parameter, hint)

    def _take(self, parameter: inspect.Parameter, hint: Any) -> None:
        if parameter.name == "body":
            self.body = (parameter.name, Shape(hint))
            return
        given = dataclasses.MISSING if parameter.default is inspect.Parameter.empty else parameter.default
        self.fields.append(member(parameter.name, hint, given))

    def schema(self) -> dict[str, Any]:
        """Returns the schema of the body that it takes."""
        if self.body:
            return self.body[1].schema() or {"type": "object"}
        return schema_of(self.fields) if self.fields else {"type": "object"}

    def call(self, state: Any, ctx: Context, body: Any, answer: Answer | None = None) -> Any:
        """Calls it with what it wants."""
        given: dict[str, Any] = {name: ctx if want == "ctx" else answer for name, want in self.wants.items()}
        if self.body:
            given[self.body[0]] = self.body[1].read({} if body is None else body)
        if self.fields:
            if body is not None and not isinstance(body, dict):
                raise Fault(400, "validation", "body must be an object")
            shape = Shape(Any)
            shape.members = self.fields
            given |= shape.read_members(body or {}, "")
        return self.function(state, **given)


class Service:
    """A class with its handlers by name."""

    def __init__(self, cls: type, factory: str, options: dict[str, Any]) -> None:
        self.cls, self.factory, self.options = cls, factory, options
        self.stateless = "STATELESS" in options.get("options", ())
        self.shape = Shape(cls)
        self.handlers: dict[str, dict[str, Method]] = {}
        self.replies: dict[str, Method] = {}
        self.migrations: dict[int, tuple[Callable, Shape]] = {}
        self.interval = 0
        self.merge: Callable | None = getattr(cls, "merge", None)
        for name, value in vars(cls).items():
            function = value.__func__ if isinstance(value, staticmethod) else value
            if callable(function) and not isinstance(function, type):
                self._take(name, function)
        if options.get("put", "none") != "none":
            raise TypeError('put takes "none": PUT is decided on by handle_put, by handle_create, or by nobody')
        if "put" in options and "put" in self.handlers:
            raise TypeError(f'{cls.__name__} has handle_put, which would never run with put="none"')

    def _take(self, name: str, function: Callable) -> None:
        role, detail = getattr(function, "_steward", (name.removeprefix("handle_"), ""))
        if role == "migrate" and hasattr(function, "_steward"):
            if len(inspect.signature(function).parameters) != 1:
                raise TypeError(f"{self.cls.__name__}.{name} takes the older state and nothing else, also no self: @staticmethod @migrate({detail})")
            hints = _hints(function, self.cls)
            hints.pop("return", None)
            name, hint = next(iter(hints.items()), ("", Any))
            with _named(function, self.cls, name):
                self.migrations[detail] = (function, Shape(hint))
        elif role == "reply" and (hasattr(function, "_steward") or name == "handle_reply"):
            self.replies[detail] = Method(function, self.cls)
        elif role in ACTIONS and (hasattr(function, "_steward") or name.startswith("handle_")):
            if role == "maintenance":
                if not detail:
                    raise TypeError(f"{self.cls.__name__}.{name} needs an interval: @every(\"1h\")")
                self.interval, detail = detail, ""
            self.handlers.setdefault(role, {})[detail] = Method(function, self.cls)
        elif name.startswith("handle_"):
            raise TypeError(f"{self.cls.__name__}.{name} is no handler; there are handle_{', handle_'.join(ACTIONS)}, handle_reply")

    def handles(self, action: str) -> bool:
        """Returns true if the host calls this service on an action."""
        return action in self.handlers or (action == "create" and not self.stateless)

    def describe(self) -> str:
        """Returns the descriptor."""
        given = dict(self.options)
        name = given.pop("name", None) or re.sub(r"(?<!^)(?=[A-Z])", "-", self.cls.__name__).lower()
        options = list(given.pop("options", ()) or _SAFE)
        doc = vars(self.cls).get("__doc__") or ""
        fields: dict[str, Any] = {"name": name, "version": given.pop("version", "0.1.0"), "factory": self.factory}
        # A dataclass without a docstring gets its signature as one.
        fields["docs"] = given.pop("docs", None) or ("" if doc.startswith(f"{self.cls.__name__}(") else inspect.cleandoc(doc))
        if self.interval:
            options.append("PERIODIC_MAINTENANCE")
            fields["maintenanceIntervalMicros"] = self.interval
        fields["options"] = options
        fields["handlers"] = [f"handle-{action}" for action in ACTIONS if self.handles(action)]
        extra = {"handle-reply": self.replies, "migrate": self.migrations, "merge": self.merge}
        fields["handlers"] += [handler for handler, there in extra.items() if there]
        fields["stateVersion"] = given.pop("state_version", 1)
        fields["readsStateVersions"] = sorted(self.migrations)
        if not self.stateless:
            fields["stateSchema"] = self.shape.schema()
        fields["actions"] = {
            f"handle-{action}": {kind: method.schema() for kind, method in kinds.items()}
            for action, kinds in self.handlers.items() if action in ("post", "put", "patch")
        }
        if outbound := given.pop("outbound", None):
            fields["capabilities"] = {"outbound": list(outbound)}
        names = {"kind": "documentKind", "retention": "versionRetention", "patch": "patch", "put": "put", "start": "start", "task": "task", "limits": "limits"}
        for word, value in given.items():
            if word in names:
                fields[names[word]] = value
        if index := given.get("index"):
            fields["index"] = [{"path": path, "type": kind} for path, kind in index.items()]
        if given.get("per_call"):
            fields["isolation"] = "per-call"
        return text_of(fields)


#: The service of this script or component.
served: list[Service] = []

#: What the host takes for names, and in words.
_NAMES = {
    "factory": (r"(/(?!\.{1,2}(/|$))[A-Za-z0-9_.~@!$&'()*+,;=:-]+)+", 'a path such as "/core/counters"'),
    "name": (r"[A-Za-z0-9_.-]{1,256}", "of letters, digits, '-', '_' and '.'"),
    "version": (r"[^\s.]+(\.[^\s.]+){2}", 'a semantic version such as "1.2.3"'),
}

_OPTIONS = {
    "name", "version", "docs", "kind", "options", "state_version", "retention", "task", "start", "patch", "put", "index", "outbound", "limits", "per_call",
}


def _check_names(factory: Any, options: dict[str, Any]) -> None:
    """Refuses names that the host would refuse later, without a line."""
    names = {"factory": factory} | {word: options[word] for word in _NAMES if options.get(word) is not None}
    for word, name in names.items():
        form, like = _NAMES[word]
        if not isinstance(name, str) or not re.fullmatch(form, name):
            raise TypeError(f"{word} is {name!r}, and has to be {like}")


def service(factory: str, **options: Any) -> Callable[[type], type]:
    """Makes a dataclass of a class, and a service whose documents live at the factory's path. See the README for the options."""
    _check_names(factory, options)
    if unknown := options.keys() - _OPTIONS:
        raise TypeError(f"a service has no option {', '.join(sorted(unknown))}; there are {', '.join(sorted(_OPTIONS))}")

    def decorate(cls: type) -> type:
        made = dataclasses.dataclass(kw_only=True)(cls)
        made.__steward__ = Service(made, factory, options)
        served.append(made.__steward__)
        return made

    return decorate
