"""The documents of a mock host, and what happens to one of them."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from typing import Any

from .. import run
from ..context import Answer, Effect, Level, Outcome, Request
from ..fault import Fault
from ..service import Service
from . import query
from .admission import check_revival, expiry_in, forgets
from .answers import Response

_EFFECTS_MAX = 64
_BEGINNING = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


@dataclasses.dataclass
class _Version:
    state: str
    action: str
    updated: int
    expiry: int


@dataclasses.dataclass
class _Record:
    """A document, or what is left of it."""

    factory: str
    state_version: int = 0
    #: The number of the oldest version that is kept: no number is given twice.
    first: int = 0
    #: The versions that are kept: none of a document that has expired.
    versions: list[_Version] = dataclasses.field(default_factory=list)
    deleted: bool = False
    maintenance: int = 0

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self.first + len(self.versions) - 1

    @property
    def deletion(self) -> int | None:
        """The number of the version that is the deletion; None if the link is free or the document lives."""
        return self.version if self.deleted and self.versions else None

    def forget(self) -> None:
        """Gives up every version, and goes on counting."""
        self.first += len(self.versions)
        self.versions = []


@dataclasses.dataclass
class Asked:
    """A request to the mock host."""

    action: str
    link: str
    query: str = ""
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    body: Any = None
    principal: str = ""
    cause: str = "client"


class World:
    """What a mock host remembers, and how it does what is asked of it."""

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}
        self._descriptors: dict[str, dict[str, Any]] = {}
        self._documents: dict[str, _Record] = {}
        self._pending: list[tuple[int, int, str, Effect]] = []
        self._now, self._count = _BEGINNING, 0
        #: Lines that guests logged: level, message, fields.
        self.lines: list[tuple[Level, str, dict[str, Any]]] = []
        self.stats: dict[str, float] = {}

    def serve(self, served: type) -> None:
        """Adds a service. One whose factory is served already is replaced, and its documents stay: an upgrade."""
        service: Service = served.__steward__  # type: ignore[attr-defined]
        self._services[service.factory] = service
        self._descriptors[service.factory] = json.loads(service.describe())

    @property
    def links(self) -> list[str]:
        """The links of the documents that live, in order."""
        return sorted(link for link, record in self._documents.items() if not record.deleted)

    def versions(self, link: str) -> list[dict[str, Any]]:
        """Returns every version of a document that is kept, the oldest first, the newest in the shape of today; none of one that has expired."""
        record = self._documents.get(link)
        return [self._full(link, record.first + index) for index in range(len(record.versions))] if record else []

    # What a guest may ask of its host.

    def log(self, level: Level, message: str, fields: str) -> None:
        """Takes a line of a guest."""
        self.lines.append((level, message, json.loads(fields)))

    def read(self, link: str) -> str:
        """Returns the state of a document."""
        return json.dumps(self._operate(Asked("get", link, cause="effect")).body)

    def query(self, spec: str) -> str:
        """Runs a direct query."""
        return json.dumps(self._query(json.loads(spec)))

    def stat(self, name: str, value: float) -> None:
        """Adds to a statistic."""
        self.stats[name] = self.stats.get(name, 0) + value

    # One request on its way.

    def _service_of(self, link: str) -> Service | None:
        while link:
            if link in self._services:
                return self._services[link]
            link = link.rpartition("/")[0]
        return None

    def _operate(self, asked: Asked) -> Response:
        if asked.link == "/core/query-tasks" and asked.action == "post":
            return Response(200, self._query(asked.body))
        service = self._service_of(asked.link)
        record = self._documents.get(asked.link)
        if service and service.stateless:
            if asked.action not in service.handlers:
                raise _not_allowed(asked)
            outcome = self._call(service, asked.action, "{}", asked, False)
            self._queue(asked.link, outcome.effects)
            return Response(outcome.status or 200, json.loads(outcome.reply or "null"), outcome.headers)
        if service and asked.link == service.factory:
            if asked.action == "post":
                return self._create(service, asked)
            if asked.action != "get":
                raise _not_allowed(asked)
            links = [link for link in self.links if self._documents[link].factory == service.factory]
            return Response(200, {"documentLinks": links, "documentCount": len(links)})
        if service and record and not record.deleted:
            return self._update(service, asked)
        if service and asked.action == "delete":
            return Response(200, {})
        raise Fault(404, "not-found", f"nothing lives at {asked.link}")

    def _create(self, service: Service, asked: Asked) -> Response:
        self._count += 1
        body = asked.body if isinstance(asked.body, dict) else {}
        key = body.get("documentSelfLink", f"{self._count:08x}").removeprefix(f"{service.factory}/").lstrip("/")
        one = dataclasses.replace(asked, link=f"{service.factory}/{key}")
        record = self._documents.get(one.link, _Record(service.factory, deleted=True))
        if not record.deleted and "IDEMPOTENT_POST" in service.options.get("options", ()):
            return self._update(service, dataclasses.replace(one, action="put"))
        if not record.deleted:
            raise Fault(409, "already-exists", f"{one.link} exists")
        check_revival(one.link, one.body, one.headers, record.deletion)
        wanted = {} if asked.body is None else _state_in(asked)
        # What was here before leaves no expiry behind.
        expiry = expiry_in(asked.body) or 0
        whole = self._in_turn(service, one, json.dumps(wanted), False, "create", "start")
        whole.expires_micros = expiry if whole.expires_micros is None else whole.expires_micros
        if forgets(one.headers, one.cause):
            record.forget()
        record.deleted, record.maintenance = False, self._now + service.interval if service.interval else 0
        self._documents[one.link] = record
        return self._committed(service, one.link, "post", whole, 202 if service.options.get("task") else 201)

    def _in_turn(self, service: Service, asked: Asked, state: str, exists: bool, *actions: str) -> Outcome:
        whole = Outcome(document=state)
        for action in actions:
            if service.handles(action):
                outcome = self._call(service, action, whole.document or "{}", asked, exists)
                whole = Outcome(
                    outcome.document or whole.document, outcome.status or whole.status, whole.headers + outcome.headers,
                    outcome.reply or whole.reply, whole.effects + outcome.effects,
                    whole.expires_micros if outcome.expires_micros is None else outcome.expires_micros,
                )
        return whole

    def _update(self, service: Service, asked: Asked) -> Response:
        record = self._documents[asked.link]
        named = asked.body.get("documentVersion") if isinstance(asked.body, dict) else None
        strict = "STRICT_UPDATE_CHECKING" in service.options.get("options", ())
        if strict and asked.action in ("put", "patch") and named != record.version:
            raise Fault(409, "version-conflict", f"the version is {record.version}, the request names {named}")
        expiry = expiry_in(asked.body)
        if asked.action == "delete":
            return self._bury(asked)
        outcome = self._decided(service, asked, self._state(service, asked.link))
        # Whoever accepts an update accepts the expiry in its body, unless the service says another one.
        if outcome.expires_micros is None and asked.action != "get" and outcome.status < 400:
            outcome.expires_micros = expiry
        return self._committed(service, asked.link, asked.action, outcome, 200)

    def _decided(self, service: Service, asked: Asked, state: str) -> Outcome:
        if service.handles(asked.action):
            return self._call(service, asked.action, state, asked, True)
        if asked.action == "put" and service.options.get("put") != "none":
            return self._in_turn(service, asked, json.dumps(_state_in(asked)), True, "create")
        if asked.action == "patch" and service.options.get("patch") == "merge":
            merged = _merged(json.loads(state), _state_in(asked))
            service.shape.read(merged)
            return Outcome(document=json.dumps(merged))
        if asked.action != "get":
            raise _not_allowed(asked)
        return Outcome()

    def _bury(self, asked: Asked) -> Response:
        service = self._services[self._documents[asked.link].factory]
        actions = ("delete", "stop") if asked.cause in ("client", "effect") else ("stop",)
        whole = self._in_turn(service, asked, self._state(service, asked.link), True, *actions)
        response = self._committed(service, asked.link, "delete", whole, 200)
        self._documents[asked.link].deleted = True
        return response

    def _expire(self, link: str) -> None:
        self._bury(Asked("delete", link, cause="maintenance"))
        self._documents[link].forget()

    def _unasked(self, link: str, action: str, cause: str) -> None:
        service = self._services[self._documents[link].factory]
        if service.handles(action):
            outcome = self._call(service, action, self._state(service, link), Asked("patch", link, cause=cause), True)
            self._commit(service, link, "patch", outcome)

    def _reply(self, link: str, answer: Answer) -> None:
        service = self._services[self._documents[link].factory]
        state, request = self._state(service, link), self._request(Asked("patch", link, cause="reply"), True)
        outcome = _counted(run.guarded(self, lambda: run.handle_reply(service, state, answer, request, self)))
        self._commit(service, link, "patch", outcome)

    def _state_version(self, service: Service) -> int:
        return self._descriptors[service.factory]["stateVersion"]

    def _state(self, service: Service, link: str) -> str:
        record = self._documents[link]
        state = record.versions[-1].state
        if record.state_version == self._state_version(service):
            return state
        return run.guarded(self, lambda: run.migrate(service, state, record.state_version))

    def _request(self, asked: Asked, exists: bool) -> Request:
        self._count += 1
        record = self._documents.get(asked.link) if exists else None
        seed = self._count * 0x9E3779B97F4A7C15 & (1 << 64) - 1
        return Request(
            asked.link, asked.query, asked.headers, None if asked.body is None else json.dumps(asked.body), asked.principal, asked.cause,
            self._now, seed, record.version if record else 0, exists, record.versions[-1].expiry if record else 0,
        )

    def _call(self, service: Service, action: str, state: str, asked: Asked, exists: bool) -> Outcome:
        request = self._request(asked, exists)
        return _counted(run.guarded(self, lambda: run.handle(service, action, state, request, self)))

    def _committed(self, service: Service, link: str, action: str, outcome: Outcome, status: int) -> Response:
        self._commit(service, link, action, outcome)
        body = self._newest(link) if outcome.reply is None else json.loads(outcome.reply)
        return Response(outcome.status or status, body, outcome.headers)

    def _commit(self, service: Service, link: str, action: str, outcome: Outcome) -> None:
        record = self._documents[link]
        expiry = record.versions[-1].expiry if record.versions else 0
        if outcome.expires_micros is not None:
            expiry = outcome.expires_micros
        if outcome.document is not None:
            record.versions.append(_Version(outcome.document, action, self._now, expiry))
            record.state_version = self._state_version(service)
        elif expiry != record.versions[-1].expiry:
            # A new expiry alone makes a new version of the same state.
            record.versions.append(_Version(record.versions[-1].state, action, self._now, expiry))
        self._queue(link, outcome.effects)

    def _queue(self, sender: str, effects: list[Effect]) -> None:
        for effect in (effect for effect in effects if _cancels(sender, effect)):
            tags = urllib.parse.parse_qs(effect.to.partition("?")[2], keep_blank_values=True).get("tag")
            self._pending = [one for one in self._pending if one[2] != sender or (tags and one[3].tag not in tags)]
        for effect in effects:
            if not _cancels(sender, effect):
                self._count += 1
                self._pending.append((self._now + effect.delay_millis * 1000, self._count, sender, effect))

    def _newest(self, link: str) -> dict[str, Any]:
        return self._full(link, self._documents[link].version)

    def _full(self, link: str, number: int) -> dict[str, Any]:
        record = self._documents[link]
        version, descriptor = record.versions[number - record.first], self._descriptors[record.factory]
        state = self._state(self._services[record.factory], link) if number == record.version else version.state
        return json.loads(state) | {
            "documentVersion": number, "documentKind": descriptor.get("documentKind", descriptor["name"]), "documentSelfLink": link,
            "documentUpdateTimeMicros": version.updated, "documentUpdateAction": version.action.upper(),
            "documentExpirationTimeMicros": version.expiry, "documentOwner": "mock",
        }

    def _query(self, task: dict[str, Any]) -> dict[str, Any]:
        return query.answered(task, {link: self._newest(link) for link in self.links})


def _cancels(sender: str, effect: Effect) -> bool:
    """True if an effect gives up others of its document."""
    return effect.to.partition("?")[0] == f"{sender}/effects" and effect.action == "delete" and effect.delay_millis <= 0 and not effect.tag


def _counted(outcome: Outcome) -> Outcome:
    if len(outcome.effects) > _EFFECTS_MAX:
        raise Fault(500, "guest-answer", f"the guest asked for {len(outcome.effects)} effects, {_EFFECTS_MAX} are allowed in one call")
    return outcome


def _not_allowed(asked: Asked) -> Fault:
    return Fault(405, "not-allowed", f"{asked.link} does not take {asked.action.upper()}")


def _state_in(asked: Asked) -> dict[str, Any]:
    if not isinstance(asked.body, dict):
        raise Fault(400, "validation", f"{asked.action.upper()} {asked.link} needs a JSON object as its body")
    return {name: value for name, value in asked.body.items() if not name.startswith("document") and name != "kind"}


def _merged(target: Any, patch: Any) -> Any:
    """Applies a merge patch. Source: RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    fields = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = _merged(fields.get(name), value)
    return fields
