"""One file for each client that is measured; `python -m peers.NAME PORT MODEL` prints what it measured."""
