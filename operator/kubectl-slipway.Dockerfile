# kubectl and kubectl slipway, for jobs that promote or take back: nothing has to be built or fetched in an emergency.
# From the repository's folder: docker build -f operator/kubectl-slipway.Dockerfile -t slipway/kubectl-slipway .
# Pin the bases by digest where you release from: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG KUBECTL_IMAGE=registry.k8s.io/kubectl:v1.34.4
FROM ${KUBECTL_IMAGE} AS kubectl
FROM ${PYTHON_IMAGE} AS packages
ENV UV_SYSTEM_CERTS=1 UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    UV_BUILD_CONSTRAINT=/locks/packages.lock
COPY ci/wheels/uv.lock ci/wheels/packages.lock /locks/
RUN python3 -m venv /uv && /uv/bin/pip install -q --no-cache-dir --require-hashes -r /locks/uv.lock \
 && python3 -m venv --without-pip /app && rm -rf /app/include /app/bin/*ctivate*
WORKDIR /src
# What changes least comes first. Of the packages of others only those that this process imports (a test compares).
COPY requirements.lock ./
COPY operator/pyproject.toml operator/pyproject.toml
RUN /uv/bin/uv pip install -q --python /app/bin/python --constraints requirements.lock \
    --group operator/pyproject.toml:kubectl-file \
 && rm -f /app/.lock

FROM packages AS build
COPY services/contracts services/contracts
COPY services/chassis services/chassis
COPY operator operator
# What this adds, without what was there before, is the second layer of the image.
RUN touch /mark && /uv/bin/uv pip install -q --python /app/bin/python --constraints requirements.lock \
    --no-deps --no-sources ./services/contracts ./services/chassis ./operator \
 && rm -rf /app/lib/python3*/site-packages/slipway_operator/tour \
 && /app/bin/kubectl-slipway --version \
 && mkdir /own && env -C / find app -cnewer /mark ! -type d ! -name .lock -exec cp -a --parents -t /own {} +

FROM ${PYTHON_IMAGE}
COPY --from=packages /app /app
COPY --from=build /own/app /app
COPY --from=kubectl /bin/kubectl /usr/local/bin/kubectl
# HOME: the number below has none in the system, and kubectl keeps what it learned of a server there.
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Numeric, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /tmp
CMD ["kubectl-slipway", "--help"]
