#!/bin/sh
# Creates the data folder the first time, and databases that are missing every time.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  rm -rf "$PGDATA.unfinished"
  initdb --pgdata="$PGDATA.unfinished" --username=postgres --pwfile=/secrets/password \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
  echo "host all all all scram-sha-256" >> "$PGDATA.unfinished/pg_hba.conf"
  mv "$PGDATA.unfinished" "$PGDATA"
fi
# Only a socket in this pod, until the databases are there.
pg_ctl --pgdata="$PGDATA" --wait --options="-c listen_addresses='' -c unix_socket_directories=/tmp" start
for database in $DATABASES; do
  password=$(cat "/secrets/$database-password")
  psql -h /tmp -U postgres -v ON_ERROR_STOP=1 -v name="$database" -v password="$password" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'name', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
done
pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_connections=200
