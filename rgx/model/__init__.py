"""A trained cell outside its store: written as a model folder, and loaded from one."""
