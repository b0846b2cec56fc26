"""Collects the results of validation, each once, worded in the asked language.

Floor 2. A result names focus node, path, value, constraint, severity and message, as SHACL's
validation report does; nothing here decides whether something is wrong.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from graph.curation.messages import DEFAULT_LANGUAGE, say
from graph.errors import Violation
from graph.model import Constraint, Model
from graph.terms import RDF_TYPE, local_name

_PLACE: Final = re.compile(r"\{[?$](\w+)\}")
_SHOWN: Final = 200
#: Violations that are told of one change; nobody reads more, and a bad file may hold millions.
VIOLATIONS_TOLD: Final = 10_000
#: Unknown names for which near ones are looked up, a millisecond each.
_HINTS: Final = 100


class Findings:
    """The results of one validation, in one language."""

    def __init__(self, model: Model, language: str = DEFAULT_LANGUAGE) -> None:
        self.model = model
        self.language = language
        self._found: dict[Violation, None] = {}
        self._blocking = 0
        self._hints: dict[str, str] = {}

    def sorted(self) -> list[Violation]:
        """Return the results, violations before warnings, by focus node and path.

        Where there are more than `VIOLATIONS_TOLD` violations, one more says so.
        """
        found = sorted(self._found, key=_order)
        if self._blocking > VIOLATIONS_TOLD:
            found.append(and_more(self.language))
        return found

    def broken(
        self,
        constraint: Constraint,
        focus: str,
        value: str | None = None,
        graph: str | None = None,
        actual: object = None,
    ) -> None:
        """Note that a core constraint does not hold."""
        limit = self._show(constraint)
        message = self._choose(constraint.messages) or say(
            constraint.component, self.language, limit=limit, actual=actual
        )
        path = None
        if constraint.path is not None:
            path = f"^<{constraint.path}>" if constraint.inverse else f"<{constraint.path}>"
        self._add(focus, path, value, constraint.component, constraint.severity, message, graph)

    def rule_broken(
        self, shape: str, severity: str, messages: Mapping[str, str], solution: Mapping[str, str]
    ) -> None:
        """Note a solution of a SPARQL constraint; its variables are put into the message."""
        text = self._choose(messages) or say("sparql", self.language, limit=self.short(shape[1:-1]))
        message = _PLACE.sub(lambda match: self._plain(solution.get(match[1], "?")), text)
        value = solution.get("value")
        self._add(solution["this"], solution.get("path"), value, "sparql", severity, message, None)

    def closed(
        self, focus: str, predicate: str, value: str | None, graph: str | None, message: str
    ) -> None:
        """Note a statement that the model has no place for."""
        self._add(focus, predicate, value, "closed", "Violation", message, graph)

    def unknown_class(self, focus: str, value: str, graph: str | None) -> None:
        """Note a class outside the model."""
        hint = self.hint(value[1:-1], self.model.classes)
        message = say("unknownClass", self.language, term=self.short(value[1:-1]), hint=hint)
        self.closed(focus, RDF_TYPE, value, graph, message)

    def unknown_field(
        self,
        focus: str,
        predicate: str,
        allowed: Iterable[str],
        classes: Iterable[str],
        graph: str | None,
    ) -> None:
        """Note a predicate that none of the node's classes has."""
        near = [term[1:-1] for term in allowed if term != RDF_TYPE]
        message = say(
            "unknownField",
            self.language,
            term=self.short(predicate[1:-1]),
            classes=", ".join(sorted(map(self.short, classes))),
            hint=self.hint(predicate[1:-1], near),
        )
        self.closed(focus, predicate, None, graph, message)

    def hint(self, iri: str, known: Iterable[str]) -> str:
        """Return the question whether a known term of nearly that name was meant, or nothing."""
        if iri in self._hints:
            return self._hints[iri]
        if len(self._hints) >= _HINTS:
            return ""
        hint = self._hints[iri] = self._find_hint(iri, known)
        return hint

    def _find_hint(self, iri: str, known: Iterable[str]) -> str:
        names: dict[str, str] = {}
        for term in sorted(known):
            names.setdefault(local_name(term).lower(), term)
        near = difflib.get_close_matches(local_name(iri).lower(), names, n=3)
        if not near:
            return ""
        return say("hint", self.language, known=", ".join(self.short(names[n]) for n in near))

    def short(self, iri: str) -> str:
        """Return an IRI with its prefix where the ontology has one."""
        best = max(
            (ns for ns in self.model.prefixes.values() if iri.startswith(ns)), key=len, default=None
        )
        if best is None:
            return f"<{iri}>"
        prefix = next(p for p, ns in self.model.prefixes.items() if ns == best)
        return f"{prefix}:{iri[len(best) :]}"

    def _show(self, constraint: Constraint) -> str:
        parameter = constraint.parameter
        if constraint.component == "pattern" and isinstance(parameter, tuple):
            return parameter[0]
        if isinstance(parameter, tuple):
            return ", ".join(map(self._plain, parameter))
        if isinstance(parameter, int):
            return str(parameter)
        if constraint.component in ("datatype", "class", "nodeKind", "node"):
            return self.short(parameter)
        return self._plain(parameter)

    def _plain(self, term: str) -> str:
        """Return a term as a person reads it."""
        if term.startswith("<"):
            return self.short(term[1:-1])
        return term[1 : term.rindex('"')] if term.startswith('"') else term

    def _choose(self, messages: Mapping[str, str]) -> str | None:
        for language in (self.language, DEFAULT_LANGUAGE, ""):
            if language in messages:
                return messages[language]
        return None

    def _add(
        self,
        focus: str,
        path: str | None,
        value: str | None,
        constraint: str,
        severity: str,
        message: str,
        graph: str | None,
    ) -> None:
        if value is not None and len(value) > _SHOWN:
            value = value[:_SHOWN] + "…"
        name = None if graph is None else graph[1:-1]
        result = Violation(focus, path, value, constraint, severity, message, name)
        if severity == "Violation" and result not in self._found:
            self._blocking += 1
            if self._blocking > VIOLATIONS_TOLD:
                return
        self._found[result] = None


def and_more(language: str) -> Violation:
    """Return the violation that stands for those that are not told."""
    message = say("moreViolations", language, count=VIOLATIONS_TOLD)
    return Violation("", None, None, "count", "Violation", message)


def _order(violation: Violation) -> tuple[str, ...]:
    v = violation
    return (v.severity, v.focus_node, v.path or "", v.constraint, v.value or "", v.graph or "")
