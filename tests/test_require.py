from __future__ import annotations

from pathlib import Path

import pytest

from tests import require

SKIPS = """
    import pytest

    @pytest.mark.needs("node")
    def test_node(): ...

    @pytest.mark.skip(reason="not today")
    def test_lazy(): ...

    @pytest.mark.xfail(reason="known")
    def test_known(): assert False

    @pytest.mark.needs("shared")
    def test_shared(): ...

    def test_plain(): ...
"""


@pytest.fixture
def poor_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without Node and without `../shared`."""
    monkeypatch.setitem(require.LACKS, "node", lambda: "Node is not installed")
    monkeypatch.setattr(require, "SHARED", tmp_path / "absent")


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    pytester.makeini("[pytest]\nmarkers = needs(*what): as in the project\n")
    return pytester.runpytest_inprocess("-p", "tests.require", "-p", "no:cacheprovider", "-ra")


@pytest.mark.usefixtures("poor_machine")
def test_without_the_variable_lacks_are_skips_with_their_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RHIZOME_TEST_REQUIRE", raising=False)
    result = run(pytester, SKIPS)
    result.assert_outcomes(passed=1, skipped=3, xfailed=1)
    result.stdout.fnmatch_lines(["SKIPPED*Node is not installed"])


@pytest.mark.usefixtures("poor_machine")
def test_with_all_required_only_the_absent_shared_folder_excuses_a_skip(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHIZOME_TEST_REQUIRE", "all")
    result = run(pytester, SKIPS)
    # A test skipped during its set-up counts as an error, one skipped by its mark as well.
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 2
    assert (outcomes["passed"], outcomes["skipped"], outcomes["xfailed"]) == (1, 1, 1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*may not be skipped*", "Skipped since ../shared is absent: 1"])


def test_with_all_required_the_excuse_fails_where_the_folder_is_there(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RHIZOME_TEST_REQUIRE", "all")
    monkeypatch.setattr(require, "SHARED", tmp_path)
    source = """
        import pytest

        def test_excuse(): pytest.skip("../shared is absent")
    """
    run(pytester, source).assert_outcomes(failed=1)


def test_with_all_required_a_skipped_module_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHIZOME_TEST_REQUIRE", "all")
    result = run(pytester, "import pytest\npytest.importorskip('no_such_module_here')\n")
    assert result.ret != pytest.ExitCode.OK
    result.assert_outcomes(errors=1)


@pytest.mark.parametrize("mark", ["needs()", "needs('printer')"])
def test_an_unknown_need_is_an_error_not_a_skip(pytester: pytest.Pytester, mark: str) -> None:
    source = f"import pytest\n\n@pytest.mark.{mark}\ndef test_it(): ...\n"
    result = run(pytester, source)
    assert result.ret != pytest.ExitCode.OK


def test_a_misspelt_value_of_the_variable_is_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RHIZOME_TEST_REQUIRE", "al")
    assert run(pytester, "def test_it(): ...\n").ret == pytest.ExitCode.USAGE_ERROR
