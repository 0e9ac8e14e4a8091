"""A live, local copy of WorkOS."""
