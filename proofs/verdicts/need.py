"""The need of a client by the bound of T3, whether its profile states all or leaves facts open.

Only for facts that are open is a solver asked, and only then is it imported.
"""

from __future__ import annotations

from holdover.model.clients.network import ClientKind
from holdover.model.clients.profile import Environment
from holdover.proofs.verdicts.by_bound import HangsOn, Need, need_of_stated


def judge_by_bound(client: ClientKind, environment: Environment) -> Need:
    """The grace that a kind of client needs; of one left open, that of the worst it may be."""
    if not client.profile.unstated:
        return need_of_stated(client, environment)
    from holdover.proofs.verdicts.unstated import need_of_all

    return need_of_all(client, environment)


def any_grace_hangs_on(client: ClientKind, environment: Environment) -> HangsOn | None:
    """On which unstated facts it hangs whether any grace is enough; None if it is certain."""
    if not client.profile.unstated:
        return None
    from holdover.proofs.verdicts.unstated import any_grace

    return any_grace(client, environment)
