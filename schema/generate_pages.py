"""Writes the parts of a page as Python expressions: nodes, edges, page info, totals.

Floor 4, beside `schema/generate.py`, which says what the names mean.
"""

from __future__ import annotations

from schema.plan import Part


def page_part(part: Part, q: str, slot: int) -> str:
    """Return the expression of one entry of a page, whose nodes stand in `q`."""
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
            "startCursor": f"cursor({q}[0], A[{slot}]) if {q} else None",
            "endCursor": f"cursor({q}[-1], A[{slot}]) if {q} else None",
        }
        entries = ", ".join(
            f"{p.key!r}: {values.get(p.name) or repr(p.name[1:])}" for p in part.parts
        )
        return f"{{{entries}}}"
    return repr(part.name[1:])


def _edge_part(part: Part, slot: int) -> str:
    if part.selection is not None:
        return f"f{part.selection.number}(v)"
    return f"cursor(v, A[{slot}])" if part.name == "cursor" else repr(part.name[1:])
