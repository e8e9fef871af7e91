"""`python -m rgx`."""

from rgx.cli import main

main()
