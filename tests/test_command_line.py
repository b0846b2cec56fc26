"""The command line: what it understands, prints, and returns; each command without a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import server
from graph.curation.export import WRITTEN
from graph.errors import leaves
from graph.settings import Settings
from graph.store.lock import StoreLock
from tests.require import ROOT
from web import commands, export_command
from web.arguments import QUESTION_FORMATS, REPORT_FORMATS, SUFFIXES, make_parser
from web.control import Command, Piece, RemoteFailure
from web.packages import KINDS

TOKEN = ("token", "token create", "token list", "token revoke")
SOURCE = "https://w3id.org/rhizome/id/source/mine"
GOOD = f"""
@prefix rz: <https://w3id.org/rhizome/ontology#> .
@prefix dcterms: <http://purl.org/dc/terms/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
<{SOURCE}> {{
  <{SOURCE}> a rz:Source ; dcterms:title "Mine" ; rz:sourceKind "user" .
  <https://w3id.org/rhizome/id/organisation/new> a rz:Cluster ; skos:prefLabel "New"@en .
}}
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(seeded_store: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    shutil.copytree(seeded_store, folder)
    return folder


@pytest.fixture
def run(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    """Run a command in this process: exit code, standard output, standard error."""
    for name in list(os.environ):
        if name.startswith("RHIZOME_") and not name.startswith("RHIZOME_TEST_"):
            monkeypatch.delenv(name)

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            code = server.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return call


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.trig"
    path.write_text(GOOD, encoding="utf-8")
    return path


class TestWords:
    @pytest.mark.parametrize("command", ["", "serve", "load", "export", "report", "check", *TOKEN])
    def test_help_teaches_with_examples_and_exit_codes(self, run: Run, command: str) -> None:
        code, out, _ = run(*command.split(), "--help")
        assert code == 0
        assert "python server.py" in out
        assert "exit codes:" in out

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["frobnicate"],
            ["load"],
            ["export", "--format", "zip"],
            ["report", "--lang", "de"],
            ["serve", "--port", "many"],
            ["check", "--shallow"],
            ["token"],
            ["token", "create"],
            ["token", "revoke"],
            ["token", "show"],
        ],
    )
    def test_a_mistake_is_one_sentence_and_exit_code_2(
        self, run: Run, arguments: list[str]
    ) -> None:
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert "--help" in err

    def test_a_wrong_variable_stops_everything(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RHIZOME_PROT", "9000")
        code, _, err = run("check")
        assert code == 6
        assert "RHIZOME_PORT" in err

    def test_options_become_commands(self) -> None:
        def read(*arguments: str) -> Command:
            return server.read_command(make_parser().parse_args(arguments))

        loaded = read("load", "a.ttl", "/b.ttl", "--graph", "x:y", "--dry-run")
        assert loaded.arguments == {
            "files": [str(Path("a.ttl").resolve()), "/b.ttl"],
            "graph": "x:y",
            "dry_run": True,
        }
        assert read("export").arguments == {"format": "trig"}
        assert read("export", "--out", "x.nq").arguments == {"format": "nq"}
        assert read("export", "--out", "x.ttl").arguments == {"format": "turtle"}
        assert read("export", "--out", "x.nq", "--format", "nt").arguments == {"format": "nt"}
        assert read("export", "--out", "x.nq.gz").arguments == {"format": "nq", "gzip": True}
        assert read("export", "--out", "x.rdf").arguments == {"format": "rdfxml"}
        assert read("export", "--revision", "3").arguments == {"format": "nq", "revision": "3"}
        assert read("export", "--entity", "x:y", "--depth", "2").arguments == {
            "format": "trig",
            "entity": "x:y",
            "depth": "2",
        }
        assert read("export", "--out", "x.gexf", "--lang", "fr").arguments == {
            "format": "gexf",
            "language": "fr",
        }
        assert read("report").arguments["format"] == "html"
        assert read("report", "--out", "x.MD").arguments["format"] == "md"
        assert read("report", "--out", "x").arguments["format"] == "html"
        assert read("export", "--out", "c.crate.zip").arguments == {"format": "rocrate"}
        assert read("export", "--out", "a/tables.zip").arguments == {"format": "tables"}
        assert read("export", "--out", "x.framed.jsonld").arguments == {"format": "jsonld-framed"}
        assert read("export", "--out", "x").arguments == {"format": "trig"}
        assert read("check") == Command("check", {"deep": False})
        assert read("check", "--deep").arguments == {"deep": True}

    def test_the_ends_of_names_are_those_of_the_formats(self) -> None:
        written = {each.key: each.suffixes[0] for each in WRITTEN}
        written |= {name: kind.suffix for name, kind in KINDS.items()}
        assert {each: suffix for suffix, each in SUFFIXES["export"].items()} == written
        assert set(SUFFIXES["report"].values()) == set(REPORT_FORMATS)
        assert set(SUFFIXES["question"].values()) == set(QUESTION_FORMATS)

    @pytest.mark.parametrize(
        ("command", "name"),
        [
            *(("export", f"x.{end}") for end in ("zip", "csv", "json", "xml", "gz.txt")),
            ("report", "x.pdf"),
            ("question", "x.xlsx"),
        ],
    )
    def test_an_unknown_end_of_a_name_is_refused(
        self, run: Run, tmp_path: Path, command: str, name: str
    ) -> None:
        arguments = [command, *(["3"] if command == "question" else [])]
        code, out, err = run(*arguments, "--out", tmp_path / name, "--store", tmp_path / "none")
        assert (code, out) == (2, "")
        for suffix in SUFFIXES[command]:
            assert suffix in err
        assert list(tmp_path.iterdir()) == []

    def test_every_error_s_exit_code_is_explained(self, run: Run) -> None:
        _, out, _ = run("--help")
        explained = out.partition("exit codes:")[2]
        for leaf in leaves():
            assert f"{leaf.exit_code} " in explained


class TestPackages:
    def test_ours_come_from_this_checkout(self) -> None:
        assert server.find_foreign_package() is None

    def test_another_package_of_the_same_name_is_refused(self, tmp_path: Path) -> None:
        """PyPI has a `schema`; here one stands before ours on the path."""
        (tmp_path / "schema.py").write_text("", encoding="utf-8")
        text = (
            f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
            "import server; sys.exit(server.main(['check']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 6
        assert "`schema` would be loaded from" in done.stderr
        assert "make venv" in done.stderr


class TestLoad:
    def test_a_dry_run_changes_nothing(self, run: Run, store: Path, good: Path) -> None:
        code, out, err = run("load", good, "--dry-run", "--store", store)
        assert (code, out) == (0, "")
        assert "would be accepted: 5 statements added" in err
        assert "warning: " in err
        _, out, _ = run("check", "--store", store)
        assert "1 commits" in out

    def test_a_load_is_a_commit_and_a_second_one_none(
        self, run: Run, store: Path, good: Path
    ) -> None:
        code, _, err = run("load", good, "--store", store)
        assert code == 0
        assert "revision 2: 5 statements added, 0 removed" in err
        code, _, err = run("load", good, "--store", store)
        assert code == 0
        assert "nothing new" in err

    def test_violations_are_listed_and_nothing_changes(
        self, run: Run, store: Path, good: Path, tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.trig"
        bad.write_text(GOOD.replace("rz:Cluster", "rz:Clustre"), encoding="utf-8")
        code, out, err = run("load", good, bad, "--store", store)
        assert (code, out) == (4, "")
        assert "rz:Clustre is not a class of the model; did you mean rz:Cluster?" in err
        assert err.startswith("error: ")
        assert "(closed)" in err
        _, out, _ = run("export", "--format", "nq", "--store", store)
        assert "organisation/new>" not in out

    def test_a_syntax_error_names_file_line_and_column(
        self, run: Run, store: Path, tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.ttl"
        bad.write_text("<a:b> <a:c>\n  nonsense .", encoding="utf-8")
        code, _, err = run("load", bad, "--graph", SOURCE, "--store", store)
        assert code == 4
        assert "bad.ttl" in err
        assert "line 2" in err

    @pytest.mark.parametrize("name", ["absent.ttl", "x.docx"])
    def test_a_file_that_cannot_be_read_is_told(
        self, run: Run, store: Path, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / "x.docx").write_bytes(b"PK")
        code, _, err = run("load", tmp_path / name, "--store", store)
        assert code in (2, 4)
        assert name in err

    def test_it_adds_no_seeds_to_an_empty_store(self, run: Run, tmp_path: Path, good: Path) -> None:
        code, _, err = run("load", good, "--store", tmp_path / "new")
        assert code == 0
        assert "revision 1: 5 statements" in err


class TestExport:
    def test_standard_output_holds_the_data_alone(self, run: Run, store: Path) -> None:
        code, out, err = run("export", "--format", "nq", "--store", store)
        lines = out.splitlines()
        assert code == 0
        assert lines == sorted(lines)
        assert all(line.endswith(" .") for line in lines)
        assert f"revision 1: {len(lines)} statements" in err

    def test_export_then_load_gives_the_same_dataset(
        self, run: Run, store: Path, tmp_path: Path
    ) -> None:
        for name in ("x.trig", "x.nq", "x.jsonld"):
            path, new = tmp_path / name, tmp_path / f"store-{name}"
            assert run("export", "--out", path, "--store", store)[0] == 0
            code, _, err = run("load", path, "--store", new)
            assert code == 0, err
            hashes = [
                out.partition("dataset hash ")[2].split()[0]
                for out in (run("check", "--store", folder)[1] for folder in (store, new))
            ]
            assert hashes[0] == hashes[1]

    def test_a_file_appears_whole_or_not_at_all(
        self, run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "x.nq"
        path.write_text("before", encoding="utf-8")

        def break_off(*_: object) -> Iterator[bytes]:
            yield b"half"
            raise KeyboardInterrupt

        monkeypatch.setattr(export_command, "export", break_off)
        assert run("export", "--out", path, "--store", store)[0] == 130
        assert path.read_text(encoding="utf-8") == "before"
        assert not list(tmp_path.glob(".*"))

    def test_a_place_that_cannot_be_written_is_told(
        self, run: Run, store: Path, tmp_path: Path
    ) -> None:
        code, _, err = run("export", "--out", tmp_path / "no" / "x.nq", "--store", store)
        assert code == 2
        assert "--out" in err

    def test_a_folder_or_a_full_device_is_one_sentence(
        self, run: Run, store: Path, tmp_path: Path
    ) -> None:
        for command in ("export", "report"):
            code, out, err = run(command, "--out", tmp_path, "--store", store)
            assert (code, out) == (2, "")
            assert err.startswith("error: --out: ")
            assert err.count("\n") == 1
            code, out, err = run(command, "--out", "/dev/full", "--store", store)
            assert (code, out) == (5, "")
            assert err.splitlines()[-1].startswith("error: /dev/full: No space left")

    def test_a_reader_that_has_enough_is_no_error(self, store: Path) -> None:
        """As in `export | head`."""
        command = [sys.executable, str(ROOT / "server.py"), "export", "--format", "nq"]
        with subprocess.Popen(
            [*command, "--store", str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            assert b"Traceback" not in process.stderr.read()
        assert process.returncode == 0

    def test_an_empty_store_is_given_the_seeds(self, run: Run, tmp_path: Path) -> None:
        code, out, err = run("export", "--format", "nt", "--store", tmp_path / "new")
        assert code == 0
        assert "loading the seeds first" in err
        assert "vegepolys-valley" in out


class TestReport:
    @pytest.mark.parametrize("name", ["html", "md", "json", "csv"])
    def test_it_is_written_in_every_format(
        self, run: Run, store: Path, tmp_path: Path, name: str
    ) -> None:
        path = tmp_path / f"report.{name}"
        assert run("report", "--out", path, "--store", store)[0] == 0
        text = path.read_text(encoding="utf-8")
        assert "VEGEPOLYS VALLEY" in text
        if name == "json":
            json.loads(text)

    def test_language_and_projection_are_chosen(self, run: Run, store: Path) -> None:
        arguments = ("report", "--format", "md", "--store", store)
        assert "Qui relie le réseau" in run(*arguments, "--lang", "fr")[1]
        assert run(*arguments)[1] != run(*arguments, "--projection", "agreements")[1]

    def test_an_unknown_projection_is_named_with_the_known_ones(
        self, run: Run, store: Path
    ) -> None:
        code, out, err = run("report", "--projection", "all", "--store", store)
        assert (code, out) == (2, "")
        assert "agreements" in err

    def test_a_committed_report_is_told_in_a_sentence_and_not_written_out(
        self, run: Run, store: Path, tmp_path: Path
    ) -> None:
        code, out, err = run("report", "--commit", "--store", store)
        assert (code, out) == (0, "")
        assert err.startswith("revision 2: default on revision 1, ")
        again = run("report", "--commit", "--store", store)
        assert again == (
            0,
            "",
            "default: the committed report is up to date, nothing was changed\n",
        )
        assert run("check", "--store", store)[0] == 0

    def test_a_report_is_committed_and_written_where_asked(
        self, run: Run, store: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "report.json"
        arguments = ("--commit", "--projection", "projects", "--out", path, "--store", store)
        code, _, err = run("report", *arguments)
        assert code == 0
        nodes = json.loads(path.read_text(encoding="utf-8"))["network"]["nodes"]
        assert err == f"revision 2: projects on revision 1, {nodes} organisations measured\n"

    def test_all_projections_are_committed_at_once(self, run: Run, store: Path) -> None:
        code, out, err = run("report", "--commit", "--projection", "all", "--store", store)
        assert (code, out) == (0, "")
        assert [line.split()[1] for line in err.splitlines()] == ["2:", "3:", "4:", "5:"]

    @pytest.mark.parametrize("more", [(), ("--format", "md"), ("--commit", "--format", "md")])
    def test_all_is_no_projection_to_be_written(
        self, run: Run, store: Path, more: tuple[str, ...]
    ) -> None:
        code, out, err = run("report", "--projection", "all", *more, "--store", store)
        assert (code, out) == (2, "")
        assert "agreements" in err

    def test_an_unknown_projection_is_not_committed(self, run: Run, store: Path) -> None:
        code, _, err = run("report", "--commit", "--projection", "nothing", "--store", store)
        assert code == 2
        assert "nothing" in err


class TestCheck:
    def test_a_sound_store_is_said_to_be_so_part_by_part(self, run: Run, store: Path) -> None:
        code, out, err = run("check", "--store", store)
        assert (code, err) == (0, "")
        parts = [line.split()[:2] for line in out.splitlines()]
        assert parts == [["ok", part] for part in ("log", "image", "snapshot", "store", "shapes")]
        assert "0 violations" in out

    def test_a_store_without_derived_data_is_sound(self, run: Run, store: Path) -> None:
        shutil.rmtree(store / "oxigraph")
        (store / "image").unlink(missing_ok=True)
        code, out, _ = run("check", "--store", store)
        assert code == 0
        assert "not built yet" in out

    @pytest.mark.parametrize("part", ["headers", "graphs"])
    def test_a_flipped_byte_in_the_log_is_found(self, run: Run, store: Path, part: str) -> None:
        path = store / "log" / part
        if path.is_dir():
            path = max(path.iterdir(), key=lambda file: file.stat().st_size)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        code, out, err = run("check", "--store", store)
        assert code == 5
        assert out.startswith("BAD  log")
        assert path.name in err

    def test_damage_in_the_sparql_store_is_found_and_not_mended(
        self, run: Run, store: Path
    ) -> None:
        files = [path for path in (store / "oxigraph").rglob("*.sst") if path.is_file()]
        if not files:
            files = [path for path in (store / "oxigraph").rglob("*.log") if path.stat().st_size]
        path = max(files, key=lambda file: file.stat().st_size)
        content = bytearray(path.read_bytes())
        for place in range(0, len(content), 50):
            content[place] ^= 0x55
        path.write_bytes(content)
        for _ in range(2):
            code, out, _ = run("check", "--store", store)
            assert code == 5
            assert "BAD  store" in out

    def test_a_folder_without_a_store_is_told(self, run: Run, tmp_path: Path) -> None:
        code, _, err = run("check", "--store", tmp_path / "nowhere")
        assert code == 2
        assert "nowhere" in err
        assert not (tmp_path / "nowhere").exists()


class TestHolder:
    def test_a_store_in_use_is_refused_with_its_holder(
        self, run: Run, store: Path, good: Path
    ) -> None:
        with StoreLock(store, "load"):
            for command in (["check"], ["export"], ["report"], ["load", str(good)]):
                code, out, err = run(*command, "--store", store)
                assert (code, out) == (5, "")
                assert f"process {os.getpid()} (load)" in err

    def test_a_server_that_never_opens_is_waited_for_and_then_given_up(
        self, run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(commands, "START_WAIT_S", 0.2)
        with StoreLock(store, "serve"):
            code, _, err = run("export", "--store", store)
        assert code == 5
        assert "waiting for it" in err

    def test_what_fails_in_a_server_is_told_as_if_it_failed_here(
        self, run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(command: Command, settings: Settings) -> Iterator[Piece]:
            violation: dict[str, Any] = {
                "focus_node": "<a:b>",
                "path": None,
                "value": None,
                "message": "wrong",
                "constraint": "class",
            }
            problem = {"detail": "refused", "violations": [violation] * 150}
            yield Piece.say("looking")
            raise RemoteFailure(problem, 4)

        monkeypatch.setattr(commands, "ask_or_run", refuse)
        code, _, err = run("check", "--store", store)
        assert code == 4
        assert err.startswith("looking\nerror: refused\n  <a:b>: wrong (class)\n")
        assert err.endswith("  and 50 more\n")
