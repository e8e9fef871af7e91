from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from planted_people import every, record

from rgx.gesture.prepare.streams import RefusedError, examine

RECORDINGS = Path(__file__).resolve().parents[2].parent / "shared/data/recordings"


def test_facts_of_a_shifted_recording(tmp_path: Path) -> None:
    facts = examine(record(tmp_path / "a.mkv", times=every(50, 4.0), sound_s=(-0.3, 6.0), origin_s=2.0))
    assert (facts.width_px, facts.height_px, facts.pictures, facts.pixel_ratio) == (320, 180, 200, 1.0)
    assert abs(facts.seconds - 4.0) < 0.02 and abs(facts.sound_from_s + 0.3) < 0.01
    assert abs(facts.sound_to_s - 6.0) < 0.03
    assert "starts 0.30 s before" in facts.notes[0] and "s after" in facts.notes[1]


def test_a_variable_rate_is_noted(tmp_path: Path) -> None:
    times = [n / 30 if n < 60 else 2 + (n - 60) / 12 for n in range(84)]
    assert any(
        "variable frame rate" in note for note in examine(record(tmp_path / "a.mkv", times=times)).notes
    )
    assert examine(record(tmp_path / "b.mkv", times=every(30, 4.0))).notes == ()


def empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def shortened(folder: Path, name: str, share: float) -> Path:
    path = record(folder / name)
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    return path


def index_first(folder: Path) -> Path:
    """An mp4 whose index comes first, as on the web, cut short: it opens, and packets are missing."""
    whole, path = record(folder / "whole.mp4"), folder / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def sound_only(folder: Path, name: str = "sound.mp4") -> Path:
    with av.open(str(folder / name), "w") as out:
        audio = out.add_stream("aac", rate=16_000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16_000
        out.mux(audio.encode(sound))
        out.mux(audio.encode(None))
    return folder / name


def still(folder: Path) -> Path:
    Image.new("RGB", (64, 64)).save(folder / "still.png")
    return folder / "still.png"


def text(folder: Path) -> Path:
    (folder / "text.mp4").write_text("no video" * 99)
    return folder / "text.mp4"


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty": (empty, r"empty\.mp4: the file is empty"),
    "index lost": (lambda f: shortened(f, "a.mp4", 0.7), r"a\.mp4: unreadable as a video"),
    "pictures lost": (index_first, r"cut\.mp4: (cut short: \d+ of the 100 pictures|unreadable)"),
    "end lost": (
        lambda f: shortened(f, "a.mkv", 0.5),
        r"a\.mkv: cut short: ends at \d\.\d s, declares \d\.\d s",
    ),
    "sound only": (sound_only, r"sound\.mp4: no video stream"),
    "still": (still, r"still\.png: a picture without sound, expected a video"),
    "no sound": (lambda f: record(f / "mute.mp4", sound_s=None), r"mute\.mp4: no audio stream"),
    "not a video": (text, r"text\.mp4: unreadable as a video"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name_with_a_reason(case: str, tmp_path: Path) -> None:
    make, reason = REFUSED[case]
    with pytest.raises(RefusedError, match=reason):
        examine(make(tmp_path))


def test_real_recordings() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip("needs ../shared/data/recordings")
    facts = examine(RECORDINGS / "shot_cuts.mp4")
    assert abs(facts.sound_from_s + 0.85) < 0.02 and abs(facts.rate_hz - 29.97) < 0.01
    assert abs(examine(RECORDINGS / "presenter_30fps.mp4").rate_hz - 259000 / 8633) < 1e-9
    for name in ("no_audio_track.mp4", "no_audio_59fps.avi"):
        with pytest.raises(RefusedError, match=rf"{name}: no audio stream"):
            examine(RECORDINGS / name)
