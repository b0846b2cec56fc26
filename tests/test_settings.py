from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from graph.access import Level, anonymous
from graph.errors import SettingError
from graph.settings import Settings, variable_name


def test_defaults_are_the_documented_limits() -> None:
    plain = Settings.from_environment({})
    assert plain == Settings()
    assert (plain.graphql_body_bytes, plain.sparql_body_bytes) == (256 * 1024, 64 * 1024)
    assert (plain.upload_bytes, plain.upload_inflated_bytes, plain.upload_ratio) == (
        20 * 1024 * 1024,
        100 * 1024 * 1024,
        100,
    )
    assert (plain.literal_bytes, plain.iri_bytes) == (64 * 1024, 2 * 1024)


def test_variables_and_overrides_are_read_in_that_order() -> None:
    environment = {
        "RHIZOME_PORT": "9000",
        "RHIZOME_STORE": "/tmp/x",
        "RHIZOME_SPARQL_FAST_S": "0.5",
        "RHIZOME_TEST_REQUIRE": "all",
        "PATH": "/bin",
    }
    read = Settings.from_environment(environment, host="::1", port=None)
    assert (read.port, read.store, read.sparql_fast_s, read.host) == (
        9000,
        Path("/tmp/x"),
        0.5,
        "::1",
    )
    assert Settings.from_environment(environment, port=1).port == 1


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("RHIZOME_PORT", "http", "a whole number"),
        ("RHIZOME_PORT", "-1", "a number of at least 0"),
        ("RHIZOME_PORT", "", "a whole number"),
        ("RHIZOME_PORT", "1.5", "a whole number"),
        ("RHIZOME_SPARQL_FAST_S", "soon", "a number"),
        ("RHIZOME_SPARQL_FAST_S", "inf", "a number of at least 0"),
        ("RHIZOME_SPARQL_FAST_S", "nan", "a number of at least 0"),
        ("RHIZOME_SPARQL_FAST_S", "-0.1", "a number of at least 0"),
    ],
)
def test_a_wrong_value_names_the_variable(variable: str, text: str, expected: str) -> None:
    with pytest.raises(SettingError) as error:
        Settings.from_environment({variable: text})
    assert (error.value.name, error.value.expected) == (variable, expected)
    assert error.value.exit_code == 6


def test_an_unknown_variable_is_not_passed_over() -> None:
    with pytest.raises(SettingError, match="RHIZOME_PORT"):
        Settings.from_environment({"RHIZOME_PROT": "9000"})
    with pytest.raises(SettingError, match="is not a setting"):
        Settings.from_environment({"RHIZOME_XYZZY": "1"})


def test_every_setting_says_its_unit_and_help() -> None:
    for each in fields(Settings):
        assert each.metadata["unit"]
        assert each.metadata["help"]
        assert variable_name(each.name) == f"RHIZOME_{each.name.upper()}"


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_the_language_chain_is_cleaned() -> None:
    assert Settings(languages=" FR, en ,,").language_chain == ("fr", "en")


def test_the_anonymous_viewer_has_the_public_limits() -> None:
    viewer = anonymous(Settings(graphql_nodes=7, sparql_deadline_s=3))
    assert (viewer.name, viewer.level, viewer.scopes) == ("anonymous", Level.PUBLIC, frozenset())
    assert (viewer.nodes_max, viewer.query_deadline_s) == (7, 3)
    assert Level.PUBLIC < Level.PARTNER < Level.RESTRICTED
