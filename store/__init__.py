"""Tables, queries and transactions: one schema on SQLite and PostgreSQL. Decisions live elsewhere."""
