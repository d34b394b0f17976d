"""A host in the memory of a unit test: documents with all their versions, effects, timers, maintenance, restarts.

One thread, no ports, no waiting. The clock stands until ``advance`` moves it, effects wait until ``settle``, and the same test takes the same
course every time. What a guest may rely on holds here too: an exception changes nothing, effects of one document go out in their order,
answers come back with their tags, timers outlive a restart.

Left out: quorum, owners and replication, which no guest can see; checks of natively patched states against the schema; repeated attempts:
an effect that fails is given up at once; of queries ranges, sorting, paging and links.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

from . import run
from .context import Answer, Effect, Level, Outcome, Request
from .fault import Fault, fault_of
from .service import Service

_EFFECTS_MAX = 64
_EFFECTS_IN_A_ROW = 100_000
_BEGINNING = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


@dataclasses.dataclass
class Response:
    """The answer to a request."""

    status: int
    body: Any = None
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    @property
    def link(self) -> str:
        """The self-link of the document in the body."""
        return self._document("documentSelfLink")

    @property
    def version(self) -> int:
        """The version of the document in the body."""
        return self._document("documentVersion")

    def _document(self, name: str) -> Any:
        assert isinstance(self.body, dict) and name in self.body, f"there is no document in the answer: {self.status} {self.body}"
        return self.body[name]

    @property
    def pointer(self) -> str:
        """The pointer of a refusal, or an empty text."""
        return self.body.get("pointer", "") if isinstance(self.body, dict) else ""

    @property
    def code(self) -> str:
        """The code of a refusal, or an empty text."""
        return self.body.get("code", "") if isinstance(self.body, dict) else ""

    @property
    def message(self) -> str:
        """The message of a refusal, or an empty text."""
        return self.body.get("message", "") if isinstance(self.body, dict) else ""


@dataclasses.dataclass
class Sent:
    """An effect that was carried out."""

    sender: str
    effect: Effect
    response: Response


@dataclasses.dataclass
class _Version:
    state: str
    action: str
    updated: int
    expiry: int


@dataclasses.dataclass
class _Record:
    factory: str
    state_version: int
    versions: list[_Version] = dataclasses.field(default_factory=list)
    deleted: bool = False
    maintenance: int = 0


@dataclasses.dataclass
class _Asked:
    action: str
    link: str
    query: str = ""
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    body: Any = None
    principal: str = ""
    cause: str = "client"


class Host:
    """The mock host, with the classes of the services that it serves."""

    def __init__(self, *services: type) -> None:
        self._services: dict[str, Service] = {}
        self._descriptors: dict[str, dict[str, Any]] = {}
        self._documents: dict[str, _Record] = {}
        self._pending: list[tuple[int, int, str, Effect]] = []
        self._stubs: list[tuple[str, Callable[[Effect], Response]]] = []
        self._now, self._count = _BEGINNING, 0
        #: Effects that were carried out, the oldest first.
        self.sent: list[Sent] = []
        #: What handlers refused that nobody was there to hear.
        self.refusals: list[Fault] = []
        #: Lines that guests logged: level, message, fields.
        self.lines: list[tuple[Level, str, dict[str, Any]]] = []
        self.stats: dict[str, float] = {}
        for served in services:
            self.serve(served)

    def serve(self, served: type) -> None:
        """Adds a service. One whose factory is served already is replaced, and its documents stay: an upgrade."""
        service: Service = served.__steward__  # type: ignore[attr-defined]
        self._services[service.factory] = service
        self._descriptors[service.factory] = json.loads(service.describe())

    def answer(self, prefix: str, answer: Callable[[Effect], Response]) -> None:
        """Answers effects whose target begins with a prefix, and to which no service here listens."""
        self._stubs.append((prefix, answer))

    def post(self, link: str, body: Any, **more: Any) -> Response:
        """Sends a POST: to a factory it creates a document."""
        return self.ask("post", link, body, **more)

    def patch(self, link: str, body: Any, **more: Any) -> Response:
        """Sends a PATCH."""
        return self.ask("patch", link, body, **more)

    def put(self, link: str, body: Any, **more: Any) -> Response:
        """Sends a PUT."""
        return self.ask("put", link, body, **more)

    def get(self, link: str, **more: Any) -> Response:
        """Sends a GET."""
        return self.ask("get", link, **more)

    def delete(self, link: str, **more: Any) -> Response:
        """Sends a DELETE."""
        return self.ask("delete", link, **more)

    def ask(
        self, action: str, link: str, body: Any = None, *, headers: dict[str, str] | None = None, principal: str = ""
    ) -> Response:
        """Sends any request."""
        path, _, query = link.partition("?")
        lower = [(name.lower(), value) for name, value in (headers or {}).items()]
        return self._answered(_Asked(action, path, query, lower, body, principal))

    def _answered(self, asked: _Asked) -> Response:
        try:
            return self._operate(asked)
        except Fault as fault:
            return Response(fault.status, {"statusCode": fault.status} | {name: getattr(fault, name) for name in ("code", "message", "pointer")})

    def settle(self) -> None:
        """Carries out the effects that are due, and those that they bring about, until none is left."""
        for _ in range(_EFFECTS_IN_A_ROW):
            self._pending.sort(key=lambda pending: pending[:2])
            if not self._pending or self._pending[0][0] > self._now:
                return
            _, _, sender, effect = self._pending.pop(0)
            response = self._carry_out(effect)
            self.sent.append(Sent(sender, effect, response))
            record = self._documents.get(sender)
            if effect.tag and record and not record.deleted:
                body = None if response.body is None else json.dumps(response.body)
                self._quietly(lambda: self._reply(sender, Answer(effect.tag, response.status, response.headers, body, effect.to)))
        raise AssertionError(f"effects cause effects for ever, the last one was {self.sent[-1]}")

    def _carry_out(self, effect: Effect) -> Response:
        if not self._service_of(effect.to):
            for prefix, answer in self._stubs:
                if effect.to.startswith(prefix):
                    return answer(effect)
        path, _, query = effect.to.partition("?")
        body = None if effect.body is None else json.loads(effect.body)
        return self._answered(_Asked(effect.action, path, query, effect.headers, body, "", "effect"))

    def advance(self, span: datetime.timedelta | float) -> None:
        """Moves the clock, and does on the way all that falls due: effects, maintenance, expiry. A number means seconds."""
        end = self._now + round((span.total_seconds() if isinstance(span, datetime.timedelta) else span) * 1_000_000)
        self.settle()
        while (moment := self._next_moment()) is not None and moment <= end:
            self._now = max(moment, self._now)
            self.settle()
            for link in self.links:
                self._maintain(link)
            self.settle()
            for link in self.links:
                expiry = self._documents[link].versions[-1].expiry
                if 0 < expiry <= self._now:
                    self._quietly(lambda link=link: self._bury(_Asked("delete", link, cause="maintenance")))
            self.settle()
        self._now = end
        self.settle()

    def _next_moment(self) -> int | None:
        moments = [due for due, *_ in self._pending]
        for link in self.links:
            record = self._documents[link]
            moments += [moment for moment in (record.maintenance, record.versions[-1].expiry) if moment > 0]
        return min(moments, default=None)

    def _maintain(self, link: str) -> None:
        record = self._documents[link]
        if 0 < record.maintenance <= self._now:
            self._quietly(lambda: self._unasked(link, "maintenance", "maintenance"))
            record.maintenance = self._now + self._services[record.factory].interval

    def restart(self) -> None:
        """Takes ownership of every document anew, as after a restart or a failover. Effects and timers that wait have outlived it."""
        for link in self.links:
            self._quietly(lambda link=link: self._unasked(link, "start", "start"))

    def _quietly(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except Fault as fault:
            self.refusals.append(fault)

    @property
    def now(self) -> datetime.datetime:
        """The clock."""
        return datetime.datetime.fromtimestamp(self._now / 1_000_000, datetime.timezone.utc)

    @property
    def links(self) -> list[str]:
        """The links of the documents that live, in order."""
        return sorted(link for link, record in self._documents.items() if not record.deleted)

    @property
    def waiting(self) -> list[Effect]:
        """The effects that wait, the next one first."""
        return [effect for *_, effect in sorted(self._pending, key=lambda pending: pending[:2])]

    def versions(self, link: str) -> list[dict[str, Any]]:
        """Returns every version of a document with its built-in fields, the oldest first; the newest in the shape of today."""
        return [self._full(link, number) for number in range(len(self._documents[link].versions))] if link in self._documents else []

    # What a guest may ask of its host.

    def log(self, level: Level, message: str, fields: str) -> None:
        """Takes a line of a guest."""
        self.lines.append((level, message, json.loads(fields)))

    def read(self, link: str) -> str:
        """Returns the state of a document."""
        return json.dumps(self._operate(_Asked("get", link, cause="effect")).body)

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

    def _operate(self, asked: _Asked) -> Response:
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
            return Response(200)
        raise Fault(404, "not-found", f"nothing lives at {asked.link}")

    def _create(self, service: Service, asked: _Asked) -> Response:
        self._count += 1
        body = asked.body if isinstance(asked.body, dict) else {}
        key = body.get("documentSelfLink", f"{self._count:08x}").removeprefix(f"{service.factory}/").lstrip("/")
        one = dataclasses.replace(asked, link=f"{service.factory}/{key}")
        found = self._documents.get(one.link)
        if found and not found.deleted and "IDEMPOTENT_POST" in service.options.get("options", ()):
            return self._update(service, dataclasses.replace(one, action="put"))
        if found:
            raise Fault(409, "already-exists", f"{one.link} exists, or is marked deleted")
        wanted = {} if asked.body is None else _state_in(asked)
        whole = self._in_turn(service, one, json.dumps(wanted), False, "create", "start")
        record = _Record(service.factory, self._state_version(service))
        record.maintenance = self._now + service.interval if service.interval else 0
        self._documents[one.link] = record
        return self._committed(service, one.link, "post", whole, 202 if service.options.get("task") else 201)

    def _in_turn(self, service: Service, asked: _Asked, state: str, exists: bool, *actions: str) -> Outcome:
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

    def _update(self, service: Service, asked: _Asked) -> Response:
        record = self._documents[asked.link]
        named = asked.body.get("documentVersion") if isinstance(asked.body, dict) else None
        strict = "STRICT_UPDATE_CHECKING" in service.options.get("options", ())
        if strict and asked.action in ("put", "patch") and named != len(record.versions) - 1:
            raise Fault(409, "version-conflict", f"the version is {len(record.versions) - 1}, the request names {named}")
        if asked.action == "delete":
            return self._bury(asked)
        state = self._state(service, asked.link)
        if service.handles(asked.action):
            return self._committed(service, asked.link, asked.action, self._call(service, asked.action, state, asked, True), 200)
        outcome = Outcome()
        if asked.action == "put" and service.options.get("put") != "none":
            outcome = self._in_turn(service, asked, json.dumps(_state_in(asked)), True, "create")
        elif asked.action == "patch" and service.options.get("patch") == "merge":
            outcome.document = json.dumps(_merged(json.loads(state), _state_in(asked)))
        elif asked.action != "get":
            raise _not_allowed(asked)
        return self._committed(service, asked.link, asked.action, outcome, 200)

    def _bury(self, asked: _Asked) -> Response:
        service = self._services[self._documents[asked.link].factory]
        actions = ("delete", "stop") if asked.cause in ("client", "effect") else ("stop",)
        whole = self._in_turn(service, asked, self._state(service, asked.link), True, *actions)
        response = self._committed(service, asked.link, "delete", whole, 200)
        self._documents[asked.link].deleted = True
        return response

    def _unasked(self, link: str, action: str, cause: str) -> None:
        service = self._services[self._documents[link].factory]
        if service.handles(action):
            outcome = self._call(service, action, self._state(service, link), _Asked("patch", link, cause=cause), True)
            self._commit(service, link, "patch", outcome)

    def _reply(self, link: str, answer: Answer) -> None:
        service = self._services[self._documents[link].factory]
        state, request = self._state(service, link), self._request(_Asked("patch", link, cause="reply"), True)
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

    def _request(self, asked: _Asked, exists: bool) -> Request:
        self._count += 1
        record = self._documents.get(asked.link)
        seed = self._count * 0x9E3779B97F4A7C15 & (1 << 64) - 1
        return Request(
            asked.link, asked.query, asked.headers, None if asked.body is None else json.dumps(asked.body), asked.principal, asked.cause,
            self._now, seed, len(record.versions) - 1 if record else 0, exists, record.versions[-1].expiry if record else 0,
        )

    def _call(self, service: Service, action: str, state: str, asked: _Asked, exists: bool) -> Outcome:
        request = self._request(asked, exists)
        return _counted(run.guarded(self, lambda: run.handle(service, action, state, request, self)))

    def _committed(self, service: Service, link: str, action: str, outcome: Outcome, status: int) -> Response:
        self._commit(service, link, action, outcome)
        body = self._full(link, len(self._documents[link].versions) - 1) if outcome.reply is None else json.loads(outcome.reply)
        return Response(outcome.status or status, body, outcome.headers)

    def _commit(self, service: Service, link: str, action: str, outcome: Outcome) -> None:
        record = self._documents[link]
        expiry = record.versions[-1].expiry if record.versions else 0
        if outcome.expires_micros is not None:
            expiry = outcome.expires_micros
        if outcome.document is not None:
            record.versions.append(_Version(outcome.document, action, self._now, expiry))
            record.state_version = self._state_version(service)
        else:
            record.versions[-1].expiry = expiry
        self._queue(link, outcome.effects)

    def _queue(self, sender: str, effects: list[Effect]) -> None:
        for effect in (effect for effect in effects if _cancels(sender, effect)):
            tags = urllib.parse.parse_qs(effect.to.partition("?")[2], keep_blank_values=True).get("tag")
            self._pending = [one for one in self._pending if one[2] != sender or (tags and one[3].tag not in tags)]
        for effect in effects:
            if not _cancels(sender, effect):
                self._count += 1
                self._pending.append((self._now + effect.delay_millis * 1000, self._count, sender, effect))

    def _full(self, link: str, number: int) -> dict[str, Any]:
        record, newest = self._documents[link], len(self._documents[link].versions) - 1
        version, descriptor = record.versions[number], self._descriptors[record.factory]
        state = self._state(self._services[record.factory], link) if number == newest else version.state
        return json.loads(state) | {
            "documentVersion": number, "documentKind": descriptor.get("documentKind", descriptor["name"]), "documentSelfLink": link,
            "documentUpdateTimeMicros": version.updated, "documentUpdateAction": version.action.upper(),
            "documentExpirationTimeMicros": version.expiry, "documentOwner": "mock",
        }

    def _query(self, task: dict[str, Any]) -> dict[str, Any]:
        spec = task["querySpec"]
        documents = {link: self._full(link, len(self._documents[link].versions) - 1) for link in self.links}
        found = {link: document for link, document in documents.items() if _matches(spec["query"], document)}
        results: dict[str, Any] = {"documentCount": len(found), "documentLinks": list(found)}
        if "EXPAND_CONTENT" in spec.get("options", ()):
            results["documents"] = found
        return task | {"taskInfo": {"stage": "FINISHED", "isDirect": True, "durationMicros": 0}, "results": results}


def _cancels(sender: str, effect: Effect) -> bool:
    """True if an effect gives up others of its document."""
    return effect.to.partition("?")[0] == f"{sender}/effects" and effect.action == "delete" and effect.delay_millis <= 0 and not effect.tag


def _counted(outcome: Outcome) -> Outcome:
    if len(outcome.effects) > _EFFECTS_MAX:
        raise Fault(500, "guest-answer", f"the guest asked for {len(outcome.effects)} effects, {_EFFECTS_MAX} are allowed in one call")
    return outcome


def _not_allowed(asked: _Asked) -> Fault:
    return Fault(405, "not-allowed", f"{asked.link} does not take {asked.action.upper()}")


def _state_in(asked: _Asked) -> dict[str, Any]:
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


def _matches(query: dict[str, Any], document: dict[str, Any]) -> bool:
    if clauses := query.get("booleanClauses"):
        met = [(clause.get("occurance", "MUST_OCCUR"), _matches(clause, document)) for clause in clauses]
        optional = [holds for occurance, holds in met if occurance == "SHOULD_OCCUR"]
        needed = all(holds == (occurance == "MUST_OCCUR") for occurance, holds in met if occurance != "SHOULD_OCCUR")
        return needed and (any(optional) or not optional)
    term = query.get("term", {})
    if "range" in term or "propertyName" not in term:
        raise Fault(400, "validation", "the mock host knows terms with a propertyName, and no ranges", "/querySpec/query/term")
    value: Any = document
    for segment in term["propertyName"].split("."):
        value = value.get(segment) if isinstance(value, dict) else None
    wanted, kind = str(term.get("matchValue")), term.get("matchType", "TERM")
    candidates = [str(item) for item in (value if isinstance(value, list) else [] if value is None else [value])]
    if kind == "PREFIX":
        return any(candidate.startswith(wanted) for candidate in candidates)
    if kind == "WILDCARD":
        pattern = wanted.replace("[", "[[]").replace("?", "[?]")
        return any(fnmatch.fnmatchcase(candidate, pattern) for candidate in candidates)
    return wanted in candidates


__all__ = ["Effect", "Fault", "Host", "Response", "Sent", "fault_of"]
