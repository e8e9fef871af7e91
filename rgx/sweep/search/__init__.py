"""Numbers searched for: trials are ordinary cells, their values suggested, their scores compared."""
