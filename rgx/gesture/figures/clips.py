"""Which clip of the corpus a video shows, for the page of a report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rgx.registry import register
from rgx.report.page.captions import Artifact, Caption

BESIDE = "_beside.mp4"
"""How the video stage names a video that shows the real one beside the generated one."""


@register("caption", "clip")
class ClipCaption(Caption):
    """The clip that holds the start of the window a video is named after, as stage and parents tell it."""

    def __init__(self) -> None:
        self.abouts = Abouts()

    def describe(self, file: str, artifact: Artifact) -> str | None:
        """Return the clip and its frame, or the window where no parent knows its clip."""
        window = re.match(r"\d+", file)
        beside = file.endswith(BESIDE)
        if window is None and not beside:
            return None
        shown = file if window is None else self._clip(int(window[0]), artifact)
        return f"{shown}, real beside generated" if beside else shown

    def _clip(self, window: int, artifact: Artifact) -> str:
        starts: Any = self.abouts[artifact.folder].get("starts")
        for parent in artifact.parents:
            try:
                for span in self.abouts[parent].get("spans", ()):
                    within = starts[window] - span["start"]
                    if 0 <= within < span["frames"]:
                        return f"clip {span['name']} from frame {within}"
            except (KeyError, TypeError, IndexError):
                break
        return f"window {window}"


class Abouts(dict[Path, dict[str, Any]]):
    """What artifacts say of themselves by folder, each read once; nothing for one that says nothing."""

    def __missing__(self, folder: Path) -> dict[str, Any]:
        try:
            about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            about = None
        self[folder] = about if isinstance(about, dict) else {}
        return self[folder]
