"""What a recording's sound and pictures are worth: planted faults are named, and put right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rgx.gesture.prepare.decoding import Upright
from rgx.gesture.prepare.sightings import _examined
from rgx.gesture.prepare.sound import SoundTrack, read_speech
from rgx.gesture.prepare.timing import decode
from rgx.gesture.prepare.tones import HLG, PQ, to_screen
from rgx.gesture.prepare.voice import FLOOR_DB, level_db, listen, remarks, speech_track

AUDIO_HZ, SECONDS = 48_000, 4


def voice(amplitude: float = 0.3) -> np.ndarray:
    """Return a buzz of 120 Hz with formants, in syllables: (S,) float32."""
    time = np.arange(SECONDS * AUDIO_HZ) / AUDIO_HZ
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / (1 + ((120 * k - 600) / 300) ** 2) for k in range(1, 20))
    loud = (np.sin(2 * np.pi * 3 * time) > -0.3) * buzz
    return (amplitude * loud / np.abs(loud).max()).astype(np.float32)


def hiss(amplitude: float) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(SECONDS * AUDIO_HZ)
    return (amplitude * noise).astype(np.float32)


def gradient(width: int = 64, height: int = 48) -> Iterator[np.ndarray]:
    for n in range(SECONDS * 25):
        picture = np.zeros((height, width, 3), np.uint8)
        picture[..., 0], picture[n % height] = np.arange(width), 255
        yield picture


def record(
    path: Path, tracks: Iterable[np.ndarray], pauses: dict[int, int] | None = None, layout: str = "stereo"
) -> Path:
    """Write a video with sound tracks (2, S); pauses: milliseconds in which no picture comes, by frame."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sounds = [out.add_stream("pcm_s16le", rate=AUDIO_HZ, layout=layout) for _ in tracks]
        late = 0
        for n, picture in enumerate(gradient()):
            late += (pauses or {}).get(n, 0)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = 40 * n + late, Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for stream, sound in zip(sounds, tracks, strict=True):
            pcm = (sound.clip(-1, 1) * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(pcm.T).reshape(1, -1), format="s16", layout=layout
            )
            frame.sample_rate, frame.pts = AUDIO_HZ, 0
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


def both(sound: np.ndarray) -> np.ndarray:
    return np.stack([sound, sound])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_track_that_holds_the_voice_is_taken(tmp_path: Path, order: tuple[int, int]) -> None:
    tracks = [both(hiss(0.001)), both(voice())]
    path = record(tmp_path / "a.mkv", [tracks[n] for n in order])
    facts = _examined(path)
    assert facts.sound_track == order.index(1)
    (note,) = (note for note in facts.notes if "sound tracks" in note)
    assert f"2 sound tracks: track {order.index(1) + 1} (" in note and "is taken, not track" in note
    (heard,) = read_speech(SoundTrack(path, facts.sound_track), [(0, 100)], 0.0)
    assert abs(level_db(heard) - level_db(voice())) < 3.5, "a sum of equal channels gains 3 dB"


def test_a_loud_hum_is_not_taken_for_a_quieter_voice(tmp_path: Path) -> None:
    hum = 0.5 * np.sin(2 * np.pi * 50 * np.arange(SECONDS * AUDIO_HZ) / AUDIO_HZ).astype(np.float32)
    path = record(tmp_path / "a.mkv", [both(hum), both(voice(0.2))])
    assert speech_track(listen(path)).track == 1


def test_channels_that_cancel_are_heard_by_one(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", [np.stack([voice(), -voice()])])
    facts = _examined(path)
    assert facts.left_alone and "its channels cancel each other: the left one is taken alone" in facts.notes
    (summed,) = read_speech(SoundTrack(path), [(0, 100)], 0.0)
    (left,) = read_speech(SoundTrack(path, 0, facts.left_alone), [(0, 100)], 0.0)
    assert level_db(summed) < -60 and abs(level_db(left) - level_db(voice())) < 1


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        (voice(0.001), "quiet: the sound is at -7"),
        ((voice() * 20).clip(-1, 1), "of the samples are at full scale"),
        (hiss(0.0003), "hardly any voice"),
    ],
)
def test_what_is_wrong_with_the_sound_is_said(tmp_path: Path, sound: np.ndarray, words: str) -> None:
    (heard,) = listen(record(tmp_path / "a.mkv", [both(sound)]))
    assert words in "; ".join(remarks([heard], heard))


def test_sound_as_it_should_be_says_nothing(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", [both(voice())])
    (heard,) = listen(path)
    assert remarks([heard], heard) == [] and heard.voiced > 0.4
    assert abs(heard.level_db - level_db(voice())) < 0.5 and heard.correlation > 0.99
    assert level_db(np.zeros(5, np.float32)) == FLOOR_DB


def test_holes_in_the_pictures_are_found(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", [both(voice())], {30: 2000, 60: 150, 80: 300})
    holes = _examined(path).holes
    np.testing.assert_allclose(holes, [(1.16, 3.2), (5.31, 5.65)], atol=0.011)
    assert _examined(record(tmp_path / "b.mkv", [both(voice())])).holes == ()


@pytest.mark.parametrize(("transfer", "white", "grey"), [(HLG, 0.75, 0.38), (PQ, 0.5807, 0.3805)])
def test_white_and_grey_cards_of_high_dynamic_range(transfer: int, white: float, grey: float) -> None:
    """Reference white is 75 % of HLG and 58 % of PQ, a grey card of 18 % is 38 % of both (ITU-R BT.2408)."""
    cards = np.round(np.array([white, grey, 0, 1])[:, None, None] * 65535) * np.ones((1, 1, 3))
    screen = to_screen(cards.astype(np.uint16), transfer)[:, 0]
    assert (np.abs(screen[0].astype(int) - 252) <= 3).all()
    assert (np.abs(screen[1].astype(int) - 108) <= 6).all()
    assert not screen[2].any() and (screen[3] == 255).all()


def test_interlaced_pictures_are_of_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg2video", rate=25, options={"flags": "+ilme+ildct"})
        video.width, video.height, video.pix_fmt, video.bit_rate = 64, 64, "yuv420p", 4_000_000
        for n in range(12):
            picture = np.zeros((64, 64, 3), np.uint8)
            picture[0::2, 4 * n : 4 * n + 8] = 255  # the bar half a step later in the lower field
            picture[1::2, 4 * n + 2 : 4 * n + 10] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = n
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    with av.open(str(path)) as container:
        woven = list(container.decode(video=0))
    if not any(frame.interlaced_frame for frame in woven):
        pytest.skip("needs an encoder that marks fields")
    upright = Upright(path)
    times, pictures = zip(
        *((time, upright.picture(frame).copy()) for time, frame in decode(path)), strict=True
    )
    assert len(pictures) == 12 and [round(float(time) * 25) for time in times] == list(range(12))

    def combed(picture: np.ndarray) -> float:
        rows = picture[..., 0].astype(float)
        return float(np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean())

    before = np.mean([combed(frame.to_ndarray(format="rgb24")) for frame in woven])
    assert np.mean([combed(picture) for picture in pictures]) < before / 3
