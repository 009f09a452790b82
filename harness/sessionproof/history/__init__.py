"""What happened: the invocations and completions of concurrent clients, as columns."""
