"""The doors and their formats: raw bytes in, durable captures out, and one pure parser a format."""
