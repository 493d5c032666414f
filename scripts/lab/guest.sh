# The first process in a VM of the lab: mounts, modules, network, then what the boot was for. Its exit code goes to the host.
# Words of the kernel's command line: labroot (the checkout), labcmd (a script, `shell` or `idle`), labnode (1, 2, … if
# there are others on its Ethernet).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=${TERM:-linux} KEELSON_LAB=1
mount -t tmpfs tmpfs /run
mkdir -p /dev/pts /dev/shm; mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts; mount -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd; ln -sf /dev/pts/ptmx /dev/ptmx
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup

word() { sed -n "s/.*$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
root=$(word labroot) node=$(word labnode) cmd=$(word labcmd)
export PATH="$PATH:$root/bin:$root/.cache/kubectl-v35"
name=lab$node
ip link set lo up; hostname "$name"; echo "$name" >/etc/hostname
cd "$root"
mkdir -p /lib/modules; mount --bind .cache/lab/kernel/root/lib/modules /lib/modules
modprobe -qa overlay bridge veth nf_tables nft_chain_nat nft_masq nft_ct ip_vs ip_vs_rr tun 2>/dev/null
# state of a node needs a filesystem that an overlay can have on top
mkdir -p /var/lib/keelson /var/tmp/lab; mount -t tmpfs -o size=800M tmpfs /var/lib/keelson; mount -t tmpfs -o size=800M tmpfs /var/tmp/lab
for p in /sys/class/virtio-ports/*; do
  case $(cat "$p/name") in lab.status) status=/dev/${p##*/} ;; lab.out) export LAB_OUT=/dev/${p##*/} ;; esac
done

# eth0 is the machines' Ethernet; eth1 has link-local addresses only, which no node takes for its own: it is for `on`
if [ -n "$node" ]; then
  export LAB_NODE=$node
  modprobe virtio_net
  ip address add "192.168.77.$node/24" dev eth0
  sysctl -qw net.ipv6.conf.eth1.accept_dad=0 net.ipv6.conf.eth1.addr_gen_mode=0
  ip link set eth0 up; ip link set eth1 up
  ln -s "$root/scripts/lab/on.mjs" /usr/local/bin/on
  setsid node scripts/lab/commands.mjs </dev/null >/run/lab-commands.log 2>&1 &
fi

case $cmd in
  shell) setsid -c bash -i </dev/ttyS0 >/dev/ttyS0 2>&1 ;;
  # ends with the first machine
  idle) while :; do setsid -c bash -i </dev/ttyS0 >/dev/ttyS0 2>&1; sleep 1; done ;;
  *) bash "$cmd" ;;
esac
echo $? >"$status"
echo o >/proc/sysrq-trigger; sleep 5
