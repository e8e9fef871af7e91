"""What systems cost: multiply-adds counted on layers known by hand, and the report's table of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from test_report_figures import STEPS, fill
from torch import Tensor, nn

from rgx.report import budget, hyperparameters
from rgx.report.budget import UNCOUNTED, Budget
from rgx.report.gather import gather
from rgx.store.artifacts import artifact_folder
from rgx.store.runs import read_run
from rgx.train.multiply_adds import count_multiply_adds, training_effort
from rgx.train.optimiser import AdamW

TRANSFORMER = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
LSTM = nn.LSTM(4, 8, 2, batch_first=True, bidirectional=True)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Linear(10, 20), (3, 10), 3 * 10 * 20),
        (nn.Conv1d(4, 6, 3, padding=1), (2, 4, 10), 2 * 10 * 6 * 4 * 3),
        (LSTM, (3, 5, 4), 3 * 5 * 2 * 4 * 8 * (4 + 8 + 16 + 8)),
        (TRANSFORMER, (3, 5, 8), 3 * (5 * (4 * 8 * 8 + 2 * 8 * 16) + 2 * 5 * 5 * 8)),
    ],
)
def test_multiply_adds_are_as_by_hand(layer: nn.Module, shape: tuple[int, ...], expected: int) -> None:
    x = torch.randn(shape)
    with torch.no_grad():
        assert count_multiply_adds(lambda: layer(x)) == expected


def test_counting_a_training_moves_nothing() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.norm = nn.Linear(6, 4), nn.BatchNorm1d(4)

        def losses(self) -> dict[str, Tensor]:
            return {"a": self.norm(self.layer(torch.randn(5, 6))).square().mean(), "b": torch.zeros(())}

    network = Network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    effort = training_effort(network, network.losses, AdamW(steps=7))
    # Forth, and back to the weights: what is given needs no gradient.
    assert effort == {"training_multiply_adds": 7 * 2 * 5 * 6 * 4}
    assert torch.equal(torch.randn(3), expected)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training and all(weights.grad is None for weights in network.parameters())


def test_a_finished_store_says_what_each_training_and_window_took(finished: Path) -> None:
    cell = read_run(finished, "little").rows[-1].stages
    outputs = {
        stage: json.loads((artifact_folder(finished, stage, key) / "manifest.json").read_text())["outputs"]
        for stage, key in cell.items()
    }
    for stage in {"alignment", "tokenizer", "generator", "residual"} & cell.keys():
        assert outputs[stage]["training_multiply_adds"] > 0, stage
    assert outputs["motion"]["sample_multiply_adds"] > 0


def test_a_row_s_budget_is_of_all_it_rests_on(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], STEPS, 2))
    for (stage, _), manifest in gathered.results.manifests.items():
        if stage == "tokenizer":
            manifest["record"]["training"] = {"steps": 200, "batch": 32}
            manifest["outputs"] |= {"parameters": 1_500_000, "training_multiply_adds": 3e12}
        if stage == "motion" and manifest["record"]["decode"]["steps"] != 2:
            steps = manifest["record"]["decode"]["steps"]
            manifest["outputs"] = {"sample_multiply_adds": steps * 1e9, "parameters": 7}
    lines = budget.budgets(gathered.results, gathered.panels, "motion")
    assert lines == [
        Budget("full (ours)", 1_500_000, 6400, 3e12, 5e9),
        Budget("ten", 1_500_000, 6400, 3e12, 1e10),
        Budget("two", 1_500_000, 6400, 3e12, None),
    ]
    assert [line.cells for line in lines][1:] == [
        ["ten", "1.50", "6.4", "3", "10"],
        ["two", "1.50", "6.4", "3", "–"],
    ]
    settings = hyperparameters.settings(gathered.results, gathered.panels, "motion")
    for text in (hyperparameters.markdown(settings), hyperparameters.latex(settings)):
        assert "1.50" in text and UNCOUNTED in text.replace("--", "–")
    assert not hyperparameters.settings(gathered.results, gathered.panels).budgets


def test_what_is_not_in_the_store_has_no_line(tmp_path: Path) -> None:
    gathered = gather(*fill(tmp_path, ["3f"], {"full": 5}, 1))
    assert budget.budgets(gathered.results, gathered.panels, "video") == []
