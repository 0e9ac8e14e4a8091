"""Everything in one command: a local WorkOS, PostgreSQL, the listener and the API, until Ctrl-C."""
