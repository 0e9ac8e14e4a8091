"""What goes with a parent that is deleted: without a word, as nothing says that WorkOS tells of it."""

from user_management.sandbox import (
    api_keys,
    connections,
    directories,
    feature_flags,
    groups,
    invitations,
    organization_domains,
    organization_roles,
)
from user_management.sandbox.store import Store


def organization(store: Store, organization_id: str) -> None:
    """Drop everything an organization had but its memberships."""
    organization_domains.forget(store, organization_id)
    invitations.forget(store, organization_id)
    groups.forget(store, organization_id)
    organization_roles.forget(store, organization_id)
    connections.forget(store, organization_id)
    directories.forget(store, organization_id)
    api_keys.forget(store, "organization_id", organization_id)
    feature_flags.forget(store, organization_id)


def user(store: Store, user_id: str) -> None:
    """Drop everything a user had but memberships and sessions."""
    api_keys.forget(store, "user_id", user_id)
    feature_flags.forget(store, user_id)
