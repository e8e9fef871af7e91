from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from little import LITTLE

from rgx.errors import InputError
from rgx.inspect.site import write_site
from rgx.report.gather import Gathered, gather

REPORT = """\
sweep: little.yaml
panels:
  3b: {caption: Alignment, columns: [fgd]}
"""


@pytest.fixture(scope="module")
def gathered(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Gathered:
    folder = tmp_path_factory.mktemp("report")
    (folder / "little.yaml").write_text(LITTLE)
    (folder / "report.yaml").write_text(REPORT)
    return gather(folder / "report.yaml", finished)


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_site_is_the_same_twice_links_only_what_is_in_it_and_names_no_machine(
    gathered: Gathered, tmp_path: Path
) -> None:
    site = write_site(gathered, tmp_path / "a")
    write_site(gathered, tmp_path / "b")
    files = content(tmp_path / "a")
    assert files == content(tmp_path / "b")
    assert {"index.html", "provenance.html", ".nojekyll", "3b.csv", "3b.tex", "cells/index.html"} <= {*files}
    assert site.files == len(files) and site.bytes == sum(map(len, files.values()))
    pages = {name: text.decode() for name, text in files.items() if name.endswith(".html")}
    assert len([name for name in pages if name.startswith("cells/")]) == 3
    for name, text in pages.items():
        bare = re.sub(r"data:[^\"')\s]+", "", text)
        for link in re.findall(r"(?:href|src)=\"([^\"#:?]+)[\"#]", bare):
            assert ((tmp_path / "a" / name).parent / link).is_file(), f"{name} links {link}"
        assert not re.search(rf"(?<![\w-]){re.escape(socket.gethostname())}(?![\w-])", bare), name
        for place in (str(gathered.store), str(Path.home()) + "/", str(tmp_path)):
            assert place not in bare, name


def test_a_folder_of_someone_else_is_refused_and_an_own_one_written_anew(
    gathered: Gathered, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="no site"):
        write_site(gathered, tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    write_site(gathered, tmp_path / "own")
    (tmp_path / "own" / "old.html").write_text("")
    write_site(gathered, tmp_path / "own")
    assert not (tmp_path / "own" / "old.html").exists()
