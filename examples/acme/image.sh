#!/bin/sh
# Packs a folder into an image without a container engine: an OCI layout with one layer, as
# `docker buildx build --output type=oci,tar=false,dest=IMAGE .` writes one.
#
#   sh examples/acme/image.sh FOLDER IMAGE      writes the folder IMAGE, and prints its digest
set -eu
from=$1 to=$2

digest() { if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1; }
size() { wc -c <"$1" | tr -d ' '; }
# keep FILE: moves it to where its content belongs, and says which digest that is.
keep() { d=$(digest "$1") && mv "$1" "$to/blobs/sha256/$d" && echo "$d"; }

mkdir -p "$to/blobs/sha256"
tar -cf "$to/part" -C "$from" .
bytes=$(size "$to/part") layer=$(keep "$to/part")
printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$layer" >"$to/part"
about=$(size "$to/part") config=$(keep "$to/part")
oci=application/vnd.oci.image
printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar","digest":"sha256:%s","size":%s}]}' \
  "$oci" "$oci" "$config" "$about" "$oci" "$layer" "$bytes" >"$to/part"
bytes=$(size "$to/part") manifest=$(keep "$to/part")
printf '{"schemaVersion":2,"mediaType":"%s.index.v1+json","manifests":[{"mediaType":"%s.manifest.v1+json","digest":"sha256:%s","size":%s}]}' \
  "$oci" "$oci" "$manifest" "$bytes" >"$to/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' >"$to/oci-layout"
echo "sha256:$manifest"
