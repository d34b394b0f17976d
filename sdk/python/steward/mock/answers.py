"""What a test gets back from the mock host."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..context import Effect


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
