"""Search over snapshots: it finds what a scan finds, of the reader's revision and no other."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyoxigraph
import pytest

from graph.errors import StoreUnavailableError
from graph.model import Model, SearchRole
from graph.settings import Settings
from graph.shapes import load_model
from graph.store.advance import advance
from graph.store.build import build_snapshot
from graph.store.commit import Change
from graph.store.dataset import Dataset
from graph.store.image import load_image, pack_image, write_image
from graph.store.search_entries import Row
from graph.store.search_text import SearchText
from graph.store.snapshot import TYPE, Snapshot
from graph.terms import RZ, SKOS, Quad, read_literal, write_literal
from tests.search_scan import Found, scan
from tests.snapshots import ORGANISATIONS, SOURCES, commit_of

SEEDS = Path(__file__).parent.parent / "seeds"
NAME, ALTERNATIVE = f"<{SKOS}prefLabel>", f"<{SKOS}altLabel>"
FORMER, ACRONYM = f"<{RZ}formerName>", f"<{RZ}acronym>"
#: All organisations: concepts, which every snapshot holds, stay out.
ANY = [f"{RZ}Organisation"]
DESCRIPTION = "<http://purl.org/dc/terms/description>"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def seeds() -> list[Quad]:
    return [
        (str(q.subject), str(q.predicate), str(q.object), str(q.graph_name))
        for path in sorted(SEEDS.glob("*.trig"))
        for q in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.TRIG)
    ]


@pytest.fixture(scope="module")
def snapshot(model: Model, seeds: list[Quad]) -> Snapshot:
    return built(build_snapshot(model, [commit_of(seeds, (), None)]))


def built(snapshot: Snapshot) -> Snapshot:
    snapshot.search.build(snapshot)
    return snapshot


def find(
    snapshot: Snapshot,
    text: str,
    classes: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
) -> list[Found]:
    """Return all hits, in the form in which the scan gives them."""
    asked = SearchText.read(text, 10_000, 1_000)
    hits = list(snapshot.search.search(snapshot, asked, classes, languages))
    assert hits == sorted(hits, key=lambda hit: hit.place)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    terms = snapshot.terms
    return [
        Found(
            terms.text(hit.subject),
            hit.field.search_role or SearchRole.NAME,
            hit.match.name,
            hit.field.name,
            terms.text(hit.literal),
            terms.languages[hit.literal >> 8] or None,
        )
        for hit in hits
    ]


def organisation(number: int, *texts: tuple[str, str], kind: str = "Cluster") -> list[Quad]:
    """Return an organisation with texts, each a predicate and a literal."""
    iri, graph = ORGANISATIONS[number], SOURCES[0]
    quads = [(iri, f"<{TYPE}>", f"<{RZ}{kind}>", graph)]
    return quads + [(iri, predicate, literal, graph) for predicate, literal in texts]


def en(text: str) -> str:
    return write_literal(text, language="en")


def damage(text: str, random_: random.Random) -> str:
    """Return a text with a typo: a letter less, more, other, or two exchanged."""
    at = random_.randrange(len(text))
    letter = random_.choice("aeinrst")
    return random_.choice(
        (
            text[:at] + text[at + 1 :],
            text[:at] + letter + text[at:],
            text[:at] + letter + text[at + 1 :],
            text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
        )
    )


def queries(texts: Sequence[str], seed: int, count: int) -> Iterator[str]:
    """Yield queries of all kinds out of texts that occur."""
    random_ = random.Random(seed)
    while count:
        text = random_.choice(texts)[:60]
        kind = random_.randrange(6)
        if kind == 1:
            text = text[: random_.randrange(1, 12)]
        elif kind == 2:
            text = damage(text, random_)
        elif kind == 3:
            text = " ".join(random_.sample(text.split(), min(2, len(text.split()))))
        elif kind == 4:
            text = damage(damage(random_.choice(text.split() or ["x"]), random_) or "x", random_)
        elif kind == 5:
            text = text.upper().replace("É", "e").replace("-", "")
        if any(letter.isalnum() for letter in text):
            count -= 1
            yield text


# --- the same as a scan ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_search_finds_what_a_scan_of_all_texts_finds(
    model: Model, seeds: list[Quad], snapshot: Snapshot, seed: int
) -> None:
    texts = sorted({read_literal(q[2])[0] for q in seeds if f"{q[1][1:-1]}" in model.searched})
    random_ = random.Random(seed)
    names = [None, ["Organisation"], ["Project", "Concept"], ["Territory"]]
    for text in queries(texts, seed, 12):
        chosen = random_.choice(names)
        classes = None if chosen is None else [model.by_name[name].iri for name in chosen]
        languages = random_.choice((None, None, ["fr"], ["EN", "es"], []))
        wanted = scan(model, seeds, text, classes, languages)
        assert find(snapshot, text, classes, languages) == wanted, (text, chosen, languages)


@pytest.mark.parametrize("seed", range(3))
def test_versions_that_commits_made_find_what_a_scan_of_each_finds(model: Model, seed: int) -> None:
    random_ = random.Random(seed)
    words = ("Vegepolys", "Valley", "Végétal", "Agro", "Pôle", "Straße", "Łódź", "Grønn", "cluster")
    held: set[Quad] = set()
    snapshot, last = built(build_snapshot(model)), None
    versions: list[tuple[Snapshot, set[Quad]]] = []
    for _ in range(40):
        added: set[Quad] = set()
        for _ in range(random_.randrange(1, 6)):
            text = " ".join(random_.choices(words, k=random_.randrange(1, 4)))
            predicate = random_.choice((NAME, ALTERNATIVE, FORMER, ACRONYM, DESCRIPTION))
            literal = write_literal(text) if predicate == ACRONYM else en(text)
            number = random_.randrange(12)
            source = random_.choice(SOURCES)
            stated = organisation(number, (predicate, literal))
            added |= {(s, p, o, source) for s, p, o, _ in stated}
        added -= held
        removed = set(random_.sample(sorted(held), min(len(held), random_.randrange(8))))
        held = (held | added) - removed
        last = commit_of(added, removed, last)
        snapshot = advance(snapshot, last)
        versions.append((snapshot, set(held)))
    for version, quads in random_.sample(versions, 6):  # readers of old versions, too
        for text in queries(words, seed, 8):
            assert find(version, text) == scan(model, quads, text), (version.revision, text)


def test_an_index_grown_by_commits_answers_as_one_built_at_once(model: Model) -> None:
    commits, last = [], None
    for start in range(0, 60, 2):
        quads = [
            quad
            for number in range(start, start + 2)
            for quad in organisation(number, (NAME, en(f"Plant Cluster {number % 7}")))
        ]
        last = commit_of(quads, (), last)
        commits.append(last)
    grown = built(build_snapshot(model))
    for commit in commits:
        grown = advance(grown, commit)
    whole = built(build_snapshot(model, commits))
    for text in ("plant", "cluster 3", "plnat clutser", "Plant Cluster 5", "p"):
        assert find(grown, text) == find(whole, text)


# --- what comes first -----------------------------------------------------------------------------


def test_the_better_match_comes_first_then_the_better_field_then_the_shorter_text(
    model: Model,
) -> None:
    quads = [
        *organisation(0, (NAME, en("Agro"))),
        *organisation(1, (ACRONYM, write_literal("AGRO"))),
        *organisation(2, (ALTERNATIVE, en("Agro"))),
        *organisation(3, (FORMER, en("Agro"))),
        *organisation(4, (NAME, en("Agropolis"))),
        *organisation(5, (NAME, en("Agro Business Park"))),
        *organisation(6, (NAME, en("Food Agro"))),
        *organisation(7, (DESCRIPTION, en("Agro"))),
        *organisation(8, (NAME, en("Innov Agroparc"))),
        *organisation(9, (NAME, en("Argo"))),
        *organisation(10, (NAME, en("Elsewhere"))),
    ]
    snapshot = built(build_snapshot(model, [commit_of(quads, (), None)]))
    found = find(snapshot, "agro", ANY)
    assert [ORGANISATIONS.index(f"<{each.iri}>") for each in found] == list(range(10))
    assert [each.match for each in found] == [
        *["EXACT"] * 4,
        *["PREFIX"] * 2,
        *["WORDS"] * 2,
        "BEGINNINGS",
        "ONE_TYPO",
    ]


def test_equal_hits_come_in_the_order_of_their_identifiers(model: Model) -> None:
    numbers = [1, 10, 100, 2, 20]
    quads = [q for n in numbers for q in organisation(n, (NAME, en("Same Name")))]
    snapshot = built(build_snapshot(model, [commit_of(quads, (), None)]))
    found = [each.iri for each in find(snapshot, "same name", [f"{RZ}Cluster"])]
    assert found == [ORGANISATIONS[n][1:-1] for n in numbers]


def test_a_node_is_answered_once_with_its_best_text(model: Model) -> None:
    texts = [(NAME, en("Plant Valley")), (FORMER, en("Plant")), (DESCRIPTION, en("A plant"))]
    quads = organisation(0, *texts)
    quads += [(*quad[:3], SOURCES[1]) for quad in quads]  # a second source states the same
    snapshot = built(build_snapshot(model, [commit_of(quads, (), None)]))
    found = find(snapshot, "plant", [f"{RZ}Cluster"])
    assert [(each.field, each.match) for each in found] == [("formerNames", "EXACT")]


# --- of the reader's revision ---------------------------------------------------------------------


def test_what_a_commit_adds_renames_or_deletes_is_found_as_its_version_has_it(model: Model) -> None:
    first = commit_of(organisation(0, (NAME, en("Vegepolys"))), (), None)
    renamed = commit_of(
        [(ORGANISATIONS[0], NAME, en("Vegepolys Valley"), SOURCES[0])],
        [(ORGANISATIONS[0], NAME, en("Vegepolys"), SOURCES[0])],
        first,
    )
    gone = commit_of((), organisation(0, (NAME, en("Vegepolys Valley"))), renamed)
    versions = [built(build_snapshot(model))]
    for commit in (first, renamed, gone):
        versions.append(advance(versions[-1], commit))
    assert [[each.text for each in find(version, "vegepolys")] for version in versions] == [
        [],
        ["Vegepolys"],
        ["Vegepolys Valley"],
        [],
    ]


def test_a_node_that_changes_its_class_is_found_under_the_new_one(model: Model) -> None:
    first = commit_of(organisation(0, (NAME, en("Vegepolys"))), (), None)
    after = commit_of(organisation(0, kind="Company"), organisation(0), first)
    before = advance(built(build_snapshot(model)), first)
    now = advance(before, after)
    cluster, company = [f"{RZ}Cluster"], [f"{RZ}Company"]
    assert len(find(before, "vegepolys", cluster)) == len(find(now, "vegepolys", company)) == 1
    assert find(before, "vegepolys", company) == find(now, "vegepolys", cluster) == []


def test_a_text_that_comes_and_goes_takes_one_entry(model: Model) -> None:
    texts = organisation(0, (NAME, en("Vegepolys")), (DESCRIPTION, en("d" * 100)))
    snapshot, last = built(build_snapshot(model)), None
    before = len(snapshot.search)
    for _ in range(30):
        last = commit_of(texts, (), last)
        snapshot = advance(snapshot, last)
        last = commit_of((), texts, last)
        snapshot = advance(snapshot, last)
    assert len(snapshot.search) == before + 2


def test_commits_before_and_while_the_index_is_built_are_in_it(model: Model) -> None:
    first = commit_of(organisation(0, (NAME, en("Before"))), (), None)
    later = commit_of(organisation(1, (NAME, en("Later"))), (), first)
    start = build_snapshot(model)
    middle = advance(start, first)
    end = advance(middle, later)
    middle.search.build(middle)  # `end` was made from an index that was not there yet
    assert end.search is middle.search
    assert [each.text for each in find(end, "later", ANY)] == ["Later"]
    assert find(middle, "later", ANY) == []
    assert [each.text for each in find(middle, "before", ANY)] == ["Before"]


def test_a_search_is_refused_until_the_index_is_there(model: Model) -> None:
    snapshot = build_snapshot(model)
    assert not snapshot.search.is_ready
    with pytest.raises(StoreUnavailableError, match="being built"):
        snapshot.search.search(snapshot, SearchText.read("plant", 200, 16))
    assert built(snapshot).search.is_ready


def test_an_image_that_is_read_again_can_be_searched(
    model: Model, seeds: list[Quad], snapshot: Snapshot, tmp_path: Path
) -> None:
    write_image(pack_image(snapshot), tmp_path / "image")
    read = load_image(tmp_path / "image", model)
    assert read is not None
    for text in ("vegepolys", "recherche", "innovaton"):
        assert find(built(read), text) == find(snapshot, text)


def test_one_lineage_finds_nothing_of_another(model: Model) -> None:
    # Each level has a snapshot of its own: what only one of them holds is in one index alone.
    public = organisation(0, (NAME, en("Open Garden")))
    restricted = organisation(1, (NAME, en("Secret Garden")), (DESCRIPTION, en("Hidden " * 20)))
    low = built(build_snapshot(model, [commit_of(public, (), None)]))
    high = built(build_snapshot(model, [commit_of([*public, *restricted], (), None)]))
    assert [each.text for each in find(high, "garden", ANY)] == ["Open Garden", "Secret Garden"]
    assert [each.text for each in find(low, "garden", ANY)] == ["Open Garden"]
    for text in ("secret", "sekret", "hidden", "secret garden"):
        assert find(low, text, ANY) == []
    assert len(low.search) == len(high.search) - 2


def test_readers_see_whole_revisions_while_commits_come(model: Model, tmp_path: Path) -> None:
    dataset = Dataset.open(Settings(store=tmp_path / "store"), model, with_store=False)
    built(dataset.snapshot)
    stop, wrong = threading.Event(), list[str]()

    def commit(quads: list[Quad], removed: list[Quad]) -> None:
        dataset.commit(Change(tuple(quads), tuple(removed), "test", "load", "a test"))

    def read() -> None:
        while not stop.is_set():
            snapshot = dataset.snapshot
            # Revision n has the n-th name on both nodes, and no other.
            names = {each.text for each in find(snapshot, "plant", [f"{RZ}Cluster"])}
            wanted = {f"Plant {snapshot.revision}"} if snapshot.revision else set()
            if names != wanted:
                wrong.append(f"{snapshot.revision}: {names}")

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    held: list[Quad] = []
    for revision in range(1, 150):
        name = (NAME, en(f"Plant {revision}"))
        quads = organisation(0, name) + organisation(1, name)
        commit(quads, [quad for quad in held if quad not in quads])
        held = quads
    stop.set()
    for reader in readers:
        reader.join()
    assert dataset.snapshot.revision == 149
    dataset.close()
    assert wrong == []


def test_many_commits_leave_few_segments(model: Model) -> None:
    snapshot, last = built(build_snapshot(model)), None
    for number in range(200):
        last = commit_of(organisation(number, (NAME, en(f"Plant {number}"))), (), last)
        snapshot = advance(snapshot, last)
    assert len(snapshot.search._segments or ()) <= 12
    assert len(find(snapshot, "plant", [f"{RZ}Cluster"])) == 200


def test_large_segments_are_merged_and_lose_nothing(model: Model) -> None:
    snapshot, last = built(build_snapshot(model)), None
    index = snapshot.search
    for start in range(0, 300, 30):
        quads = [
            quad
            for number in range(start, start + 30)
            for quad in organisation(
                number, *((ALTERNATIVE, en(f"Plant {number} {n}")) for n in range(12))
            )
        ]
        last = commit_of(quads, (), last)
        snapshot = advance(snapshot, last)
    before = find(snapshot, "plant 17", [f"{RZ}Cluster"])
    rows = sorted(row for segment in index._segments or () for row in segment.rows())
    index._merge_large(snapshot)
    assert len(index._segments or ()) <= 2
    assert sorted(row for segment in index._segments or () for row in segment.rows()) == rows
    assert all(isinstance(row, Row) for row in rows)
    assert find(snapshot, "plant 17", [f"{RZ}Cluster"]) == before


def test_only_texts_with_a_role_are_searched(model: Model) -> None:
    quads = organisation(0, (NAME, en("Plant")), (f"<{RZ}legalForm>", write_literal("Syndicat")))
    assert f"{RZ}legalForm" in model.predicates
    snapshot = built(build_snapshot(model, [commit_of(quads, (), None)]))
    assert find(snapshot, "syndicat", ANY) == []
    assert len(find(snapshot, "plant", ANY)) == 1
