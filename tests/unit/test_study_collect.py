"""Answers come back: whole, doubled, tampered with, in two parts; a store and a table come of them."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import raters
from test_study_make import STUDY, lay_out, silent

from rgx.errors import InputError
from rgx.inspect.garbage import find_garbage
from rgx.report.results import load
from rgx.store.manifests import damage
from rgx.study import collection
from rgx.study.answers import given_by, keep_answers, open_database
from rgx.study.findings import Findings, find
from rgx.study.kit import Kit, make_kit, open_kit
from rgx.study.measures import kendall
from rgx.study.ratings import gather_ratings
from rgx.study.reported_numbers import consistent_count
from rgx.study.write_up import write_study

PUBLISHED = (
    "source: A paper\npanels:\n  user_study:\n    rows:\n      GT: {mos: 4.7}\n      Ours: {mos: 3.35}\n"
    "      Another: {mos: 2.15}\n"
)
ALSO = {
    "raters": 12,
    "checks": {"training": 1, "traps": 2, "repeats": 1, "gold": {"Still": [1, 3]}},
    "published": {
        "file": "published.yaml",
        "panel": "user_study",
        "rows": {"Recorded": "GT", "Beta": "Ours"},
    },
}


@pytest.fixture(scope="module")
def unanswered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study that nobody has answered."""
    folder = tmp_path_factory.mktemp("collected")
    (folder / "published.yaml").write_text(PUBLISHED)
    make_kit(lay_out(folder, STUDY | ALSO), folder / "store", folder / "out", silent)
    return folder


@pytest.fixture
def kit(unanswered: Path, tmp_path: Path) -> Kit:
    """Return a copy of the study."""
    shutil.copytree(unanswered, tmp_path / "study")
    return open_kit(tmp_path / "study" / "out")


def all_answer(kit: Kit, kinds: dict[int, str] | None = None) -> None:
    """Let every rater answer and send a file; kinds: of some of them, by place."""
    for place, token in enumerate(kit.items):
        kind = (kinds or {}).get(place, "attentive")
        raters.save(kit, token, raters.answers_of(kit, token, place, kind), f"{place:02d}.json")


def test_ratings_become_an_artifact_a_table_and_a_page(kit: Kit) -> None:
    all_answer(kit, {0: "straight", 1: "fast"})
    ratings = gather_ratings(kit)
    assert ratings.excluded == {1: "straight", 2: "fast"} and ratings.problems == []
    findings = find(ratings)
    assert findings.counted == "10 of 12 raters count; left out: 1 straight-lining, 1 too fast."
    means = findings.rated["mos"].means
    assert means["Recorded"].mean > means["Beta"].mean > means["Alpha"].mean > means["Still"].mean
    assert means["Beta"].ratings == 10 and means["Beta"].low < means["Beta"].mean < means["Beta"].high
    assert findings.matched["sync"]["Beta"].share > 0.5
    assert findings.paired["pair"][0].name == "Beta"
    store = kit.folder.parent / "store"
    keys = collection.put_in_store(findings, store)
    assert collection.put_in_store(findings, store) == keys
    assert not damage(store, "ratings", keys["ratings"]) and not find_garbage(store)
    measured = {(n.row, n.metric): n.value for n in load(store, "study_little").measured}
    assert measured["GT", "mos"] == pytest.approx(means["Recorded"].mean)
    paths = {path.name: path for path in write_study(findings, store, kit.folder.parent / "report")}
    table, latex = paths["index.md"].read_text(), paths["table.tex"].read_text()
    assert "| Another | (2.15) | -- | -- |" in table
    assert "(4.70)" in table and "(3.35)" in latex and r"\toprule" in latex and "10 of 12 raters" in latex
    assert "consistent with means of 20 ratings each" in table and "no measure is held" in table
    assert f"**{means['Beta'].mean:.2f}**" in table and "<strong>" in paths["index.html"].read_text()
    assert len(paths["ratings.csv"].read_text().splitlines()) == 1 + sum(map(len, kit.items.values()))


def test_doubled_returning_and_tampered_answers_are_told_and_nothing_is_lost(kit: Kit) -> None:
    all_answer(kit)
    first, second, third, *_ = kit.items
    own = raters.answers_of(kit, first, 0)
    raters.save(kit, first, own[:4], "00.json")
    raters.save(kit, first, own, "00-again.json")
    assert gather_ratings(kit).problems == [] and gather_ratings(kit).raters == 12
    rated = next(
        n for n, item in enumerate(kit.items[second].values()) if item.role == "proper" and not item.other
    )
    changed = raters.answers_of(kit, second, 1)
    changed[rated]["value"] = 1 + changed[rated]["value"] % 5
    raters.save(kit, second, changed, "01-again.json")
    path = kit.folder / "answers" / "02.json"
    path.write_text(path.read_text().replace(r"\"en\"", r"\"de\""))
    ratings = gather_ratings(kit)
    assert ratings.raters == 11 and path.is_file()
    assert [p for p in ratings.problems if "02.json: it is not as the page saved it; none of it is used" in p]
    assert [p for p in ratings.problems if "answered twice, and differently; the first counts" in p]
    assert third not in {r.answer.token for r in ratings.given}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "found no file that the page saved"),
        (
            '{"body": "{\\"token\\": \\"x\\", \\"answers\\": []}", "seal": ""}',
            "its session is none of this study's",
        ),
    ],
)
def test_what_is_no_answer_file_is_told(kit: Kit, text: str, said: str) -> None:
    (kit.folder / "answers" / "odd.json").write_text(text)
    assert gather_ratings(kit).problems == [f"odd.json: {said}; none of it is used"]
    with pytest.raises(InputError, match="no answers yet"):
        find(gather_ratings(kit))


def test_answers_that_cannot_be_and_early_ones_are_told(kit: Kit) -> None:
    token, items = next(iter(kit.items.items()))
    rated = [name for name, item in items.items() if not item.other]
    early = raters.answer(rated[2], 3) | {"events": []}
    raters.save(kit, token, [raters.answer(rated[0], 6), raters.answer("none", 3), early], "a.json")
    told = gather_ratings(kit).problems
    assert "a.json: found the rating '6', expected 1 to 5" in told
    assert "a.json: item 'none' is not one of this session's" in told
    assert told[-1] == "1 answers came before their video had ended and are not used"


def test_a_full_disk_leaves_the_store_as_it_was(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    all_answer(kit)
    findings, store = Findings(gather_ratings(kit), {}, {}, {}), kit.folder.parent / "store"

    def full(path: Path, text: str, encoding: str = "") -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            collection.put_in_store(findings, store)
    assert not list(store.glob("ratings/*")) and not list(store.glob("runs/*/*.json"))
    keys = collection.put_in_store(findings, store)
    assert (
        json.loads((store / "ratings" / keys["ratings"][:16] / "manifest.json").read_text())["outputs"][
            "raters"
        ]
        == 12
    )


def test_a_full_database_keeps_what_it_had_and_takes_the_rest_later(kit: Kit) -> None:
    token, items = next(iter(kit.items.items()))
    first, *others = raters.answers_of(kit, token, 0)
    with contextlib.closing(open_database(kit.folder / "answers.sqlite")) as connection:
        keep_answers(connection, token, [first], "2026")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        long = [answer | {"more": "x" * 4000} for answer in others]
        with pytest.raises(sqlite3.OperationalError, match="full"):
            keep_answers(connection, token, long, "2026")
        assert set(given_by(connection, token)) == {first["item"]}
        connection.execute("PRAGMA max_page_count = 100000")
        keep_answers(connection, token, long, "2026")
        assert set(given_by(connection, token)) == set(items)


def test_published_means_tell_how_many_ratings_they_are_of() -> None:
    assert consistent_count([4.7, 1.35, 1.65, 1.4, 1.55, 3.25]) == 20
    assert consistent_count([3.33, 3.67]) == 3 and consistent_count([3.001, 3.501], 3) is None


def test_tau_is_kendalls() -> None:
    from scipy.stats import kendalltau

    random = np.random.default_rng(0)
    values, others = random.integers(0, 5, 8).astype(float), random.integers(0, 4, (3, 8)).astype(float)
    expected = [kendalltau(values, other).statistic for other in others]
    assert kendall(values, others) == pytest.approx(expected)
