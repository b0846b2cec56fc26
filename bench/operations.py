"""The two operations that are compared, as this service and as the peers are asked."""

from __future__ import annotations

import json
from typing import Any, Final

from graph.terms import RZ
from schema.cursors import class_mark, write_cursor

#: Clusters, their roles in projects, the partners there; of each partner name and country.
PARTNERS: Final = """\
query Partners($after: String) {
  clusters(first: 100, after: $after) { nodes {
    id name
    projectRoles { nodes {
      role
      project {
        id acronym
        roles { nodes { organisation { id name country { notation } } } }
      }
    } }
  } }
}"""

PEER_PARTNERS: Final = """\
query Partners($after: String!) {
  clusters(first: 100, after: $after) {
    id name
    projectRoles {
      role
      project {
        id acronym
        roles { organisation { id name country { notation } } }
      }
    }
  }
}"""

#: One organisation by its identifier.
POINT: Final = """\
query Point($id: ID!) {
  organisation(id: $id) {
    id name acronym homepage country { notation } sectors { nodes { id } } founded { text }
  }
}"""

PEER_POINT: Final = """\
query Point($id: ID!) {
  organisation(id: $id) {
    id name acronym homepage country { notation } sectors { id } founded { text }
  }
}"""


def cursor_after(iri: str) -> str:
    """Return our cursor of a cluster in the list of all."""
    return write_cursor(iri, [], class_mark(f"{RZ}Cluster"))


def body(query: str, variables: dict[str, str]) -> bytes:
    """Return the body of a request."""
    return json.dumps({"query": query, "variables": variables}).encode()


def canonical(answer: Any) -> Any:
    """Return an answer without the wrappers of connections, lists in one order."""
    if isinstance(answer, dict):
        if answer.keys() == {"nodes"}:
            return canonical(answer["nodes"])
        return {key: canonical(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return sorted(map(canonical, answer), key=lambda item: json.dumps(item, sort_keys=True))
    return answer
