"""How much of each layer's codebook is used: the perplexity of its codes."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from rgx.registry import register
from rgx.report import style
from rgx.report.figures.base import Material, RowsFigure
from rgx.report.statistics import summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

PERPLEXITY = re.compile(r"perplexity_(.+)_(\d+)")


@register("figure", "codebook")
class CodebookUse(RowsFigure):
    """Perplexity by layer, for some rows of a panel."""

    stage: str = "tokenizer"

    def draw(self, material: Material) -> Drawing | None:
        """Draw a set of axes a stream, a line a row; dashed, the codebook's size where all share one."""
        perplexities = self.perplexities(material)
        if not perplexities:
            return None
        table = self.table(material)
        named = len({row for rows in perplexities.values() for row in rows})
        around = style.Around(named, above=self.picked(material)[1])
        figure, (line,) = style.axes(self.width, 1, len(perplexities), 1.7, around)
        labels: dict[str, int] = {}
        for axes, (stream, rows) in zip(line, perplexities.items(), strict=True):
            for row, layers in rows.items():
                label = style.text(table.label(row) if table else row)
                look = style.line(labels.setdefault(label, len(labels)))
                means = [summarise(layers[layer]) for layer in sorted(layers)]
                axes.errorbar(
                    sorted(layers), [mean for mean, _, _ in means], yerr=[std or 0.0 for _, std, _ in means],
                    label=label, capsize=2, **look,
                )  # fmt: skip
            axes.set_title(style.text(stream.replace("_", " ")))
            axes.set_xlabel("layer")
            axes.set_xticks(sorted({layer for layers in rows.values() for layer in layers}))
        line[0].set_ylabel("perplexity")
        sizes = self.sizes(material)
        for axes in line if len(sizes) == 1 else []:
            axes.axhline(min(sizes), color=style.GREY, linestyle="--")
        for axes in line:
            axes.set_ylim(0, 1.05 * max(axes.dataLim.ymax, 1.0))
        style.legend(figure, line)
        return figure

    def perplexities(self, material: Material) -> dict[str, dict[str, dict[int, list[float]]]]:
        """Return stream → row → layer → the perplexity of each distinct run."""
        perplexities: dict[str, dict[str, dict[int, list[float]]]] = {}
        seen: set[tuple[str, str]] = set()
        for row in material.rows(self.panel, self.picked(material)[0]):
            manifest = material.manifest(row, self.stage)
            if manifest is None or (row.row, manifest["key"]) in seen:
                continue
            seen.add((row.row, manifest["key"]))
            for name, value in manifest["outputs"].items():
                if match := PERPLEXITY.fullmatch(name):
                    rows = perplexities.setdefault(match[1], {})
                    rows.setdefault(row.row, defaultdict(list))[int(match[2])].append(float(value))
        return perplexities

    def sizes(self, material: Material) -> set[float]:
        """Return the codebook sizes that the shown rows' records give."""
        records = [
            (material.manifest(row, self.stage) or {}).get("record", {}).get("quantizer", {})
            for row in material.rows(self.panel, self.picked(material)[0])
        ]
        return {float(record["codes"]) for record in records if "codes" in record}
