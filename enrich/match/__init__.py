"""Recognising the same person or company in two records that share no trusted identifier. All of it pure."""
