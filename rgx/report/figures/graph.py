"""The stages a sweep took: what was shared, and how long each ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from rgx.registry import register
from rgx.report import style
from rgx.report.figures.base import Figure, Material
from rgx.report.results import finite

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Node = tuple[str, str]
"""Stage and key: what rows share is one node."""
MANY, TALL = 200, 50
"""Lines that are seen one by one, and dots in a column that have room for their full size."""


@register("figure", "graph")
class StageGraph(Figure):
    """Every artifact of the sweep once, in the column of its stage, its area after its seconds."""

    width: Literal["column", "page"] = "page"

    def draw(self, material: Material) -> Drawing | None:
        """Draw artifacts as dots and what each was made from as lines, unless that goes by way of another."""
        from matplotlib.collections import LineCollection

        nodes = artifacts(material)
        if not nodes:
            return None
        columns = ordered(nodes)
        places = {
            node: (x, (len(group) - 1) / 2 - y)
            for x, group in enumerate(columns.values())
            for y, node in enumerate(group)
        }
        tallest = max(map(len, columns.values()))
        height = min(6.0, max(2.2, 0.1 * tallest + 1.2))
        figure, ((axes,),) = style.axes(self.width, 1, 1, height)
        edges = [(places[parent], places[node]) for node in nodes for parent in nearest_parents(node, nodes)]
        # Of many lines each is fainter, so that they do not run into one surface.
        alpha = max(0.05, min(0.5, MANY / max(1, len(edges))))
        axes.add_collection(LineCollection(edges, colors=style.GREY, linewidths=0.3, alpha=alpha))
        longest = max(_seconds(manifest) for manifest in nodes.values()) or 1.0
        axes.set_xticks(range(len(columns)), [_head(stage, group, nodes) for stage, group in columns.items()])
        for number, group in enumerate(columns.values()):
            x, y = zip(*(places[node] for node in group), strict=True)
            room = min(1.0, TALL / tallest)
            sizes = [room * (4 + 80 * _seconds(nodes[node]) / longest) for node in group]
            axes.scatter(x, y, s=sizes, color=style.colour(number), zorder=2, linewidths=0)
        axes.tick_params(axis="x", rotation=60, length=0)
        for label in axes.get_xticklabels():
            label.set(ha="right", multialignment="right", rotation_mode="anchor")
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.margins(0.06, 0.08)
        return figure


def artifacts(material: Material) -> dict[Node, dict[str, Any]]:
    """Return the manifests of the sweep's finished stages, each once."""
    results = material.results
    needed = dict.fromkeys(node for row in results.sweep.rows for node in row.stages.items())
    return {node: results.manifests[node] for node in needed if node in results.manifests}


def nearest_parents(node: Node, nodes: Mapping[Node, dict[str, Any]]) -> list[Node]:
    """Return what an artifact was made from, less what another of these was itself made from."""
    parents = _parents(node, nodes)
    further = {far for parent in parents for far in _parents(parent, nodes)}
    return [parent for parent in parents if parent not in further]


def ordered(nodes: dict[Node, dict[str, Any]]) -> dict[str, list[Node]]:
    """Return stage → its artifacts; a stage comes after all that any of its artifacts was made from."""
    by_stage: dict[str, list[Node]] = {}
    needs: dict[str, set[str]] = {}
    for node, manifest in nodes.items():
        by_stage.setdefault(node[0], []).append(node)
        needs.setdefault(node[0], set()).update(manifest.get("parents") or {})
    columns: dict[str, list[Node]] = {}
    while len(columns) < len(by_stage):
        waiting = [stage for stage in by_stage if stage not in columns]
        # A stage whose parents are all placed; in a store gone wrong, whichever is first.
        ready = [stage for stage in waiting if not needs[stage] & set(waiting)] or waiting[:1]
        columns |= {stage: by_stage[stage] for stage in ready}
    return columns


def _parents(node: Node, nodes: Mapping[Node, dict[str, Any]]) -> list[Node]:
    return [parent for parent in (nodes[node].get("parents") or {}).items() if parent in nodes]


def _seconds(manifest: dict[str, Any]) -> float:
    return finite(manifest.get("seconds")) or 0.0


def _head(stage: str, artifacts: list[Node], nodes: dict[Node, dict[str, Any]]) -> str:
    total = sum(_seconds(nodes[node]) for node in artifacts)
    return f"{stage.replace('_', ' ')}\n{len(artifacts)} in {total:,.0f} s"
