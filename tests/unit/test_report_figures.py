"""Figures, published files and hyper-parameters, over a made-up store with records and curves."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from keyed import digest, manifest_of
from safetensors.numpy import save_file
from test_report import METRICS, ROOT

from rgx.errors import InputError
from rgx.gesture.figures.codebook import CodebookUse
from rgx.report import hyperparameters
from rgx.report.definition import load
from rgx.report.figures.base import Material, parameter
from rgx.report.figures.curve import Curve
from rgx.report.figures.extremes import best_and_worst
from rgx.report.figures.graph import artifacts, nearest_parents, ordered
from rgx.report.figures.training import Logged, Training
from rgx.report.gather import Gathered, gather
from rgx.report.panel import Panel
from rgx.report.published import load as load_published
from rgx.report.render import render
from rgx.report.results import MetricFacts
from rgx.report.statistics import Table, TableCell
from rgx.report.style import saved

STEPS = {"full": 5, "ten": 10, "two": 2}
KINDS = ("bars", "beats", "codebook", "curve", "factorial", "graph", "training", "trajectories")


def put(store: Path, stage: str, key: str, **manifest: Any) -> None:
    """Write a manifest."""
    folder = store / stage / key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    content = manifest_of(stage, key, seconds=2.0, **manifest)
    (folder / "manifest.json").write_text(json.dumps(content))


CLIP = {"name": "clip", "speaker": 0, "split": "test", "start": 10, "frames": 100}
"""A test clip of two windows, after ten frames of another clip."""


def put_speech(store: Path) -> dict[str, str]:
    """Write a corpus and its speech, random; returns their keys."""
    random = np.random.default_rng(0)
    arrays = {
        "corpus": {
            "motion": random.normal(size=(110, 123, 2)).astype(np.float32),
            "valid": random.random((110, 123)) < 0.9,
            "waveform": random.normal(size=110 * 640).astype(np.float32),
        },
        "speech": {"onsets": random.random(110) < 0.1},
    }
    keys = {stage: digest(stage) for stage in arrays}
    for stage, key in keys.items():
        put(store, stage, key, record={})
        save_file(arrays[stage], store / stage / key[:16] / "arrays.safetensors")
    other = CLIP | {"name": "other", "split": "train", "start": 0, "frames": 10}
    about = store / "corpus" / keys["corpus"][:16] / "about.json"
    about.write_text(json.dumps({"spans": [other, CLIP]}))
    return keys


def fill(root: Path, panels: list[str], rows: dict[str, int], seeds: int) -> tuple[Path, Path]:
    """Write a store whose rows differ in decoding steps, and a report of it; returns both."""
    store, cells = root / "store", []
    heard = put_speech(store)
    for seed in range(seeds):
        tokenizer = digest(f"tokenizer{seed}")
        quantizer = {"variant": "quantizer/rvq", "codes": 128, "layers": 2}
        put(
            store, "tokenizer", tokenizer,
            record={"variant": "stage/tokenizer", "width": 64, "quantizer": quantizer},
            outputs={f"perplexity_{s}_{n}": 100.0 + n + seed for s in ("body", "face") for n in range(2)},
        )  # fmt: skip
        curve = [{"step": 10.0, "loss": 3.0}, {"step": 20.0, "loss": 2.0}, {"step": 20.0, "loss": 1.0}]
        lines = "\n".join(map(json.dumps, curve))
        (store / "tokenizer" / tokenizer[:16] / "curve.jsonl").write_text(lines + "\n")
        for panel in panels:
            for row, steps in rows.items():
                motion = digest(f"motion{steps}{seed}", {"tokenizer": tokenizer})
                scores = digest(f"scores{steps}{seed}", {"motion": motion})
                decode = {"variant": "decode/iterative", "steps": steps}
                metrics = {"metrics": [{"variant": "metric/one_of_a_very_long_name", "delta": 0.1}]}
                put(
                    store, "motion", motion,
                    record={"variant": "stage/motion", "decode": decode, "quantizer": quantizer} | metrics,
                )  # fmt: skip
                generated = np.random.default_rng(steps).normal(size=(2, 80, 123, 2)).astype(np.float32)
                save_file({"motion": generated}, store / "motion" / motion[:16] / "arrays.safetensors")
                values = {
                    "fgd": 10.0 + steps + seed % 2,
                    "diversity": 13.0 - seed,
                    "pcm": 0.5 + 0.01 * (seed * steps % 4),
                }
                put(
                    store, "motion_scores", scores,
                    outputs={"scores": values, "metrics": METRICS, "references": {"fgd": 0.5}},
                )  # fmt: skip
                stages = heard | {"tokenizer": tokenizer, "motion": motion, "motion_scores": scores}
                cells.append({"panel": panel, "row": row, "seed": seed, "stages": stages})
    (store / "sweeps").mkdir(parents=True)
    record = {"name": "made", "seeds": list(range(seeds)), "rows": cells}
    (store / "sweeps" / "made.json").write_text(json.dumps(record))
    published = {row: {"fgd": float(steps), "mean_opinion": 1.0} for row, steps in rows.items()}
    report = root / "reports" / "made.yaml"
    (report.parent / "published").mkdir(parents=True)
    content: Any = {"source": "A paper.", "panels": {"t": {"rows": published, "note": "Doubtful."}}}
    (report.parent / "published" / "paper.yaml").write_text(yaml.safe_dump(content))
    panel = {
        "caption": "Steps.", "columns": list(METRICS), "ours": next(iter(rows)), "note": "Ours.",
        "pictures": "motion", "published": {"file": "published/paper.yaml", "panel": "t"},
    }  # fmt: skip
    figures = {
        "curve": {"kind": "curve", "panel": panels[0], "stage": "motion", "parameter": "decode/steps"},
        "bars": {"kind": "bars", "panel": panels[0], "columns": ["fgd"], "width": "page"},
        "training": {"kind": "training", "panel": panels[0], "stage": "tokenizer"},
        "codebook": {"kind": "codebook", "panel": panels[0], "caption": "50% of $codes$."},
        "graph": {"kind": "graph"},
        "trajectories": {"kind": "trajectories", "panel": panels[0], "joints": ["nose"]},
        "beats": {"kind": "beats", "panel": panels[0], "window": 1, "rows": [next(iter(rows))]},
        "factorial": {
            "kind": "factorial",
            "panel": panels[0],
            "columns": ["fgd"],
            "factors": {"steps": {"stage": "motion", "parameter": "decode/steps"}},
        },
    }
    data = {"sweep": "sweeps/made.yaml", "panels": dict.fromkeys(panels, panel), "figures": figures}
    report.write_text(yaml.dump(data, Dumper=NoAliases, sort_keys=False))
    return report, store


class NoAliases(yaml.SafeDumper):
    """Writes what is used twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def material(gathered: Gathered) -> Material:
    tables = {table.name: table for table in gathered.panels}
    return Material(gathered.results, gathered.store, tables)


def test_every_kind_is_drawn_as_pdf_and_png(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3f"], STEPS, 3)
    paths = {path.name: path for path in render(report, store, tmp_path / "out")}
    for name in KINDS:
        assert paths[f"{name}.pdf"].read_bytes().startswith(b"%PDF")
        assert paths[f"{name}.png"].read_bytes().startswith(b"\x89PNG")
        assert f"![{name}]({name}.png)" in paths["index.md"].read_text()
    assert int.from_bytes(paths["curve.png"].read_bytes()[16:20]) == int(3.25 * 200)


def test_a_figure_drawn_twice_is_the_same_bytes(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {"full": 5}, 1))
    first, second = (gathered.report.figures["bars"].draw(material(gathered)) for _ in range(2))
    assert first is not None and second is not None and saved(first) == saved(second)


def test_a_curve_shows_what_ran_beside_what_was_published(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], STEPS, 2))
    curve = gathered.report.figures["curve"]
    assert isinstance(curve, Curve)
    assert list(curve.places(material(gathered)).items()) == [("two", 2.0), ("full", 5.0), ("ten", 10.0)]
    drawing = curve.draw(material(gathered))
    assert drawing is not None
    measured, published = drawing.axes[0], drawing.axes[1]
    assert measured.lines[0].get_xydata().tolist() == [[2.0, 12.5], [5.0, 15.5], [10.0, 20.5]]
    assert published.lines[0].get_xydata().tolist() == [[2.0, 2.0], [5.0, 5.0], [10.0, 10.0]]
    assert [axes.get_ylabel() for axes in drawing.axes[::2]] == ["FGD ↓", "Div. →", "PCM ↑"]


def test_bars_show_every_seed_and_the_real(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], STEPS, 3))
    drawing = gathered.report.figures["bars"].draw(material(gathered))
    assert drawing is not None
    axes = drawing.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ten", "two", "full (ours)"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([61 / 3, 37 / 3, 46 / 3])
    dots = [line.get_xdata() for line in axes.lines if line.get_marker() == "."]
    assert [sorted(dot) for dot in dots] == [[20, 20, 21], [12, 12, 13], [15, 15, 16]]
    assert any(list(line.get_xdata()) == [0.5, 0.5] for line in axes.lines)


def many(values: list[float | None], **panel: Any) -> Table:
    """Return a table of one metric, a row a value."""
    rows = {f"row {number}": {"fgd": TableCell(value, n=1)} for number, value in enumerate(values)}
    columns = {"fgd": MetricFacts(label="FGD", direction="down")}
    made = Panel.model_validate({"caption": "C.", "columns": ["fgd"], **panel})
    return Table("p", made, columns, rows, {}, {}, "")


def test_of_many_rows_the_best_and_the_worst_are_shown_by_hand() -> None:
    values = [5.0, 1.0, 9.0, None, 3.0, 7.0, 2.0]
    table = many(values, ours="row 0")
    rows = list(table.rows)
    assert best_and_worst(table, "fgd", rows, 7) == (rows, "")
    assert best_and_worst(table, "fgd", rows, 6) == (
        ["row 1", "row 6", "row 4", "row 0", "row 5", "row 2"],
        "the 6 of 7 rows that have been measured",
    )
    assert best_and_worst(table, "fgd", rows, 4) == (
        ["row 1", "row 6", "row 0", "row 5", "row 2"],
        "the 2 best and the 2 worst of 7 rows by FGD, and row 0 (ours)",
    )


@given(st.lists(st.floats(-9, 9), min_size=5, max_size=40), st.sampled_from(["down", "up", "reference"]))
def test_no_row_left_out_is_better_than_a_best_or_worse_than_a_worst(
    values: list[float], direction: Any
) -> None:
    table = many([*values])
    table.columns["fgd"] = MetricFacts(label="FGD", direction=direction)
    for row, cells in table.rows.items():
        table.rows[row] = {"fgd": replace(cells["fgd"], reference=1.0)}
    costs = {
        row: {"down": value, "up": -value, "reference": abs(value - 1)}[direction]
        for row, value in zip(table.rows, values, strict=True)
    }
    shown = [costs[row] for row in best_and_worst(table, "fgd", list(table.rows), 4)[0]]
    assert shown == sorted(costs.values())[:2] + sorted(costs.values())[-2:]


def test_a_thousand_bars_are_a_few_and_quick(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {f"{number}": number for number in range(1, 41)}, 1))
    drawing = gathered.report.figures["bars"].draw(material(gathered))
    assert drawing is not None
    labels = [label.get_text() for label in drawing.axes[0].get_yticklabels()]
    assert labels == ["1 (ours)", *map(str, [*range(2, 13), *range(29, 41)])]
    assert [text.get_text() for text in drawing.texts] == ["the 12 best and the 12 worst of 40 rows by FGD"]


@pytest.mark.slow
def test_a_row_that_a_figure_asks_for_and_nobody_swept_is_said(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3f"], STEPS, 1)
    report.write_text(report.read_text().replace("rows:\n    - full", "rows:\n    - ful"))
    with pytest.raises(InputError, match="figure of panel 3f: no row 'ful'; did you mean 'full'?"):
        render(report, store, tmp_path / "out")


def test_a_figure_of_a_column_that_nobody_has_is_left_out(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3f"], STEPS, 1)
    content = yaml.safe_load(report.read_text())
    content["figures"] = {name: content["figures"][name] for name in ("bars", "curve")}
    text = yaml.safe_dump(content, sort_keys=False)
    text = text.replace("- pcm\n", "- pcm\n    - opinion\n").replace(
        "- fgd\n    width", "- opinion\n    width"
    )
    report.write_text(text)
    names = {path.name for path in render(report, store, tmp_path / "out")}
    assert "bars.png" not in names and "curve.png" in names


def test_lines_of_the_graph_leave_out_what_goes_by_way_of_another() -> None:
    made: dict[str, dict[str, str]] = {"corpus": {}, "speech": {"corpus": "0"}, "judge": {"corpus": "0"}}
    made["motion"] = {"corpus": "0", "speech": "0", "lost": "0"}
    made["scores"] = {"corpus": "0", "motion": "0", "judge": "0"}
    nodes = {(stage, "0"): {"parents": parents} for stage, parents in made.items()}
    found = {stage: [name for name, _ in nearest_parents((stage, "0"), nodes)] for stage in made}
    assert found == {
        "corpus": [], "speech": ["corpus"], "judge": ["corpus"], "motion": ["speech"],
        "scores": ["motion", "judge"],
    }  # fmt: skip


def test_a_logarithmic_axis_is_labelled_without_formulas(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {"full": 5}, 1))
    drawing = gathered.report.figures["training"].draw(material(gathered))
    assert drawing is not None and drawing.axes[0].get_yscale() == "log"
    said = [label.get_text() for label in drawing.axes[0].get_yticklabels()]
    assert "2" in said and not any("$" in text for text in said)


def test_a_training_curve_keeps_the_last_of_a_repeated_step(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {"full": 5}, 2))
    training = gathered.report.figures["training"]
    assert isinstance(training, Training)
    curves = training.curves(material(gathered))
    assert curves == {"full (ours)": [Logged({"step": [10.0, 20.0], "loss": [3.0, 1.0]})] * 2}
    wrong = training.model_copy(update={"values": ["los"]})
    with pytest.raises(InputError, match="did you mean 'loss'"):
        wrong.draw(material(gathered))


def test_a_training_curve_has_dev_beside_it_and_the_kept_step_marked(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {"full": 5}, 1))
    lines = [
        {"step": 10, "loss": 3.0},
        {"step": 20, "loss": 2.0, "dev_loss": 2.5, "dev_recall": 0.5},
        {"step": 30, "loss": 1.0, "dev_loss": 2.7, "dev_recall": 0.25},
    ]
    (path,) = (tmp_path / "store" / "tokenizer").glob("*/curve.jsonl")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (manifest,) = [m for (stage, _), m in gathered.results.manifests.items() if stage == "tokenizer"]
    manifest["outputs"]["kept_step"] = 20
    drawing = gathered.report.figures["training"].draw(material(gathered))
    assert drawing is not None
    loss, recall = drawing.axes[:2]
    assert [axes.get_title() for axes in (loss, recall)] == ["loss", "dev recall"]
    shown = [(line.get_xdata(), line.get_ydata(), line.get_linestyle()) for line in loss.lines]
    drawn = [([*map(float, x)], [*map(float, y)], style) for x, y, style in shown]
    assert drawn == [
        ([10, 20, 30], [3.0, 2.0, 1.0], "-"),
        ([20, 30], [2.5, 2.7], "--"),
        ([20], [2.5], "None"),
    ]
    assert "dashed: dev" in drawing.texts[0].get_text()


def test_perplexities_are_by_stream_row_and_layer(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {"full": 5}, 2))
    codebook = gathered.report.figures["codebook"]
    assert isinstance(codebook, CodebookUse)
    held = {0: [100.0, 101.0], 1: [101.0, 102.0]}
    assert codebook.perplexities(material(gathered)) == {"body": {"full": held}, "face": {"full": held}}
    assert codebook.sizes(material(gathered)) == {128.0}


def test_the_graph_has_what_rows_share_once_and_parents_first(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3e", "3f"], STEPS, 2))
    nodes = artifacts(material(gathered))
    assert len(gathered.results.sweep.rows) == 12 and len(nodes) == 2 + 2 + 6 + 6
    found = [stage for stage in ordered(dict(reversed(nodes.items()))) if stage not in ("corpus", "speech")]
    assert found == ["tokenizer", "motion", "motion_scores"]


def test_a_figure_of_nothing_measured_is_left_out(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3f"], STEPS, 1)
    for path in store.glob("*/*/manifest.json"):
        path.unlink()
    for path in store.glob("*/*/curve.jsonl"):
        path.unlink()
    paths = {path.name: path for path in render(report, store, tmp_path / "out")}
    assert not {f"{name}.pdf" for name in KINDS} & set(paths) and "hyperparameters.md" not in paths
    assert paths["index.md"].read_text().count("Nothing this figure shows has been measured yet.") == len(
        KINDS
    )


def test_hyperparameters_are_those_of_the_records(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3e", "3f"], STEPS, 2))
    found = hyperparameters.settings(gathered.results, gathered.panels)
    told = {(line.stage, line.part): (line.choice, line.values) for line in found.lines}
    assert told["tokenizer", ""] == ("", "width 64")
    assert told["tokenizer", "quantizer"] == ("rvq", "codes 128, layers 2")
    assert told["motion", "decode"] == ("iterative", "steps 5")
    assert told["motion", "metrics"] == ("one_of_a_very_long_name", "delta 0.1")
    assert told["motion", "quantizer"] == ("rvq", "as for tokenizer")
    assert found.keys["motion"] == f"motion/{digest('motion50')}" and found.missing == []
    assert "codes 128, layers 2" in hyperparameters.markdown(found)
    assert f"% motion: motion/{digest('motion50')}" in hyperparameters.latex(found)


def test_panels_that_set_a_stage_differently_are_told_apart(tmp_path: Path) -> None:
    report, store = fill(tmp_path, ["3e", "3f"], STEPS, 1)
    data = yaml.safe_load(report.read_text())
    data["panels"]["3f"]["ours"] = "ten"
    report.write_text(yaml.safe_dump(data))
    gathered = gather(report, store)
    found = hyperparameters.settings(gathered.results, gathered.panels)
    decodes = {line.stage: line.values for line in found.lines if line.part == "decode"}
    assert decodes == {"motion (3e)": "steps 5", "motion (3f)": "steps 10"}
    assert [line.stage for line in found.lines][:2] == ["tokenizer"] * 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: curve", "kind: curv", "did you mean 'curve'?"),
        ("kind: bars", "", "'figures/bars/kind' is nothing; choose one of: bars, beats, codebook"),
        ("stage: motion\n", "stge: motion\n", "did you mean 'stage'?"),
        ("stage: motion\n", "label: x\n", "'figures/curve/stage' is missing"),
        ("- fgd\n    width", "- fdg\n    width", "'fdg' is not a column of it; did you mean 'fgd'?"),
        ("width: page", "width: wide", "'figures/bars/width' is 'wide'"),
        ("panel: t\n", "panel: u\n", "has no panel 'u'; "),
        ("published/paper", "published/papr", "did you mean 'paper.yaml'?"),
        ("panel: t\n", "panel: t\n      colums: {}\n", "did you mean 'columns'?"),
        ("panel: t\n", "panel: t\n      columns: {pcm: mean_opinio}\n", "did you mean 'mean_opinion'?"),
    ],
)
def test_figures_and_references_are_checked(tmp_path: Path, old: str, new: str, said: str) -> None:
    report, _ = fill(tmp_path, ["3f"], {"full": 5}, 1)
    text = report.read_text()
    assert old in text
    report.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load(report)
    lines = [line for line in str(caught.value).splitlines() if said in line]
    assert lines and lines[0].startswith(f"{report}:")


def test_published_numbers_come_from_their_file(tmp_path: Path) -> None:
    report, _ = fill(tmp_path, ["3f"], STEPS, 1)
    panel = load(report).panels["3f"]
    assert panel.published == {row: {"fgd": float(steps)} for row, steps in STEPS.items()}
    assert (panel.note, panel.published_note, panel.published_source) == ("Ours.", "Doubtful.", "A paper.")
    report.write_text(
        report.read_text().replace("panel: t\n", "panel: t\n      columns: {pcm: mean_opinion}\n")
    )
    assert load(report).panels["3f"].published["two"] == {"fgd": 2.0, "pcm": 1.0}


def test_the_papers_tables_are_whole() -> None:
    files = {path.stem: load_published(path) for path in (ROOT / "reports" / "published").glob("*.yaml")}
    sizes = {
        (stem, name): (len(panel.rows), {len(row) for row in panel.rows.values()})
        for stem, file in files.items()
        for name, panel in file.panels.items()
    }
    assert sizes == {
        ("table1", "main"): (5, {7}),
        ("table2", "user_study"): (5, {4}),
        **{("table3", f"3{letter}"): (4, {3}) for letter in "abcdef"},
    }
    table3, ours = files["table3"].panels, files["table1"].panels["main"].rows["Ours"]
    full = [table3["3b"].rows["+distill"], table3["3c"].rows["full-model"], table3["3e"].rows["Uni. .5-1"]]
    assert full == [table3["3f"].rows["5 iter."]] * 3
    assert table3["3d"].rows["+ heatmap"].items() <= ours.items()
    assert {metric for metric, value in full[0].items() if ours[metric] != value} == {"pcm"}


def test_parameter_errors_offer_the_nearest() -> None:
    record = {"decode": {"variant": "decode/iterative", "steps": 5}, "batch": 64}
    assert parameter(record, "decode/steps", "here") == 5.0
    with pytest.raises(InputError, match="here: .*no 'step'; did you mean 'steps'"):
        parameter(record, "decode/step", "here")
    with pytest.raises(InputError, match="expected a number"):
        parameter(record, "decode/variant", "here")


@pytest.mark.slow
@pytest.mark.parametrize("figures", [True, False], ids=["figures", "no figures"])
def test_a_report_is_quick_and_light(tmp_path: Path, figures: bool) -> None:
    report, store = fill(tmp_path, [f"3{n}" for n in range(6)], STEPS | {"twenty": 20}, 3)
    text = report.read_text()
    report.write_text(text if figures else text[: text.index("figures:")])
    heavy = {"torch", "ray", "pandas", "scipy.stats", *([] if figures else ["matplotlib"])}
    code = (
        "import sys, pathlib, rgx.report.render as r\n"
        "r.render(*map(pathlib.Path, sys.argv[1:]))\n"
        f"assert not {heavy} & set(sys.modules)"
    )
    start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    arguments = [sys.executable, "-c", code, str(report), str(store), str(tmp_path / "out")]
    subprocess.run(arguments, check=True, cwd=ROOT)
    # 24 rows at 3 seeds take 1 s of processor time, 3 s with figures; the bound is for a busy machine.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start < 10
