#!/bin/sh
# Homes behind routers that translate addresses, as namespaces of the kernel; nobody else is on their networks.
#
#   unshare --net sh homes.sh ROUTER…      a home for each: port-restricted, or symmetric
#
# Outside, where this runs, 10.9.0.1 is everybody's to reach. Home N has 192.168.N.2 behind 10.9.N.2. One JSON line:
#   {"event":"homes","0":PID,"1":PID}    processes in the homes, for nsenter --net --target PID
# Ends, and all of it with it, when it is told to. Needs iproute2, nftables and util-linux.
set -eu
processes=
trap 'kill $processes' EXIT
trap 'exit 0' TERM INT

own=$(readlink /proc/$$/ns/net)
# Starts a process with a network of its own; its id is in $started.
network() {
    unshare --net sleep 3600 &
    started=$!
    processes="$processes $started"
    until [ "$(readlink /proc/$started/ns/net)" != "$own" ]; do sleep 0.01; done
}

ip link set lo up
ip address add 10.9.0.1/32 dev lo
echo 1 >/proc/sys/net/ipv4/ip_forward
number=0
homes=
for kind in "$@"; do
    number=$((number + 1))
    case $kind in
    port-restricted) mapping= ;;
    symmetric) mapping=fully-random ;;
    *) echo "no such router: $kind" >&2 && exit 64 ;;
    esac
    network && router=$started
    network && home=$started
    ip link add "out$number" type veth peer name wan netns "$router"
    ip address add "10.9.$number.1/24" dev "out$number"
    ip link set "out$number" up
    # What nobody asked for is dropped before it is remembered, so that it takes no port that somebody inside may want.
    nsenter --net --target "$router" sh -e <<ROUTER
        ip link set lo up
        ip address add 10.9.$number.2/24 dev wan
        ip link set wan up
        ip link add lan type veth peer name eth0 netns $home
        ip address add 192.168.$number.1/24 dev lan
        ip link set lan up
        ip route add default via 10.9.$number.1
        echo 1 >/proc/sys/net/ipv4/ip_forward
        nft '
            table ip router {
                chain outward { type nat hook postrouting priority 100; oifname "wan" masquerade $mapping; }
                chain inward { type filter hook input priority 0; policy drop; iifname "lan" accept; }
                chain through {
                    type filter hook forward priority 0; policy drop;
                    iifname "lan" accept; ct state established,related accept;
                }
            }'
ROUTER
    nsenter --net --target "$home" sh -e <<HOME
        ip link set lo up
        ip address add 192.168.$number.2/24 dev eth0
        ip link set eth0 up
        ip route add default via 192.168.$number.1
HOME
    homes="$homes,\"$((number - 1))\":$home"
done
echo "{\"event\":\"homes\"$homes}"
wait
