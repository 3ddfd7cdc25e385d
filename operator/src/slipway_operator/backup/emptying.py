"""Statements that empty a database of what its role has there, and that count what has come instead.

They run in the transaction of a restore, so that one that raises leaves everything as it was. Schemas, extensions and
publications stay: a role may own them that may make no new ones.
"""

import json
from collections.abc import Mapping, Sequence

from psycopg import sql

LOCK_WAIT = "30s"
MOST_TOLD = 5
# What a role is set to, so that its requests end, would end a dump or a restore in the middle.
PATIENT = (
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN"
    " ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')"
)
ALONE = "SET client_min_messages = error; SET search_path = ''; SET lock_timeout = {}"
TABLES = (
    "SELECT nspname AS schemaname, relname AS tablename, pg_get_userbyid(relowner) AS tableowner FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p')"
    " AND nspname <> 'information_schema' AND nspname !~ '^pg_' AND NOT EXISTS"
    " (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e' AND d.objid = c.oid)"
    " ORDER BY 1, 2"
)
_OTHERS = """
    WITH relations AS (SELECT oid, relkind FROM pg_class WHERE relowner <> me AND oid >= 16384),
    found (class, object, part) AS (
        SELECT 'pg_class'::regclass, oid, 0 FROM relations WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I')
        UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum FROM pg_attribute
            WHERE attrelid IN (SELECT oid FROM relations WHERE relkind IN ('r', 'p', 'v', 'm', 'f'))
            AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT 'pg_constraint'::regclass, oid, 0 FROM pg_constraint
            WHERE conrelid IN (SELECT oid FROM relations)
        UNION ALL SELECT 'pg_trigger'::regclass, oid, 0 FROM pg_trigger
            WHERE tgrelid IN (SELECT oid FROM relations) AND NOT tgisinternal
        UNION ALL SELECT 'pg_attrdef'::regclass, oid, 0 FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM relations)
        UNION ALL SELECT 'pg_policy'::regclass, oid, 0 FROM pg_policy WHERE polrelid IN (SELECT oid FROM relations)
        UNION ALL SELECT 'pg_publication_rel'::regclass, r.oid, 0 FROM pg_publication_rel r
            JOIN pg_publication p ON p.oid = prpubid WHERE pubowner <> me
        UNION ALL SELECT 'pg_proc'::regclass, oid, 0 FROM pg_proc WHERE proowner <> me AND oid >= 16384
        UNION ALL SELECT 'pg_type'::regclass, oid, 0 FROM pg_type
            WHERE typowner <> me AND oid >= 16384 AND typrelid = 0 AND typelem = 0
        UNION ALL SELECT 'pg_extension'::regclass, oid, 0 FROM pg_extension)
    SELECT pg_describe_object(class, object, part) FROM found"""
_EMPTY = """
DO $slipway$
DECLARE
    me CONSTANT oid := (SELECT oid FROM pg_roles WHERE rolname = current_user);
    before CONSTANT text[] := ARRAY({others});
    lost text[];
    own record;
    at record;
BEGIN
    FOR own IN
        SELECT classid, objid FROM pg_shdepend s
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND deptype = 'o'
        AND refclassid = 'pg_authid'::regclass AND refobjid = me
        AND classid NOT IN ('pg_extension'::regclass, 'pg_default_acl'::regclass, 'pg_publication'::regclass,
            'pg_subscription'::regclass, 'pg_event_trigger'::regclass)
        AND NOT EXISTS (SELECT FROM pg_namespace n WHERE classid = 'pg_namespace'::regclass AND n.oid = objid
            AND (nspname = 'public' OR nspname = ANY({schemas}::text[])))
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = s.classid AND d.objid = s.objid
            AND d.objsubid = 0 AND d.deptype IN ('e', 'i'))
        ORDER BY classid = 'pg_namespace'::regclass
    LOOP
        IF own.classid = 'pg_largeobject'::regclass THEN
            PERFORM lo_unlink(own.objid);
        ELSE
            SELECT * INTO at FROM pg_identify_object(own.classid, own.objid, 0);
            CONTINUE WHEN at.identity IS NULL;
            EXECUTE format('DROP %s %s CASCADE', CASE at.type WHEN 'composite type' THEN 'type'
                WHEN 'statistics object' THEN 'statistics' WHEN 'foreign-data wrapper' THEN 'foreign data wrapper'
                ELSE at.type END, at.identity);
        END IF;
    END LOOP;
    lost := ARRAY(SELECT unnest(before) EXCEPT ({others}) ORDER BY 1);
    IF lost <> '{{}}' THEN
        RAISE EXCEPTION 'other roles have what hangs on the tables of this one, and would lose it: %',
            array_to_string(lost[1:{most}], ', ')
            || CASE WHEN cardinality(lost) > {most} THEN ' and ' || cardinality(lost) - {most} || ' more' ELSE '' END;
    END IF;
END $slipway$"""
_COUNTED = """
DO $slipway$
DECLARE
    expected CONSTANT jsonb := {expected};
    missing text[] := ARRAY(SELECT jsonb_object_keys(expected));
    told text[] := '{{}}';
    own record;
    found bigint;
    name text;
BEGIN
    FOR own IN SELECT * FROM ({tables}) t WHERE tableowner = current_user LOOP
        name := own.schemaname || '.' || own.tablename;
        EXECUTE format('SELECT count(*) FROM %I.%I', own.schemaname, own.tablename) INTO found;
        missing := array_remove(missing, name);
        IF expected ->> name IS NULL THEN
            told := told || (name || ' was not there');
        ELSIF (expected ->> name)::bigint <> found THEN
            told := told || format('%s has %s rows, not %s', name, found, expected ->> name);
        END IF;
    END LOOP;
    told := told || ARRAY(SELECT unnest(missing) || ' is missing');
    IF told <> '{{}}' THEN
        RAISE EXCEPTION 'it gives other rows than were counted: %', array_to_string(told[1:{most}], '; ');
    END IF;
END $slipway$"""


def emptied(schemas: Sequence[str]) -> sql.Composed:
    """Drops what the current role owns, but for ``schemas``. Raises, naming them, for objects of others that would go
    with it.
    """
    return sql.SQL(_EMPTY).format(
        others=sql.SQL(_OTHERS), schemas=sql.Literal(list(schemas)), most=sql.Literal(MOST_TOLD)
    )


def counted(rows: Mapping[str, int]) -> sql.Composed:
    """Raises when the current role's tables have other rows."""
    return sql.SQL(_COUNTED).format(
        expected=sql.Literal(json.dumps(dict(rows))), tables=sql.SQL(TABLES), most=sql.Literal(MOST_TOLD)
    )
