"""Leadflow: take every lead, lose none, recognise the customer, give them one owner, say why."""

__version__ = "0.1.0"
