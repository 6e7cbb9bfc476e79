"""A hook for pyroute2's DHCP client: the kernel is told when the lease is over.

    pyroute2-dhcp-client --hook pyroute2.dhcp.hooks.configure_ip \
        --hook pyroute2_in_time.tell_kernel --hook pyroute2.dhcp.hooks.remove_ip eth0

The kernel removes the address itself then, whatever becomes of the process.  It may do so 2.5 s
late, and the DHCPACK has travelled for a while: so it is told three seconds less.
"""

from pyroute2.dhcp.hooks import Trigger, hook
from pyroute2.iproute.linux import AsyncIPRoute

NO_END = 0xFFFF_FFFF
EARLY = 3


@hook(Trigger.BOUND, Trigger.RENEWED, Trigger.REBOUND)
async def tell_kernel(lease):
    """Give the address the rest of the lease as its lifetime."""
    if lease.lease_time != NO_END:
        left = max(lease.lease_time - EARLY, 1)
        async with AsyncIPRoute() as ipr:
            await ipr.addr(
                "replace",
                index=await ipr.link_lookup(ifname=lease.interface),
                address=lease.ip,
                prefixlen=lease.prefixlen,
                valid_lft=left,
                preferred_lft=left,
            )
