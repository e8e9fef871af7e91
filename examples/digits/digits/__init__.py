"""Small networks that read handwritten digits. A report imports this file and its figures: both light."""

from rgx.methods import Method

METHOD = Method(targets=("scores",), figures=("calibration",))
