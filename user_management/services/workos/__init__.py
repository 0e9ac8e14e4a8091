"""WorkOS, over its Python SDK; nothing else in the project imports the SDK."""
