"""Lists brought in: kept whole first, then taken row by row, looked at beforehand, and taken back."""
