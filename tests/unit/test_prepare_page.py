from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from rgx.gesture.prepare.contact_sheets import Kept, draw_sheet
from rgx.gesture.prepare.quality import PAGE, Reasons, write_page
from rgx.gesture.prepare.recordings import Recording
from rgx.store.artifacts import write_json

NASTY = "<script>alert(1)</script>.mp4"


def test_what_comes_from_file_names_is_escaped(tmp_path: Path) -> None:
    source = Recording(Path("/x") / NASTY.replace("/", "_"), NASTY, "<b>ann</b>", "0" * 64, tmp_path)
    facts = {"rate_hz": 25.0, "seconds": 4.0, "sound_from_s": 0.0, "sound_to_s": 4.0, "notes": []}
    analysis = {
        "identity": {"poses": {"variant": "poses/planted"}},
        "refused": "",
        "stretches": [{"first": 0, "last": 100, "reason": "no one <i>in view</i>", "square": None}],
        "facts": facts,
        "size_px": [320, 180],
        "cuts": [],
        "people": 1,
    }
    write_json(source.folder / "analysis.json", analysis)
    write_page(tmp_path, [source], [], Reasons([], {NASTY: "cut short & gone"}, {}))
    page = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert "<script>" not in page and "<i>" not in page and "cut short &amp; gone" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.mp4" in page
    assert "0.00–4.00 s</td><td>no one &lt;i&gt;in view&lt;/i&gt;" in page and "No clip." in page
    assert "poses/planted finds at most one person" in page


def test_a_sheet_shows_the_pictures_kept_and_only_points_seen() -> None:
    pictures = [np.full((64, 64, 3), level, np.uint8) for level in range(10)]
    told: list[int] = []
    kept = Kept(pictures, [0, 4, 9], told.append)
    assert all(a is b for a, b in zip(kept, pictures, strict=True)) and list(kept.pictures) == [0, 4, 9]
    assert told == list(range(1, 11))
    points = np.zeros((10, 133, 3), np.float32)
    points[:, 5], points[:, 6] = (10, 32, 1), (54, 32, 1)
    seen = points[..., 2] > 0
    seen[4] = False
    sheet = np.asarray(draw_sheet(kept.pictures, points, seen))
    assert sheet.shape == (64, 192, 3)
    assert sheet[32, 32].tolist() == [0x8C, 0xFF, 0x66] == sheet[32, 160].tolist()
    assert (sheet[:, 64:128] == 4).all() and sheet[10, 32].tolist() == [0, 0, 0]
    assert isinstance(draw_sheet({3: pictures[3]}, points, seen), Image.Image)
