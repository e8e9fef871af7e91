"""Keys, manifests, leases and atomic writes."""
