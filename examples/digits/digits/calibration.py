"""Two metrics over probabilities (N, 10) and labels (N), and a kind of figure that draws the second."""

import numpy as np
from safetensors.numpy import load_file

from rgx import register
from rgx.metric import Metric
from rgx.report import style
from rgx.report.figures.base import RowsFigure


@register("metric", "accuracy", label="Accuracy")
class Accuracy(Metric):
    """The share of pictures whose likeliest digit is the right one."""

    direction, unit, range, decimals = "up", "%", (0.0, 100.0), 1

    def score(self, probabilities, labels):
        return 100 * (probabilities.argmax(1) == labels).mean()


@register("metric", "ece", label="ECE", source="Guo et al. 2017")
class CalibrationError(Metric):
    """Expected calibration error: how far confidence is from accuracy, on average over the pictures."""

    direction, unit, range, decimals = "down", "%", (0.0, 100.0), 1

    def score(self, probabilities, labels):
        confidence, accuracy, share = reliability(probabilities, labels)
        return 100 * share @ abs(confidence - accuracy)


def reliability(probabilities, labels):
    """Return mean confidence, accuracy and share of the pictures in each tenth of confidence that has any."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    tenths = np.minimum(confidence * 10, 9).astype(int)
    members = [tenths == tenth for tenth in np.unique(tenths)]
    return np.array([(confidence[m].mean(), right[m].mean(), m.mean()) for m in members]).T


@register("figure", "reliability")
class Reliability(RowsFigure):
    """A line a row, of its last seed; below the dashed one a network is surer than it is right."""

    def draw(self, material):
        cells = material.rows(self.panel, self.picked(material)[0])
        files = {c.row: path for c in cells if (path := material.held(c, "scores", "arrays.safetensors"))}
        figure, ((axes,),) = style.axes(self.width, 1, 1, 2.2, style.Around(named=len(files)))
        axes.plot([0, 1], [0, 1], color=style.GREY, linestyle="--")
        for number, (row, path) in enumerate(files.items()):
            axes.plot(*reliability(**load_file(path))[:2], label=style.text(row), **style.line(number))
        axes.set(xlabel="confidence", ylabel="accuracy")
        style.legend(figure, [axes])
        return figure if files else None
