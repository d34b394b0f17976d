"""What the host itself asks of a request, whatever the service says to it: the expiry in a body, and what it takes to create anew what was deleted."""

from __future__ import annotations

import json
from typing import Any

from ..fault import Fault, invalid

_EXPIRY = "documentExpirationTimeMicros"
_VERSION = "documentVersion"
_FORCE = "xn-force-index-update"


def expiry_in(body: Any) -> int | None:
    """Returns the expiry that a body asks for; None if it says nothing of it."""
    wanted = _whole_in(body, _EXPIRY)
    if wanted is not None and wanted < 0:
        raise invalid(_EXPIRY, f"{_EXPIRY} is {wanted}: it must be 0 (never) or microseconds since the Unix epoch")
    return wanted


def _whole_in(body: Any, name: str) -> int | None:
    """Returns a built-in field that is a whole number; None if the body says nothing of it."""
    wanted = body.get(name) if isinstance(body, dict) else None
    if wanted is None or isinstance(wanted, int) and not isinstance(wanted, bool) and -(1 << 63) <= wanted < 1 << 63:
        return wanted
    raise invalid(name, f"{name} is {json.dumps(wanted)}: it must be a whole number of 64 bits")


def check_revival(link: str, body: Any, headers: list[tuple[str, str]], deletion: int | None) -> None:
    """Refuses to create what was deleted, at that version, unless a header or a higher version asks for it; None refuses nothing."""
    named = _whole_in(body, _VERSION)
    if deletion is None or _forces(headers) or named is not None and named > deletion:
        return
    remedy = f"create it anew with {_VERSION} {deletion + 1} or higher, or with the header Pragma: {_FORCE}"
    raise Fault(409, "marked-deleted", f"{link} was deleted, at version {deletion}: {remedy}")


def forgets(headers: list[tuple[str, str]], cause: str) -> bool:
    """True if a creation forgets the versions before it."""
    return _forces(headers) or cause != "client"


def _forces(headers: list[tuple[str, str]]) -> bool:
    """True if a directive of the pragma asks to create anew what was deleted."""
    pragmas = [value.replace(";", ",").split(",") for name, value in headers if name.lower() == "pragma"]
    return any(directive.strip() == _FORCE for directives in pragmas for directive in directives)
