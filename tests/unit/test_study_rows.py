"""Conditions that are rows of a sweep: their videos, the recordings beside them, their measures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import raters
import yaml
from keyed import digest
from made import METRICS, put
from safetensors.numpy import save_file
from test_study_make import silent

from rgx.errors import InputError
from rgx.gesture.data.picture_file import PictureWriter
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES
from rgx.gesture.video.files import write_mp4
from rgx.study.films import read_film
from rgx.study.findings import find
from rgx.study.kit import make_kit, open_kit
from rgx.study.measures import agreeing, draw
from rgx.study.ratings import gather_ratings

SIZE, STARTS, ROWS = 32, [1, 11, 21, 31], ["w/o refine", "UNet", "Ours"]
STUDY = {
    "name": "rows", "title": {"en": "Rows"}, "consent": {"en": "Yes?"}, "raters": 4,
    "size_px": SIZE, "ours": "Ours",
    "scenes": {"names": "[0-9]*[0-9]"},
    "conditions": {
        "Recorded": {"reference_of": "swept:3d/Ours"},
        "Bare": {"row": "swept:3d/w/o refine"},
        "UNet": {"row": "swept:3d/UNet"},
        "Ours": {"row": "swept:3d/Ours", "seed": 0},
    },
    "questions": {"mos": {"text": {"en": "?"}, "sound": "muted"}},
    "checks": {"training": 0, "traps": 0, "repeats": 0},
    "exclude": {"least_variance": 0},
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store, in which a sweep has left videos, and a study of its rows."""
    root = tmp_path_factory.mktemp("rows")
    store, cells = root / "store", []
    frames, corpus = digest("frames"), digest("corpus")
    shades = np.linspace(40, 200, 112).astype(np.uint8)
    folder = put(store, "frames", frames)
    with PictureWriter(folder / "frames.bin") as file:
        file.add(np.broadcast_to(shades[:, None, None, None], (112, SIZE, SIZE, 3)))
    save_file({"ends": np.array(file.ends)}, folder / "arrays.safetensors")
    (folder / "about.json").write_text(json.dumps({"size_px": SIZE}))
    waveform = np.sin(np.arange(112 * SAMPLES_PER_FRAME) / 20).astype(np.float32)
    save_file({"waveform": waveform}, put(store, "corpus", corpus) / "arrays.safetensors")
    for place, row in enumerate(ROWS):
        video, scored = digest(f"video{row}"), digest(f"scores{row}")
        folder = put(store, "video", video)
        (folder / "about.json").write_text(json.dumps({"starts": STARTS}))
        for number in range(len(STARTS)):
            picture = np.full((SIZE, SIZE, 3), 30 + 60 * place + number, np.uint8)
            path, heard = folder / f"{number:04d}.mp4", waveform[: WINDOW_FRAMES * SAMPLES_PER_FRAME]
            write_mp4(path, [picture] * WINDOW_FRAMES, heard)
            shutil.copy(path, folder / f"{number:04d}_beside.mp4")
        outputs = {"scores": {"fgd": 30 - place, "pcm": 0.5 - 0.1 * place}, "metrics": METRICS}
        put(store, "video_scores", scored, outputs=outputs)
        stages = {"frames": frames, "corpus": corpus, "video": video, "video_scores": scored}
        cells.append({"panel": "3d", "row": row, "seed": 0, "stages": stages})
    (store / "sweeps").mkdir()
    (store / "sweeps" / "swept.json").write_text(json.dumps({"name": "swept", "seeds": [0], "rows": cells}))
    (root / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False))
    make_kit(root / "study.yaml", store, root / "out", silent)
    return root


def test_rows_and_what_they_are_measured_against_are_shown(root: Path) -> None:
    kit = open_kit(root / "out")
    assert kit.key["scenes"] == ["0000", "0001", "0002", "0003"]
    assert kit.key["conditions"]["Bare"]["row"] == "3d/w/o refine"
    assert set(kit.key["conditions"]["Recorded"]["videos"]) == set(kit.key["scenes"])
    shown = {}
    for session in kit.key["sessions"].values():
        for entry in session["items"]:
            item = entry["item"]
            shown[item["condition"], item["scene"]] = entry["videos"][0]
    path = kit.folder / "videos" / shown["Recorded", "0001"]
    pictures = read_film(path, SIZE, 25).frames
    expected = np.linspace(40, 200, 112)[11 : 11 + WINDOW_FRAMES]
    assert len(pictures) == WINDOW_FRAMES and np.abs(pictures.mean((1, 2, 3)) - expected).max() < 4
    assert not list(root.glob("**/references"))


def test_measures_that_order_as_raters_do_are_told_from_those_that_do_not(root: Path) -> None:
    kit = open_kit(root / "out")
    liked = {"Recorded": 4.8, "Bare": 1.6, "UNet": 2.9, "Ours": 4.1}
    random = np.random.default_rng(0)
    for place, (token, items) in enumerate(kit.items.items()):
        own = [raters.answer(name, raters.opinion(item, random, liked)) for name, item in items.items()]
        raters.save(kit, token, own, f"{place}.json")
    rows = agreeing(find(gather_ratings(kit)), root / "store")
    taus = {row.metric: row.tau for row in rows}
    assert taus == {"FGD†": 1.0, "PCM": -1.0}
    assert all(row.low <= row.tau <= row.high and row.conditions == 3 for row in rows)
    assert draw(rows, {"mos": "MOS"})[".png"].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "swept:3d/Our",
            r"study.yaml:\d+: condition 'Ours': swept: no row 'Our' in table 3d: did you mean 'Ours'",
        ),
        ("sweptt:3d/Ours", "no sweep 'sweptt' has run in this store; did you mean 'swept'"),
        ("swept", "expected SWEEP:panel/row"),
    ],
)
def test_a_row_that_is_not_there_is_told_with_its_line(
    root: Path, tmp_path: Path, address: str, said: str
) -> None:
    study = STUDY | {"conditions": STUDY["conditions"] | {"Ours": {"row": address}}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    with pytest.raises(InputError, match=said):
        make_kit(tmp_path / "study.yaml", root / "store", tmp_path / "out", silent)
