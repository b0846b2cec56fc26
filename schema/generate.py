"""Writes a plan as Python source: one function a selection, reading pages of columns directly.

Floor 4. An interpreter of plans spends its time on deciding what each step is; generated code
decides once, when the plan is made. The source holds no text of the document: names of response
keys stand in it as Python literals, everything else is looked up in what it is given. It is a
function in a function: the outer one takes the columns of a snapshot, once for all requests that
read it, the inner one what belongs to a request. Inside one request each selection remembers the
objects it made, since partners share much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from graph.model import Model
from schema.generate_pages import page_part, record_part
from schema.generate_values import ValueWriter
from schema.plan import (
    Certainty,
    Connection,
    Date,
    Identity,
    Link,
    Lookup,
    Part,
    Plan,
    Records,
    Revision,
    Scalar,
    Search,
    Selection,
    Sources,
    Step,
    Text,
    TypeName,
    Types,
    all_steps,
    children,
    has_measures,
)
from schema.search import Found, write_page

if TYPE_CHECKING:
    from schema.run import Run, Tables

#: Given a run over the snapshot that it was made for, returns the function that makes the answer.
Reader = Callable[["Run"], Callable[[], dict[str, Any]]]
#: What a plan becomes: given the tables of a snapshot, it returns a reader of that snapshot.
Executable = Callable[["Tables"], Reader]

#: Short names in generated source; only those that a plan uses are written.
_OF_SNAPSHOT: Final = {"T": "S.texts", "X": "S.prefixes"}
_OF_RUN: Final = {
    "A": "R.bound",
    "C": "R.counter",
    "L": "R.limit",
    **{name: f"R.{name}" for name in ("over", "find", "label", "date", "type_of", "integer")},
}
_WORD: Final = re.compile(r"[A-Za-z_]\w*")


def generate(plan: Plan, model: Model) -> Executable:
    """Return the executable of a plan."""
    names: dict[str, Any] = {"search": Found}
    exec(compile_source(write_source(plan, model)), names)
    made: Executable = names["make"]
    return made


def compile_source(source: str) -> CodeType:
    """Return the code object of generated source."""
    return compile(source, "<plan>", "exec")


def write_source(plan: Plan, model: Model) -> str:
    """Return the source of a plan: `make(S)` returns `bind(R)`, and that the function to call."""
    return "\n".join(Writer(plan, model).write())


class Writer(ValueWriter):
    """Writes one plan; what it names on the way, such as columns, is taken first."""

    #: Whether what is met once is made in the loop over a list, without a call, and whether what
    #: is remembered is looked up before one.
    inlines = True

    def __init__(self, plan: Plan, model: Model) -> None:
        super().__init__(model)
        self.plan = plan
        self.pages: list[int] = []
        #: Where links are counted: for the request, or, while a loop runs in which nobody asks how
        #: many there are, in a name of its own.
        self.counter = "C[0]"
        self.heavy = {s.number for s in _selections(plan) if _has_nodes_below(s)}
        #: Of those, the ones of which a single one may be too much; the rest have a few links.
        self.wide = {s.number for s in _selections(plan) if _has_lists_below(s)}

    def write(self) -> Iterator[str]:
        """Yield the lines of the source."""
        body: list[str] = []
        for selection in _selections(self.plan):
            body += self._selection(selection)
        before, pairs = self._steps(self.plan.steps)
        body += ["def root():", *(f"    {line}" for line in before)]
        body += [f"    return {{{', '.join(pairs)}}}", "return root"]
        bound = [f"{name} = {text}" for text, name in self.bound.items()]
        bound += [f"w{slot} = A[{slot}].size if A[{slot}].whole else -1" for slot in self.pages]
        shared = [
            f"{name} = S.column({predicate!r}, inverse={inverse}); p{name} = {name}.pages"
            for (predicate, inverse), name in self.columns.items()
        ]
        shared += [f"{name} = {text}" for text, name in self.tables.items()]
        used = set(_WORD.findall("\n".join([*body, *bound])))
        yield "def make(S):"
        yield from (f"    {name} = {text}" for name, text in _OF_SNAPSHOT.items() if name in used)
        yield from (f"    {line}" for line in shared)
        yield "    def bind(R):"
        yield from (f"        {name} = {text}" for name, text in _OF_RUN.items() if name in used)
        yield from (f"        {line}" for line in (*bound, *body))
        yield "    return bind"

    # --- selections -----------------------------------------------------------------------

    def _selection(self, selection: Selection) -> Iterator[str]:
        n = selection.number
        if self._is_remembered(selection):
            yield f"m{n} = {{}}"
        if selection.branches:
            made: dict[int, str] = {}
            for object_type, steps in selection.branches:
                if id(steps) not in made:
                    made[id(steps)] = f"b{n}_{len(made)}"
                    yield from self._function(made[id(steps)], steps, None)
                yield f"# {object_type}: {made[id(steps)]}"
            table = ", ".join(f"{t!r}: {made[id(s)]}" for t, s in selection.branches)
            yield f"B{n} = {{{table}}}"
            inner = f"B{n}[type_of(n, {selection.class_iri!r})](n)"
            yield from self._memo(n, [f"o = {inner}"])
            return
        before, pairs = self._steps(selection.steps, selection.class_iri)
        if not self._is_remembered(selection):
            yield f"def f{n}(n):"
            yield "    h = n >> 8; i = n & 255"
            yield from (f"    {line}" for line in before)
            yield f"    return {{{', '.join(pairs)}}}"
            return
        body = ["h = n >> 8; i = n & 255", *before, f"o = {{{', '.join(pairs)}}}"]
        yield from self._memo(n, body)

    def _is_remembered(self, selection: Selection) -> bool:
        """Tell whether the objects of nodes are remembered in a request.

        A relation belongs to one node on each side, and that one is remembered: it rarely comes
        twice, so that remembering it would cost more than it saves.
        """
        shape = self.model.classes.get(selection.class_iri or "")
        return bool(selection.branches) or shape is None or not shape.relation

    def _memo(self, number: int, body: list[str]) -> Iterator[str]:
        """Yield the function that makes a node's object, and the one that does so once a request.

        What lies below counts again each time, though it is made once.
        """
        heavy = number in self.heavy
        yield f"def g{number}(n):"
        if heavy:
            yield "    start = C[0]"
        yield from (f"    {line}" for line in body)
        yield f"    m{number}[n] = (o, C[0] - start)" if heavy else f"    m{number}[n] = o"
        yield "    return o"
        yield f"def f{number}(n):"
        yield f"    o = m{number}.get(n)"
        yield f"    if o is None: return g{number}(n)"
        yield from (f"    {line}" for line in self._met_again(number, "o", 0))
        yield "    return o"

    def _met_again(self, number: int, o: str, more: int) -> list[str]:
        """Return how a remembered object is taken out of what is remembered, and counted again.

        None of it where only the object is; `more` is counted beside what lies below.
        """
        if number not in self.heavy:
            return []
        check = ["if C[0] > L: over('selection')"] if number in self.wide else []
        count = f"{more} + {o}[1]" if more else f"{o}[1]"
        return [f"{self.counter} += {count}; {o} = {o}[0]", *check]

    def _function(self, name: str, steps: tuple[Step, ...], class_iri: str | None) -> Iterator[str]:
        before, pairs = self._steps(steps, class_iri)
        yield f"def {name}(n):"
        yield "    h = n >> 8; i = n & 255"
        yield from (f"    {line}" for line in before)
        yield f"    return {{{', '.join(pairs)}}}"

    def _steps(
        self, steps: tuple[Step, ...], class_iri: str | None = None
    ) -> tuple[list[str], list[str]]:
        before: list[str] = []
        pairs: list[str] = []
        for step in steps:
            lines, expression = self._step(step, class_iri)
            before += lines
            pairs.append(f"{step.key!r}: {expression}")
        return before, pairs

    def _step(self, step: Step, class_iri: str | None) -> tuple[list[str], str]:
        n, h, i = self.node
        match step:
            case TypeName():
                known = step.value is not None
                return [], repr(step.value) if known else f"type_of({n}, {class_iri!r})"
            case Identity():
                return [], f"X[{h}] + T[{h}][{i}]"
            case Types():
                return [], f"R.types({n})"
            case Revision():
                return [], "R.snapshot.revision"
            case Scalar():
                return self._scalar(step)
            case Text():
                return self._text(step)
            case Date():
                return self._date(step)
            case Link():
                return self._link(step)
            case Lookup():
                return self._lookup(step)
            case Connection():
                return self._connection(step)
            case Search():
                return self._search(step)
            case Records():
                return self._records(step)
            case Certainty():
                return [], f"A[{step.slot}]({n})"
            case Sources():
                return [], f"[f{step.selection.number}(v) for v in R.witness.sources({n})]"

    def _lookup(self, step: Lookup) -> tuple[list[str], str]:
        v, call = self._name("v"), f"f{step.selection.number}"
        if step.many:
            lines = [f"{v} = R.find_all(A[{step.slot}])", f"C[0] += sum(map(bool, {v}))"]
            return lines, f"[{call}(v) if v else None for v in {v}]"
        find = f"{v} = find(A[{step.slot}], {step.class_iri!r})"
        return [find, f"C[0] += {v} != 0"], f"{call}({v}) if {v} else None"

    def _records(self, step: Records) -> tuple[list[str], str]:
        r = self._name("r")
        entries = ", ".join(f"{p.key!r}: {record_part(p, r)}" for p in step.parts)
        call = f"R.witness.{step.name}({self.node[0]}, *A[{step.slot}])"
        if step.name == "completeness":
            return [f"{r} = {call}"], f"{{{entries}}}"
        return [], f"[{{{entries}}} for {r} in {call}]"

    def _search(self, step: Search) -> tuple[list[str], str]:
        q = self._name("q")
        lines = [
            f"{q} = search(R, A[{step.slot}])",
            f"C[0] += len({q}.hits)",
            f"if C[0] > L: over({step.key!r})",
        ]
        return lines, write_page(step.parts, q)

    # --- links ------------------------------------------------------------------------------

    def _link(self, step: Link) -> tuple[list[str], str]:
        lines, v = self._value(step.path)
        number, o = step.selection.number, self._name("o")
        if not (self.inlines and self._is_remembered(step.selection)):
            counted = f"if {v}: {self.counter} += 1"
            return [*lines, counted], f"f{number}({v}) if {v} else None"
        again = self._met_again(number, o, 1) or [f"{self.counter} += 1"]
        return [
            *lines,
            f"if not {v}: {o} = None",
            "else:",
            f"    {o} = m{number}.get({v})",
            f"    if {o} is None: {self.counter} += 1; {o} = g{number}({v})",
            "    else:",
            *(f"        {line}" for line in again),
        ], o

    # --- connections ------------------------------------------------------------------------

    def _connection(self, step: Connection) -> tuple[list[str], str]:
        q, slot = self._name("q"), step.slot
        if step.path is None:
            lines = [f"{q} = R.pager.instances({step.class_iri!r}, A[{slot}])"]
        else:
            c, p = self._column(step.path.predicate, step.path.inverse), self._name("p")
            _, h, i = self.node
            lines = [
                f"{p} = p{c}.get({h})",
                f"if {p} is None: {q} = ()",
                "else:",
                f"    {q} = {p}[1][{p}[0][{i}]:{p}[0][{i} + 1]]",
                f"    if {p}[3]: {q} = list(dict.fromkeys({q}))",
            ]
        total, more, before = f"{q}t", f"{q}m", f"{q}b"
        self.pages.append(slot)
        whole, cut = q, f"R.pager.cut({q}, A[{slot}])"
        if has_measures(step):  # these look at all that fit, the page only at some
            whole, cut = f"{q}z", f"R.pager.show({q}z, A[{slot}])"
            lines.append(f"{whole} = {q} if w{slot} >= 0 else R.pager.arrange({q}, A[{slot}])")
        lines += [
            f"if len({q}) <= w{slot}:",
            f"    {total} = len({q}); {more} = {before} = False",
            f"else: {q}, {total}, {more}, {before} = {cut}",
            f"C[0] += len({q})",
            f"if C[0] > L: over({step.key!r})",
        ]
        entries = []
        for part in step.parts:
            made, entry = self._nodes(part, q) or ([], page_part(part, q, slot, whole))
            lines += made
            entries.append(f"{part.key!r}: {entry}")
        return lines, f"{{{', '.join(entries)}}}"

    def _nodes(self, part: Part, q: str) -> tuple[list[str], str] | None:
        """Return lines that make the nodes of a page in a loop, and the name of their list.

        None where something else is asked of the page, or the nodes are remembered.
        """
        selection = part.selection
        if part.name != "nodes" or selection is None or not self.inlines:
            return None
        if self._is_remembered(selection):
            return None
        outer, made, count = (self.node, self.counter), self._name("l"), "C[0]"
        n, h, i = self.node = (self._name("n"), self._name("h"), self._name("i"))
        if selection.number not in self.wide:  # nothing in the loop asks how many there are
            count = self.counter = self._name("k")
        before, pairs = self._steps(selection.steps, selection.class_iri)
        self.node, self.counter = outer
        is_counted = count != "C[0]" and any(f"{count} +=" in line for line in before)
        counted = [f"C[0] += {count}", f"if C[0] > L: over({part.key!r})"] if is_counted else []
        lines = [
            *([f"{count} = 0"] if is_counted else []),
            f"{made} = []",
            f"for {n} in {q}:",
            f"    {h} = {n} >> 8; {i} = {n} & 255",
            *(f"    {line}" for line in before),
            f"    {made}.append({{{', '.join(pairs)}}})",
            *counted,
        ]
        return lines, made


def _selections(plan: Plan) -> Iterator[Selection]:
    """Yield every selection of a plan, each once."""
    stack = [selection for step in plan.steps for _, selection in children(step)]
    seen: set[int] = set()
    while stack:
        selection = stack.pop()
        if selection.number not in seen:
            seen.add(selection.number)
            yield selection
            stack += _below(selection)


def _below(selection: Selection) -> list[Selection]:
    return [below for step in all_steps(selection) for _, below in children(step)]


def _has_lists_below(selection: Selection) -> bool:
    lists = Connection | Records | Sources
    return any(isinstance(step, lists) for step in all_steps(selection)) or any(
        map(_has_lists_below, _below(selection))
    )


def _has_nodes_below(selection: Selection) -> bool:
    within = Connection | Link | Records | Sources
    return any(isinstance(step, within) for step in all_steps(selection))
