"""A portal's rows as files: CSV and scripts of SQL, out of one database and into another."""
