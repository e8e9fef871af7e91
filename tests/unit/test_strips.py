"""Strips and films of the rows of a panel, over a made-up store whose every pixel is known."""

from __future__ import annotations

import io
import json
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from keyed import digest
from made import FGD, put
from matplotlib import rc_context
from matplotlib.figure import Figure as Drawing
from PIL import Image
from safetensors.numpy import save_file

from rgx.errors import InputError
from rgx.gesture.data.picture_file import NAME, PictureWriter
from rgx.gesture.figures.heads import NO_SOUND, NO_WORDS
from rgx.gesture.figures.rows_film import laid_out
from rgx.gesture.figures.strip_page import GAP_PX, HANDS, LINE_PX
from rgx.gesture.figures.transcript import columns_of, read_transcript
from rgx.gesture.skeleton import LEFT_HAND, RIGHT_HAND, kept_index
from rgx.report.definition import load
from rgx.report.figures.base import Material
from rgx.report.gather import gather
from rgx.report.render import render, stands
from rgx.report.style import LOOK, saved

SIZE, FRAMES, CLIP = 32, 180, 90
ROWS = ("plain", "+ hands")
STARTS = [1, 91]
WORDS = {"two": [["to-FU", 1], ["ker", 20], ["SAE", 22], ["late", 89]]}


def placed(hands: dict[tuple[int, ...], tuple[float, float]], frames: int) -> np.ndarray:
    """Return poses whose hands are points at (x, y) in px of a picture, the left 1 px further a frame."""
    pose = np.zeros((frames, 123, 2), np.float32)
    for hand, (x, y) in hands.items():
        pose[:, [kept_index(point) for point in hand]] = np.array([x, y]) * 2 / SIZE - 1
    return pose


def shades(random: np.random.Generator, frames: int) -> np.ndarray:
    """Return pictures no two of which, and no two pixels side by side, are alike, and that encode fast."""
    across, down = np.arange(SIZE)[None, :, None] * [3, 1, 2], np.arange(SIZE)[:, None, None] * [1, 2, 3]
    first = random.integers(0, 160, (frames, 1, 1, 3))
    return (first + across // 2 + down).astype(np.uint8)


def make(root: Path, words: dict[str, Any] | None = None, **figure: Any) -> tuple[Path, Path]:
    """Write a store of a recording of two clips and two rows, and a report; returns both."""
    store, random = root / "store", np.random.default_rng(0)
    corpus = digest("corpus")
    waveform = (random.normal(size=FRAMES * 640) * np.repeat(np.arange(FRAMES) % 50, 640)).astype(np.float32)
    save_file({"waveform": waveform / 500}, put(store, "corpus", corpus) / "arrays.safetensors")
    frames = digest("frames", {"corpus": corpus})
    folder = put(store, "frames", frames)
    with PictureWriter(folder / NAME) as file:
        file.add(shades(random, FRAMES))
    pose, valid = placed({LEFT_HAND: (24, 10), RIGHT_HAND: (8, 20)}, FRAMES), np.ones((FRAMES, 123), bool)
    pose[100:, [kept_index(point) for point in LEFT_HAND], 1] += np.arange(80)[:, None] * 0.01
    valid[91, [kept_index(point) for point in RIGHT_HAND]] = False
    save_file({"pose": pose, "valid": valid, "ends": np.array(file.ends)}, folder / "arrays.safetensors")
    spans = [{"name": n, "start": s, "frames": CLIP, "split": "test"} for n, s in (("one", 0), ("two", CLIP))]
    (folder / "about.json").write_text(json.dumps({"spans": spans, "size_px": SIZE, "words": words or {}}))
    cells = []
    for row in ROWS:
        animation = digest(f"animation{row}", {"frames": frames})
        poses = np.stack([placed({LEFT_HAND: (20, 8), RIGHT_HAND: (12, 24)}, 80)] * 2)
        save_file({"pose": poses}, put(store, "animation", animation) / "arrays.safetensors")
        parents = {"corpus": corpus, "frames": frames, "animation": animation}
        video = digest(f"video{row}", parents)
        outputs = {"scores": {"fgd": 1.0}, "metrics": {"fgd": FGD}}
        files = {name: {"bytes": 1, "sha256": ""} for name in ("frames.npy", "about.json")}
        folder = put(store, "video", video, outputs=outputs, files=files)
        np.save(folder / "frames.npy", shades(random, 160).reshape(2, 80, SIZE, SIZE, 3))
        (folder / "about.json").write_text(json.dumps({"starts": STARTS}))
        cells.append({"panel": "3d", "row": row, "seed": 0, "stages": {**parents, "video": video}})
    (store / "sweeps").mkdir(parents=True)
    record = {"name": "made", "seeds": [0], "rows": cells}
    (store / "sweeps" / "made.json").write_text(json.dumps(record))
    return write_report(root, figure), store


def write_report(root: Path, figure: dict[str, Any] | None, **panel: Any) -> Path:
    """Write the report file of the panel and of a figure of its pictures, or of none."""
    report = root / "reports" / "made.yaml"
    report.parent.mkdir(exist_ok=True)
    settings = {"caption": "C.", "columns": ["fgd"], "pictures": "video", "ours": ROWS[0]} | panel
    figures = {"strip": {"kind": "strips", "panel": "3d"} | figure} if figure is not None else {}
    content = {"sweep": "sweeps/made.yaml", "panels": {"3d": settings}, "figures": figures}
    report.write_text(yaml.safe_dump(content, sort_keys=False))
    return report


def drawn(report: Path, store: Path) -> tuple[Drawing, np.ndarray, bytes]:
    """Return the figure of a report, its PNG as (H, W, 3), and its PDF."""
    gathered = gather(report, store)
    with rc_context(LOOK):
        drawing = gathered.report.figures["strip"].draw(
            Material(gathered.results, gathered.store, gathered.drawn)
        )
        assert drawing is not None
        files = saved(drawing)
    return drawing, np.asarray(Image.open(io.BytesIO(files[".png"])).convert("RGB")), files[".pdf"]


def made(store: Path, row: str) -> np.ndarray:
    """Return the pictures that a row left."""
    (path,) = (store / "video").glob(f"{digest_of(store, row)[:16]}/frames.npy")
    return np.asarray(np.load(path))


def digest_of(store: Path, row: str) -> str:
    record = json.loads((store / "sweeps" / "made.json").read_text())
    (cell,) = (cell for cell in record["rows"] if cell["row"] == row)
    return str(cell["stages"]["video"])


def recording(store: Path) -> np.ndarray:
    """Return all recorded pictures."""
    from safetensors.numpy import load_file

    from rgx.gesture.data.picture_file import PictureFile

    (folder,) = (store / "frames").iterdir()
    return PictureFile(folder / NAME, load_file(folder / "arrays.safetensors")["ends"], SIZE)[:]


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    return picture.repeat(side // len(picture), 0).repeat(side // len(picture), 1)


def test_a_strip_shows_pixels_as_they_are(tmp_path: Path) -> None:
    report, store = make(tmp_path, window=1, frames=4, hands=False, width="page")
    drawing, page, _ = drawn(report, store)
    cell = 256  # the largest multiple of 32 px of which five stand on a page of 6.75 in at 200 dpi
    tops = [int(image.get_extent()[3]) for image in drawing.axes[0].images]
    label = LINE_PX + GAP_PX
    assert len(tops) == 1 + 3 * 4 and page.shape[1] == label + 5 * (cell + GAP_PX)
    first = min(tops)
    real = recording(store)
    systems = [made(store, row)[1] for row in reversed(ROWS)]  # ours stands last
    shown = {(0, 0): real[90]}
    for column, t in enumerate((0, 26, 53, 79), start=1):
        for row, frames in enumerate([real[91:171], *systems]):
            shown[row, column] = frames[t]
    for (row, column), frame in shown.items():
        left, top = label + column * (cell + GAP_PX), first + row * (cell + GAP_PX)
        assert np.array_equal(page[top : top + cell, left : left + cell], enlarged(frame, cell)), (
            row,
            column,
        )
    texts = [text.get_text() for text in drawing.axes[0].texts]
    assert [text for text in texts if text in ("source", "real", "plain (ours)", "+ hands")] == [
        "source", "real", "+ hands", "plain (ours)",
    ]  # fmt: skip
    assert "clip two from 0.0 s" in texts[0] and "1.0 s" in texts


def test_a_hand_is_its_box_enlarged_and_framed_where_it_is_from(tmp_path: Path) -> None:
    report, store = make(tmp_path, window=0, frames=1)
    drawing, page, _ = drawn(report, store)
    axes = drawing.axes[0]
    # A margin of 0.05 half widths is 0.8 px on either side of a point: two pixels' centres, of either hand.
    boxes = {"real": {0: (24, 10), 1: (8, 20)}, "made": {0: (20, 8), 1: (12, 24)}}
    frames = [recording(store)[1 + 40], *(made(store, row)[0][40] for row in reversed(ROWS))]
    cuts = [image for image in axes.images if image.get_array().shape[0] == 2]
    assert len(cuts) == 2 * len(frames)
    for row, frame in enumerate(frames):
        for hand, (x, y) in boxes["made" if row else "real"].items():
            image = cuts[2 * row + hand]
            crop = frame[y - 1 : y + 1, x - 1 : x + 1]
            assert np.array_equal(image.get_array(), crop)
            left, right, bottom, top = (int(edge) for edge in image.get_extent())
            inner = page[top + 3 : bottom - 3, left + 3 : right - 3]  # what its frame leaves
            side = right - left
            assert np.array_equal(inner, enlarged(crop, side)[3:-3, 3:-3])
            (colour,) = {p.get_edgecolor() for p in axes.patches if p.get_xy() == (left, top)}
            marked = [p for p in axes.patches if p.get_edgecolor() == colour and p.get_xy() != (left, top)]
            shown = [i for i in axes.images if i.get_array() is not None and i.get_array().shape[0] == SIZE]
            scale = (shown[1].get_extent()[1] - shown[1].get_extent()[0]) / SIZE
            start = shown[1 + row].get_extent()[0], shown[1 + row].get_extent()[3]
            expected = (start[0] + (x - 1) * scale, start[1] + (y - 1) * scale)
            assert any(np.allclose(p.get_xy(), expected) and p.get_width() == 2 * scale for p in marked)
    assert len(HANDS) == 2
    # The right hand stands on the left, as in the picture of who faces the camera.
    assert cuts[1].get_extent()[0] < cuts[0].get_extent()[0]


def test_a_hand_that_is_not_seen_is_not_cut_out(tmp_path: Path) -> None:
    report, store = make(tmp_path, window=1, frames=2, rows=["plain"])
    drawing, _, _ = drawn(report, store)
    cuts = [image for image in drawing.axes[0].images if image.get_array().shape[0] == 2]
    assert len(cuts) == 2 * 2 * 2 - 1, "the recorded right hand is lost in the first frame"


def test_a_row_without_poses_stands_beside_without_hands(tmp_path: Path) -> None:
    report, store = make(tmp_path, window=1, frames=1, rows=list(ROWS))
    path = store / "sweeps" / "made.json"
    record = json.loads(path.read_text())
    cell = record["rows"][1]
    (animated,) = (store / "video").glob(f"{cell['stages'].pop('video')[:16]}")
    parents = {name: cell["stages"][name] for name in ("corpus", "frames")}
    key = digest("pixel_video", parents)
    files = {name: {"bytes": 1, "sha256": ""} for name in ("frames.npy", "about.json")}
    folder = put(store, "pixel_video", key, files=files)
    for name in files:
        shutil.copy(animated / name, folder / name)
    shutil.rmtree(animated)
    cell["stages"] = parents | {"pixel_video": key}
    path.write_text(json.dumps(record))
    drawing, _, _ = drawn(report, store)
    images = [image.get_array() for image in drawing.axes[0].images]
    assert sum(np.array_equal(image, np.load(folder / "frames.npy")[1, 40]) for image in images) == 1
    cuts = [image for image in images if image.shape[0] == 2]
    assert len(cuts) == 2 * 2, "of the recording and of the row whose poses are known"
    lowest = max(int(image.get_extent()[2]) for image in drawing.axes[0].images)
    assert drawing.axes[0].get_ylim()[0] == lowest + GAP_PX, "room is kept only for hands that there are"


def test_a_long_label_takes_lines_beside_its_frames(tmp_path: Path) -> None:
    report, store = make(tmp_path, window=1, frames=6, hands=False, width="page")
    name = "A system of another house, as published"
    report.write_text(
        report.read_text().replace("ours: plain", f"ours: plain\n    labels: {{+ hands: '{name}'}}")
    )
    drawing, _, _ = drawn(report, store)
    texts = {
        text.get_text(): text.get_position() for text in drawing.axes[0].texts if text.get_rotation() == 90
    }
    lines = [text for text in texts if text in name]
    assert " ".join(lines) == name and len(lines) > 1
    across = [texts[line][0] for line in lines]
    assert across == sorted(across) and across[0] > 0, "from left to right, all of them on the page"


def test_the_liveliest_window_is_shown(tmp_path: Path) -> None:
    drawing, _, _ = drawn(*make(tmp_path, frames=1))
    assert "clip two" in drawing.axes[0].texts[0].get_text()


def heads(drawing: Drawing) -> list[list[str]]:
    """Return the texts over each column, read downwards; the first is the source's."""
    axes = drawing.axes[0]
    size = len(axes.images[0].get_array())
    firsts = [
        i
        for i in axes.images
        if i.get_array().shape[0] == size and i.get_extent()[3] == axes.images[0].get_extent()[3]
    ]
    middles = [sum(image.get_extent()[:2]) / 2 for image in firsts]
    over = [text for text in axes.texts[1:] if text.get_rotation() == 0]
    columns: list[list[str]] = []
    for middle in middles:
        here = [text for text in over if text.get_position()[0] == middle]
        columns.append([t.get_text() for t in sorted(here, key=lambda text: text.get_position()[1])])
    return columns


def test_words_stand_over_the_frame_in_which_they_are_said(tmp_path: Path) -> None:
    report, store = make(tmp_path, WORDS, window=1, frames=5, above="words", hands=False, width="page")
    drawing, _, _ = drawn(report, store)
    # The window begins with the clip's second frame; frames 0, 20, 40, 59 and 79 are shown.
    assert heads(drawing) == [["source"], ["to-FU"], ["ker"], ["SAE"], [], []] or heads(drawing) == [
        ["source"], ["to-FU"], ["ker"], ["SAE"], [""], [""],
    ]  # fmt: skip
    assert NO_WORDS not in drawing.axes[0].texts[0].get_text()


def test_a_transcript_stands_in_for_what_the_corpus_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    text = "word,start_s,end_s\nand,0.04,0.2\nin each,0.8,1.0\ncase,0.92,1.2\ngone,9,9.1\n"
    (tmp_path / "words" / "two.words.csv").write_text(text)
    settings = {"window": 1, "frames": 5, "above": "words", "transcripts": str(tmp_path / "words")}
    drawing, _, _ = drawn(*make(tmp_path, WORDS, **settings))
    assert [" ".join(column) for column in heads(drawing)[1:4]] == ["and", "in each", "case"]


def test_speech_without_words_is_drawn_as_loud_as_it_is(tmp_path: Path) -> None:
    drawing, _, _ = drawn(*make(tmp_path, window=0, above="words"))
    assert NO_WORDS in drawing.axes[0].texts[0].get_text()
    (curve,) = drawing.axes[0].collections
    heights = curve.get_paths()[0].vertices[:, 1]
    assert len(heights) > 160 and np.ptp(heights) > 40
    along = curve.get_paths()[0].vertices
    loudest = along[heights.argmin(), 0]
    low, high = along[:, 0].min(), along[:, 0].max()
    # It grows over 50 frames and begins anew; the window begins with its second one.
    assert (loudest - low) / (high - low) == pytest.approx(48 / 80, abs=0.03)


def test_a_word_is_over_the_first_frame_shown_once_it_has_begun() -> None:
    words = [("a", 0), ("b", 1), ("c", 40), ("d", 41), ("e", 79)]
    assert columns_of(words, [0, 40, 60]) == [["a"], ["b", "c"], ["d", "e"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("word,begin_s\na,0\n", "line 1: no column start_s"),
        ("word,start_s\na,0\nb,soon\n", "line 3: start_s is 'soon', expected seconds"),
        ("word,start_s\na,inf\n", "line 2: start_s is 'inf', expected seconds"),
        (None, "unreadable as a transcript"),
    ],
)
def test_a_malformed_transcript_is_said(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "one.words.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_transcript(tmp_path, "one", 0)


def test_the_pdf_holds_letters_and_every_pixel(tmp_path: Path) -> None:
    report, store = make(tmp_path, window=1, frames=1)
    _, _, pdf = drawn(report, store)
    streams = [zlib.decompress(body) for body in re.findall(rb"stream\r?\n(x.*?)\r?\nendstream", pdf, re.S)]
    (page,) = (stream for stream in streams if b" TJ" in stream)
    shown = re.findall(rb"\(((?:[^()\\]|\\.)*)\)", page, re.S)
    letters = b"".join(shown).replace(b"\0", b"").decode("latin-1")
    assert all(word in letters for word in ("source", "real", "hands", "plain", "clip two"))
    real = recording(store)[91 + 40]
    pictures = [body for body in streams if len(body) == SIZE * (3 * SIZE + 1)]
    assert len(pictures) == 1 + 3
    # A PDF counts lines upwards.
    assert any(np.array_equal(unfiltered(body)[::-1], real) for body in pictures)


def unfiltered(body: bytes) -> np.ndarray:
    """Return the pixels of a picture in a PDF, whose lines are predicted as in a PNG."""
    import struct

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"window": 2}, "figure of panel 3d: found window 2, expected 0 to 1"),
        ({"stage": "vidio"}, r"made.yaml:\d+.*'vidio' leaves no pictures of rows; did you mean 'video'"),
        ({"frames": 0}, r"made.yaml:\d+.*frames"),
        ({"above": "wrods"}, r"made.yaml:\d+.*above"),
        ({"transcripts": "words"}, r"made.yaml:\d+.*are shown by `above: words` only"),
        ({"rows": ["plane"]}, "no row 'plane'; did you mean 'plain'"),
    ],
)
def test_what_cannot_be_shown_is_said(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        drawn(*make(tmp_path, **settings))


def test_rows_without_a_window_in_common_are_said(tmp_path: Path) -> None:
    report, store = make(tmp_path)
    for row, starts in zip(ROWS, ([1, 2], [3, 91]), strict=True):
        (store / "video" / digest_of(store, row)[:16] / "about.json").write_text(
            json.dumps({"starts": starts})
        )
    with pytest.raises(InputError, match=r"rows \+ hands, plain have no window in common"):
        drawn(report, store)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("frames/*/about.json", b'{"size_px": "wide"}', "'size_px' is 'wide', expected a whole number"),
        ("frames/*/about.json", b'{"size_px": 32, "spans": [3]}', "no clip holds frame 1"),
        ("frames/*/about.json", b"{", "about.json: cannot be read"),
        ("video/*/frames.npy", b"no pictures", "frames.npy: window 0 cannot be read"),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, file: str, content: bytes, said: str) -> None:
    report, store = make(tmp_path, window=0)
    for path in store.glob(file):
        path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        drawn(report, store)


def test_without_words_and_sound_times_stand_over_the_frames(tmp_path: Path) -> None:
    report, store = make(tmp_path, window=0, frames=1, above="words")
    (store / "corpus" / digest("corpus")[:16] / "arrays.safetensors").unlink()
    drawing, _, _ = drawn(report, store)
    assert NO_SOUND in drawing.axes[0].texts[0].get_text() and heads(drawing)[1] == ["1.6 s"]


def test_a_film_has_every_row_below_its_label_and_the_recording_first() -> None:
    random = np.random.default_rng(0)
    rows = {name: random.integers(0, 256, (3, 64, 64, 3), np.uint8) for name in "abcdefgh"}
    filmed = list(laid_out(rows))
    assert len(filmed) == 3
    for t, picture in enumerate(filmed):
        assert picture.shape == (2 * (128 + 16), 6 * 128, 3)
        for place, frames in enumerate(rows.values()):
            left, top = place % 6 * 128, place // 6 * 144 + 16
            assert np.array_equal(picture[top : top + 128, left : left + 128], enlarged(frames[t], 128))
            label = picture[top - 16 : top, left : left + 128]
            assert label.max() > 200 and label.min() < 40
        assert not picture[144:, 2 * 128 :].any(), "nothing where no row is"
    taken: list[int] = []

    def counted(frames: np.ndarray) -> Iterator[np.ndarray]:
        for frame in frames:
            taken.append(1)
            yield frame

    next(laid_out({name: counted(frames) for name, frames in rows.items()}))
    assert len(taken) == len(rows), "a picture of each row is in memory, and no more"


def page_of(folder: Path) -> str:
    return (folder / "made" / "index.html").read_text()


def test_a_report_films_all_rows_once_and_shows_posters(tmp_path: Path) -> None:
    _, store = make(tmp_path)
    report, out = write_report(tmp_path, None), tmp_path / "out"
    paths = render(report, store, out)
    (film,) = (path for path in paths if path.suffix == ".mp4")
    with av.open(str(film)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert video.streams.audio and len(frames) == 80
    assert frames[0].shape == (128 + 16, 3 * 128, 3)
    (poster,) = (path for path in paths if path.suffix == ".jpg")
    with Image.open(poster) as first:
        assert np.abs(np.asarray(first).astype(float) - frames[0]).mean() < 20
    (tag,) = re.findall("<video[^>]*>", page_of(out))
    assert f'poster="videos/{poster.name}"' in tag and 'preload="none"' in tag
    assert "clip two from 0.0 s, real first" in page_of(out)
    assert {"3d-pictures.pdf", "3d-pictures.png"} <= {path.name for path in paths}
    assert "3d-pictures.pdf" in page_of(out) and "3d-pictures.pdf" in (out / "made" / "index.md").read_text()
    assert stands(gather(report, store), out)
    times = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (film, poster)}
    render(report, store, out)
    assert times == {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in times}, "made once"
    write_report(tmp_path, None, pictures_settings={"window": 0, "frames": 3})
    (other,) = (path for path in render(report, store, out) if path.suffix == ".mp4")
    assert other != film and not film.exists() and not poster.exists()
    assert "clip one from 0.0 s" in page_of(out)
    write_report(tmp_path, None, film=False)
    assert not [path for path in render(report, store, out) if path.suffix in (".mp4", ".jpg")]
    assert not list((out / "made" / "videos").iterdir())


@pytest.mark.parametrize(
    ("panel", "said"),
    [
        ({"pictures_settings": {"framez": 3}}, r"made.yaml:\d+.*framez.*did you mean '.*frames'"),
        (
            {"pictures": "motion", "pictures_settings": {"frames": 3}},
            "no kind of figure shows pictures of 'motion'",
        ),
        ({"pictures_settings": {"columns": ["fgt"]}}, r"made.yaml:\d+.*'fgt' is not a column of it; did you"),
        ({"pictures_settings": {"stage": "video"}}, r"made.yaml:\d+.*'stage' is given by the panel"),
    ],
)
def test_wrong_settings_of_pictures_are_said(tmp_path: Path, panel: dict[str, Any], said: str) -> None:
    report = write_report(tmp_path, None, **panel)
    with pytest.raises(InputError, match=said):
        load(report)


def test_rows_without_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    report, store = make(tmp_path, hands=False)
    record = json.loads((store / "sweeps" / "made.json").read_text())
    first = record["rows"][0]
    unseen = {stage: key for stage, key in first["stages"].items() if stage in ("corpus", "frames")}
    record["rows"].append({**first, "row": "pixels", "stages": unseen})
    (store / "sweeps" / "made.json").write_text(json.dumps(record))
    drawing, _, _ = drawn(report, store)
    texts = [text.get_text() for text in drawing.axes[0].texts]
    assert texts[0].endswith("without pictures: pixels") and "pixels" not in texts[1:]
    gathered = gather(report, store)
    film = gathered.report.figures["strip"].film(Material(gathered.results, store, gathered.drawn))
    assert film.shows.endswith("real first; without pictures: pixels")


def test_a_store_without_the_recording_shows_nothing(tmp_path: Path) -> None:
    report, store = make(tmp_path)
    for path in store.glob(f"frames/*/{NAME}"):
        path.unlink()
    paths = {path.name for path in render(report, store, tmp_path / "out")}
    assert not [name for name in paths if name.endswith((".png", ".mp4"))]
