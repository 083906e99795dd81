"""Mail as a source: the pure parser of one received message and what it needs."""
