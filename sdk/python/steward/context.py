"""What a handler sees of the world, and what it asks the world to do."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import json
import math
import os
import random
import sys
import urllib.parse
from typing import Any, Protocol

from .fault import Fault
from .shape import text_of


class Level(enum.IntEnum):
    """How urgent a line of the log is."""

    TRACE, DEBUG, INFO, WARN, ERROR = range(5)


class Host(Protocol):
    """What a guest may ask of its host."""

    def log(self, level: Level, message: str, fields: str) -> None: ...
    def read(self, link: str) -> str: ...
    def query(self, spec: str) -> str: ...
    def stat(self, name: str, value: float) -> None: ...


@dataclasses.dataclass
class Request:
    """What the host tells about a request; see the properties of the context."""

    link: str
    query: str = ""
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    body: str | None = None
    principal: str = ""
    cause: str = "client"
    now_micros: int = 0
    seed: int = 0
    version: int = 0
    exists: bool = True
    expires_micros: int = 0


@dataclasses.dataclass
class Answer:
    """The answer to an effect that had a reply tag; the status is 0 if nobody answered until it was given up."""

    tag: str
    status: int
    headers: list[tuple[str, str]]
    body: str | None
    sender: str

    @property
    def ok(self) -> bool:
        """True for a status of 200 to 299."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Returns the body. Raises a fault with status 502 if there is none."""
        if self.body is None:
            raise Fault(502, "answer-unreadable", f"{self.sender}: answered without a body")
        return json.loads(self.body)


@dataclasses.dataclass
class Effect:
    """One request that the host sends after the commit, until it succeeded or was given up."""

    to: str
    action: str
    body: str | None = None
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    delay_millis: int = 0
    tag: str = ""

    def after(self, delay: datetime.timedelta | float) -> Effect:
        """Sends it that much later, by a durable timer; a number means seconds."""
        seconds = delay.total_seconds() if isinstance(delay, datetime.timedelta) else delay
        self.delay_millis = round(seconds * 1000)
        return self

    def reply_tag(self, tag: str) -> Effect:
        """Brings the answer back to the reply handler, with this tag."""
        self.tag = tag
        return self

    def header(self, name: str, value: str) -> Effect:
        """Adds a header."""
        self.headers.append((name.lower(), value))
        return self


@dataclasses.dataclass
class Outcome:
    """What a call decided."""

    document: str | None = None
    status: int = 0
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    reply: str | None = None
    effects: list[Effect] = dataclasses.field(default_factory=list)
    expires_micros: int | None = None


class Context:
    """The request at hand, and what this call asks for besides the new state.

    Effects are collected and go out after the commit, in order. If the handler raises, none of them goes out.
    """

    def __init__(self, request: Request, host: Host) -> None:
        self.request, self.outcome, self._host = request, Outcome(), host
        self.keeps_state = False

    @functools.cached_property
    def random(self) -> random.Random:
        """Random numbers that nobody can guess, recorded with the request. Use it instead of the module `random`."""
        return random.Random(self.request.seed)

    @property
    def link(self) -> str:
        """The document's self-link; for a stateless service the path that was asked for."""
        return self.request.link

    @property
    def key(self) -> str:
        """The last segment of the self-link."""
        return self.request.link.rsplit("/", 1)[-1]

    @property
    def cause(self) -> str:
        """Why the handler runs: client, effect, start, maintenance or reply."""
        return self.request.cause

    @property
    def principal(self) -> str:
        """Who asks: a self-link of a user, or an empty text."""
        return self.request.principal

    @property
    def version(self) -> int:
        """The document's version before this request."""
        return self.request.version

    @property
    def exists(self) -> bool:
        """False in the create handler and in the start handler that follows it, true everywhere else."""
        return self.request.exists

    @property
    def now(self) -> datetime.datetime:
        """The current time, UTC. It stands still during a call."""
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return epoch + datetime.timedelta(microseconds=self.request.now_micros)

    def header(self, name: str) -> str | None:
        """Returns the first header of that name, whatever its case."""
        return next((value for found, value in self.request.headers if found.lower() == name.lower()), None)

    def parameter(self, name: str) -> str | None:
        """Returns a parameter of the query."""
        return dict(urllib.parse.parse_qsl(self.request.query, keep_blank_values=True)).get(name)

    def self_patch(self, body: Any) -> Effect:
        """Patches this document itself, after the commit: the next step of a task."""
        return self.patch(self.link, body)

    def create(self, factory: str, body: Any) -> Effect:
        """Posts to a factory (or a URL), which creates a document there."""
        return self.send(Effect(factory, "post", text_of(body)))

    def patch(self, link: str, body: Any) -> Effect:
        """Patches another document."""
        return self.send(Effect(link, "patch", text_of(body)))

    def put(self, link: str, body: Any) -> Effect:
        """Replaces another document."""
        return self.send(Effect(link, "put", text_of(body)))

    def delete(self, link: str) -> Effect:
        """Deletes another document, or this one."""
        return self.send(Effect(link, "delete"))

    def cancel(self, tag: str) -> None:
        """Gives up what this document has to send with the tag, such as a timer that is not needed any more; with the state of this call, or
        not at all. What is being sent at this moment may arrive all the same."""
        self.send(Effect(f"{self.link}/effects?tag={urllib.parse.quote(tag, safe='')}", "delete"))

    def send(self, effect: Effect) -> Effect:
        """Sends any effect."""
        self.outcome.effects.append(effect)
        return effect

    def unchanged(self) -> None:
        """Makes no new version, whatever the handler did to the state."""
        self.keeps_state = True

    def status(self, status: int) -> None:
        """Answers with this status instead of the host's choice."""
        self.outcome.status = status

    def set_header(self, name: str, value: str) -> None:
        """Adds a header to the answer."""
        self.outcome.headers.append((name.lower(), value))

    def expire_in(self, span: datetime.timedelta | float) -> None:
        """Lets the document expire that long from now; a number means seconds. Raises ValueError if it is negative or no number."""
        seconds = span.total_seconds() if isinstance(span, datetime.timedelta) else span
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError(f"{span} is no span until an expiry: write seconds from 0 on, or a timedelta")
        self._expire(self.request.now_micros + round(seconds * 1_000_000), span)

    def expire_at(self, moment: datetime.datetime | None) -> None:
        """Lets the document expire at a moment; None: never. Raises ValueError if it is before 1970."""
        self._expire(round(moment.timestamp() * 1_000_000) if moment else 0, moment)

    def _expire(self, micros: int, said: object) -> None:
        if not 0 <= micros < 1 << 63:
            raise ValueError(f"{said} is no expiry: it must be 1970 or later, and not beyond what microseconds count")
        self.outcome.expires_micros = micros

    def read(self, link: str) -> Any:
        """Returns the committed state of another document. Raises the other service's fault."""
        return json.loads(self._host.read(link))

    def query(self, spec: Any) -> Any:
        """Runs a direct query and returns the finished query task. Raises the fault with which it was refused."""
        return json.loads(self._host.query(text_of(spec)))

    def log(self, level: Level, message: str, **fields: Any) -> None:
        """Writes a line to the host's log. Its field `at` says where in the sources this is called."""
        frame = sys._getframe(1)
        at = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
        self._host.log(level, message, text_of({"at": at} | fields))

    def stat(self, name: str, value: float) -> None:
        """Adds a value to a statistic of this document, see `/stats`."""
        self._host.stat(name, value)
