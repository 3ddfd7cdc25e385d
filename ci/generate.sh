#!/usr/bin/env bash
# Writes files that are made from others: values.schema.json and README.md of the charts, gRPC code, the gateway's descriptors,
# the picture of a release, and the contracts of the services.
set -euo pipefail
cd "$(dirname "$0")/.."

# A service is what has a composition root.
services=()
for root in services/*/src/*/bootstrap.py; do services+=("$(basename "$(dirname "$root")")"); done

# `slipway new` has them with it: it makes charts where this repository is not.
if [ -d charts/service ]; then
  cp charts/service/values.yaml charts/service/schemas/service.schema.json services/chassis/src/slipway_chassis/scaffold/library/
fi
for chart in "${services[@]}"; do
  [ -d "charts/$chart" ] || continue
  sed "s/Values of a Slipway service/$chart/" charts/service/schemas/service.schema.json >"charts/$chart/values.schema.json"
done
[ ! -d charts/gateway ] || .venv/bin/slipway gateway schema >charts/gateway/values.schema.json
.venv/bin/python ci/chart_readmes.py
.venv/bin/python ci/module_map.py
cp k8s/monitoring/rules.yaml operator/src/slipway_operator/runtimes/local/stores/ # `slipway up --observe` where this repository is not
mkdir -p k8s/crds charts/operator/files/crds
for crd in microservices serviceversions releaseplans; do
  .venv/bin/python -m slipway_operator.spec.crds "$crd" >"k8s/crds/$crd.yaml"
  cp "k8s/crds/$crd.yaml" charts/operator/files/crds/ # charts can't read outside of their folder
done

.venv/bin/python k8s/schemas/crds.py k8s/schemas/slipway.dev

# Each service that speaks inventory's protocol has the code for it: services share contracts, not packages.
proto=(.venv/bin/python -m grpc_tools.protoc -I services/inventory/proto -I services/inventory/proto_vendor)
for place in services/inventory/src/inventory/entrypoints services/storefront/src/storefront/adapters; do
  package=$place/inventory_v1
  mkdir -p "$package"
  echo '"""Made from inventory.proto: make generate."""' >"$package/__init__.py"
  made=$(mktemp -d)
  "${proto[@]}" --python_out="$made" --pyi_out="$made" --grpc_python_out="$made" inventory/v1/inventory.proto
  sed -i 's/^from inventory.v1 import/from . import/' "$made"/inventory/v1/*.py
  cp "$made"/inventory/v1/* "$package/"
  rm -rf "$made"
done
mkdir -p charts/platform/files
"${proto[@]}" --include_imports --descriptor_set_out=charts/platform/files/inventory.binpb inventory/v1/inventory.proto
{ # the gateway's chart can't read files of the chart around it, and templates of it it can
  echo '{{/* files/inventory.binpb in base64, for the values of the gateway: make generate */}}'
  echo '{{- define "platform.inventory.binpb" -}}'
  base64 -w 120 charts/platform/files/inventory.binpb
  echo '{{- end -}}'
} >charts/platform/templates/_inventory.binpb.tpl

# The READMEs' moving picture, of what a run told: `make picture` records another.
.venv/bin/python ci/release_picture.py draw docs/pictures/release.txt docs/pictures/release.svg

# Committed, so that a change of what others rely on is seen in review, and compared without running old code.
for service in "${services[@]}"; do
  .venv/bin/slipway contracts export "$service" --to "services/$service/contracts" --project "services/$service/pyproject.toml" >/dev/null
done
