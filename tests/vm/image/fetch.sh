#!/usr/bin/env bash
# Debian's packages for another processor, without making this machine one of two processors: an apt
# of its own, in the cache folder. Prints the version of the kernel.
#
#     fetch.sh CACHE     fills CACHE/debs
set -euo pipefail
cache=$1
suite=bookworm

# From the mirror this machine uses.
mirror=$(sed -n 's/^URIs: *\(http[^ ]*\/debian\)\/*$/\1/p' /etc/apt/sources.list.d/*.sources 2> /dev/null | head -1)
mirror=${mirror:-http://deb.debian.org/debian}

apt="$cache/apt"
mkdir -p "$apt"/{lists,archives}/partial "$apt/state" "$cache/debs"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
printf 'deb [signed-by=%s] %s %s main\n' \
    "$keyring" "$mirror" "$suite" "$keyring" "${mirror%/*}/debian-security" "$suite-security" \
    > "$apt/sources.list"
cat > "$apt/apt.conf" << CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Dir::State "$apt/state";
Dir::State::lists "$apt/lists";
Dir::State::status "/dev/null";
Dir::Cache::archives "$apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
CONF
export APT_CONFIG="$apt/apt.conf"
apt-get -qq update
image=$(apt-cache depends linux-image-arm64 | sed -n 's/.*Depends: //p' | head -1)
release=${image#linux-image-}
version=$(apt-cache policy "$image" | sed -n 's/.*Candidate: //p')

cd "$cache/debs"
# linux-kbuild holds programs that run here, so it is this machine's.
[ -e "$release" ] || {
    rm -rf ./*
    apt-get -qq download "$image" "linux-headers-$release" "linux-headers-${release%-*}-common" \
        linux-source-6.1 busybox-static
    APT_CONFIG='' apt-get -qq -o APT::Sandbox::User=root download "linux-kbuild-6.1=$version"
    touch "$release"
} >&2
echo "$release"
