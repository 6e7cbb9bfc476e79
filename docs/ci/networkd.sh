#!/bin/sh
# systemd-networkd in the foreground on the interface $1, in a view of files of its own.
# $NETWORKD: which; else the one that was built.
set -e
mount -o remount,ro /sys # so that it does not wait for udev to tell it of links
mkdir -p /run/systemd/network /run/systemd/netif
chown systemd-network: /run/systemd/netif
cat >/run/systemd/network/00-lab.network <<END
[Match]
Name=$1
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
END
SYSTEMD_LOG_TARGET=console exec "${NETWORKD:-build/systemd-networkd}"
