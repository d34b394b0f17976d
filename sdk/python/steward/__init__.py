"""The Python SDK of steward: what the author of a service touches.

A service is a class with annotated fields and a few methods. The decorator ``service`` makes a dataclass of it, with JSON, a JSON Schema,
defaults and checks, and registers it as the service of this script or component. A unit test drives the same class through ``steward.mock``, which
keeps documents, carries out effects and moves a clock of its own.

Rules that a handler can rely on:

- A handler of a client's request (create, post, put, patch, delete) makes a new version, also if the state stays the same, unless it calls
  ``ctx.unchanged()``. A start, stop, maintenance or reply handler makes one only if the state has changed. A GET never makes one.
- A state that its own schema forbids is never committed: the request is refused with the field's pointer.
- An exception means that nothing has happened, and no effect will be sent.
- What runs when the module is loaded belongs to no request. In a component it runs once, when that is built: the time and random numbers of
  then are frozen into it. In a script it runs once per instance, at the beginning of time.
"""

from .context import Answer, Context, Effect, Level
from .fault import Fault, conflict, forbidden, invalid, not_found, refused
from .service import delete, every, get, migrate, patch, post, put, reply, service
from .shape import field

__all__ = [
    "Answer", "Context", "Effect", "Fault", "Level", "conflict", "delete", "every", "field", "forbidden", "get", "invalid", "migrate",
    "not_found", "patch", "post", "put", "refused", "reply", "service",
]
