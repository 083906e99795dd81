"""Event contracts of Leadflow: what travels between steps, what a step may answer, and how ids are made.

Imports nothing of ours. Every model is frozen; a change of shape is a new version in the event type.
"""
