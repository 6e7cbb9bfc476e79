#!/bin/sh
# klibc's ipconfig, and the kernel is told when the lease is over: klibc-ipconfig.sh eth0
#
# ipconfig asks for the lease, configures the address, and ends; nobody renews it.  With -n it does
# not configure what it got, and writes it down.  So the address has a lifetime from the beginning,
# and the kernel removes it, unless the system's own client has taken it over by then.  A root file
# system that is on the network goes with it: use this where a client follows.
/usr/lib/klibc/bin/ipconfig -n -t 60 -c dhcp -d "$1" || exit
. "/run/net-$1.conf"
left=${DHCPLEASETIME:?"ipconfig wrote no DHCPLEASETIME"}
if [ "$left" != 4294967295 ]; then # no end
  [ "$left" -gt 4 ] && left=$((left - 4)) || left=1
fi
ip link set "$1" up
ip -4 addr replace "$IPV4ADDR/$IPV4NETMASK" broadcast "$IPV4BROADCAST" dev "$1" \
  valid_lft "$left" preferred_lft "$left"
[ "$IPV4GATEWAY" = 0.0.0.0 ] || ip -4 route replace default via "$IPV4GATEWAY" dev "$1"
