"""What the health of a store on PostgreSQL is made of: server, settings, tables, work under way."""
