"""Alembic's entry: runs on the connection it is given, or on a new in-memory database to write a migration."""

from alembic import context
from sqlalchemy import create_engine

config = context.config
connection = config.attributes.get("connection")
options = {
    "target_metadata": config.attributes["metadata"],
    "render_as_batch": True,
    "transaction_per_migration": False,
}
if connection is None:
    with create_engine("sqlite://").connect() as connection:
        context.configure(connection=connection, **options)
        context.run_migrations()
else:
    context.configure(connection=connection, **options)
    context.run_migrations()
