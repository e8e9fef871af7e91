"""Every video metric against cases worked out by hand, a second implementation, or a network that checks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.functional.image import structural_similarity_index_measure
from weight_files import alexnet_state, dover_shapes, empty, linear_state

from rgx.errors import InputError, NotMeasurableError
from rgx.gesture.metrics.base import CHUNK, MotionMetric, SourcePicture, VideoMetric, VideoPair
from rgx.gesture.metrics.dover import DoverAesthetic, DoverAestheticRaw, DoverTechnical, DoverTechnicalRaw
from rgx.gesture.metrics.dover_views import aesthetic_view, fragments, spread, technical_view
from rgx.gesture.metrics.fgd import frechet
from rgx.gesture.metrics.fvd import ReconstructionFVD, VideoFVD
from rgx.gesture.metrics.fvd_random import ReconstructionFVDRandom, VideoFVDRandom
from rgx.gesture.metrics.fvd_videomae import VideoFVDVideoMAE
from rgx.gesture.metrics.hand_confidence import HANDS, VideoHandConfidence
from rgx.gesture.metrics.lpips import ReconstructionLPIPS, ReconstructionLPIPSRandom, shipped
from rgx.gesture.metrics.pixels import (
    ReconstructionHandPSNR,
    ReconstructionHandPSNRGain,
    ReconstructionHandSSIM,
    ReconstructionPSNR,
    ReconstructionPSNRGain,
    ReconstructionSSIM,
    ssim_map,
)
from rgx.gesture.metrics.relative import VideoFlicker, VideoSharpness
from rgx.gesture.nn.efficientnet_lite0 import PACKAGE
from rgx.gesture.nn.weights import fingerprint_of
from rgx.gesture.poses.base import Extractor
from rgx.gesture.poses.mediapipe import MediaPipe
from rgx.gesture.skeleton import POINTS
from rgx.registry import find

FRAMES, SIZE = 12, 24
PIXELS = (ReconstructionPSNR, ReconstructionSSIM, ReconstructionHandPSNR, ReconstructionHandSSIM)
LITE0_INSTALLED = find_spec(PACKAGE) is not None


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def video(frames: int = FRAMES, size: int = SIZE, seed: int = 0) -> Tensor:
    return noise(frames, 3, size, size, seed=seed)


def pair(real: Tensor, generated: Tensor, box: tuple[int, int, int, int] | None = None) -> VideoPair:
    """A window whose hands fill rows and columns box = (top, bottom, left, right) of every frame."""
    hands = torch.zeros(len(real), 1, *real.shape[-2:], dtype=torch.bool)
    if box:
        hands[..., box[0] : box[1], box[2] : box[3]] = True
    return VideoPair(real, generated, hands, SourcePicture(real[:1], (4, 20, 5, 21)))


def scored(metric: VideoMetric, *windows: VideoPair) -> float:
    return metric.score([metric.measure(window) for window in windows])


# PSNR


def test_psnr_of_a_constant_offset_is_twenty_decibels() -> None:
    real = video() * 0.5
    assert scored(ReconstructionPSNR(), pair(real, real + 0.1)) == pytest.approx(20.0, abs=1e-4)
    assert scored(ReconstructionPSNR(), pair(real, real + 0.01)) == pytest.approx(40.0, abs=1e-3)


def test_psnr_is_the_mean_over_frames_not_of_their_error() -> None:
    real = torch.zeros(2, 3, SIZE, SIZE)
    made = real.clone()
    made[0], made[1] = 0.1, 0.01
    other = torch.ones_like(real)
    # 20 and 40 dB in one window, 0 and 0 dB in the other
    assert scored(ReconstructionPSNR(), pair(real, made), pair(real, other)) == pytest.approx(15.0, abs=1e-4)


def test_psnr_of_identical_frames_is_capped() -> None:
    metric = ReconstructionPSNR()
    assert scored(metric, pair(video(), video())) == 100.0
    assert math.isnan(metric.reference([np.array([100.0])]))


def test_hand_psnr_reads_the_box_and_nothing_else() -> None:
    real, box = video() * 0.5, (4, 10, 3, 9)
    made = real.clone()
    made[..., 4:10, 3:9] += 0.1
    inside = scored(ReconstructionHandPSNR(), pair(real, made, box))
    assert inside == pytest.approx(20.0, abs=1e-4)
    made[..., 12:, 12:] = 1.0
    assert scored(ReconstructionHandPSNR(), pair(real, made, box)) == inside
    assert scored(ReconstructionPSNR(), pair(real, made)) < 15


@pytest.mark.parametrize("kind", [ReconstructionHandPSNR, ReconstructionHandSSIM])
def test_frames_without_hands_add_nothing(kind: type[VideoMetric]) -> None:
    real, made, box = video(), video(seed=1), (4, 16, 3, 18)
    some = pair(real, made, box)
    some.hands[::3] = False
    seen = torch.arange(FRAMES) % 3 != 0
    metric = kind()
    measured = metric.measure(some)
    assert measured.shape == (8,) and measured.dtype == np.float64
    assert np.allclose(measured, metric.measure(pair(real[seen], made[seen], box)))
    nothing = metric.measure(pair(real, made))
    assert nothing.shape == (0,)
    assert math.isnan(metric.score([nothing])) and math.isnan(metric.score([]))
    assert metric.score([nothing, measured]) == metric.score([measured])


def test_the_gain_is_over_the_source_frame_in_every_frames_place() -> None:
    real, box = video(), (4, 16, 3, 18)
    made = (real + 0.1 * (video(seed=1) - 0.5)).clamp(0, 1)
    still = real[:1].expand_as(real)
    for gain, plain in (
        (ReconstructionPSNRGain(), ReconstructionPSNR()),
        (ReconstructionHandPSNRGain(), ReconstructionHandPSNR()),
    ):
        expected = plain.measure(pair(real, made, box)) - plain.measure(pair(real, still, box))
        assert np.allclose(gain.measure(pair(real, made, box)), expected)
        assert scored(gain, pair(real, still, box)) == 0
        moved = scored(gain, pair(real[1:], made[1:], box))
        assert moved > 0 > scored(gain, pair(real[1:], 1 - made[1:], box))
    with pytest.raises(ValueError, match="no source picture is at hand"):
        ReconstructionPSNRGain().measure(VideoPair(real, made, torch.zeros(len(real), 1, SIZE, SIZE).bool()))


# Beside the recording


def test_sharpness_is_the_square_of_a_contrast_and_one_for_the_recording() -> None:
    real, metric = video(), VideoSharpness()
    assert scored(metric, pair(real, real)) == 1 == metric.reference([])
    assert scored(metric, pair(real, 0.5 + (real - 0.5) / 2)) == pytest.approx(0.25)
    assert scored(metric, pair(real, F.avg_pool2d(real, 3, 1, 1))) < 0.2
    with pytest.raises(NotMeasurableError, match="all of one grey"):
        scored(metric, pair(real * 0, real))


def test_flicker_is_what_the_next_frame_takes_back() -> None:
    metric, rising = VideoFlicker(), torch.linspace(0, 1, 40)[:, None, None, None].expand(40, 3, SIZE, SIZE)
    assert scored(metric, pair(rising, rising)) == 0, "what goes on takes nothing back"
    blinking = torch.zeros(40, 3, SIZE, SIZE)
    blinking[::2] = 10 / 255
    assert scored(metric, pair(rising, blinking)) == pytest.approx(10, rel=1e-5)
    half = blinking.clone()
    half[..., : SIZE // 2] = 0
    assert scored(metric, pair(rising, half)) == pytest.approx(5, rel=1e-5)
    measured = metric.measure(pair(half, blinking))
    assert metric.reference([measured]) == pytest.approx(5, rel=1e-5)
    once = torch.zeros(40, 3, SIZE, SIZE)
    once[CHUNK] = 1
    assert scored(metric, pair(rising, once)) == pytest.approx(255 / 38, rel=1e-5), "over the end of a chunk"


# SSIM


def slow_ssim(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """SSIM of pictures (H, W), a window at a time, wherever one lies inside them."""
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    weight = np.outer(line, line) / line.sum() ** 2
    first, second = (x.astype(np.float64) for x in (one, two))
    found = np.empty((one.shape[0] - 10, one.shape[1] - 10))
    for y, x in np.ndindex(found.shape):
        a, b = first[y : y + 11, x : x + 11], second[y : y + 11, x : x + 11]
        mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
        var_a, var_b = (weight * (a - mean_a) ** 2).sum(), (weight * (b - mean_b) ** 2).sum()
        cov = (weight * (a - mean_a) * (b - mean_b)).sum()
        luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
        found[y, x] = luminance * (2 * cov + 0.03**2) / (var_a + var_b + 0.03**2)
    return found


def test_ssim_is_that_of_a_slow_loop_over_windows() -> None:
    real = video(2, 20)
    made = (real + 0.3 * (video(2, 20, seed=1) - 0.5)).clamp(0, 1)
    maps = np.array(
        [
            [slow_ssim(a.numpy(), b.numpy()) for a, b in zip(*f, strict=True)]
            for f in zip(real, made, strict=True)
        ]
    )
    whole = ReconstructionSSIM().measure(pair(real, made))
    assert np.allclose(whole, maps.mean((1, 2, 3)), atol=1e-4)
    hands = ReconstructionHandSSIM().measure(pair(real, made, (2, 9, 5, 17)))
    assert np.allclose(hands, maps[..., 0:4, 0:10].mean((1, 2, 3)), atol=1e-4), "the box within the border"
    assert abs(hands - whole).min() > 1e-3
    assert not len(ReconstructionHandSSIM().measure(pair(real, made, (0, 5, 0, 20)))), "a box in the border"


@pytest.mark.parametrize("size", [(64, 64), (33, 12)])
def test_ssim_is_torchmetrics_in_float64(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    real = torch.rand(3, 3, *size)
    real[1] = 0.25  # flat, where rounding is all there is
    made = (real + 0.2 * torch.rand(3, 3, *size)).clamp(0, 1)
    _, full = structural_similarity_index_measure(
        made.double(), real.double(), sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )
    inner = full.mean(1)[:, 5:-5, 5:-5]
    assert (ssim_map(pair(real, made)) - inner).abs().max() < 1e-9


def test_psnr_and_ssim_are_scikit_image_s() -> None:
    theirs = pytest.importorskip("skimage.metrics", reason="a second implementation, where it is installed")
    real = video(3, 32).double()
    made = (real + 0.3 * (video(3, 32, seed=1) - 0.5)).clamp(0, 1)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    similar, decibels = (
        kind().measure(pair(real, made)) for kind in (ReconstructionSSIM, ReconstructionPSNR)
    )
    for one, two, mean, decibel in zip(real.numpy(), made.numpy(), similar, decibels, strict=True):
        assert mean == pytest.approx(
            theirs.structural_similarity(one, two, channel_axis=0, **window), abs=1e-9
        )
        assert decibel == pytest.approx(theirs.peak_signal_noise_ratio(one, two, data_range=1.0), rel=1e-6)


def test_what_two_metrics_read_is_worked_out_once() -> None:
    window, count = pair(video(), video(seed=1), (2, 9, 5, 17)), 0

    def quantity(of: VideoPair) -> Tensor:
        nonlocal count
        count += 1
        return of.real

    assert window.once(quantity) is window.once(quantity) and count == 1
    assert window.chunks is window.chunks
    for metric in PIXELS:
        alone = metric().measure(pair(video(), video(seed=1), (2, 9, 5, 17)))
        assert np.array_equal(metric().measure(window), alone)


def test_ssim_of_real_frames_is_one_and_falls_with_noise() -> None:
    real, metric = video(), ReconstructionSSIM()
    assert scored(metric, pair(real, real)) == pytest.approx(1.0, abs=1e-5) == metric.reference([])
    levels = [
        scored(metric, pair(real, (real + s * (video(seed=1) - 0.5)).clamp(0, 1))) for s in (0.1, 0.3, 0.9)
    ]
    assert 1 > levels[0] > levels[1] > levels[2] > -1


def test_hand_ssim_changes_only_with_what_windows_at_its_pixels_see() -> None:
    real, box = video(2, 40), (5, 12, 5, 12)
    made = (real + 0.2 * (video(2, 40, seed=1) - 0.5)).clamp(0, 1)
    before = scored(ReconstructionHandSSIM(), pair(real, made, box))
    made[..., 17:, 17:] = 0
    assert scored(ReconstructionHandSSIM(), pair(real, made, box)) == pytest.approx(before, abs=1e-6)
    made[..., 5:12, 5:12] = 0
    assert scored(ReconstructionHandSSIM(), pair(real, made, box)) < before - 0.1


@pytest.mark.parametrize("kind", [*PIXELS, ReconstructionLPIPSRandom])
def test_frames_are_measured_in_chunks_with_the_same_result(
    kind: type[VideoMetric], monkeypatch: pytest.MonkeyPatch
) -> None:
    metric: Any = kind()
    metric.prepare("cpu")
    whole = pair(video(40), video(40, seed=1), (4, 16, 3, 18))
    sizes: list[int] = []
    each = metric.frames
    monkeypatch.setattr(metric, "frames", lambda p: sizes.append(len(p.real)) or each(p))
    measured = metric.measure(whole)
    assert sizes == [16, 16, 8] and CHUNK == 16
    assert np.allclose(measured, each(whole).double().numpy(), rtol=1e-5, atol=1e-6)


def test_frames_of_other_shapes_are_not_broadcast() -> None:
    with pytest.raises(ValueError, match="frames differ"):
        ReconstructionPSNR().measure(pair(video(), video(1)))


# LPIPS


@pytest.fixture(scope="module")
def alexnet() -> dict[str, Tensor]:
    return alexnet_state()


@pytest.fixture(scope="module")
def backbone(alexnet: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("alexnet") / "alexnet.pth"
    torch.save(alexnet, path)
    return str(path)


def torchvision_alexnet(state: dict[str, Tensor]) -> nn.Sequential:
    """The `features` of torchvision's AlexNet, written out from its documentation."""
    conv, relu, pool = nn.Conv2d, nn.ReLU, nn.MaxPool2d
    features = nn.Sequential(
        conv(3, 64, 11, stride=4, padding=2), relu(), pool(3, 2),
        conv(64, 192, 5, padding=2), relu(), pool(3, 2),
        conv(192, 384, 3, padding=1), relu(),
        conv(384, 256, 3, padding=1), relu(),
        conv(256, 256, 3, padding=1), relu(), pool(3, 2),
    )  # fmt: skip
    features.load_state_dict({k.removeprefix("features."): v for k, v in state.items() if "features" in k})
    return features


def prepared(metric: Any) -> Any:
    metric.prepare("cpu")
    return metric


def test_lpips_is_torchmetrics_own_on_the_same_backbone(
    alexnet: dict[str, Tensor], backbone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchmetrics.functional.image import lpips as theirs

    monkeypatch.setattr(
        theirs, "_get_tv_model_features", lambda net, pretrained: torchvision_alexnet(alexnet)
    )
    second = theirs._NoTrainLpips(net="alex", pretrained=True)
    real, made = video(20, 64), video(20, 64, seed=1)
    with torch.no_grad():
        expected = second(real * 2 - 1, made * 2 - 1).flatten().double().numpy()
    found = prepared(ReconstructionLPIPS(backbone=backbone)).measure(pair(real, made))
    assert found.shape == (20,) and expected.min() > 0.01
    assert np.allclose(found, expected, rtol=1e-4)


def test_lpips_is_zhangs_formula_with_given_linear_weights(
    alexnet: dict[str, Tensor], backbone: str, tmp_path: Path
) -> None:
    linear = linear_state()
    torch.save(linear, tmp_path / "linear.pth")
    real, made = video(2, 64), video(2, 64, seed=1)
    shift, scale = (torch.tensor(v)[:, None, None] for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    expected = np.zeros(2)
    one, two = ((2 * x - 1 - shift) / scale for x in (real, made))
    layer = 0
    for module in torchvision_alexnet(alexnet):
        one, two = module(one).detach(), module(two).detach()
        if isinstance(module, nn.ReLU):
            gap = (F.normalize(one, dim=1) - F.normalize(two, dim=1)) ** 2
            weighed = gap * linear[f"lin{layer}.model.1.weight"]
            expected += weighed.sum(1).mean((1, 2)).numpy()
            layer += 1
    metric = prepared(ReconstructionLPIPS(backbone=backbone, linear=str(tmp_path / "linear.pth")))
    assert np.allclose(metric.measure(pair(real, made)), expected, rtol=1e-4)


@pytest.mark.parametrize("kind", [ReconstructionLPIPS, ReconstructionLPIPSRandom])
def test_lpips_is_zero_for_equal_frames_symmetric_and_grows(
    kind: Callable[..., VideoMetric], backbone: str
) -> None:
    metric = prepared(kind(backbone) if kind is ReconstructionLPIPS else kind())
    real, made = video(3, 48), video(3, 48, seed=1)
    assert scored(metric, pair(real, real)) == 0.0 == metric.reference([])
    assert scored(metric, pair(real, made)) == pytest.approx(scored(metric, pair(made, real)), rel=1e-5)
    levels = [scored(metric, pair(real, real.lerp(made, share))) for share in (0.1, 0.4, 1.0)]
    assert 0 < levels[0] < levels[1] < levels[2]


def test_files_of_torchvision_and_lpips_names_and_shapes(alexnet: dict[str, Tensor]) -> None:
    """As torchvision 0.28 and lpips 0.1.4 were seen to name them; what torchmetrics carries is lpips' own."""
    names = [*(f"features.{n}" for n in (0, 3, 6, 8, 10)), *(f"classifier.{n}" for n in (1, 4, 6))]
    assert list(alexnet) == [f"{name}.{kind}" for name in names for kind in ("weight", "bias")]
    assert sum(tensor.numel() for tensor in alexnet.values()) == 61_100_840
    ours = torch.load(shipped(), weights_only=True, map_location="cpu")
    expected = linear_state()
    assert list(ours) == list(expected) == [f"lin{n}.model.1.weight" for n in range(5)]
    assert [ours[name].shape for name in ours] == [expected[name].shape for name in ours]
    assert all((weight >= 0).all() and weight.any() for weight in ours.values())


def test_the_state_of_the_whole_lpips_module_has_its_linear_weights(
    backbone: str, alexnet: dict[str, Tensor], tmp_path: Path
) -> None:
    linear = linear_state()
    whole = {f"lins.{name.removeprefix('lin')}": weight for name, weight in linear.items()} | linear
    whole |= {
        "net.slice1.0.weight": alexnet["features.0.weight"],
        "scaling_layer.shift": torch.zeros(1, 3, 1, 1),
    }
    torch.save(whole, tmp_path / "all.pth")
    torch.save(linear, tmp_path / "alex.pth", _use_new_zipfile_serialization=False)
    found = [prepared(ReconstructionLPIPS(backbone, str(tmp_path / f"{n}.pth"))) for n in ("all", "alex")]
    window = pair(video(2, 48), video(2, 48, seed=1))
    assert scored(found[0], window) == scored(found[1], window) > 0


def test_linear_weights_of_another_network_are_refused(backbone: str, tmp_path: Path) -> None:
    torch.save(linear_state("vgg"), tmp_path / "vgg.pth")
    words = r"vgg\.pth: 'lin1\.model\.1\.weight' has shape \(1, 128, 1, 1\), expected \(1, 192, 1, 1\)"
    with torch.device("meta"), pytest.raises(InputError, match=words):
        ReconstructionLPIPS(backbone, str(tmp_path / "vgg.pth")).fingerprint()


def test_lpips_checks_both_files_while_planning(
    backbone: str, alexnet: dict[str, Tensor], tmp_path: Path
) -> None:
    with torch.device("meta"):
        known = ReconstructionLPIPS(backbone=backbone).fingerprint()
    first, second = known.split()
    assert first == fingerprint_of(backbone) and len(second) == 64 and second != first
    broken = str(tmp_path / "alexnet.pth")
    torch.save(alexnet | {"features.3.weight": torch.zeros(192, 64, 3, 3)}, broken)
    shapes = r"'features\.3\.weight' has shape \(192, 64, 3, 3\), expected \(192, 64, 5, 5\)"
    for ask in (ReconstructionLPIPS(broken).fingerprint, lambda: ReconstructionLPIPS(broken).prepare("cpu")):
        with pytest.raises(InputError, match=shapes):
            ask()
    with pytest.raises(
        InputError, match=r"alexnet\.pth: lacks 5 of 5 weights, such as 'lin0\.model\.1\.weight'"
    ):
        ReconstructionLPIPS(backbone, linear=broken).fingerprint()


def test_random_lpips_is_decided_by_its_seed() -> None:
    window = pair(video(2), video(2, seed=1))
    one, same, other = (scored(prepared(ReconstructionLPIPSRandom(seed=s)), window) for s in (3, 3, 4))
    assert one == same != other
    assert ReconstructionLPIPSRandom().fingerprint() == ""
    with pytest.raises(InputError, match=r"reconstruction_lpips_random\.width = 0"):
        ReconstructionLPIPSRandom(width=0)


# FVD


class TinyI3D(nn.Module):
    """I3D's signature; refuses any other size, range or arguments, and tells mean colours and motion."""

    def __init__(self, logits: int) -> None:
        super().__init__()
        self.logits = logits

    def forward(
        self, x: Tensor, rescale: bool = True, resize: bool = True, return_features: bool = False
    ) -> Tensor:
        assert not rescale and not resize and return_features
        assert x.size(0) == 1 and x.size(1) == 3 and x.size(2) >= 10
        assert x.size(3) == 224 and x.size(4) == 224
        assert float(x.min()) < -0.9 and float(x.max()) > 0.9 and float(x.abs().max()) <= 1.0
        found = torch.zeros(1, self.logits)
        found[0, :3] = x.mean(dim=[0, 2, 3, 4])
        found[0, 3] = (x[:, :, 1:] - x[:, :, :-1]).abs().mean()
        return found


def scripted(module: nn.Module, path: Path) -> str:
    torch.jit.save(torch.jit.script(module), path)
    return str(path)


@pytest.fixture(scope="module")
def i3d(tmp_path_factory: pytest.TempPathFactory) -> str:
    return scripted(TinyI3D(400), tmp_path_factory.mktemp("i3d") / "i3d.pt")


def clip(brightness: float, frames: int = 12) -> Tensor:
    """A video with black and white corners and else one brightness."""
    made = torch.full((frames, 3, 32, 32), brightness)
    made[..., :4, :4], made[..., -4:, -4:] = 0.0, 1.0
    return made


@pytest.mark.parametrize("kind", [ReconstructionFVD, VideoFVD])
def test_fvd_of_a_scripted_network_by_hand(kind: Callable[..., VideoMetric], i3d: str) -> None:
    metric = prepared(kind(network=i3d))
    assert metric.read_as == "I3D as TorchScript"
    assert metric.fingerprint() == hashlib.sha256(Path(i3d).read_bytes()).hexdigest()
    measured = [metric.measure(pair(clip(b), clip(b + 0.1))) for b in (0.3, 0.4, 0.5, 0.6)]
    assert all(m.shape == (800,) and m.dtype == np.float64 for m in measured)
    # brightness fills all but the corners: 0.2 in [−1, 1] over that share, in three channels
    real, made = np.split(np.stack(measured), 2, axis=1)
    share = 1 - 2 * 16 / 32**2
    assert np.allclose((made - real)[:, :3], 0.2 * share, atol=2e-3)
    assert metric.score(measured) == pytest.approx(3 * (0.2 * share) ** 2, rel=0.03)


def test_fvd_moves_with_planted_gaussians_and_not_for_equal_sets() -> None:
    metric, draw = VideoFVDRandom(), np.random.default_rng(0)
    centred = draw.normal(size=(200, 4))
    unit, _ = np.linalg.qr(centred - centred.mean(0))
    unit *= np.sqrt(199)
    a, b, shift = (
        np.array([1.0, 2.0, 3.0, 0.5]),
        np.array([2.0, 2.0, 1.0, 0.5]),
        np.array([0.0, 3.0, 0.0, 4.0]),
    )
    measured = list(np.concatenate([unit * a, unit * b + shift], axis=1))
    assert metric.score(measured) == pytest.approx(25 + np.sum((a - b) ** 2))
    same = list(np.concatenate([unit * a, (unit * a)[::-1]], axis=1))
    assert abs(metric.score(same)) < 1e-9
    random, found = np.random.default_rng(0), []
    for _ in range(10):
        half = (unit * a)[random.permutation(200)]
        found.append(frechet(half[:100], half[100:]))
    assert metric.reference(measured) == pytest.approx(np.mean(found))
    other = VideoFVDRandom(seed=1)
    assert 0 < other.reference(measured) != metric.reference(measured)
    assert math.isnan(metric.reference(measured[:3])) and math.isfinite(metric.reference(measured[:4]))


@pytest.mark.parametrize("kind", [ReconstructionFVDRandom, VideoFVDRandom])
def test_random_fvd_tells_videos_apart_and_is_decided_by_its_seed(kind: Callable[..., VideoMetric]) -> None:
    metric = prepared(kind(width=8))
    windows = [video(16, 32, seed=s) * 0.5 for s in range(6)]
    same = [metric.measure(pair(v, v)) for v in windows]
    assert all(m.shape == (16,) and m.dtype == np.float64 for m in same)
    assert abs(metric.score(same)) < 1e-9 < metric.reference(same)
    dark = [metric.measure(pair(v, v * 0.5)) for v in windows]
    still = [metric.measure(pair(v, v[:1].expand_as(v))) for v in windows]
    assert metric.score(dark) > 1e-4 and metric.score(still) > 1e-4
    again, other = (prepared(kind(width=8, seed=s)).measure(pair(windows[0], windows[0])) for s in (0, 1))
    assert np.array_equal(again, same[0]) and not np.allclose(other, same[0])
    assert prepared(kind()).measure(pair(video(), video())).shape == (64,)
    assert metric.fingerprint() == ""


def test_random_fvd_sees_frames_out_of_order_as_half_its_filters_see_change_only() -> None:
    metric = prepared(VideoFVDRandom())
    place = torch.linspace(0, 6, 40)
    pictures = torch.sin(place[:, None] + torch.linspace(0, 6, 32))[:, None, None].expand(40, 3, 32, 32)
    smooth = pictures * 0.4 + 0.5
    mixed = smooth[torch.randperm(40, generator=torch.Generator().manual_seed(0))]
    real, made = np.split(metric.measure(pair(smooth, mixed)), 2)
    assert np.linalg.norm(made - real) > 0.1 * np.linalg.norm(real)
    seen = F.conv3d(smooth[:1].expand(8, 3, 32, 32).transpose(0, 1)[None], metric._layers[0])[0]
    assert seen[::2].abs().max() < 1e-5 and (seen[1::2].abs().amax((1, 2, 3)) > 1e-2).all()


@pytest.mark.parametrize("kind", [ReconstructionFVDRandom, VideoFVD])
def test_fvd_needs_ten_frames(kind: type[VideoMetric], i3d: str) -> None:
    metric = prepared(VideoFVD(i3d) if kind is VideoFVD else kind())
    assert metric.measure(pair(clip(0.5, frames=10), clip(0.5, frames=10))).size
    with pytest.raises(ValueError, match="at least 10 frames, found 9"):
        metric.measure(pair(clip(0.5, frames=9), clip(0.5, frames=9)))


def test_another_network_is_not_i3d(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"relu\.pt: .*rescale, resize, return_features"):
        VideoFVD(scripted(nn.ReLU(), tmp_path / "relu.pt")).fingerprint()
    wide = prepared(VideoFVD(scripted(TinyI3D(10), tmp_path / "ten.pt")))
    with pytest.raises(InputError, match=r"ten\.pt: expected 400 logits, found shape \(1, 10\)"):
        wide.measure(pair(clip(0.5), clip(0.5)))
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(InputError, match=r"text\.pt: expected plain tensors.*; nor is it a network in Torch"):
        VideoFVD(str(tmp_path / "text.pt")).fingerprint()
    with pytest.raises(InputError, match=r"width = 0"):
        VideoFVDRandom(width=0)


class TinyVideoMAE(nn.Module):
    """The mean of a video of 16 frames, and the brightness of the last, in two of 1,408 features."""

    def forward(self, video: Tensor) -> Tensor:
        assert list(video.shape) == [1, 3, 16, 224, 224]
        assert float(video.min()) > -1e-6 and float(video.max()) < 1 + 1e-6
        features = torch.zeros(1, 1408)
        features[0, 0], features[0, 1] = video.mean(), video[0, 0, -1, 112, 112]
        return features


def test_content_debiased_fvd_takes_each_sixteen_frames_for_a_video() -> None:
    metric = VideoFVDVideoMAE()
    metric._network = TinyVideoMAE()
    bright = torch.linspace(0, 1, 40)[:, None, None, None].expand(40, 3, 24, 24)
    measured = metric.measure(pair(bright, 1 - bright))
    real, generated = metric.sides([measured, measured])
    assert real.shape == generated.shape == (4, 1408)
    assert real[:2, 1] == pytest.approx([15 / 39, 31 / 39], abs=1e-6), "the last eight are not seen"
    assert generated[:2, 1] == pytest.approx([24 / 39, 8 / 39], abs=1e-6)
    assert real[:2, 0] == pytest.approx([7.5 / 39, 23.5 / 39], abs=1e-5)
    assert metric.score([measured, measured]) > 0
    assert "80 windows are fewer than the 1408" in metric.remarks(16)[0] and not metric.remarks(282)
    with pytest.raises(ValueError, match="at least 16 frames, found 15"):
        metric.measure(pair(bright[:15], bright[:15]))


# DOVER


class TinyDover(nn.Module):
    """Checks both views; its aesthetic score is the first view's mean, its technical the second's, mapped."""

    def forward(self, aesthetic: Tensor, technical: Tensor) -> tuple[Tensor, Tensor]:
        assert list(aesthetic.shape) == [1, 3, 32, 224, 224] and list(technical.shape) == [3, 3, 32, 224, 224]
        for view in (aesthetic, technical):
            assert float(view.min()) < -1.0 and float(view.max()) > 1.0
        return aesthetic.mean().reshape(1, 1), technical.mean(dim=1)


class OneScore(nn.Module):
    """Gives one score where two are expected."""

    def forward(self, aesthetic: Tensor, technical: Tensor) -> Tensor:
        return torch.zeros(1, 2)


class KnownDover(nn.Module):
    """Raw scores: aesthetic 0.05 for dark and −0.08285 for bright videos, technical 0.1107 and 0.2."""

    def forward(self, aesthetic: Tensor, technical: Tensor) -> tuple[Tensor, Tensor]:
        if float(aesthetic.mean()) < 0:
            return torch.tensor([0.05]), torch.tensor([0.1107])
        return torch.tensor([-0.08285]), torch.tensor([0.2])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_dover_is_calibrated_by_hand_in_the_order_aesthetic_technical(tmp_path: Path) -> None:
    path = scripted(KnownDover(), tmp_path / "dover.pt")
    dark, bright = video(80, 32) * 0.2, 1 - video(80, 32) * 0.2
    aesthetic, technical = prepared(DoverAesthetic(path)), prepared(DoverTechnical(path))
    found, other = (metric.measure(pair(bright, dark)) for metric in (aesthetic, technical))
    assert found == pytest.approx([0.05, -0.08285])
    a = 100 * sigmoid((0.05 + 0.08285) / 0.03774)
    assert aesthetic.score([found]) == pytest.approx(a, rel=1e-5)
    assert technical.score([other]) == pytest.approx(50.0, abs=1e-4)
    assert aesthetic.reference([found]) == pytest.approx(50.0, abs=1e-4)
    t = 100 * sigmoid((0.2 - 0.1107) / 0.07355)
    assert technical.reference([other]) == pytest.approx(t, rel=1e-5)
    # over windows, calibrated scores are averaged, not raw ones
    assert aesthetic.score([np.array([0.05, 0.0]), np.array([-0.08285, 0.0])]) == pytest.approx((a + 50) / 2)
    moved = DoverAesthetic(path, centre=0.1253, spread=0.0318)
    assert moved.score([np.array([0.1253, 0.0])]) == pytest.approx(50.0)
    assert [aesthetic.score([np.array([x, 0.0])]) for x in (-1e4, 1e4)] == pytest.approx([0.0, 100.0])


class CountedPair(VideoPair):
    """A pair that counts what was worked out of it."""

    def once(self, quantity: Callable[[VideoPair], Tensor]) -> Tensor:
        asked.append(quantity in self._known)
        return super().once(quantity)


asked: list[bool] = []
"""Of each question whether its answer was there."""


def test_raw_scores_stand_beside_calibrated_ones_and_are_worked_out_once(tmp_path: Path) -> None:
    path = scripted(KnownDover(), tmp_path / "dover.pt")
    dark, bright = video(80, 32) * 0.2, 1 - video(80, 32) * 0.2
    kinds = (DoverAesthetic, DoverAestheticRaw, DoverTechnical, DoverTechnicalRaw)
    metrics = [prepared(kind(path)) for kind in kinds]
    window = CountedPair(bright, dark, torch.zeros(80, 1, 32, 32, dtype=torch.bool))
    asked.clear()
    measured = [metric.measure(window) for metric in metrics]
    assert asked == [False, True, True, True]
    raw = [metric.score([each]) for metric, each in zip(metrics, measured, strict=True)][1::2]
    assert raw == pytest.approx([0.05, 0.1107])
    assert [metrics[n].reference([measured[n]]) for n in (1, 3)] == pytest.approx([-0.08285, 0.2])
    assert {metric.read_as for metric in metrics} == {"weights as TorchScript"}
    # Another seed sees other fragments.
    prepared(DoverAesthetic(path, seed=1)).measure(window)
    assert asked[-1] is False


def test_the_published_file_is_dover(tmp_path: Path) -> None:
    torch.save(empty(dover_shapes()), tmp_path / "DOVER.pth")
    metric = prepared(DoverTechnicalRaw(str(tmp_path / "DOVER.pth")))
    assert metric.read_as == "weights of DOVER.pth"
    assert metric.fingerprint() == fingerprint_of(str(tmp_path / "DOVER.pth"))


def test_dover_networks_see_normalised_views_and_maps_are_averaged(tmp_path: Path) -> None:
    path = scripted(TinyDover(), tmp_path / "dover.pt")
    window = pair(video(80, 48), video(80, 48, seed=1))
    for metric in (DoverAesthetic(path), DoverTechnical(path)):
        with torch.device("meta"):
            assert metric.fingerprint() == fingerprint_of(path)
        metric.prepare("cpu")
        raw = metric.measure(window)
        # uniform noise has mean 0.5 in each channel
        middle = sum((0.5 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))) / 3
        assert raw == pytest.approx([middle, middle], abs=0.05) and raw[0] != raw[1]
    wrong = prepared(DoverAesthetic(scripted(OneScore(), tmp_path / "one.pt")))
    with pytest.raises(InputError, match=r"one\.pt: expected aesthetic and technical score, found 1"):
        wrong.measure(window)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (256, 256), (300, 500)])
def test_fragments_lie_in_their_cells_and_follow_the_seed(height: int, width: int) -> None:
    def drawn_fragments(seed: int) -> tuple[np.ndarray, np.ndarray]:
        return fragments((height, width), np.random.default_rng(seed))

    tops, lefts = drawn_fragments(3)
    again = drawn_fragments(3)
    assert np.array_equal(tops, again[0]) and np.array_equal(lefts, again[1])
    for found, side, index in ((tops, height, np.arange(7)[:, None]), (lefts, width, np.arange(7))):
        cell = side // 7
        assert found.shape == (7, 7)
        assert (found >= index * cell).all() and (found + 32 <= (index + 1) * cell).all()
        assert found.max() + 32 <= side
    if height > 224:
        assert not np.array_equal(tops, drawn_fragments(4)[0])
        starts = {drawn_fragments(s)[0][0, 0] for s in range(100)}
        assert starts == set(range(height // 7 - 32 + 1))


def test_frames_are_spread_as_dover_spreads_them() -> None:
    random = np.random.default_rng(0)
    # Of 80 frames a third has 26: each clip begins with its third, and the last goes on at the start.
    first, _, last = spread(80, 3, 32, random).tolist()
    assert first == list(range(0, 64, 2)) and last == [*range(52, 80, 2), *range(0, 36, 2)]
    # Of 300 a third has 100, 36 more than a clip spans.
    for part, clip in enumerate(spread(300, 3, 32, random).tolist()):
        assert 100 * part <= clip[0] < 100 * part + 36 and clip == list(range(clip[0], clip[0] + 64, 2))
    starts = {int(spread(300, 3, 32, np.random.default_rng(seed))[0, 0]) for seed in range(300)}
    assert starts == set(range(36))


def test_the_technical_view_is_made_of_unscaled_pieces_of_three_clips() -> None:
    x, y = torch.arange(256.0), torch.arange(256.0)
    real = torch.stack(
        [
            torch.stack([x.expand(256, 256), y[:, None].expand(256, 256), torch.full((256, 256), float(t))])
            for t in range(80)
        ]
    )
    views = technical_view(real, seed=5)
    assert views.shape == (3, 32, 3, 224, 224)
    assert views[:, 0, 2, 0, 0].tolist() == [0, 26, 52]
    corners = []
    for view in views:
        assert (view[:, 2] == view[:, 2, :1, :1]).all() and (view[:, :2] == view[:1, :2]).all()
        for row, column in np.ndindex(7, 7):
            piece = view[0, :, 32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
            left, top = int(piece[0, 0, 0]), int(piece[1, 0, 0])
            assert 36 * column <= left <= 36 * column + 4 and 36 * row <= top <= 36 * row + 4
            assert piece[0, 0].tolist() == list(range(left, left + 32))
            assert piece[1, :, 0].tolist() == list(range(top, top + 32))
            corners.append((top, left))
    assert corners[:49] != corners[49:98], "each clip has fragments of its own"
    assert torch.equal(views, technical_view(real, seed=5))
    assert not torch.equal(views, technical_view(real, seed=6))
    assert technical_view(real[:20, :, :40, :64], seed=5).shape == (3, 32, 3, 224, 224)


def test_the_aesthetic_view_is_the_whole_picture_over_the_window() -> None:
    real = torch.arange(160.0)[:, None, None, None].expand(160, 3, 32, 32)
    view = aesthetic_view(real[:80], seed=0)
    assert view.shape == (32, 3, 224, 224)
    assert view[:, 0, 0, 0].tolist() == pytest.approx(list(range(0, 64, 2)))
    # A part of five frames is three more than it needs.
    found = aesthetic_view(real, seed=0)[:, 0, 0, 0] - 5 * torch.arange(32)
    assert set(found.tolist()) == {0, 1, 2}
    with pytest.raises(ValueError, match="needs 32 frames, found 31"):
        aesthetic_view(real[:31], seed=0)


# Hand confidence


class Brightness(Extractor):
    """Finds two people whose hand points are as sure as a picture is bright; the first is half as sure."""

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for frame in frames:
            people = np.zeros((2, POINTS, 3), np.float32)
            people[0, HANDS, 2] = frame.mean() / 510
            people[1, HANDS, 2] = frame.mean() / 255
            yield people if frame.any() else people[:0]


def test_hand_confidence_is_the_mean_over_frames_of_the_surest_person() -> None:
    metric = VideoHandConfidence(Brightness())
    real, generated = torch.full((4, 3, 8, 8), 0.8), torch.full((4, 3, 8, 8), 0.4)
    generated[0] = 0  # nobody is found there
    measured = [metric.measure(pair(real, generated)), metric.measure(pair(real, real))]
    assert metric.score(measured) == pytest.approx((0.75 * 0.4 + 0.8) / 2)
    assert metric.reference(measured) == pytest.approx(0.8)


# All of them

ROSTER = {
    "reconstruction_psnr": ("PSNR", "up", False),
    "reconstruction_psnr_gain": ("PSNR gain", "up", False),
    "reconstruction_hand_psnr_gain": ("PSNR gain (hands)", "up", False),
    "reconstruction_ssim": ("SSIM", "up", False),
    "reconstruction_hand_psnr": ("PSNR (hands)", "up", False),
    "reconstruction_hand_ssim": ("SSIM (hands)", "up", False),
    "reconstruction_lpips": ("LPIPS", "down", False),
    "reconstruction_lpips_random": ("LPIPS-random", "down", True),
    "reconstruction_fvd": ("FVD", "down", False),
    "reconstruction_fvd_random": ("FVD-random", "down", True),
    "reconstruction_lpips_lite0": ("LPIPS-lite0", "down", True),
    "reconstruction_fid_lite0": ("FID-lite0", "down", True),
    "reconstruction_fvd_lite0": ("FVD-lite0", "down", True),
    "reconstruction_identity_lite0": ("ID-lite0", "up", True),
    "reconstruction_sharpness": ("Sharpness", "reference", False),
    "reconstruction_flicker": ("Flicker", "reference", False),
    "video_fid_lite0": ("FID-lite0", "down", True),
    "video_fvd_lite0": ("FVD-lite0", "down", True),
    "video_identity_lite0": ("ID-lite0", "up", True),
    "video_sharpness": ("Sharpness", "reference", False),
    "video_flicker": ("Flicker", "reference", False),
    "video_fvd": ("FVD", "down", False),
    "video_fvd_random": ("FVD-random", "down", True),
    "video_dover_aesthetic": ("VQA_A", "up", False),
    "video_dover_technical": ("VQA_T", "up", False),
    "video_hand_confidence": ("HKC", "up", False),
    "video_dover_aesthetic_raw": ("VQA_A raw", "up", False),
    "video_dover_technical_raw": ("VQA_T raw", "up", False),
    "reconstruction_fvd_videomae": ("CD-FVD", "down", False),
    "video_fvd_videomae": ("CD-FVD", "down", False),
}
PARTS = {"video_hand_confidence": {"poses": MediaPipe()}}
WEIGHTS = {
    "reconstruction_lpips": ("backbone", "AlexNet"),
    "reconstruction_fvd": ("network", "I3D"),
    "video_fvd": ("network", "I3D"),
    "video_dover_aesthetic": ("network", "DOVER"),
    "video_dover_technical": ("network", "DOVER"),
    "video_dover_aesthetic_raw": ("network", "DOVER"),
    "video_dover_technical_raw": ("network", "DOVER"),
    "reconstruction_fvd_videomae": ("network", "VideoMAE"),
    "video_fvd_videomae": ("network", "VideoMAE"),
}


@pytest.mark.parametrize("name", ROSTER)
def test_every_video_metric_says_how_to_read_it(name: str) -> None:
    variant = find("metric", name)
    label, direction, stand_in = ROSTER[name]
    with torch.device("meta"):
        metric = variant.cls(**PARTS.get(name, {}))
    assert isinstance(metric, VideoMetric) and not isinstance(metric, MotionMetric) and not variant.shapes
    assert (variant.label, metric.direction, metric.stand_in) == (label, direction, stand_in)
    protocol = {"reconstruction": "self-reconstruction, ", "video": "speech-driven, "}[name.split("_")[0]]
    assert metric.protocol.startswith(protocol)
    assert metric.unit == ("dB" if "psnr" in name else "")
    assert ("resize" in metric.protocol) or ("bilinear" in metric.protocol)
    assert getattr(metric, "name", name) == name


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_missing_path_names_the_weights_where_and_what_else(name: str) -> None:
    parameter, weights = WEIGHTS[name]
    metric = find("metric", name).cls()
    otherwise = rf"metric/{name}_random" if f"{name}_random" in ROSTER else "leave the metric out"
    for ask in (metric.fingerprint, lambda: metric.prepare("cpu")):
        with pytest.raises(InputError, match=rf"metric\.{name}\.{parameter} = ''.*{weights}.*{otherwise}"):
            ask()
    with pytest.raises(InputError, match=r"absent\.pt: expected a file"):
        find("metric", name).cls("absent.pt").fingerprint()


@pytest.mark.parametrize(
    "name", [n for n in ROSTER if any(x in n for x in ("lpips", "fvd", "dover", "lite0"))]
)
def test_prepare_comes_first(name: str) -> None:
    with pytest.raises(RuntimeError, match=r"prepare\(device\) comes before measure"):
        find("metric", name).cls().measure(pair(video(80), video(80)))


@pytest.mark.parametrize("name", [n for n in ROSTER if n not in {*WEIGHTS, *PARTS}])
def test_a_window_of_eighty_frames_leaves_the_random_state_alone(name: str) -> None:
    if name.endswith("lite0") and not LITE0_INSTALLED:
        pytest.skip("needs the extra perceptual")
    metric = prepared(find("metric", name).cls())
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    measured = metric.measure(pair(video(80), video(80, seed=1), (2, 9, 2, 9)))
    assert measured.ndim == 1 and measured.dtype == np.float64 and np.isfinite(measured).all()
    assert torch.equal(torch.random.get_rng_state(), before)
    low, high = metric.range
    assert low <= metric.score([measured, measured * 0.99]) <= high
