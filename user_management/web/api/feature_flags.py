"""Feature flags are switched at WorkOS, for everybody or for some; the copy shows what WorkOS answers."""

from user_management.mirror.feature_flags import resource
from user_management.services.workos.commands import feature_flags
from user_management.web.api.writes import Write

EITHER = "The `id` may be the flag's slug."
TARGET = "/{id}/targets/{target_id}"

WRITES = (
    *(
        Write(resource, None, command, f"/{{id}}/{verb}", verb, method=method, by_slug=True, told=EITHER)
        for method in ("POST", "")
        for verb, command in (("enable", feature_flags.enable), ("disable", feature_flags.disable))
    ),
    Write(resource, None, feature_flags.add_target, TARGET, "add_target_to", by_slug=True, told=EITHER),
    Write(resource, None, feature_flags.remove_target, TARGET, "remove_target_from", by_slug=True, told=EITHER),
)
