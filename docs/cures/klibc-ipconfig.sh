#!/bin/sh
# klibc's ipconfig, and then the kernel is told when the lease is over: klibc-ipconfig.sh eth0
#
# ipconfig configures the address and ends; nobody renews it.  With a lifetime the kernel removes
# it, unless the system's own client has taken it over by then.  A root file system that is on the
# network goes with it: use this where a client follows.
/usr/lib/klibc/bin/ipconfig -t 60 -c dhcp -d "$1" || exit
. "/run/net-$1.conf"
left=${DHCPLEASETIME:?"ipconfig wrote no DHCPLEASETIME"}
if [ "$left" != 4294967295 ]; then # no end
  [ "$left" -gt 4 ] && left=$((left - 4)) || left=1
  own=$(ip -4 -o addr show dev "$1" | while read -r _ _ _ each _; do echo "$each"; break; done)
  ip -4 addr change "$own" dev "$1" valid_lft "$left" preferred_lft "$left"
fi
