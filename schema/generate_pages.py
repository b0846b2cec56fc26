"""Writes the parts of a page as Python expressions: nodes, edges, page info, totals.

Floor 4, beside `schema/generate.py`, which says what the names mean.
"""

from __future__ import annotations

from schema.plan import Part


def page_part(part: Part, q: str, slot: int, whole: str) -> str:
    """Return the expression of one entry of a page.

    Its nodes stand in `q`, all that fit in `whole`.
    """
    if part.name == "nodes":
        assert part.selection is not None
        return f"[f{part.selection.number}(v) for v in {q}]"
    if part.name == "edges":
        entries = ", ".join(f"{edge.key!r}: {_edge_part(edge, slot)}" for edge in part.parts)
        return f"[{{{entries}}} for v in {q}]"
    if part.name == "totalCount":
        return f"{q}t"
    if part.name == "pageInfo":
        values = {
            "hasNextPage": f"{q}m",
            "hasPreviousPage": f"{q}b",
            "startCursor": f"R.pager.cursor({q}[0], A[{slot}]) if {q} else None",
            "endCursor": f"R.pager.cursor({q}[-1], A[{slot}]) if {q} else None",
        }
        entries = ", ".join(
            f"{p.key!r}: {values.get(p.name) or repr(p.name[1:])}" for p in part.parts
        )
        return f"{{{entries}}}"
    if part.name in ("aggregates", "groupCount"):
        return f"A[{part.slot}]({whole})"
    if part.name == "groups":
        entries = ", ".join(f"{below.key!r}: {_group_part(below)}" for below in part.parts)
        return f"[{{{entries}}} for s, v in A[{part.slot}]({whole})]"
    return repr(part.name[1:])


def _group_part(part: Part) -> str:
    if part.name == "aggregates":
        return f"A[{part.slot}](v)"
    if part.name != "keys":
        return repr(part.name[1:])
    entries = ", ".join(f"{below.key!r}: {_key_part(below)}" for below in part.parts)
    return f"[{{{entries}}} for x, n in s]"


def _key_part(part: Part) -> str:
    if part.selection is not None:
        return f"(f{part.selection.number}(n) if n else None)"
    return "x" if part.name == "value" else repr(part.name[1:])


def _edge_part(part: Part, slot: int) -> str:
    if part.selection is not None:
        return f"f{part.selection.number}(v)"
    if part.name in ("cursor", "certainty"):
        return f"R.pager.{part.name}(v, A[{slot}])"
    return repr(part.name[1:])


def record_part(part: Part, r: str) -> str:
    """Return the expression of one entry of a record that stands in `r`."""
    if part.selection is not None:
        call = f"f{part.selection.number}({r}.{part.name})"
        return f"({call} if {r}.{part.name} else None)"
    return f"{r}.{part.name}" if not part.name.startswith(":") else repr(part.name[1:])
