"""What Alembic runs: the portal's own connection, or one to ``DATABASE_URL`` from its command."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from sessionproof.portal.engine import address_of, engine_of
from sessionproof.portal.models import Base


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


def _run() -> None:
    given = context.config.attributes.get("connection")
    if given is not None:
        _migrate(given)
        return
    engine = engine_of(address_of(context.config.get_main_option("sqlalchemy.url")))
    with engine.begin() as connection:
        _migrate(connection)
    engine.dispose()


_run()
