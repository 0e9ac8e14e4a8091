"""What WorkOS says of an object, held against the row that stands for it."""

from user_management.mirror.engine import catalog, compare

SAID = {"id": "invitation_1", "state": "pending", "token": "t0p", "accept_invitation_url": "https://x.example/?t=t0p"}


def test_what_workos_says_by_leaving_it_out() -> None:
    """An organization without `stripe_customer_id` has none, whatever is known here; a fragment says nothing of it."""
    organizations = catalog.by_name("organizations")
    assert organizations is not None
    ours = {"id": "org_1", "name": "A", "stripe_customer_id": "cus_1"}
    assert compare.differing(organizations, ours, {"id": "org_1", "name": "A"}) == ["stripe_customer_id"]
    assert compare.differing(organizations, ours | {"stripe_customer_id": None}, {"id": "org_1", "name": "A"}) == []
    assert compare.differing(organizations, ours, {"id": "org_1"}) == []


def test_a_secret_that_no_event_told_is_no_difference() -> None:
    """An invitation known from an event alone lacks its token, which would not be kept: it equals the one listed."""
    invitations = catalog.by_name("invitations")
    assert invitations is not None
    assert compare.differing(invitations, {"id": "invitation_1", "state": "pending"}, SAID) == []
    assert compare.differing(invitations, {"id": "invitation_1", "state": "revoked"}, SAID) == ["state"]
