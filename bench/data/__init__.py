"""Data that the benches make themselves: synthetic, the same for the same seed."""
