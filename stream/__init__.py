"""The durable path: logs, sealing, the stage host and timers. Knows events, not what they mean."""
