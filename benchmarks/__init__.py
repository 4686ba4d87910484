"""Benchmarks, side by side with plain Agno in one run: `make bench`, or `python -m benchmarks --help`."""
