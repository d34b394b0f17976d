"""Why a handler refuses. The host turns a fault into a problem document, and nothing has happened."""

from __future__ import annotations

import os
import traceback

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


def place_of(error: BaseException) -> str:
    """Returns file and line of the innermost function that belongs to the service."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith(tuple(NOT_THE_SERVICES))]
    services = [frame for frame in outside if not _is_library(frame.filename)]
    frame = (services or outside or frames)[-1]
    return f"{os.path.basename(frame.filename)}:{frame.lineno}"


def _is_library(file: str) -> bool:
    return file.startswith((_LIBRARY, "<")) or "/lib/python" in file
