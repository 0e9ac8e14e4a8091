"""A local WorkOS: somebody else's system, so it imports nothing of ours."""
