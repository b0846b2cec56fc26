"""Files and functions stay small, every parameter has a type, all that is public a docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from textwrap import dedent

import pytest

from tests.sources import BESIDE, PRODUCT, Source, read_sources

FILE_LINES = 500
FILE_LINES_AIMED = 300
FUNCTION_LINES = 80

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


def lines_of_code(function: AnyFunction) -> int:
    """Lines from `def` to the end, without the docstring (it is to be as long as it must)."""
    end = function.end_lineno or function.lineno
    lines = end - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def functions(tree: ast.Module) -> Iterator[AnyFunction]:
    """All functions and methods of a file, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, AnyFunction))


def untyped_parameters(function: AnyFunction, is_method: bool) -> list[str]:
    """Names of parameters without a type, `self` and `cls` aside."""
    given = function.args
    names = [*given.posonlyargs, *given.args]
    static = any(
        isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list
    )
    names = names[1:] if is_method and not static else names
    names += [*given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [name.arg for name in names if name.annotation is None]


def is_exempt(function: AnyFunction) -> bool:
    """Whether another carries the docstring: the getter, the implementation, the class above."""
    marks = {ast.unparse(decorator).rpartition(".")[2] for decorator in function.decorator_list}
    return bool(marks & {"setter", "deleter", "overload", "override"})


def undocumented(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    """Dotted names of public functions, classes and methods without a docstring."""
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from undocumented(node.body + node.orelse, within)
        if not isinstance(node, AnyFunction | ast.ClassDef) or node.name.startswith("_"):
            continue
        name = f"{within}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node.body, f"{name}.")
        elif is_exempt(node):
            continue
        if ast.get_docstring(node) is None:
            yield name


def offences(source: Source) -> list[str]:
    """Sentences, one per rule that a file of the product breaks."""
    found = [
        f"{source.path}:{f.lineno}: {f.name} has {lines_of_code(f)} lines, over {FUNCTION_LINES}"
        for f in functions(source.tree)
        if lines_of_code(f) > FUNCTION_LINES
    ]
    methods = {
        id(member)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
        for member in node.body
    }
    for function in functions(source.tree):
        found += [
            f"{source.path}:{function.lineno}: {function.name}({name}) has no type"
            for name in untyped_parameters(function, id(function) in methods)
        ]
    if ast.get_docstring(source.tree) is None and source.text.strip():
        found.append(f"{source.path}: the module has no docstring")
    found += [f"{source.path}: {name} has no docstring" for name in undocumented(source.tree.body)]
    return found


def test_files_are_small(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {s.path: len(s.text.splitlines()) for s in read_sources(*PRODUCT, *BESIDE)}
    large = {path: size for path, size in sizes.items() if size > FILE_LINES_AIMED}
    with capsys.disabled():
        for path, size in sorted(large.items(), key=lambda item: -item[1]):
            print(f"\n{path} has {size} lines: is there a seam?", end="")
    assert {path: size for path, size in large.items() if size > FILE_LINES} == {}


@pytest.mark.parametrize("source", read_sources(*PRODUCT, "bench"), ids=lambda s: str(s.path))
def test_functions_are_small_typed_and_documented(source: Source) -> None:
    assert offences(source) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(x): return x", "f(x) has no type"),
        ("def f(*xs): return xs", "f(xs) has no type"),
        ("def _f(*, x=1): return x", "_f(x) has no type"),
        ("class _A:\n    def m(self, x): return x", "m(x) has no type"),
        ("class _A:\n    @staticmethod\n    def m(x): return x", "m(x) has no type"),
        ("def f() -> None: ...", "f has no docstring"),
        ("class A: ...", "A has no docstring"),
        ('class A:\n    "A."\n    def m(self) -> int: return 1', "A.m has no docstring"),
        ("if True:\n    def f() -> None: ...", "f has no docstring"),
        ("def _f() -> None:\n" + "    print()\n" * 80, "_f has 81 lines, over 80"),
    ],
)
def test_an_offence_is_found(text: str, found: str) -> None:
    sentences = offences(Source("graph/tiny.py", f'"""Tiny."""\n{text}'))
    assert any(found in sentence for sentence in sentences), sentences


def test_a_module_without_docstring_is_found() -> None:
    assert offences(Source("graph/a.py", "X = 1\n")) == ["graph/a.py: the module has no docstring"]


def test_what_is_allowed_is_no_offence() -> None:
    text = '''
        """Tiny."""

        class A:
            """A thing."""

            @property
            def size(self) -> int:
                """Its size."""
                return self._size

            @size.setter
            def size(self, size: int) -> None:
                self._size = size

            @classmethod
            def make(cls, size: int) -> "A":
                """Make one."""
                def inner() -> A:
                    return cls()
                return inner()

        def _private(x: int) -> int:
            return x
    '''
    assert offences(Source("graph/tiny.py", dedent(text).strip())) == []


def test_a_docstring_does_not_count_as_code() -> None:
    body = '    """First.\n' + "    more\n" * 100 + '    """\n    return None'
    (function,) = functions(ast.parse(f"def f() -> None:\n{body}"))
    assert lines_of_code(function) == 2
