"""Three axes of two variants each. An argument with a default is a hyper-parameter, which gin binds."""

from torch import arange, nn, randint
from torch.nn.functional import cross_entropy, kl_div, pad

from rgx import register


@register("backbone", "mlp", label="MLP")
class MLP(nn.Sequential):
    """One hidden layer over the pixels; `classes` has no default, for the stage supplies it."""

    def __init__(self, classes: int, width: int = 32) -> None:
        super().__init__(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, classes))


@register("backbone", "cnn", label="CNN")
class CNN(nn.Sequential):
    """One convolution, and a layer over the strongest of what it finds in each 2 × 2 pixels."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__(nn.Conv2d(1, width, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.append(nn.Linear(9 * width, classes))


@register("loss", "plain", label="Cross-entropy")
class Loss:
    """Cross-entropy with the labels; `needs` names the stages whose networks a loss asks."""

    needs: tuple[str, ...] = ()

    def __call__(self, logits, labels, pictures, networks):
        return cross_entropy(logits, labels)


@register("loss", "distil", label="Distillation", source="Hinton et al. 2015")
class Distillation(Loss):
    """Also the teacher's answers, softened by a temperature, whose square keeps the size of gradients."""

    needs = ("teacher",)

    def __init__(self, temperature: float = 4.0) -> None:
        self.temperature = temperature

    def __call__(self, logits, labels, pictures, networks):
        answers = logits, networks["teacher"](pictures)
        ours, theirs = ((answer / self.temperature).log_softmax(-1) for answer in answers)
        soft = self.temperature**2 * kl_div(ours, theirs, reduction="batchmean", log_target=True)
        return soft + super().__call__(logits, labels, pictures, networks)


@register("augmentation", "none", label="No augmentation")
class Augmentation:
    """The pictures as they are: an absence is a variant like any other."""

    def __call__(self, pictures):
        return pictures


@register("augmentation", "shift", label="Shift")
class Shift(Augmentation):
    """Each picture moved by up to so many pixels, over black."""

    def __init__(self, pixels: int = 1) -> None:
        self.pixels = pixels

    def __call__(self, pictures):
        windows = pad(pictures, [self.pixels] * 4).unfold(2, 8, 1).unfold(3, 8, 1)
        down, right = randint(2 * self.pixels + 1, (2, len(pictures)))
        return windows[arange(len(pictures)), :, down, right]
