"""The documentation site: it builds without a dead link, and its reference is what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_benchmarks import load

from rgx.registry import variants

ROOT = Path(__file__).resolve().parents[2]
site_pages = load("site_pages")


def test_links_lead_to_where_they_lie_on_the_site() -> None:
    text = "[a](docs/sweeps.md#rows) [b](LOG.md) [c](gin/scale) [d](https://x.org/docs/a.md)"
    text += " ![e](docs/figures/puppets.png)"
    moved = "[a](sweeps.md#rows) [b](log.md) [c](R/blob/main/gin/scale) [d](https://x.org/docs/a.md)"
    assert site_pages.relinked(text, "index.md", "R") == f"{moved} ![e](figures/puppets.png)"
    assert (
        site_pages.relinked("[a](../README.md) [b](using.md)", "python.md", "R")
        == "[a](index.md) [b](using.md)"
    )
    assert (
        site_pages.relinked("[a](../using.md) [b](#x)", "reference/a.md", "R") == "[a](../using.md) [b](#x)"
    )
    with pytest.raises(FileNotFoundError, match=r"docs/a\.md: a link to \.\./nowhere\.md"):
        site_pages.relinked("[a](../nowhere.md)", "a.md", "R")


def test_the_site_builds_and_its_reference_is_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = pytest.importorskip("mkdocs.config", reason="needs the extra docs")
    pytest.importorskip("material", reason="needs the extra docs")
    from mkdocs.commands.build import build

    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    build(config.load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path)))
    page = (tmp_path / "reference/variants.html").read_text()
    shipped = [variant for variant in variants() if variant.cls.__module__.startswith("rgx.")]
    assert len(shipped) > 150
    for variant in shipped:
        assert re.search(rf'<h3 id="[^"]+">{variant.name}<', page), variant.key
        assert all(f"<code>{name} = " in page for name in variant.parameters), variant.key
    commands = (tmp_path / "reference/commands.html").read_text()
    assert all(
        f"rgx {name}</code></h2>" in commands or f"rgx {name}" in commands for name in ("sweep", "study make")
    )
    assert "seeds: 'Collection[int] | None' = None" in re.sub(
        "<[^>]+>", "", (tmp_path / "reference/python.html").read_text()
    ).replace("&#39;", "'")
    files = (tmp_path / "reference/files.html").read_text()
    assert (
        "Panel → the stage that a seed repeats with all that follow it" in files
        and "use_directory" not in files
    )
    for css in tmp_path.rglob("*.html"):
        assert "fonts.googleapis.com" not in css.read_text(), f"{css} asks another server for its letters"
