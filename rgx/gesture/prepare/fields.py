"""Interlaced pictures, two moments in one, to pictures of one moment each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import av

FILTER = "bwdif", "mode=send_frame:deint=interlaced"
"""FFmpeg's weave that follows motion: as many pictures as before; what is marked progressive passes."""


def progressive(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield a stream's frames, from the first interlaced one on through a filter; others are untouched."""
    graph: av.filter.Graph | None = None
    kind: tuple[str, int, int] | None = None
    for frame in frames:
        if frame.interlaced_frame and graph is None and frame.time_base is not None:
            graph, kind = _graph(frame), _kind(frame)
        if graph is None or _kind(frame) != kind:
            yield from _rest(graph)
            graph = None
            yield frame
            continue
        graph.push(frame)
        yield from _pulled(graph)
    yield from _rest(graph)


def _graph(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    weave, sink = graph.add(*FILTER), graph.add("buffersink")
    source.link_to(weave)
    weave.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame


def _rest(graph: av.filter.Graph | None) -> Iterator[av.VideoFrame]:
    """Yield what the filter still holds: it looks at the picture after each."""
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _kind(frame: av.VideoFrame) -> tuple[str, int, int]:
    return frame.format.name, frame.width, frame.height
