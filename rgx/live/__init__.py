"""A page beside a store: what runs, how far each sweep is, curves, logs and tables as they fill."""
