#!/usr/bin/env bash
# Builds a kind node image from source: a Debian root, kind's own node files, Kubernetes as binaries.py built it, and
# the control plane's images baked into the node's containerd.
# Usage: node-image.sh IMAGE KUBERNETES-VERSION BIN KIND-MODULE WORK   (folders; WORK keeps the Debian roots)
set -euo pipefail
image=$1 version=$2 bin=$3 kind=$4 work=$5
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work" && cd "$work"
rm -rf rootfs oci state pause && mkdir -p rootfs oci pause/bin

debian() { # FILE PACKAGES
  [ -f "$1" ] || { mmdebstrap --quiet --variant=minbase --include="$2" bookworm "new-$1" && mv "new-$1" "$1"; }
}
debian node.tar bash,ca-certificates,systemd,systemd-sysv,dbus,conntrack,iptables,nftables,iproute2,ethtool,util-linux,mount,kmod,libseccomp2,pigz,socat,curl,jq,procps,hostname,containerd,runc,containernetworking-plugins,python3,openssl,tar,gzip
debian proxy.tar iptables,nftables,conntrack,kmod
cp /bin/busybox pause/bin/ && tar -C pause -cf pause.tar .

# The node's root: kind's files over Debian, then Kubernetes.
tar -C rootfs -xf node.tar
cp -r --no-preserve=mode "$kind"/images/base/files/* rootfs/
chmod +x rootfs/usr/local/bin/* rootfs/kind/bin/*
cp "$bin"/{kubelet,kubectl,kubeadm} rootfs/usr/bin/
install -m755 "$here/runc-without-cap-sys-resource" rootfs/usr/local/bin/
ln -sf /usr/bin/containerd /usr/bin/ctr rootfs/usr/local/bin/
mkdir -p rootfs/kind/manifests rootfs/opt/cni/bin rootfs/etc/cni/net.d rootfs/etc/kubernetes/manifests
cp rootfs/usr/lib/cni/{ptp,host-local,loopback,portmap} rootfs/opt/cni/bin/
printf 'v%s' "$version" > rootfs/kind/version
cat > rootfs/kind/manifests/default-storage.yaml <<C
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard}
provisioner: kubernetes.io/no-provisioner
C
# kindnet cannot be had: one node needs no more than ptp.
cat > rootfs/etc/cni/net.d/10-ptp.conflist <<C
{"cniVersion":"0.4.0","name":"kind","plugins":[{"type":"ptp","ipMasq":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},{"type":"portmap","capabilities":{"portMappings":true}}]}
C
sed -i -e 's|restrict_oom_score_adj = false|restrict_oom_score_adj = true|' -e '/base_runtime_spec/d' -e 's|pause:3.10"|pause:3.10.1"|' \
  -e 's|^    SystemdCgroup = true|    SystemdCgroup = true\n    BinaryName = "/usr/local/bin/runc-without-cap-sys-resource"|' rootfs/etc/containerd/config.toml
find rootfs/lib/systemd/system/sysinit.target.wants/ -name systemd-tmpfiles-setup.service -delete
rm -f rootfs/lib/systemd/system/multi-user.target.wants/*
mkdir -p rootfs/etc/systemd/system/multi-user.target.wants
for unit in kubelet containerd undo-mount-hacks; do
  ln -sf "/etc/systemd/system/$unit.service" rootfs/etc/systemd/system/multi-user.target.wants/
done
ln -sf /dev/null rootfs/etc/systemd/system/systemd-binfmt.service

# The images that kubeadm asks for, of the same binaries.
container_image() { # NAME ROOT|scratch BINARY|- DEST ENTRYPOINT(json)|-
  local container
  container=$(buildah from scratch)
  [ "$2" = scratch ] || buildah add -q "$container" "$2" / >/dev/null
  [ "$3" = - ] || buildah add -q --chmod 755 "$container" "$3" "$4" >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  [ "$5" = - ] || buildah config --entrypoint "$5" "$container"
  buildah commit -q "$container" "$1" >/dev/null
  buildah rm "$container" >/dev/null
  buildah push -q "$1" "oci-archive:oci/$(echo "$1" | tr '/:' '__').tar:$1"
}
registry=registry.k8s.io
while read -r name; do
  case $name in
    */kube-proxy:*) container_image "$name" proxy.tar "$bin/kube-proxy" /usr/local/bin/kube-proxy - ;;
    */kube-*)       part=${name#"$registry"/}; part=${part%%:*}
                    container_image "$name" scratch "$bin/$part" "/usr/local/bin/$part" - ;;
    */coredns:*)    container_image "$name" scratch "$bin/coredns" /coredns '["/coredns"]' ;;
    */etcd:*)       container_image "$name" scratch "$bin/etcd" /usr/local/bin/etcd - ;;
    */pause:*)      container_image "$name" pause.tar - - '["/bin/busybox","sleep","2147483647"]' ;;
  esac
done < <("$bin/kubeadm" config images list --kubernetes-version "v$version" 2>/dev/null)
cat > containerd.toml <<C
version = 2
root = "$work/rootfs/var/lib/containerd"
state = "$work/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/containerd.sock"
C
containerd -c containerd.toml > containerd.log 2>&1 &
containerd=$!
trap 'kill $containerd 2>/dev/null || true' EXIT
for _ in $(seq 40); do ctr -a "$work/containerd.sock" version >/dev/null 2>&1 && break; sleep 0.25; done
for archive in oci/*.tar; do ctr -a "$work/containerd.sock" -n k8s.io images import "$archive" >/dev/null; done
kill "$containerd"; wait "$containerd" || true

# `docker import` knows no STOPSIGNAL: a one-line build on top of it sets it.
tar -C rootfs -c . | docker import -c 'ENV container=docker' -c 'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]' - "$image-root" >/dev/null
printf 'FROM %s\nSTOPSIGNAL SIGRTMIN+3\n' "$image-root" | DOCKER_BUILDKIT=0 docker build -q -t "$image" - >/dev/null
docker rmi "$image-root" >/dev/null
rm -rf rootfs oci state
