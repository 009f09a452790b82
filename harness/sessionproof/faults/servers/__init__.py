"""Database servers of our own: started, killed and started again; connections that are cut."""
