"""A folder laid out as PATS, with planted motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HEAD = "dataset,delta_time,end_time,interval_id,speaker,start_time,video_fn,video_link\n"


def write_interval(
    path: Path, seconds: float = 6.0, mel_seconds: float | None = None, joints: int = 52
) -> None:
    """Write an h5 whose neck moves 30 px a second to the right; the other joints stand around it."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    frames = round(seconds * 15)
    pose = np.zeros((frames, 2, joints))
    pose[:, 0, 0], pose[:, 1, 0] = 300 + 2 * np.arange(frames), 200
    pose[:, 0, 1:], pose[:, 1, 1:] = np.arange(1, joints) - 4, 10 * np.arange(1, joints)
    with h5py.File(path, "w") as file:
        file["pose/data"] = pose.reshape(frames, -1)
        file["audio/log_mel_400"] = np.tile(
            np.arange(round((mel_seconds or seconds) * 100))[:, None], (1, 64)
        )


def write_folder(folder: Path, clips: int = 10, speakers: tuple[str, ...] = ("oliver",)) -> Path:
    lines = []
    for number, speaker in enumerate(speakers):
        for k in range(clips):
            name = f"cmu{number}{k:05d}"
            write_interval(folder / "processed" / speaker / f"{name}.h5")
            times = f"2019-09-26 00:00:{k:02d}.500000001", f"2019-09-26 00:00:{k + 6:02d}.5"
            listed = "test" if k == clips - 1 else "train"
            lines.append(
                f"{listed},6.0,{times[1]},{name},{speaker},{times[0]},video{k // 2},https://example.org"
            )
    (folder / "cmu_intervals_df.csv").write_text(HEAD + "\n".join(lines) + "\n")
    return folder
