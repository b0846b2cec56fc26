"""The same question in SPARQL: a query for each root field of a plan, and what it leaves out.

Floor 4. For those who learn one language by the other, and for checks. A query answers each node,
value and tie as a solution: fields with one value stand in one row, each list in rows of its own.
What SPARQL cannot say, or not without knowing the ranks of sources, is named instead of guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graph.errors import BadValueError
from graph.model import Model
from graph.terms import is_iri, write_iri, write_literal
from schema.cursors import class_mark, read_cursor
from schema.equivalent_where import Conditions, Unsayable
from schema.operators import listed
from schema.plan import (
    Connection,
    Date,
    Identity,
    Link,
    Lookup,
    Part,
    Path,
    Plan,
    Scalar,
    Selection,
    Step,
    Text,
    TypeName,
    Variable,
)

#: Kinds of steps that have no words in SPARQL, with the reason.
_WITHOUT: Final = {
    "Types": "classes are told by name",
    "Search": "ranked search",
    "Records": "statements about statements",
    "Certainty": "certainty on a day",
    "Sources": "sources of a node",
    "Revision": "the revision",
}
_DIRECTIONS: Final = {"ASC": "", "ASC_NULLS_FIRST": "", "DESC": "DESC", "DESC_NULLS_FIRST": "DESC"}


def write_queries(
    model: Model,
    plan: Plan,
    variables: Mapping[str, Any],
    page_size: int,
    languages: tuple[str, ...],
) -> tuple[dict[str, str], list[str]]:
    """Return SPARQL queries by root field (`key.totalCount` for its total), and what they lack.

    Variables are named by the path of response keys below `n`, the node itself by the path to it:
    `?n_memberships_memberOf_label`. Where sources differ about a field with one value, the value
    of each is a solution.
    """
    queries: dict[str, str] = {}
    missing: dict[str, None] = {}
    for step in plan.steps:
        writer = _Writer(model, variables, page_size, languages)
        try:
            queries |= writer.root(step)
        except Unsayable as reason:
            writer.missing[f"{step.key}: {reason}"] = None
        except BadValueError as error:  # such as half a character, which no text of RDF holds
            writer.missing[f"{step.key}: {error.message}"] = None
        missing |= writer.missing
    return queries, list(missing)


def variable(parent: str, key: str) -> str:
    """Return the name of the variable of a field below another."""
    return f"{parent}_{key}"


class _Writer:
    """Writes the queries of one root field."""

    def __init__(
        self,
        model: Model,
        variables: Mapping[str, Any],
        page_size: int,
        languages: tuple[str, ...],
    ) -> None:
        self.model = model
        self.variables = variables
        self.page_size = page_size
        self.languages = languages
        self.conditions = Conditions(model)
        self.missing: dict[str, None] = {}
        self.names: list[str] = []
        self.arms: list[list[str]] = []

    def root(self, step: Step) -> dict[str, str]:
        """Return the queries of a root field by name."""
        if isinstance(step, Lookup):
            chain = [self._looked_up(step)]
            self._arm(step.selection, "n", chain, step.key)
            return {step.key: self._query()}
        if not isinstance(step, Connection):
            raise Unsayable(_WITHOUT.get(type(step).__name__, "no node"))
        within = self._members(step)
        queries = {}
        if any(part.name == "totalCount" for part in step.parts):
            counted = f"SELECT (COUNT(DISTINCT ?n) AS ?total) WHERE {{ {within} }}"
            queries[f"{step.key}.totalCount"] = counted
        if not step.shown:
            self._parts(step, "n", [], step.key)
            return queries
        chain = [
            f"{{ SELECT DISTINCT ?n WHERE {{ {within}{self._after(step)} }} {self._cut(step)} }}"
        ]
        self.names.append("n")
        self._parts(step, "n", chain, step.key)
        return {**queries, step.key: self._query()}

    # --- where a query begins ----------------------------------------------------------------

    def _looked_up(self, step: Lookup) -> str:
        asked = self._resolve(step.arguments)
        given = listed(asked["ids"] if step.many else asked["id"])
        iris = [write_iri(str(each)) for each in given if is_iri(str(each))]
        classes = self.model.classes if step.class_iri is None else self._below(step.class_iri)
        self.names.append("n")
        return (
            f"VALUES ?n {{ {' '.join(iris)} }} "
            f"FILTER(EXISTS {{ ?n a ?type FILTER(?type IN ({_terms(classes)})) }})"
        )

    def _members(self, step: Connection) -> str:
        asked = self._resolve(step.arguments)
        if asked.get("asOf") is not None:
            raise Unsayable("validity on a day")
        members = f"VALUES ?type {{ {_terms(self._below(step.class_iri), ' ')} }} ?n a ?type"
        return members + self._filter(step, "n")

    def _filter(self, step: Connection, name: str) -> str:
        where = self._value(step.where)
        if not where:
            return ""
        return f" FILTER({self.conditions.write(step.class_iri, where, name)})"

    def _after(self, step: Connection) -> str:
        asked = self._resolve(step.arguments)
        if asked.get("before") is not None or (asked.get("after") and asked.get("orderBy")):
            raise Unsayable("places of cursors in an order")
        if asked.get("after") is None:
            return ""
        if asked.get("where"):
            raise Unsayable("cursors among conditions")
        place = read_cursor(asked["after"], class_mark(step.class_iri), 0, "after").identifier[1:]
        return f' FILTER(STR(?n) > "{write_iri(place)[1:-1]}")'

    def _cut(self, step: Connection) -> str:
        asked = self._resolve(step.arguments)
        keys = listed(asked["orderBy"]) if asked.get("orderBy") is not None else ()
        if keys and (len(keys) > 1 or keys[0].keys() != {"id"}):
            raise Unsayable("orders by what people read")
        direction = _DIRECTIONS[keys[0]["id"]] if keys else ""
        size = asked.get("first")
        if asked.get("last") is not None:
            size, direction = asked["last"], "" if direction else "DESC"
        size = self.page_size if size is None else size
        return f"ORDER BY {direction}(STR(?n)) LIMIT {size}"

    def _below(self, class_iri: str) -> tuple[str, ...]:
        return tuple(sorted(self.model.descendants[class_iri]))

    # --- what is asked of nodes --------------------------------------------------------------

    def _parts(self, step: Connection, name: str, chain: list[str], place: str) -> None:
        """Write what the entries of a page ask of its nodes, which `chain` binds."""
        for part in step.parts:
            if part.name == "nodes" and part.selection is not None:
                self._arm(part.selection, name, chain, f"{place}.{part.key}")
            elif part.name == "edges":
                self._edges(part, name, chain, f"{place}.{part.key}")
            elif part.name == "totalCount" and "." not in place:
                continue
            elif not part.name.startswith(":"):
                self._lack(f"{place}.{part.key}", part.name)

    def _edges(self, edges: Part, name: str, chain: list[str], place: str) -> None:
        if all(part.selection is None for part in edges.parts):
            self.arms.append(list(chain))
        for part in edges.parts:
            if part.selection is not None:
                self._arm(part.selection, name, chain, f"{place}.{part.key}")
            elif not part.name.startswith(":"):
                self._lack(f"{place}.{part.key}", part.name)

    def _arm(self, selection: Selection, name: str, chain: list[str], place: str) -> None:
        """Write one part of the union: nodes that `chain` binds, with their single values."""
        arm = list(chain)
        self.arms.append(arm)
        arm += self._selected(selection, name, chain, place)

    def _selected(self, selection: Selection, name: str, chain: list[str], place: str) -> list[str]:
        if selection.branches:
            self._lack(place, "fields of some types only")
        found: list[str] = []
        for step in selection.steps:
            at = f"{place}.{step.key}"
            try:
                found += self._step(step, name, chain, at)
            except Unsayable as reason:
                self._lack(at, str(reason))
        return found

    def _step(self, step: Step, name: str, chain: list[str], place: str) -> list[str]:
        below = variable(name, step.key)
        match step:
            case Identity():
                return []
            case TypeName(value=value) if value is not None:
                return []
            case Scalar() | Text():
                return self._literal(step, name, below, chain)
            case Date():
                return self._date(step, name)
            case Link():
                self.names.append(below)
                tie = _tie(step.path, name, below)
                inner = self._selected(step.selection, below, [*chain, tie], place)
                return [f"OPTIONAL {{ {' '.join([tie, *inner])} }}"]
            case Connection():
                self._list(step, name, below, chain, place)
                return []
        raise Unsayable(_WITHOUT.get(type(step).__name__, "the type of a node"))

    def _literal(self, step: Scalar | Text, name: str, below: str, chain: list[str]) -> list[str]:
        if isinstance(step, Scalar):
            self.names.append(below)
            tie = _tie(step.path, name, below)
            if step.path.many:
                self.arms.append([*chain, tie])
                return []
            return [f"OPTIONAL {{ {tie} }}"]
        predicates = set(step.paths.values())
        if len(predicates) > 1:
            raise Unsayable("names that are other fields in other classes")
        self.names.append(below)
        path = Path(predicates.pop(), False, True)
        asked = self._resolve(step.arguments).get("lang")
        tags = () if asked is None else listed(asked)
        if step.unique:
            order = tuple(dict.fromkeys((*_families(tags), *self.languages)))
            return [f"OPTIONAL {{ {_best(path, name, below, order)} }}"]
        wanted = f" FILTER(LANG(?{below}) IN ({_texts(tags)}))" if asked is not None else ""
        self.arms.append([*chain, _tie(path, name, below) + wanted])
        return []

    def _date(self, step: Date, name: str) -> list[str]:
        found = []
        for key, part in step.record:
            if part.startswith(":"):
                continue
            below = variable(variable(name, step.key), key)
            self.names.append(below)
            found.append(
                f"OPTIONAL {{ {_tie(Path(step.parts[part], False, False), name, below)} }}"
            )
        return found

    def _list(self, step: Connection, name: str, below: str, chain: list[str], place: str) -> None:
        asked = self._resolve(step.arguments)
        if asked.keys() & {"first", "last", "after", "before"}:
            raise Unsayable("pages of a list below another")
        if asked.get("orderBy") or asked.get("asOf") is not None:
            raise Unsayable("orders and validity below a list")
        assert step.path is not None
        self.names.append(below)
        inner = [*chain, _tie(step.path, name, below) + self._filter(step, below)]
        self._parts(step, below, inner, place)

    # --- small things --------------------------------------------------------------------------

    def _query(self) -> str:
        names = " ".join(f"?{name}" for name in dict.fromkeys(self.names))
        arms = "\n  UNION\n".join(f"  {{ {' '.join(arm)} }}" for arm in self.arms)
        return f"SELECT DISTINCT {names} WHERE {{\n{arms}\n}}"

    def _lack(self, place: str, reason: str) -> None:
        self.missing[f"{place}: {reason}"] = None

    def _resolve(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: self._value(value) for name, value in arguments.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _value(self, value: Any) -> Any:
        if isinstance(value, Variable):
            return self.variables.get(value.name)
        if isinstance(value, dict):
            return self._resolve(value)
        return tuple(map(self._value, value)) if isinstance(value, list | tuple) else value


def _tie(path: Path, name: str, below: str) -> str:
    subject, value = (below, name) if path.inverse else (name, below)
    return f"?{subject} {write_iri(path.predicate)} ?{value} ."


def _best(path: Path, name: str, below: str, languages: tuple[str, ...]) -> str:
    """Return the pattern of the text in the first of the languages that there is one in."""
    other = f"{below}_other"
    places = [_place(each, languages) for each in (other, below)]
    better = (
        f"{places[0]} < {places[1]} || "
        f"({places[0]} = {places[1]} && LANG(?{other}) < LANG(?{below}))"
    )
    rival = f"{_tie(path, name, other)} FILTER({better})"
    return f"{_tie(path, name, below)} FILTER(!EXISTS {{ {rival} }})"


def _place(name: str, languages: tuple[str, ...]) -> str:
    """Return the expression of the place of a text's language among others."""
    written = str(len(languages))
    for at, tag in reversed(list(enumerate(languages))):
        same, text = f"LANG(?{name})", write_literal(tag)
        test = f"{same} = {text}" if "-" in tag else f"LANGMATCHES({same}, {text})"
        written = f"IF({test}, {at}, {written})"
    return written


def _families(tags: tuple[str, ...]) -> list[str]:
    return [found for tag in tags for found in (tag.lower(), tag.lower().split("-")[0])]


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(write_literal(value.lower()) for value in values)


def _terms(iris: Any, between: str = ", ") -> str:
    return between.join(map(write_iri, sorted(iris)))
