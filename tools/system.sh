#!/bin/sh
# What the tests need from the system: a browser, a Chinese font, strace, systemd-analyze, a packet filter, an IMAP server, MariaDB, Java and Maven for a real Kafka. Installed where that is allowed.
set -eu
packages=""
command -v chromium >/dev/null || packages="$packages chromium"
command -v mvn >/dev/null || packages="$packages maven"
command -v java >/dev/null || packages="$packages default-jre-headless"
command -v systemd-analyze >/dev/null || packages="$packages systemd"
command -v strace >/dev/null || packages="$packages strace"
[ -x /usr/sbin/dovecot ] || packages="$packages dovecot-imapd"
{ [ -x /usr/sbin/mariadbd ] && command -v my_print_defaults >/dev/null; } || packages="$packages mariadb-server-core mariadb-client-core"
command -v nft >/dev/null || packages="$packages nftables"
fc-list :lang=zh 2>/dev/null | grep -q . || packages="$packages fontconfig fonts-wqy-microhei"
[ -z "$packages" ] && exit 0
command="apt-get update && apt-get install -y --no-install-recommends$packages"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing:$packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    exit 0
fi
echo "The browser and disk tests need:$packages" >&2
echo "Fix (as root): $command" >&2
[ "${CI:-}" != true ]
