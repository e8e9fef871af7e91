"""A report as a folder that any browser opens: `index.html`, `provenance.html` and videos, with no server."""
