"""Queries over the documents of the mock host: terms, prefixes, wildcards and boolean clauses."""

from __future__ import annotations

import fnmatch
from typing import Any

from ..fault import Fault


def answered(task: dict[str, Any], documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns the finished task of a direct query over these documents."""
    spec = task["querySpec"]
    found = {link: document for link, document in documents.items() if _matches(spec["query"], document)}
    results: dict[str, Any] = {"documentCount": len(found), "documentLinks": list(found)}
    if "EXPAND_CONTENT" in spec.get("options", ()):
        results["documents"] = found
    return task | {"taskInfo": {"stage": "FINISHED", "isDirect": True, "durationMicros": 0}, "results": results}


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
