"""Benchmarks: each a script that runs its peers beside the product and prints ratios. See docs/."""
