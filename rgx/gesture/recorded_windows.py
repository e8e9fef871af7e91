"""Windows as they were recorded, for systems outside rgx, which know nothing of its features."""

from __future__ import annotations

from collections.abc import Sequence

from rgx.gesture.data.reading import Artifacts
from rgx.gesture.data.windows import window_starts
from rgx.gesture.external.mailbox import Mailbox
from rgx.gesture.external.requests import AskedWindows, SpeechRequest
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES, ClipSpan, Split


class RecordedWindows:
    """The windows of a split with their speech and the pose of the frame before each."""

    def __init__(self, inputs: Artifacts, split: Split) -> None:
        about, arrays = inputs.about("corpus"), inputs.arrays("corpus")
        self.speakers: Sequence[str] = about["speakers"]
        self.spans = [ClipSpan(**span) for span in about["spans"]]
        self.starts, self.clips, _ = window_starts(self.spans, split)
        self.arrays = {name: tensor.numpy() for name, tensor in arrays.items()}

    def asked(self, numbers: Sequence[int], seed: int, mailbox: Mailbox) -> AskedWindows:
        """Return what a generator outside is asked of some windows; seed: what theirs are drawn from."""
        requests = [self._request(number, seed) for number in numbers]
        return AskedWindows(requests, mailbox, self.arrays["mean"], self.arrays["std"])

    def _request(self, number: int, seed: int) -> SpeechRequest:
        span, start = self.spans[int(self.clips[number])], int(self.starts[number])
        heard = slice(start * SAMPLES_PER_FRAME, (start + WINDOW_FRAMES) * SAMPLES_PER_FRAME)
        return SpeechRequest(
            name=f"{number:06d}",
            clip=span.name,
            speaker=self.speakers[span.speaker],
            first_frame=start - span.start,
            seed=(seed + number) % 2**31,
            waveform=self.arrays["waveform"][heard],
            pose=self.arrays["motion"][start - 1] * span.scale_px + span.origin_px,
            valid=self.arrays["valid"][start - 1],
            origin_px=(span.origin_px[0], span.origin_px[1]),
            scale_px=span.scale_px,
        )
