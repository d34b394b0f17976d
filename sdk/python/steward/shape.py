"""Typed states and bodies: reading them, so that an error names the field at fault, and their JSON Schema.

Known are bool, int of 64 bits, float, str, list, dict with texts as keys, Optional, Literal, Enum, Any, and dataclasses of these.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

from .fault import Fault, FieldError, invalid, place_among

_MISSING = dataclasses.MISSING
_BOUNDS = ("minimum", "maximum", "min_length", "max_length")
_KNOWN = "bool, int, float, str, list[…], dict[str, …], Optional, Literal, an Enum, Any, and dataclasses of these"
# What the host keeps digit for digit; larger integers it would round.
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1


def field(
    default: Any = _MISSING,
    *,
    name: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    docs: str = "",
) -> Any:
    """Describes a field of a state or a body: its default (None: it may be missing), its name in JSON if that is another one, bounds of a
    number, characters of a text, elements of a list.
    """
    bounds = {name: bound for name, bound in zip(_BOUNDS, (minimum, maximum, min_length, max_length)) if bound is not None}
    metadata = {"name": name, "bounds": bounds, "docs": docs}
    if default is _MISSING:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: json.loads(json.dumps(default)), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass
class Member:
    """A field with what is known of it: its name in JSON, and in the class or the method."""

    name: str
    attribute: str
    shape: Shape
    required: bool
    default: Callable[[], Any] | None
    docs: str


class Unknown(TypeError):
    """What is wrong with an annotation or a default, whichever field has it."""


class Shape:
    """What JSON a type takes. Raises Unknown for one that has none."""

    def __init__(self, hint: Any, bounds: dict[str, float] | None = None) -> None:
        self.bounds = bounds or {}
        self.nullable = False
        self.members: list[Member] = []
        self.items: Shape | None = None
        self.choices: list[Any] = []
        self.type: Any = None
        self.kind = self._kind(hint)

    def _kind(self, hint: Any) -> str:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            self.nullable = type(None) in arguments
            others = [argument for argument in arguments if argument is not type(None)]
            if len(others) == 1:
                return self._kind(others[0])
        if hint is Any:
            return "any"
        if origin is typing.Literal:
            self.choices = list(arguments)
            return "choice"
        if origin is list or (origin is dict and arguments[0] in (str, Any)):
            self.items = Shape(arguments[-1])
            return "list" if origin is list else "map"
        if isinstance(hint, type) and origin is None:
            return self._class(hint)
        raise _unknown(hint)

    def _class(self, hint: type) -> str:
        plain = {bool: "boolean", int: "integer", float: "number", str: "text", list: "list", dict: "map"}
        if hint in plain:
            if hint in (list, dict):
                self.items = Shape(Any)
            return plain[hint]
        if issubclass(hint, enum.Enum):
            self.type, self.choices = hint, [member.value for member in hint]
            return "choice"
        if dataclasses.is_dataclass(hint):
            self.type = hint
            self.members = members_of(hint)
            return "object"
        raise _unknown(hint)

    def read(self, value: Any, pointer: str = "") -> Any:
        """Returns a value of the type. Raises a fault that points at the first field that does not fit."""
        if value is None and (self.nullable or self.kind == "any"):
            return None
        match self.kind, value:
            case "any", _:
                return value
            case "boolean", bool():
                return value
            case "integer", int() if not isinstance(value, bool):
                if not _LEAST <= value <= _MOST:
                    raise at_fault(pointer, f"must be an integer from {_LEAST} to {_MOST}, found {value}")
                return self._bounded(value, value, "", pointer)
            case "number", int() | float() if not isinstance(value, bool):
                return self._bounded(float(value), value, "", pointer)
            case "text", str():
                return self._bounded(value, len(value), " characters", pointer)
            case "list", list():
                self._bounded(value, len(value), " elements", pointer)
                return [self.items.read(item, f"{pointer}/{index}") for index, item in enumerate(value)]
            case "map", dict():
                return {key: self.items.read(item, below(pointer, key)) for key, item in value.items()}
            case "object", dict():
                return self.type(**self.read_members(value, pointer))
            case "choice", _ if any(value == choice and type(value) is type(choice) for choice in self.choices):
                return self.type(value) if self.type else value
        words = {
            "boolean": "true or false", "integer": "an integer", "number": "a number", "text": "a text", "list": "a list", "map": "an object",
            "object": "an object", "choice": "one of " + ", ".join(map(str, self.choices)),
        }
        raise at_fault(pointer, f"must be {words[self.kind]}, found {found(value)}")

    def read_members(self, value: dict[str, Any], pointer: str) -> dict[str, Any]:
        """Returns the fields of an object by their attributes; those that are not known are passed over."""
        fields = {}
        for member in self.members:
            inside = below(pointer, member.name)
            if member.name in value:
                fields[member.attribute] = member.shape.read(value[member.name], inside)
            elif member.required:
                raise at_fault(inside, "is required")
            else:
                fields[member.attribute] = member.default() if member.default else None
        return fields

    def _bounded(self, value: Any, size: float, unit: str, pointer: str) -> Any:
        least = self.bounds.get("min_length" if unit else "minimum")
        most = self.bounds.get("max_length" if unit else "maximum")
        verb, has = ("have", f"has {size}") if unit else ("be", f"found {size}")
        if least is not None and size < least:
            raise at_fault(pointer, f"must {verb} {least}{unit} or more, {has}")
        if most is not None and size > most:
            raise at_fault(pointer, f"must {verb} {most}{unit} or less, {has}")
        return value

    def schema(self, above: tuple[Any, ...] = ()) -> dict[str, Any]:
        """Returns the JSON Schema."""
        if self.type in above and self.members:
            # A type that contains itself: what is inside is checked by the module, the schema leaves it open.
            return {}
        names = {"boolean": "boolean", "integer": "integer", "number": "number", "text": "string", "list": "array", "map": "object", "object": "object"}
        schema: dict[str, Any] = {}
        if self.kind in names:
            schema["type"] = [names[self.kind], "null"] if self.nullable else names[self.kind]
        if self.choices:
            schema["enum"] = self.choices + ([None] if self.nullable else [])
        lengths = {"min_length": "minItems", "max_length": "maxItems"} if self.kind == "list" else {"min_length": "minLength", "max_length": "maxLength"}
        bounds = {"minimum": _LEAST, "maximum": _MOST} | self.bounds if self.kind == "integer" else self.bounds
        for name, bound in bounds.items():
            schema[lengths.get(name, name)] = bound
        if self.items and self.kind == "list":
            schema["items"] = self.items.schema(above)
        elif self.items:
            schema["additionalProperties"] = self.items.schema(above)
        if self.kind == "object":
            schema |= schema_of(self.members, (*above, self.type))
        return schema


def schema_of(members: list[Member], above: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Returns the properties of an object, and which have to be there."""
    properties = {}
    for member in members:
        schema = member.shape.schema(above)
        if member.docs:
            schema["description"] = member.docs
        if not member.required and member.default and member.default() is not None:
            schema["default"] = plain(member.default())
        properties[member.name] = schema
    return {"type": "object", "properties": properties, "required": [member.name for member in members if member.required]}


def _unknown(hint: Any) -> Unknown:
    named = hint.__qualname__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    return Unknown(f"is annotated with {named}, of which steward can make no JSON; known are {_KNOWN}")


def member(name: str, hint: Any, given: Any) -> Member:
    """Returns a field out of its annotation and what `field` returned for it, or its plain default. Raises Unknown."""
    if not isinstance(given, dataclasses.Field):
        given = field() if given is _MISSING else field(given)
    default: Callable[[], Any] | None = None
    if given.default_factory is not _MISSING:
        default = given.default_factory
    elif given.default is not _MISSING:
        value = given.default
        default = lambda: value  # noqa: E731
    shape = Shape(hint, given.metadata.get("bounds"))
    if default and default() is None:
        shape.nullable = True
    elif default:
        try:
            shape.read(plain(default()))
        except Fault as fault:
            raise Unknown(f"has a default that {fault.message.removeprefix('body ')}") from None
    return Member(json_name(name, given), name, shape, default is None and not shape.nullable, default, given.metadata.get("docs", ""))


def json_name(attribute: str, given: dataclasses.Field) -> str:
    """Returns what a field is called in JSON."""
    return given.metadata.get("name") or attribute


def members_of(hint: type) -> list[Member]:
    """Returns the fields of a dataclass. Raises FieldError that names the first one that cannot be."""
    hints = typing.get_type_hints(hint)
    members = []
    for given in dataclasses.fields(hint):
        try:
            members.append(member(given.name, hints[given.name], given))
        except Unknown as error:
            raise FieldError(f"{hint.__name__}.{given.name} {error}", _place_of_field(hint, given.name)) from None
    return members


def _place_of_field(hint: type, name: str) -> str:
    names = vars(sys.modules[hint.__module__])
    file = names.get("__file__") or hint.__module__
    lines = place_among(file, names, 1, rf"^\s*class {hint.__name__}\b")
    return place_among(file, names, int(lines.rpartition(":")[2]), rf"^\s+{name}\s*:")


def plain(value: Any) -> Any:
    """Returns a value as JSON has it; fields that are None and may be missing are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((json_name(given.name, given), getattr(value, given.name)) for given in dataclasses.fields(value))
        return {name: plain(item) for name, item in pairs if item is not None}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def text_of(value: Any) -> str:
    """Returns the JSON text of a value that the service made."""
    try:
        return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Fault(500, "no-json", f"cannot write a value as JSON: {error}") from error


def below(pointer: str, name: str) -> str:
    """Returns the pointer of a field."""
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def at_fault(pointer: str, reason: str) -> Fault:
    """Returns the refusal of a field."""
    return invalid(pointer, f"{pointer[1:].replace('/', '.') or 'body'} {reason}")


def found(value: Any) -> str:
    """Returns a value as a part of a sentence."""
    match value:
        case str():
            return f'the text "{value}"' if len(value) <= 40 else "a longer text"
        case list():
            return "a list"
        case dict():
            return "an object"
    return json.dumps(value)
