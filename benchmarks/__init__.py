"""Measured ratios against other libraries; `make benchmarks` runs them all."""
