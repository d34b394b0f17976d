"""Why a handler refuses. The host turns a fault into a problem document, and nothing has happened."""

from __future__ import annotations

import dis
import inspect
import linecache
import os
import re
import traceback
from collections.abc import Callable
from typing import Any

#: Where functions are that are not the service's: files, or folders. A script runner adds itself.
NOT_THE_SERVICES = [os.path.dirname(__file__)]
#: Python's library.
_LIBRARY = os.path.dirname(traceback.__file__)


class Fault(Exception):
    """A refusal: raise it."""

    def __init__(self, status: int, code: str, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.pointer = status, code, message, pointer

    def __str__(self) -> str:
        at = f" (at {self.pointer})" if self.pointer else ""
        return f"{self.status} {self.code}: {self.message}{at}"


def refused(status: int, code: str, message: str) -> Fault:
    """Refuses with a status, a code and a message."""
    return Fault(status, code, message)


def invalid(pointer: str, message: str) -> Fault:
    """Refuses with 400: the field that the pointer names has a value that cannot be. A leading slash may be left out."""
    return Fault(400, "validation", message, pointer if pointer[:1] in ("", "/") else f"/{pointer}")


def conflict(message: str) -> Fault:
    """Refuses with 409: the state does not allow it."""
    return Fault(409, "conflict", message)


def forbidden(message: str) -> Fault:
    """Refuses with 403: whoever asks may not."""
    return Fault(403, "forbidden", message)


def not_found(message: str) -> Fault:
    """Refuses with 404: the part that was asked for is not there."""
    return Fault(404, "not-found", message)


def fault_of(error: BaseException) -> Fault:
    """Returns what a client is told of an exception: itself if it is a fault, else status 500 with file and line."""
    if isinstance(error, Fault):
        return error
    return Fault(500, "guest-exception", f"{type(error).__name__}: {error} at {place_of(error)}")


class FieldError(TypeError):
    """What is wrong with a field of a class or a parameter of a method, with its place."""

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.place = place


class Spoiled(Fault):
    """The failure of a service that has spoiled its own state: no client can do anything about it."""

    def __init__(self, reason: str, place: str) -> None:
        super().__init__(500, "guest-outcome", f"the service has left a state that does not fit: {reason}{place and f' at {place}'}")
        self.place = place


def place_of(error: BaseException) -> str:
    """Returns file and line of the innermost function that belongs to the service, or those that the error names itself."""
    if isinstance(error, (FieldError, Spoiled)):
        return error.place
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith(tuple(NOT_THE_SERVICES))]
    services = [frame for frame in outside if not _is_library(frame.filename)]
    frame = (services or outside or frames)[-1]
    return f"{os.path.basename(frame.filename)}:{frame.lineno}"


def place_in(function: Callable | None, attribute: str) -> str:
    """Returns file and line of the one assignment to an attribute in a function, else of the function; an empty text if there is none."""
    code = getattr(inspect.unwrap(function), "__code__", None) if function else None
    if code is None:
        return ""
    stores = [one for one in dis.get_instructions(code) if one.opname == "STORE_ATTR" and one.argval == attribute]
    # Python 3.10 does not say where an instruction comes from.
    lines = {place.lineno for one in stores if (place := getattr(one, "positions", None))}
    return f"{os.path.basename(code.co_filename)}:{lines.pop() if len(lines) == 1 else code.co_firstlineno}"


def place_among(file: str, names: dict[str, Any], first: int, pattern: str) -> str:
    """Returns file and line of the first line from there on that looks like the pattern, or of that line, of a file of such global names."""
    lines = linecache.getlines(file, names)[first - 1 :]
    found = next((number for number, line in enumerate(lines) if re.search(pattern, line)), 0)
    return f"{os.path.basename(file)}:{first + found}"


def _is_library(file: str) -> bool:
    return file.startswith((_LIBRARY, "<")) or "/lib/python" in file
