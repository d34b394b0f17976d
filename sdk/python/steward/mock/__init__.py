"""A host in the memory of a unit test: documents with all their versions, effects, timers, maintenance, restarts.

One thread, no ports, no waiting. The clock stands until ``advance`` moves it, effects wait until ``settle``, and the same test takes the same
course every time. What a guest may rely on holds here too: an exception changes nothing, effects of one document go out in their order,
answers come back with their tags, timers outlive a restart.

Left out: quorum, owners and replication, which no guest can see; repeated attempts: an effect that fails is given up at once; the end of a
deletion, which a real host forgets after seven days; of queries ranges, sorting, paging and links.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

from ..context import Answer, Effect
from ..fault import Fault, fault_of
from .answers import Response, Sent
from .world import Asked, World

_EFFECTS_IN_A_ROW = 100_000



class Host(World):
    """The mock host, with the classes of the services that it serves."""

    def __init__(self, *services: type) -> None:
        super().__init__()
        self._stubs: list[tuple[str, Callable[[Effect], Response]]] = []
        #: Effects that were carried out, the oldest first.
        self.sent: list[Sent] = []
        #: What handlers refused that nobody was there to hear.
        self.refusals: list[Fault] = []
        for served in services:
            self.serve(served)

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
        return self._answered(Asked(action, path, query, lower, body, principal))

    def _answered(self, asked: Asked) -> Response:
        self._bury_expired()
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
        return self._answered(Asked(effect.action, path, query, effect.headers, body, "", "effect"))

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
            self._bury_expired()
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

    def _bury_expired(self) -> None:
        for link in self.links:
            if 0 < self._documents[link].versions[-1].expiry <= self._now:
                self._quietly(lambda link=link: self._expire(link))

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
    def waiting(self) -> list[Effect]:
        """The effects that wait, the next one first."""
        return [effect for *_, effect in sorted(self._pending, key=lambda pending: pending[:2])]


__all__ = ["Effect", "Fault", "Host", "Response", "Sent", "fault_of"]
