"""The web door: forms as browsers post them, and JSON as programs do."""
