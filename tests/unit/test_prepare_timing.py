from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_people import every, plain, record

from rgx.gesture.prepare.decoding import Upright, colours_of_opencv, cut_out, read_pictures
from rgx.gesture.prepare.sound import SoundTrack, read_speech
from rgx.gesture.prepare.streams import RefusedError
from rgx.gesture.prepare.timing import at_25_hz, decode, read_span


def slow_at_25_hz(times: list[Fraction]) -> list[Fraction]:
    """For each output time, search all pictures for the nearest, the earlier of two."""
    last = times[-1] - times[-2] if len(times) > 1 else Fraction(0)
    shown, k = [], 0
    while k == 0 or Fraction(k, 25) < times[-1] + last - times[0]:
        wanted = times[0] + Fraction(k, 25)
        shown.append(min(times, key=lambda time: (abs(time - wanted), time)))
        k += 1
    return shown


@settings(deadline=None)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=60), st.integers(-500, 500))
def test_pictures_are_those_nearest_in_time(steps_ms: list[int], start_ms: int) -> None:
    times = [Fraction(start_ms + sum(steps_ms[:n]), 1000) for n in range(len(steps_ms))]
    assert list(at_25_hz((time, time) for time in times)) == slow_at_25_hz(times)


@pytest.mark.parametrize("rate", ["5", "24000/1001", "25", "30000/1001", "50", "60000/1001"])
def test_four_seconds_are_a_hundred_frames(rate: str) -> None:
    step = 1 / Fraction(rate)
    times = [n * step for n in range(round(4 / step))]
    shown = list(at_25_hz((time, time) for time in times))
    assert abs(len(shown) - 100) <= 1
    off = [abs(time - Fraction(k, 25)) for k, time in enumerate(shown) if Fraction(k, 25) <= times[-1]]
    assert max(off) <= step / 2


def test_of_two_pictures_as_near_the_earlier_is_shown() -> None:
    times = [Fraction(n, 1000) for n in (0, 80, 160)]
    assert [int(1000 * time) for time in at_25_hz((time, time) for time in times)] == [0, 0, 80, 80, 160, 160]


def test_no_pictures_are_none() -> None:
    assert list(at_25_hz([])) == [] and list(at_25_hz([(Fraction(3), "only")])) == ["only"]


@pytest.mark.parametrize("start_s", [0.3, 1.7])
@pytest.mark.parametrize("sound_s", [(-0.3, 4.2), (0.0, 4.0), (0.35, 3.9)])
def test_each_span_hears_its_own_clap(tmp_path: Path, start_s: float, sound_s: tuple[float, float]) -> None:
    claps = [0.9, 1.7, 2.5, 3.5]
    path = record(tmp_path / "a.mkv", claps_s=claps, sound_s=sound_s, origin_s=start_s)
    spans = [(10, 30), (30, 50), (55, 90)]
    waves = list(read_speech(SoundTrack(path), spans, start_s))
    assert [len(wave) for wave in waves] == [640 * (last - first) for first, last in spans]
    for (first, _), wave, clap in zip(spans, waves, claps, strict=False):
        heard = first / 25 + np.abs(wave).argmax() / 16_000
        assert abs(heard - clap) < 0.001
    whole = next(read_speech(SoundTrack(path), [(0, 100)], start_s))
    assert np.array_equal(whole[640 * 10 : 640 * 50], np.concatenate(waves[:2]))
    if sound_s[0] > 0:
        assert not whole[: round((sound_s[0] - 0.002) * 16_000)].any(), "silence before the sound starts"


def test_speech_without_spans_or_beyond_the_end(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", sound_s=(0.0, 1.0))
    assert list(read_speech(SoundTrack(path), [], 0.5)) == []
    first, second = read_speech(SoundTrack(path), [(20, 30), (60, 70)], 0.5)
    assert first.any() and not first[640 * 6 :].any() and not second.any()


def test_upright_turns_and_shrinks(tmp_path: Path) -> None:
    wall = plain(320, 180)
    wall[:90, :160] = 250
    path = record(tmp_path / "a.mp4", scene=lambda time: (wall, []), times=every(25, 0.2), turn=90)
    picture = next(read_pictures(path, upright := Upright(path, longest_px=160)))
    assert picture.shape == (160, 90, 3) and upright.full_px == (180, 320)
    bright = [picture[y, x].mean() > 200 for y, x in ((40, 20), (40, 70), (120, 20), (120, 70))]
    assert bright == [False, False, True, False], "turned a quarter against the clock"


def test_wide_pixels_become_square(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", times=every(25, 0.2))
    assert next(read_pictures(path, Upright(path, pixel_ratio=4 / 3))).shape == (180, 427, 3)


def damage(path: Path, every_nth: int) -> Path:
    """Copy a recording with every n-th packet of its pictures but the first turned to noise."""
    damaged = path.with_name(f"damaged{path.suffix}")
    with av.open(str(path)) as source, av.open(str(damaged), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for n, packet in enumerate(source.demux(video=0)):
            if packet.dts is None:
                continue
            copy = av.Packet(b"\xff" * packet.size if n % every_nth == every_nth - 1 else bytes(packet))
            copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
            copy.is_keyframe, copy.stream = packet.is_keyframe, stream
            out.mux(copy)
    return damaged


def test_few_damaged_pictures_are_passed_over_and_many_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv")
    times = [float(time) for time, _ in decode(damage(path, 40))]
    assert 90 <= len(times) < 100 and max(np.diff(times)) < 0.2
    with pytest.raises(RefusedError, match=r"damaged\.mkv: \d+ of \d+ pictures cannot be decoded"):
        list(decode(damage(path, 3)))


def test_a_square_is_cut_out_and_its_edge_repeated() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30], picture[:, 30:] = (200, 0, 0), (0, 0, 200)
    inside = cut_out(picture, 20, 10, 20, 20)
    assert np.array_equal(inside, picture[10:30, 20:40])
    beyond = cut_out(picture, -10, -10, 80, 16)
    assert beyond.shape == (16, 16, 3)
    assert (beyond[0, 0] == (200, 0, 0)).all() and (beyond[-1, -1] == (0, 0, 200)).all()
    half = cut_out(picture, 0, 0, 40, 20)
    assert (half[:, :13, 0] > 190).all() and (half[:, 17:, 2] > 190).all()


FORMATS = {".mkv": "libx264", ".mp4": "libx264", ".avi": "mpeg4", ".ts": "mpeg2video", ".webm": "libvpx"}


def coded(path: Path, encoder: str, times: list[float]) -> Path:
    """Record a brightening wall with a key picture every 12; times in steps of 10 ms."""
    with av.open(str(path), "w") as out:
        video = out.add_stream(encoder, rate=100, options={"deadline": "realtime", "cpu-used": "8"})
        video.width, video.height, video.pix_fmt, video.gop_size = 64, 48, "yuv420p", 12
        for time in times:
            frame = av.VideoFrame.from_ndarray(plain(64, 48, 20 + round(20 * time) % 200), format="rgb24")
            frame.time_base, frame.pts = Fraction(1, 100), round(100 * time)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


@pytest.mark.parametrize(
    "suffix", [pytest.param(s, marks=[pytest.mark.slow] * (s == ".webm")) for s in FORMATS]
)
def test_a_span_is_what_the_whole_video_has_there(tmp_path: Path, suffix: str) -> None:
    steps = np.random.default_rng(2).choice([1, 2, 4, 7], 250) if suffix != ".avi" else np.full(250, 4)
    path = coded(tmp_path / f"a{suffix}", FORMATS[suffix], list(np.cumsum(steps) / 100))
    whole = [(frame.time, frame.to_ndarray().tobytes()) for frame in read_span(path, 0)]
    assert len(whole) > 150
    for first, last in ((0, 40), (1, 2), (77, 120), (130, 131), (len(whole) - 3, None), (len(whole), None)):
        found = [(frame.time, frame.to_ndarray().tobytes()) for frame in read_span(path, first, last)]
        assert found == whole[first:last], (first, last)


def test_a_span_far_on_is_searched_for(tmp_path: Path) -> None:
    path = coded(tmp_path / "a.mp4", "libx264", [n / 25 for n in range(600)])
    decoded = Counter[str]()
    frames = list(read_span(path, 500, 525, decoded))
    assert len(frames) == 25 and abs(frames[0].time - 20.0) < 0.011 and decoded["whole"] < 100


def test_a_late_span_is_heard_as_in_all_of_the_sound(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mp4", claps_s=[15.2], sound_s=(0.0, 20.0), times=every(5, 20.0))
    source = SoundTrack(path)
    (whole,), (late,) = read_speech(source, [(0, 500)], 0.5), read_speech(source, [(350, 450)], 0.5)
    here = whole[350 * 640 : 450 * 640]
    assert abs(int(np.abs(late).argmax()) - int(np.abs(here).argmax())) <= 1
    # Resampling begins at another sample of the source: up to a third of one of ours apart.
    assert np.abs(late - here).max() < 0.15 and np.abs(late).max() > 0.8


def test_an_extractor_sees_colours_as_opencv_does(tmp_path: Path) -> None:
    red = plain(1280, 64)
    red[..., 0] = 220
    path = record(tmp_path / "a.mkv", scene=lambda time: (red, []), times=every(25, 0.1), sound_s=None)
    (_, frame), *_ = decode(path)
    usual = frame.to_ndarray(format="rgb24")  # FFmpeg's default, which OpenCV leaves as it is
    assert np.array_equal(Upright(path, colours=colours_of_opencv).picture(frame), usual)
    assert np.abs(Upright(path).picture(frame).astype(int) - usual).mean() > 2, "in high definition BT.709"
