"""`python -m opensqt` is `opensqt`."""

from opensqt.cli.main import main

main(prog_name="opensqt")
