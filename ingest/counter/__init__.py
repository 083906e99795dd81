"""The front desk (counter): visits typed by a person at a desk, or sent by a program of the house."""
