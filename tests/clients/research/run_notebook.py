"""Runs the code cells of a notebook one after the other, as its kernel would, in one namespace.

`run_notebook.py NOTEBOOK FIGURE`: what the cells print is printed, and the last figure is saved.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def main(notebook: str, figure: str) -> None:
    """Run the cells; the first that fails ends it."""
    plt.show = lambda: plt.savefig(figure)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(Path(notebook).read_text("utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), namespace)
    frame = namespace["sectors"]
    print(json.dumps({"rows": len(frame), "revision": frame.attrs["revision"]}))
    print(json.dumps({"digest": namespace["digest"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
