"""A partition judged: the components that are dealt to it, out of all spools, in order of time.

Theory of operation.  A worker has a monitor of its own and reads all spools, merged by time.  What
concerns its components the monitor observes; of what concerns others it is told what has a bearing
on everybody (`Monitor.overhear`): that time goes on, how long leases are here, and what servers say
of themselves.  So it knows what the one monitor of an audit by one worker would know.

What it does not know: who it is a part of; it takes an order and gives an audit.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from holdover.model.clients.profile import Profile
from holdover.reference.audit.collector import rarely_collected
from holdover.reference.audit.monitor.monitor import Monitor
from holdover.reference.audit.monitor.results import Audit, Premises
from holdover.reference.audit.observations import Coverage, Observation
from holdover.reference.audit.partition.components import Components, Key, deal
from holdover.reference.audit.partition.spool import EVERYBODY, Spooled, SpooledRecord, read_spool
from holdover.reference.core.instants import Instant


@dataclass(frozen=True, slots=True)
class JudgeOrder:
    """What a worker is to judge.

    `owners`: for each spool the partition of each key, by the key's number.  `began`: the first
    instant of all.
    """

    partition: int
    spools: tuple[Spooled, ...]
    owners: tuple[Sequence[int], ...]
    began: Instant | None
    premises: Premises
    profile: Profile | None
    coverage: tuple[Coverage, ...]


@rarely_collected()
def judge(order: JudgeOrder) -> Audit:
    """The audit of one partition."""
    monitor = Monitor(order.premises, order.profile)
    if order.began is not None:
        monitor.overhear(order.began)
    streams = [tag(number, each) for number, each in enumerate(order.spools)]
    for at, spool, record in heapq.merge(*streams, key=itemgetter(0)):
        owners = order.owners[spool]
        if record.number == EVERYBODY or owners[record.number] == order.partition:
            monitor.observe(record.observation)
        else:
            reply: Observation | None = record.observation if record.reply else None
            monitor.overhear(at, reply=reply, lease=record.lease)
    return monitor.finish(order.coverage)


def tag(number: int, spool: Spooled) -> Iterator[tuple[Instant, int, SpooledRecord]]:
    """The records of a spool, with their time and its number."""
    for record in read_spool(spool.path):
        yield record.at, number, record


def deal_out(spools: Sequence[Spooled], partitions: int) -> list[list[int]]:
    """For each spool the partition of each of its keys: what belongs together is in one."""
    whole, sizes = Components(), dict[Key, int]()
    for spool in spools:
        for group in spool.groups:
            whole.join(group)
        for key, count in zip(spool.keys, spool.counts, strict=True):
            sizes[key] = sizes.get(key, 0) + count
    groups = list(whole.groups())
    dealt = deal([sum(sizes[key] for key in group) for group in groups], partitions)
    owner = {
        key: partition for group, partition in zip(groups, dealt, strict=True) for key in group
    }
    return [[owner[key] for key in spool.keys] for spool in spools]
