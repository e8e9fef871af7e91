"""Four stages: images → teacher → student → scores. Whose artifacts a stage reads, its parts say."""

import hashlib

from sklearn.datasets import load_digits
from torch import from_numpy, nn, randint, randperm

from rgx.metric import Metric, describe, name_of
from rgx.registry import Recipe, register
from rgx.shares import share_rows
from rgx.stage import Stage, count_parameters
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

from .parts import Augmentation, Loss


@register("stage", "images", label="Images", source="scikit-learn")
class Images(Stage):
    """Pictures (N, 1, 8, 8) and labels: train to learn from, dev to choose by, test for the tables."""

    seeded, sizes = False, {"train": 200, "dev": 400, "test": 1197}

    def parents(self):
        return ()

    def fingerprint(self):
        return hashlib.sha256(load_digits().data.tobytes()).hexdigest()

    def run(self, inputs, workspace, built):
        pixels, labels = map(from_numpy, load_digits(return_X_y=True))
        pictures = pixels.float().view(-1, 1, 8, 8) / 16
        for split, index in zip(self.sizes, randperm(1797).split([*self.sizes.values()]), strict=True):
            workspace.save_arrays({"pictures": pictures[index], "labels": labels[index]}, split)
        return self.sizes


@register("stage", "teacher", label="Teacher")
class Teacher(Stage):
    """A backbone, trained by rgx's own loop: it checkpoints, goes on where it stopped, and stays the same."""

    trains = True

    def __init__(self, backbone: Recipe[nn.Module], loss: Loss, augmentation: Augmentation, training: AdamW):
        self.backbone, self.loss, self.augmentation, self.training = backbone, loss, augmentation, training

    def parents(self):
        return ("images", *self.loss.needs)

    def build(self, parents):
        return self.backbone(10)

    def run(self, inputs, workspace, built):
        images = {n: array.to(workspace.device) for n, array in inputs.arrays("images", "train").items()}

        def losses():
            batch = randint(len(images["labels"]), (self.training.batch,))
            pictures, labels = self.augmentation(images["pictures"][batch]), images["labels"][batch]
            return {"loss": self.loss(share_rows(built)(pictures), labels, pictures, inputs.built)}

        values = fit(built, losses, self.training, workspace)
        workspace.save_network(built)
        return {"parameters": count_parameters(built), **values}


@register("stage", "student", label="Student")
class Student(Teacher):
    """Trained in the same way; a loss that needs the teacher makes it a parent."""


@register("stage", "scores", label="Scores")
class Scores(Stage):
    """Every metric over a split, which a search binds to dev; the answers stay for figures."""

    seeded = False

    def __init__(self, metrics: tuple[Metric, ...], split: str = "test") -> None:
        self.metrics, self.split = metrics, split

    def parents(self):
        return ("images", "student")

    def run(self, inputs, workspace, built):
        images = inputs.arrays("images", self.split)
        answers, labels = inputs.built["student"](images["pictures"]).softmax(-1), images["labels"]
        workspace.save_arrays({"probabilities": answers, "labels": labels})
        scores = {name_of(m): float(m.score(answers.numpy(), labels.numpy())) for m in self.metrics}
        return {"scores": scores, "metrics": {name_of(m): describe(m) for m in self.metrics}}
