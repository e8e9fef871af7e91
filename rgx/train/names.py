"""The names of held-out numbers in training curves and among a stage's facts."""

DEV = "dev_"
"""What the name of a held-out number begins with."""
KEPT = "kept_step"
"""The step of which a network was left."""
