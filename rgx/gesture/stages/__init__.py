"""One short file per stage: the only place that joins rooms and training."""
