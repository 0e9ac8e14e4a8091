"""What can be done to feature flags, which WorkOS's paths name by their slugs."""

from user_management.services.workos.commands import Command, change
from user_management.services.workos.matching import state

FLAG = ("feature-flags", "{slug}")
TARGET = (*FLAG, "targets", "{target_id}")

enable = change("put", (*FLAG, "enable"), state("enabled", value=True), place=FLAG)
disable = change("put", (*FLAG, "disable"), state("enabled", value=False), place=FLAG)
add_target = Command("post", TARGET, shows=None, repeatable=True)
remove_target = Command("delete", TARGET, shows=None, repeatable=True)
