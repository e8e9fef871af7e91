"""A user study is made: the same scenes for all, balanced, unnamed, of one length and loudness."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from rgx.errors import InputError
from rgx.report import style
from rgx.study.films import read_film, write_film
from rgx.study.kit import make_kit, open_kit
from rgx.study.loudness import RATE_HZ, loudness_lufs
from rgx.study.power import least_difference, ratings_needed
from rgx.study.sessions import plan_sessions, williams
from rgx.study.stimuli import exchanged, with_card
from rgx.study.study_file import StudyFile, read_study

SCENES, RATE, FRAMES, SIZE = [f"{n:04d}" for n in range(6)], 10, 8, 32
STUDY = {
    "name": "little",
    "title": {"en": "Little", "de": "Klein"},
    "consent": {"en": "Yes?", "de": "Ja?"},
    "raters": 6,
    "size_px": SIZE,
    "frames_per_second": RATE,
    "ours": "Beta",
    "conditions": {
        "Recorded": {"folder": "recorded", "label": "GT", "reference": True},
        "Alpha": {"folder": "a"},
        "Beta": {"folder": "b"},
        "Still": {"frozen": "Recorded"},
        "Mixed": {"shuffled": "Recorded"},
    },
    "questions": {
        "mos": {"text": {"en": "How good?", "de": "Wie gut?"}, "sound": "muted", "items": 5, "head": "MOS"},
        "sync": {
            "asks": "matched", "conditions": ["Recorded", "Alpha", "Beta"], "items": 3,
            "text": {"en": "Which?", "de": "Welches?"},
        },
        "pair": {
            "asks": "pair", "conditions": ["Alpha", "Beta"], "items": 2,
            "text": {"en": "Which?", "de": "Welches?"},
        },
    },
    "checks": {"training": 1, "traps": 1, "repeats": 1, "gold": {"Still": [1, 3]}},
}  # fmt: skip


def film(path: Path, shade: int, frames: int = FRAMES, gain: float = 0.1) -> None:
    """Write a few pictures that get lighter, with a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = np.stack([np.full((SIZE, SIZE, 3), shade + 8 * n, np.uint8) for n in range(frames)])
    tone = gain * np.sin(np.arange(RATE_HZ * frames // RATE) * (400 + shade) / RATE_HZ * 2 * np.pi)
    write_film(path, pictures, RATE, tone.astype(np.float32))


def lay_out(folder: Path, study: dict = STUDY) -> Path:
    """Write a study's file and the videos of its three systems."""
    for place, name in enumerate(("recorded", "a", "b")):
        for number, scene in enumerate(SCENES):
            film(folder / name / f"{scene}.mp4", 20 + 30 * place + 5 * number, gain=0.02 * (1 + place))
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def silent(line: str) -> None:
    """Hear what is done, and say nothing."""


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a little study."""
    folder = tmp_path_factory.mktemp("study")
    make_kit(lay_out(folder), folder / "store", folder / "out", silent)
    return folder / "out"


def test_scenes_and_conditions_are_balanced() -> None:
    study = StudyFile.model_validate(STUDY | {"raters": 30})
    sessions = plan_sessions(study, SCENES)
    for question in study.questions:
        own = [[i for i in s if i.question == question and i.role == "proper"] for s in sessions]
        seen = Counter((i.scene, i.condition, i.other) for s in own for i in s)
        assert max(seen.values()) - min(seen.values()) <= 1
        assert all(len({i.scene for i in s}) == len(s) for s in own)
    for session in sessions:
        of = Counter(i.condition for i in session if i.question == "mos" and i.role == "proper")
        assert set(of.values()) == {1} and len(of) == 5
        assert [i.role for i in session].count("trap") == 1
        (repeat,) = [i for i in session if i.role == "repeat"]
        assert any(
            (i.scene, i.condition) == (repeat.scene, repeat.condition) and i != repeat for i in session
        )


def test_a_latin_square_has_every_pair_of_neighbours_equally_often() -> None:
    for count in (2, 4, 5, 7):
        square = williams(count)
        pairs = Counter(pair for row in square for pair in itertools.pairwise(row))
        assert len(pairs) == count * (count - 1) and len(set(pairs.values())) == 1
        assert all(
            sorted(column[:]) == sorted(square[0] * (len(square) // count))
            for column in zip(*square, strict=True)
        )


def test_nothing_a_rater_gets_names_a_condition(kit: Path) -> None:
    key = json.loads((kit / "key.json").read_text())
    names = [*STUDY["conditions"], *SCENES, "trap", "gold", "mismatched", "recorded"]
    for page in (kit / "pages").iterdir():
        text = re.sub(r"base64,[\w+/=]+", "", page.read_text()).split('id="data">')[1].split("</script>")[0]
        assert not [name for name in names if re.search(rf"\b{name}\b", text)]
    assert all(re.fullmatch(r"[0-9a-f]{24}\.mp4", path.name) for path in (kit / "videos").iterdir())
    assert (kit / "key.json").stat().st_mode & 0o077 == 0
    assert len(key["sessions"]) == len(list((kit / "pages").iterdir())) == 6
    assert not [path for path in kit.rglob("*") if path.is_symlink()]


def test_videos_are_of_one_length_size_and_loudness(kit: Path) -> None:
    opened = open_kit(kit)
    sounds = []
    for path in (kit / "videos").iterdir():
        pictures = read_film(path, SIZE, RATE)
        assert pictures.frames.shape == (FRAMES, SIZE, SIZE, 3)
        sounds += [] if pictures.sound is None else [loudness_lufs(pictures.sound)]
    assert np.allclose(sounds, opened.study.loudness_lufs, atol=1.0)
    assert set(opened.key["partners"]) == set(opened.key["partners"].values()) == set(SCENES)
    assert all(scene != other for scene, other in opened.key["partners"].items())


def test_a_full_scale_tone_is_as_loud_as_the_standard_says() -> None:
    tone = np.sin(np.arange(5 * RATE_HZ) * 997 / RATE_HZ * 2 * np.pi)
    assert loudness_lufs(tone) == pytest.approx(-3.01, abs=0.02)
    assert loudness_lufs(np.zeros(RATE_HZ)) == -np.inf


def test_sounds_are_exchanged_in_their_group() -> None:
    partners = exchanged(SCENES, {"she": SCENES[:2]}, 0)
    assert partners[SCENES[0]] == SCENES[1] and partners[SCENES[1]] == SCENES[0]
    assert {partners[scene] for scene in SCENES[2:]} == set(SCENES[2:])
    with pytest.raises(InputError, match="one scene"):
        exchanged(SCENES, {"she": SCENES[:1]}, 0)


def test_a_traps_words_stand_on_its_later_pictures_in_letters_of_each_language() -> None:
    pictures = np.full((10, 64, 64, 3), 200, np.uint8)
    card = with_card(pictures, "Please choose: Good\nBitte wählen Sie: Gut")
    assert (card[:4] == pictures[:4]).all() and (card[4:].mean((1, 2, 3)) < 100).all()
    assert card[4:].max() > 200 and (pictures == 200).all()
    missing = bytes(style.letters(12).getmask("\uffff"))
    assert all(bytes(style.letters(12).getmask(letter)) != missing for letter in "äßñЖλ")


def test_power_is_the_text_books() -> None:
    assert ratings_needed(0.25) == 204 and ratings_needed(0.25, 0.4) == 123
    assert least_difference(203.5) == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ours": "C"}, r"study.yaml:\d+: 'ours' names no condition 'C'"),
        ({"conditions": STUDY["conditions"] | {"Still": {"frozen": "Recrded"}}}, "did you mean 'Recorded'"),
        (
            {"conditions": STUDY["conditions"] | {"Alpha": {"folder": "a", "row": "x:y/z"}}},
            "has row and folder",
        ),
        (
            {"questions": {"mos": STUDY["questions"]["mos"] | {"items": 4}}},
            r"study.yaml:\d+: .*multiple of its 5",
        ),
        (
            {"questions": {"mos": STUDY["questions"]["mos"] | {"text": {"en": "?"}}}},
            "lacks the language 'de'",
        ),
        ({"raterss": 3}, "did you mean 'raters'"),
        (
            {"title": {"xx": "?"}, "consent": {"xx": "?"}, "questions": {"q": {"text": {"xx": "?"}}}},
            "no words in 'xx'",
        ),
    ],
)
def test_a_files_mistakes_are_told_with_their_line(tmp_path: Path, change: dict, said: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY | change, sort_keys=False))
    with pytest.raises(InputError, match=said):
        make_kit(path, tmp_path / "store", tmp_path / "out", silent)
    assert not (tmp_path / "out").exists()


def test_missing_and_unequal_videos_are_told_and_nothing_is_left(tmp_path: Path) -> None:
    path = lay_out(tmp_path)
    (tmp_path / "b" / "0003.mp4").unlink()
    with pytest.raises(InputError, match=r"study.yaml:\d+: condition 'Beta' lacks 0003 of 6 scenes"):
        make_kit(path, tmp_path / "store", tmp_path / "out", silent)
    film(tmp_path / "b" / "0003.mp4", 50, frames=FRAMES + 4)
    with pytest.raises(InputError, match=r"scene 0003: videos of unequal length: .*Beta has 1.20 s"):
        make_kit(path, tmp_path / "store", tmp_path / "out", silent)
    assert {p.name for p in tmp_path.iterdir()} == {"study.yaml", "recorded", "a", "b"}
    with pytest.raises(InputError, match="something already"):
        make_kit(path, tmp_path / "store", tmp_path, silent)


def test_the_shipped_study_is_read() -> None:
    study, _ = read_study(Path(__file__).parents[2] / "studies" / "table2.yaml")
    texts = [question.text["en"] for question in study.questions.values()]
    assert texts[:4] == [
        "How realistic does the video appear?",
        "How diverse does the gesture pattern present?",
        "Are speech and gesture synchronized in this video?",
        "What is your overall evaluation of the video",
    ]
    assert len(plan_sessions(study, [f"{n:04d}" for n in range(24)])) == 24
