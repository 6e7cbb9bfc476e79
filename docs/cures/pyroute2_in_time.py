"""A hook for pyroute2's DHCP client: the kernel is told when the lease is over.

    pyroute2-dhcp-client --hook pyroute2_in_time.configure_ip \
        --hook pyroute2.dhcp.hooks.remove_ip eth0

In the place of pyroute2's own `configure_ip`, and at renewals as well.  The kernel removes the
address itself then, whatever becomes of the process.  It may do so 2.5 s late, and the DHCPACK has
travelled for a while: so it is told three seconds less.
"""

from pyroute2.dhcp.hooks import Trigger, hook
from pyroute2.dhcp.leases import MissingOptionError
from pyroute2.iproute.linux import AsyncIPRoute

NO_END = 0xFFFF_FFFF
EARLY = 3


@hook(Trigger.BOUND, Trigger.RENEWED, Trigger.REBOUND)
async def configure_ip(lease):
    """Configure the address, with the rest of the lease as its lifetime."""
    try:
        broadcast = lease.broadcast_address
    except MissingOptionError:
        broadcast = None
    left = NO_END if lease.lease_time == NO_END else max(lease.lease_time - EARLY, 1)
    async with AsyncIPRoute() as ipr:
        await ipr.addr(
            "replace",
            index=await ipr.link_lookup(ifname=lease.interface),
            address=lease.ip,
            prefixlen=lease.prefixlen,
            broadcast=broadcast,
            valid_lft=left,
            preferred_lft=left,
        )
