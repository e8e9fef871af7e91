"""The page: its words are those of the other formats, its links lead somewhere, and nothing leads out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import AWKWARD, FIGURES, FILMED, HOLE, OURS, ROWS, make

from rgx.report.gather import gather
from rgx.report.layout import ARROWS, Style, body, caption, footnotes, heads
from rgx.report.page import report_videos, table_view
from rgx.report.page.origins import shared_lines, utc_minute
from rgx.report.render import render, stands
from rgx.report.table_grid import quoted

PLAIN = Style(str, {"best": "%s", "second": "%s", "": "%s"}, "%s", " (%s)", ARROWS, "†", "✓")
HERE = Path(table_view.__file__).parent
VOID = {"meta", "img", "input", "link", "br", "hr"}


class Element(NamedTuple):
    """An element: its tag, its attributes, and what is in it."""

    tag: str
    attributes: dict[str, str]
    content: list[Any]

    def all(self, tag: str, **wanted: str) -> list[Element]:
        """Return the elements of a tag below this one whose attributes hold the words wanted."""
        found = []
        for child in self.content:
            if isinstance(child, Element):
                fits = all(v in child.attributes.get(k.rstrip("_"), "").split() for k, v in wanted.items())
                found += [child] if fits and tag in (child.tag, "*") else []
                found += child.all(tag, **wanted)
        return found

    def text(self) -> str:
        """Return all text below this element."""
        return "".join(child if isinstance(child, str) else child.text() for child in self.content)


class Reader(HTMLParser):
    """Builds elements; fails on a tag that closes what is not open."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("document", {}, [])]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, [])
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)


def read(path: Path) -> Element:
    """Return a page's elements."""
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    assert [element.tag for element in reader.open] == ["document"]
    return reader.open[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return a rendered report's file, its store and its folder."""
    root = tmp_path_factory.mktemp("page")
    report, store = make(root, figures=FIGURES)
    render(report, store, root / "out")
    return report, store, root / "out" / "made"


def words(element: Element, tag: str, **wanted: str) -> str:
    return " ".join("".join(found.text() for found in element.all(tag, **wanted)).split())


def test_the_table_says_what_the_other_formats_say(made: tuple[Path, Path, Path]) -> None:
    report, store, folder = made
    (table,) = gather(report, store).panels
    page = read(folder / "index.html")
    (results,) = page.all("table", class_="results")
    top, *rows = results.all("tr")
    assert [" ".join(th.text().split()) for th in top.all("th")] == ["Row", *heads(table, PLAIN)]
    lines = body(table, PLAIN)
    for row in rows:
        cells = [row.all("th")[0], *row.all("td")]
        below = [words(cell, "span", class_="published") for cell in cells]
        whole = [" ".join(cell.text().split()) for cell in cells]
        above = [text.removesuffix(end).strip() for text, end in zip(whole, below, strict=True)]
        above = ["" if text == "no" else text for text in above]
        assert above == [" ".join(text.split()) for text in lines.pop(0)]
        if below[0]:
            assert below == lines.pop(0)
    assert not lines
    said = f"{page.all('h2', id='panel-3b')[0].text()} {words(page, 'p', class_='counted')}"
    assert said == f"3b {caption(table)}"
    assert [li.text() for li in page.all("ul", class_="notes")[0].all("li")] == footnotes(table)
    assert page.all("pre", id="tex-3b")[0].text().removeprefix("\n") == (folder / "3b.tex").read_text()


def test_sort_keys_marks_and_rows(made: tuple[Path, Path, Path]) -> None:
    report, store, folder = made
    (table,) = gather(report, store).panels
    (results,) = read(folder / "index.html").all("table", class_="results")
    rows = results.all("tbody", class_="rows")[0].all("tr")
    assert [row.all("th")[0].content[0] for row in rows] == [table.label(row) for row in table.rows]
    assert [table.rows and row.attributes.get("class") for row in rows].index("ours") == len(rows) - 1
    seen = set()
    for row, cells in zip(rows, table.rows.values(), strict=True):
        numbers = row.all("td")[len(table.panel.ticks()) :]
        for td, cell in zip(numbers, cells.values(), strict=True):
            expected = None if cell.mean is None else repr(cell.mean)
            assert td.attributes.get("data-order") == expected
            found = {("best" if td.all("strong") else ""), ("second" if td.all("u") else "")} - {""}
            assert found == {cell.mark} - {""}
            seen |= found
    assert seen == {"best", "second"}
    assert all(
        th.attributes["scope"] == ("col" if th in results.all("thead")[0].all("th") else "row")
        for th in results.all("th")
    )


def test_every_number_leads_to_where_it_came_from(made: tuple[Path, Path, Path]) -> None:
    report, store, folder = made
    gathered = gather(report, store)
    provenance = read(folder / "provenance.html")
    page = read(folder / "index.html")
    (results,) = page.all("table", class_="results")
    assert len(page.all("ul", id="notes-3b")) == 1
    for row in results.all("tbody", class_="rows")[0].all("tr"):
        label = row.all("th")[0].content[0]
        published = [a for span in row.all("span", class_="published") for a in span.all("a")]
        assert all(a.attributes["href"] == "#notes-3b" for a in published)
        assert bool(published) == (label in ("baseline", f"{OURS} (ours)"))
        links = {a.attributes["href"] for td in row.all("td") for a in td.all("a")} - {"#notes-3b"}
        assert len(links) == 1 and all(td.all("a") for td in row.all("td")[2:])
        (origin,) = provenance.all("details", id=links.pop().removeprefix("provenance.html#"))
        assert origin.all("summary")[0].content[0].strip() == label
        (name,) = (row for row in ROWS if gathered.panels[0].label(row) == label)
        for item in gathered.results.sweep.rows:
            if item.row != name:
                continue
            (section,) = origin.all("section", id=f"{origin.attributes['id']}-seed-{item.seed}")
            keys = {
                c.attributes["title"]
                for t in section.all("table", class_="artifacts")
                for c in t.all("code")
                if "title" in c.attributes
            }
            assert keys - {"f" * 64} == set(item.stages.values())
            own = [n for n in gathered.results.measured if (n.row, n.seed) == (name, item.seed)]
            shown = [td.text() for t in section.all("table", class_="numbers") for td in t.all("td")]
            assert shown[::3] == [repr(number.value) for number in own]
            said = section.text()
            assert "a <b>host</b>" in said and "1ec0712da2" in said and "torch 2.13.0" in said
            assert "2026-11-24 13:24" in said and "f" * 16 in said
            assert ("not in the store" in said) and (f"ROW = {name!r}" in said) == (name != HOLE)
            for stage, key in item.stages.items():
                there = (store / stage / key[:16] / "log.txt").is_file()
                assert (f"{stage}/{key[:16]}/log.txt" in said) == there
        assert ("p = " in words(origin, "ul", class_="notes")) == (name not in (OURS, HOLE))


def test_links_and_files_are_there_and_nothing_is_elsewhere(made: tuple[Path, Path, Path]) -> None:
    *_, folder = made
    pages = {name: read(folder / name) for name in ("index.html", "provenance.html")}
    ids = {}
    for name, page in pages.items():
        found = [element.attributes["id"] for element in page.all("*") if "id" in element.attributes]
        assert len(set(found)) == len(found)
        ids[name] = set(found)
    for name, page in pages.items():
        for element in page.all("*"):
            assert not [key for key in element.attributes if key.startswith("on") or key == "style"]
            for key in ("href", "src", "action", "poster", "data", "srcset"):
                if key not in element.attributes:
                    continue
                address = urlsplit(element.attributes[key])
                assert not address.scheme and not address.netloc and not address.query
                path = unquote(address.path)
                assert ".." not in path and not path.startswith("/")
                assert (folder / (path or name)).is_file()
                if address.fragment:
                    assert unquote(address.fragment) in ids[path or name], address
            for key in ("aria-labelledby", "aria-describedby", "for", "data-copy"):
                assert set(element.attributes.get(key, "").split()) <= ids[name]
    css, js = ((HERE / name).read_text() for name in ("page.css", "page.js"))
    assert not re.search(r"url\(|@import|https?:", css)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|import\(|eval\(|innerHTML|https?:", js)


def test_text_is_text(made: tuple[Path, Path, Path]) -> None:
    *_, folder = made
    for name in ("index.html", "provenance.html"):
        page = read(folder / name)
        assert len(page.all("script")) == len(page.all("style")) == 1
        assert AWKWARD in page.text() and AWKWARD not in (folder / name).read_text()
        assert "Motion & <i>more</i>." in page.text() and not page.all("i")
    assert not [b for b in read(folder / "provenance.html").all("b") if b.text() == "host"]


def test_the_policy_allows_this_style_and_script_only(made: tuple[Path, Path, Path]) -> None:
    *_, folder = made
    for name in ("index.html", "provenance.html"):
        page = read(folder / name)
        (policy,) = (m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes)
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        for tag in ("style", "script"):
            digest = hashlib.sha256(page.all(tag)[0].text().encode()).digest()
            assert rules[f"{tag}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
        assert rules["default-src"] == "'none'" and rules["base-uri"] == rules["form-action"] == "'none'"
        assert set(rules["img-src"].split()) == set(rules["media-src"].split()) == {"'self'", "file:"}


def test_videos_of_each_row_are_copied_with_their_clip(made: tuple[Path, Path, Path]) -> None:
    report, store, folder = made
    page = read(folder / "index.html")
    (grid,) = page.all("div", class_="videos")
    said = [" ".join(found.text().split()) for found in grid.all("figcaption")]
    where = [
        "clip clip_1 from frame 1, real beside generated",
        "clip clip_2 from frame 50, real beside generated",
    ]
    assert said == [f"{label} {clip}" for label in ("baseline", "+distill (ours)") for clip in where]
    sources = [video.attributes["src"] for video in grid.all("video")]
    assert sorted(path.name for path in (folder / "videos").iterdir()) == sorted(
        Path(s).name for s in sources
    )
    assert len(sources) == len(FILMED) * report_videos.PER_ROW
    for source in sources:
        assert (folder / source).read_bytes() == source.rsplit("-", 1)[1].encode()
    listed = json.loads((folder / "provenance.json").read_text())["files"]
    assert {"index.html", "provenance.html", *sources} <= set(listed)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {*listed, "provenance.json"}
    assert stands(gather(report, store), folder.parent)


def test_videos_are_copied_when_changed_and_forgotten_when_gone(tmp_path: Path) -> None:
    report, store = make(tmp_path, seeds=1)
    out = tmp_path / "out"
    first = {path: path.stat() for path in render(report, store, out) if path.suffix == ".mp4"}
    assert len(first) == 4
    again = {path: path.stat() for path in render(report, store, out) if path.suffix == ".mp4"}
    assert {p: s.st_ino for p, s in again.items()} == {p: s.st_ino for p, s in first.items()}
    changed = next(iter(store.glob("video/*/0000_beside.mp4")))
    changed.write_bytes(b"another, longer video")
    render(report, store, out)
    copies = [path for path in first if path.read_bytes() == b"another, longer video"]
    assert len(copies) == 1 and copies[0].name.startswith(f"video-{changed.parent.name}")
    copies[0].unlink()
    assert not stands(gather(report, store), out)
    render(report, store, out)
    assert stands(gather(report, store), out)
    other = out / "made" / "videos" / "of-mine.mp4"
    other.write_bytes(b"mine")
    for manifest in store.glob("video/*/manifest.json"):
        manifest.unlink()
    render(report, store, out)
    assert list((out / "made" / "videos").iterdir()) == [other]
    assert "<video" not in (out / "made" / "index.html").read_text()


def test_nothing_outside_the_store_or_the_folder_is_touched(tmp_path: Path) -> None:
    report, store = make(tmp_path, seeds=1)
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"secret")
    for folder in store.glob("video/*"):
        (folder / "0000_beside.mp4").unlink()
        (folder / "0000_beside.mp4").symlink_to(outside)
    folder = tmp_path / "out" / "made"
    folder.mkdir(parents=True)
    stale = ["../../outside.mp4", "videos/../../../outside.mp4", "/outside.mp4", 3, None, "3b.tex"]
    (folder / "provenance.json").write_text(json.dumps({"files": stale}))
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(folder)}
    render(report, store, tmp_path / "out")
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(folder)} == before
    assert outside.read_bytes() == b"secret"
    assert not [path for path in folder.rglob("*.mp4") if path.read_bytes() == b"secret"]
    assert len(list(folder.rglob("*.mp4"))) == len(FILMED)


@pytest.mark.parametrize("name", ["../../../../outside.mp4", "/outside_beside.mp4", "a//b.mp4", "a/./b.mp4"])
def test_a_manifest_that_names_a_file_elsewhere_counts_for_none(tmp_path: Path, name: str) -> None:
    report, store = make(tmp_path, seeds=1)
    for path in store.glob("video/*/manifest.json"):
        manifest = json.loads(path.read_text())
        manifest["files"][name] = {"bytes": 1, "sha256": ""}
        path.write_text(json.dumps(manifest))
    assert not [stage for stage, _ in gather(report, store).results.manifests if stage == "video"]


def test_a_report_in_all_holds_few_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_videos, "IN_ALL", 3)
    report, store = make(tmp_path, seeds=1)
    render(report, store, tmp_path / "out")
    page = read(tmp_path / "out" / "made" / "index.html")
    assert len(page.all("video")) == 3
    assert "1 more videos are in the store and not on this page." in page.text()


def test_a_manifest_of_odd_values_is_shown(tmp_path: Path) -> None:
    report, store = make(tmp_path, seeds=1)
    odd = [{"software": 3, "started": "now", "seconds": "long", "gin": 5, "host": None}]
    odd += [{"started": 1e300, "software": [], "gin": None}]
    for manifest, values in zip(sorted(store.glob("video/*/manifest.json")), odd, strict=True):
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | values))
    for about in store.glob("*/*/about.json"):
        about.write_text('{"starts": {"0": 1}, "spans": [3, {"start": "x"}]}')
    render(report, store, tmp_path / "out")
    said = [f.text() for f in read(tmp_path / "out" / "made" / "index.html").all("figcaption")]
    assert any("window 0, real beside generated" in text for text in said)


def test_an_empty_sweep_has_a_page(tmp_path: Path) -> None:
    report, store = make(tmp_path, seeds=1)
    for manifest in store.glob("*/*/manifest.json"):
        manifest.unlink()
    render(report, store, tmp_path / "out")
    page = read(tmp_path / "out" / "made" / "index.html")
    assert "No row has run yet." in page.text()
    assert len(page.all("a", class_="hole")) == 3 * len(ROWS)


def test_configurations_are_told_apart_from_what_they_share() -> None:
    texts = ["a\nb\nc\n", "a\nb\n", "a\nb\ncd\n"]
    assert shared_lines(texts) == ["a\n", "b\n"]
    assert shared_lines([]) == [] and shared_lines(["x\n"]) == ["x\n"]


def test_a_moment_is_in_utc() -> None:
    assert utc_minute(1_795_526_684.5) == "2026-11-24 13:24"
    assert utc_minute("now") == utc_minute(None) == utc_minute(float("nan")) == utc_minute(1e300) == ""


@given(st.floats(-1e6, 1e6), st.integers(0, 5))
def test_a_published_number_is_split_where_ours_end(value: float, decimals: int) -> None:
    digits = quoted(value)
    head, surplus = table_view._split(digits, decimals)
    assert head.rstrip("\u2007\u2008") + surplus == digits
    ours = f"{value:.{decimals}f}"
    assert len(head) - head.find(".") == len(ours) - ours.find(".") if "." in head and decimals else True
    assert table_view._split("387", 2) == ("387\u2008\u2007\u2007", "")
    assert table_view._split("27.4", 2) == ("27.4\u2007", "")


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb. Source: WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_letters_stand_out_in_light_and_dark() -> None:
    css = (HERE / "page.css").read_text()
    pairs = dict(re.findall(r"--(\w+): light-dark\((#\w{6}, #\w{6})\)", css))
    for place in (0, 1):
        colours = {name: pair.split(", ")[place] for name, pair in pairs.items()}
        for ink in ("ink", "quiet", "accent", "warn"):
            for paper in ("paper", "wash"):
                light, dark = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper, place)


@pytest.mark.slow
def test_the_page_is_light_to_import(tmp_path: Path) -> None:
    report, store = make(tmp_path, seeds=1)
    code = (
        "import sys; from pathlib import Path; import rgx.report.render as r; "
        "print('jinja2' in sys.modules); "
        f"r.render(Path({str(report)!r}), Path({str(store)!r}), Path({str(tmp_path / 'out')!r})); "
        "print([m for m in ('torch', 'ray', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "[]"]


def test_the_same_numbers_are_the_same_bytes(tmp_path: Path) -> None:
    report, store = make(tmp_path, seeds=2)
    first, second = (render(report, store, tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.slow
def test_a_thousand_cells(tmp_path: Path) -> None:
    rows = [OURS, *(f"row {n} of a large sweep" for n in range(999))]
    report, store = make(tmp_path, rows=rows, seeds=1, chain=8)
    start = time.process_time()
    paths = render(report, store, tmp_path / "out")
    assert time.process_time() - start < 30
    sizes = {path.name: path.stat().st_size for path in paths}
    assert sizes["index.html"] < 10e6 and sizes["provenance.html"] < 10e6


def test_pictures_are_named_in_words(made: tuple[Path, Path, Path]) -> None:
    *_, folder = made
    (image,) = (i for i in read(folder / "index.html").all("img") if i.attributes["src"] == "3b-pictures.png")
    assert image.attributes["alt"] == "Pictures, one a row: baseline, +distill (ours)"
    assert int(image.attributes["width"]) > 64, "wide enough for the longest label"
    assert image.attributes["height"] == str(2 * (32 + 18))


def test_a_broken_strip_is_named(tmp_path: Path) -> None:
    report, store = make(tmp_path, seeds=1)
    broken = next(iter(store.glob("video/*/strip.png")))
    broken.write_text("no picture")
    with pytest.raises(Exception, match=f"{re.escape(str(broken))}: cannot be read as a picture"):
        render(report, store, tmp_path / "out")
