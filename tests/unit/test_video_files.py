"""Pictures and speech to mp4 and back, in step; comparisons and strips."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from jpeg_video import write_jpegs

from rgx.errors import InputError
from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from rgx.gesture.video.comparison import BAR_PX, pick, side_by_side
from rgx.gesture.video.files import check_pictures, fit, probe, read_frames, read_speech, write_mp4

MINI = Path(__file__).resolve().parents[2].parent / "shared/data/pats_mini"
needs_mini = pytest.mark.skipif(not MINI.is_dir(), reason="needs ../shared/data/pats_mini, absent here")


def flat(level: int, height: int = 32, width: int | None = None) -> np.ndarray:
    return np.full((height, width or height, 3), level, np.uint8)


def smooth(count: int, size: int = 64) -> list[np.ndarray]:
    """Return pictures of slow colour gradients, which a codec keeps well."""
    y, x = np.mgrid[:size, :size] / size
    waves = [np.stack([x, y, (x + y) / 2], -1) * 150 + 40 + 50 * np.sin(n / 8) for n in range(count)]
    return [wave.astype(np.uint8) for wave in waves]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


CLAPS = (5, 130, 490)


@pytest.fixture(scope="module")
def clapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500 dark frames; a white one and a click begin at the same moment three times."""
    path = tmp_path_factory.mktemp("clap") / "clap.mp4"
    waveform = np.zeros(500 * SAMPLES_PER_FRAME, np.float32)
    waveform[[n * SAMPLES_PER_FRAME for n in CLAPS]] = 1
    write_mp4(path, (flat(255 if n in CLAPS else 16) for n in range(500)), waveform)
    return path


def test_a_clap_is_seen_and_heard_at_once(clapped: Path) -> None:
    light = np.array([frame.mean() for frame in read_frames(clapped, 32)])
    assert tuple(np.flatnonzero(light > 200)) == CLAPS and len(light) == 500
    sound = np.abs(read_speech(clapped, probe(clapped).start_s, 500 * SAMPLES_PER_FRAME))
    for n in CLAPS:
        start = max(0, n * SAMPLES_PER_FRAME - 4000)
        click_s = (start + sound[start : start + 8000].argmax()) / SAMPLE_RATE_HZ
        assert abs(click_s - n / 25) < 0.02


def test_a_clap_is_in_step_by_the_times_in_the_file(clapped: Path) -> None:
    with av.open(str(clapped)) as container:
        flashes = [f.time for f in container.decode(video=0) if f.to_ndarray(format="gray").mean() > 200]
    with av.open(str(clapped)) as container:
        parts = [(f.time, np.abs(f.to_ndarray()[0])) for f in container.decode(audio=0)]
    clicks = [start + part.argmax() / SAMPLE_RATE_HZ for start, part in parts if part.max() > 0.5]
    assert len(flashes) == len(clicks) == 3
    assert np.abs(np.subtract(flashes, clicks)).max() < 0.02


def test_pictures_and_speech_come_back(tmp_path: Path) -> None:
    path, frames = tmp_path / "a.mp4", smooth(30)
    time = np.arange(30 * SAMPLES_PER_FRAME) / SAMPLE_RATE_HZ
    waveform = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    write_mp4(path, frames, waveform)
    found = list(read_frames(path, 64))
    assert [f.shape for f in found] == [(64, 64, 3)] * 30 and found[0].dtype == np.uint8
    assert np.abs(np.stack(found).astype(int) - np.stack(frames)).mean() < 3
    heard = read_speech(path, 0.0, len(waveform))
    assert np.corrcoef(heard[1600:-1600], waveform[1600:-1600])[0, 1] > 0.99


def test_the_file_is_as_promised(clapped: Path) -> None:
    assert probe(clapped) == (32, 32, 500, 0.0), "a corpus can read it"
    with av.open(str(clapped)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", SAMPLE_RATE_HZ, 1)
        assert video.average_rate == 25 and "creation_time" not in container.metadata | video.metadata
        packets = [(p.stream.type, float(p.dts * p.time_base)) for p in container.demux() if p.size]
    content = clapped.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat"), "a browser can start at once"
    # Interleaved: at no place of the file is one stream more than a quarter of a second ahead.
    last = {"video": 0.0, "audio": 0.0}
    for kind, at in packets:
        last[kind] = at
        assert abs(last["video"] - last["audio"]) < 0.25


@pytest.mark.parametrize("colour", [(220, 30, 40), (20, 200, 60), (30, 40, 210)])
def test_colours_keep_their_place(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    path = tmp_path / "c.mp4"
    write_mp4(path, [np.full((32, 32, 3), colour, np.uint8)] * 3)
    assert np.abs(next(read_frames(path, 32)).astype(int) - colour).max() <= 5


def test_the_same_input_gives_the_same_bytes_whatever_lies_in_memory(tmp_path: Path) -> None:
    """Small pictures, many times, over memory in use: left to itself x264 lets what lies there into them."""
    random, dirt, found = np.random.default_rng(0), [b""] * 7, set()
    frames = smooth(20)
    waveform = random.normal(0, 0.1, 20 * SAMPLES_PER_FRAME).astype(np.float32)
    for n in range(20):
        dirt[n % 7] = random.bytes(int(random.integers(100, 100_000)))
        for heard in (None, waveform):
            write_mp4(tmp_path / "a.mp4", frames, heard)
            found.add((heard is None, digest(tmp_path / "a.mp4")))
    assert len(found) == 2


@pytest.mark.parametrize("size", [(33, 47), (32, 31), (1, 1)])
def test_odd_sizes_gain_a_repeated_edge(tmp_path: Path, size: tuple[int, int]) -> None:
    path, frame = tmp_path / "odd.mp4", flat(60, *size)
    frame[-1], frame[:, -1] = 200, 200
    write_mp4(path, [frame] * 3)
    with av.open(str(path)) as container:
        found = next(container.decode(video=0)).to_ndarray(format="gray")
    assert found.shape == tuple(n + n % 2 for n in size)
    assert abs(int(found[-1, -1]) - 200) < 12


@pytest.mark.parametrize("spoken", [0, 5, 40])
def test_speech_ends_with_the_pictures(tmp_path: Path, spoken: int) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(path, smooth(20), np.full(spoken * SAMPLES_PER_FRAME, 0.25, np.float32))
    with av.open(str(path)) as container:
        ends = [float(s.duration * s.time_base) for s in container.streams]
    assert ends == pytest.approx([0.8, 0.8], abs=0.065), "no more than one block of AAC apart"
    heard = np.abs(read_speech(path, 0.0, 20 * SAMPLES_PER_FRAME))
    assert heard[8000:].max() < 0.01 if spoken < 12 else heard[8000:12000].mean() > 0.1


def test_no_speech_no_audio_stream(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", smooth(3))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert len(list(read_frames(tmp_path / "a.mp4", 16))) == 3


def failing(error: BaseException) -> Iterator[np.ndarray]:
    yield from smooth(60)
    raise error


@pytest.mark.parametrize("error", [RuntimeError("no more"), OSError("their disk"), KeyboardInterrupt()])
def test_what_the_frames_raise_passes_and_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        write_mp4(tmp_path / "a.mp4", failing(error), np.zeros(9, np.float32))
    assert caught.value is error and not list(tmp_path.iterdir())


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_mp4(path, smooth(3))
    before = digest(path)
    with pytest.raises(RuntimeError):
        write_mp4(path, failing(RuntimeError()))
    assert digest(path) == before and list(tmp_path.iterdir()) == [path]
    write_mp4(path, smooth(4))
    assert digest(path) != before and list(tmp_path.iterdir()) == [path]


def test_no_frames(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.mp4: no frames to write"):
        write_mp4(tmp_path / "a.mp4", iter([]), np.zeros(9, np.float32))
    assert not list(tmp_path.iterdir())


def test_frames_of_different_sizes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.mp4: frame 2 is 34×32 px, the first is 32×32 px"):
        write_mp4(tmp_path / "a.mp4", [flat(1), flat(2), flat(3, 32, 34)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["VIDEO_ENCODER", "AUDIO_ENCODER"])
def test_a_missing_encoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr(f"rgx.gesture.video.files.{missing}", "h26x")
    with pytest.raises(InputError, match=r"a\.mp4: PyAV .* has no encoder 'h26x'"):
        write_mp4(tmp_path / "a.mp4", failing(AssertionError("rendered in vain")), np.zeros(9, np.float32))
    assert not list(tmp_path.iterdir())


def test_an_output_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    for place, words in (
        ("absent/a.mp4", "No such file or directory"),
        ("file/a.mp4", "Not a directory"),
        ("folder.mp4", "it is a folder"),
    ):
        with pytest.raises(InputError, match=rf"{place}: cannot be written: {words}"):
            write_mp4(tmp_path / place, failing(AssertionError("rendered in vain")))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.mp4"]


@pytest.mark.parametrize("limit", [3_000, 120_000])
def test_a_full_disk_leaves_nothing(tmp_path: Path, limit: int) -> None:
    """A file size limit stands in for the disk: one that is met early, and one met late."""
    code = f"""
import resource, signal, numpy as np
from pathlib import Path
from rgx.errors import InputError
from rgx.gesture.video.files import write_mp4
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
random = np.random.default_rng(0)
try:
    write_mp4(Path("a.mp4"), (random.integers(0, 255, (64, 64, 3), np.uint8) for _ in range(60)))
except InputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "a.mp4: cannot be written: File too large"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("frame", "waveform"),
    [
        (np.zeros((32, 32, 3), np.float32), None),
        (np.zeros((32, 32), np.uint8), None),
        (flat(1), np.zeros((1, 9))),
        (flat(1), np.array([0.0, np.nan])),
    ],
)
def test_arrays_of_another_kind(tmp_path: Path, frame: np.ndarray, waveform: np.ndarray | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        write_mp4(tmp_path / "a.mp4", [frame], waveform)
    assert not list(tmp_path.iterdir())


def test_frames_are_taken_one_at_a_time(tmp_path: Path) -> None:
    """Each frame is encoded before the next is asked for, so that only the codec's own buffer fills."""
    alive: list[int] = []

    class Counted(np.ndarray):
        def __array_finalize__(self, _: object) -> None:
            alive.append(1)

        def __del__(self) -> None:
            alive.pop()

    def frames() -> Iterator[np.ndarray]:
        for n in range(80):
            yield flat(n).view(Counted)
            assert len(alive) < 6

    write_mp4(tmp_path / "a.mp4", frames())


def test_a_smaller_picture_is_the_mean_of_what_it_covers() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    means = frame.reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(fit(frame, 16) - means).max() <= 1
    np.testing.assert_array_equal(fit(frame, 64), frame)
    assert fit(frame, 48).shape == (48, 48, 3)
    assert abs(fit(frame, 48).mean() - frame.mean()) < 1


def test_frames_that_change_size(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_jpegs(path, 64, 64, 32)
    taken = read_frames(path, 16)
    assert [next(taken).shape for _ in range(2)] == [(16, 16, 3)] * 2
    with pytest.raises(InputError, match=r"a\.mp4: frame 2 is 32×32 px, those before 64×64 px"):
        next(taken)


def write_stream(path: Path, *sizes: int) -> None:
    """H.264 as it is streamed, ten pictures of each size after each other with their own key frame."""
    parts = []
    for n, size in enumerate(sizes):
        part = path.with_suffix(f".{n}.ts")
        with av.open(str(part), "w", format="mpegts") as out:
            video = out.add_stream("libx264", rate=25)
            video.width = video.height = size
            for _ in range(10):
                out.mux(video.encode(av.VideoFrame.from_ndarray(flat(90, size), format="rgb24")))
            out.mux(video.encode(None))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))


def test_a_change_of_size_is_told_from_the_key_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_stream(path, 64, 64)
    check_pictures(path)
    assert len(list(read_frames(path, 16))) == 20
    write_stream(path, 64, 64, 32)
    with pytest.raises(InputError, match=r"a\.mp4: the pictures change from 64×64 px to 32×32 px at .* s"):
        check_pictures(path)
    with pytest.raises(InputError, match=r"a\.mp4: frame 20 is 32×32 px"):
        list(read_frames(path, 16))
    write_jpegs(path, 64, 64, 32, 64)
    with pytest.raises(InputError, match=r"from 64×64 px to 32×32 px at 0\.08 s: expected one size"):
        check_pictures(path)


def test_the_size_of_pictures_is_looked_for_once_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, opened = tmp_path / "a.mp4", list[str]()
    write_mp4(path, smooth(3, 32))
    whole = av.open
    monkeypatch.setattr(
        "av.open", lambda file, *how, **more: opened.append(file) or whole(file, *how, **more)
    )
    for _ in range(2):
        check_pictures(path)
    assert opened == [str(path)]
    write_mp4(path, smooth(4, 32))
    opened.clear()
    check_pictures(path)
    assert opened == [str(path)]


def test_a_video_that_is_not_square(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", [flat(1, 32, 64)])
    for look in (check_pictures, lambda path: next(read_frames(path, 32))):
        with pytest.raises(InputError, match=r"a\.mp4: pictures of 64×32 px.*crop"):
            look(tmp_path / "a.mp4")


def test_unreadable_videos(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    for look in (check_pictures, lambda path: next(read_frames(path, 32))):
        for content in (b"", b"text" * 99):
            path.write_bytes(content)
            with pytest.raises(InputError, match=r"a\.mp4: unreadable as a video"):
                look(path)
        with pytest.raises(InputError, match=r"b\.mp4: unreadable as a video: No such file"):
            look(tmp_path / "b.mp4")
    with av.open(str(path), "w", format="mp4") as out:
        sound = out.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        out.mux(sound.encode(None))
    with pytest.raises(InputError, match=r"a\.mp4: (no video stream|unreadable)"):
        next(read_frames(path, 32))


@needs_mini
@pytest.mark.parametrize(
    "clip", ["chem2", *(pytest.param(clip, marks=pytest.mark.slow) for clip in ("oliver4", "seth5"))]
)
def test_real_pictures_survive_a_rewrite(tmp_path: Path, clip: str) -> None:
    source = MINI / "clips" / f"{clip}.mp4"
    video = probe(source)
    frames = list(read_frames(source, 256))
    waveform = read_speech(source, video.start_s, video.frames * SAMPLES_PER_FRAME)
    write_mp4(tmp_path / "copy.mp4", frames, waveform)
    assert probe(tmp_path / "copy.mp4").frames == video.frames == len(frames)
    copied = list(read_frames(tmp_path / "copy.mp4", 256))
    error = np.mean((np.stack(copied).astype(float) - np.stack(frames)) ** 2)
    assert 10 * np.log10(255**2 / error) > 36, "PSNR in dB"
    heard = read_speech(tmp_path / "copy.mp4", 0.0, len(waveform))
    assert np.corrcoef(heard, waveform)[0, 1] > 0.98


def test_videos_side_by_side() -> None:
    frames = list(side_by_side({"real": [flat(9)] * 3, "a long label for it": iter([flat(8, 32, 40)] * 3)}))
    assert [frame.shape for frame in frames] == [(32 + BAR_PX, 72, 3)] * 3
    assert (frames[0][BAR_PX:, :32] == 9).all() and (frames[0][BAR_PX:, 32:] == 8).all()
    for start, stop in ((0, 32), (32, 72)):
        bar = frames[0][:BAR_PX, start:stop]
        assert bar.max() > 150 and np.ptp(bar[:, [0, -1]]) == 0, "text inside its own bar"


@pytest.mark.parametrize(
    ("videos", "words"),
    [
        ({}, "no videos"),
        ({"real": [flat(1)] * 3, "made": [flat(1)] * 2}, "'made' ends after 2 frames"),
        ({"real": [], "made": [flat(1)]}, "'real' ends after 0 frames"),
        ({"real": [flat(1)], "made": [flat(1, 16)]}, "heights of .*'made': 16"),
    ],
)
def test_videos_that_do_not_fit_beside_each_other(videos: dict[str, list[np.ndarray]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        list(side_by_side(videos))


def test_picked_frames_are_evenly_spaced() -> None:
    assert pick(80, 5) == [0, 20, 40, 59, 79]
    assert pick(3, 3) == [0, 1, 2] and pick(9, 1) == [4] and pick(1, 1) == [0]
    assert len(pick(2, 4)) == 4
    for frames, columns in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match="expected 1 or more"):
            pick(frames, columns)
