-- What Redshift's catalogue has and PostgreSQL's lacks. Runs once, as the superuser, in template1: every
-- database created later begins with it.
SET allow_system_table_mods = on;
SET standard_conforming_strings = on;

CREATE FUNCTION pg_catalog.getdate() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC') $$;

CREATE FUNCTION pg_catalog.sysdate() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT transaction_timestamp() AT TIME ZONE 'UTC' $$;

CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.103035'::text $$;

-- Distribution, sort keys and encodings, by column number: a renamed column keeps its role.
CREATE TABLE pg_catalog.redshift_keys (
    relation oid NOT NULL,
    diststyle text NOT NULL,
    distkey smallint,
    sortkey smallint[] NOT NULL,
    interleaved boolean NOT NULL,
    encodings jsonb NOT NULL
);

CREATE FUNCTION pg_catalog.redshift_column(relation oid, name text) RETURNS smallint LANGUAGE plpgsql STABLE AS $$
DECLARE number smallint;
BEGIN
    SELECT attnum INTO number FROM pg_attribute WHERE attrelid = relation AND attname = name AND attnum > 0;
    IF number IS NULL THEN
        RAISE EXCEPTION 'column "%" named in key does not exist', name USING ERRCODE = '42703';
    END IF;
    RETURN number;
END $$;

-- The statement that creates a table carries, in a comment, what PostgreSQL does not keep of it.
CREATE FUNCTION pg_catalog.redshift_keep_keys() RETURNS event_trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog SET standard_conforming_strings = on AS $$
DECLARE
    created record;
    told jsonb;
BEGIN
    FOR created IN
        SELECT c.oid AS relation, c.relname FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid
        WHERE d.classid = 'pg_class'::regclass AND d.object_type = 'table'
    LOOP
        FOR told IN SELECT (regexp_matches(current_query(), '/\*redshift (.*?)\*/', 'g'))[1]::jsonb
        LOOP
            IF told ->> 'table' = created.relname THEN
                INSERT INTO redshift_keys SELECT
                    created.relation,
                    told ->> 'diststyle',
                    CASE WHEN told ->> 'distkey' IS NOT NULL
                        THEN redshift_column(created.relation, told ->> 'distkey') END,
                    ARRAY(SELECT redshift_column(created.relation, key)
                          FROM jsonb_array_elements_text(told -> 'sortkey') WITH ORDINALITY AS k (key, place)
                          ORDER BY place),
                    (told ->> 'interleaved')::boolean,
                    told -> 'encodings';
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
END $$;

CREATE EVENT TRIGGER redshift_keep_keys ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS') EXECUTE FUNCTION pg_catalog.redshift_keep_keys();

CREATE VIEW pg_catalog.svv_redshift_columns AS
SELECT
    current_database()::varchar(128) AS database_name,
    n.nspname::varchar(128) AS schema_name,
    c.relname::varchar(128) AS table_name,
    a.attname::varchar(128) AS column_name,
    row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum)::integer AS ordinal_position,
    format_type(a.atttypid, a.atttypmod)::varchar(32) AS data_type,
    pg_get_expr(d.adbin, d.adrelid)::varchar(4000) AS column_default,
    (CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END)::varchar(3) AS is_nullable,
    coalesce(k.encodings ->> a.attname::text, 'none')::varchar(128) AS encoding,
    coalesce(k.distkey = a.attnum, false) AS distkey,
    (coalesce(array_position(k.sortkey, a.attnum), 0) * CASE WHEN k.interleaved THEN -1 ELSE 1 END)::integer AS sortkey,
    ''::varchar(128) AS column_acl,
    coalesce(col_description(c.oid, a.attnum), '')::varchar(256) AS remarks
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.redshift_keys k ON k.relation = c.oid
WHERE c.relkind IN ('r', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES');

CREATE VIEW pg_catalog.svv_redshift_tables AS
SELECT
    current_database()::varchar(128) AS database_name,
    n.nspname::varchar(128) AS schema_name,
    c.relname::varchar(128) AS table_name,
    (CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END)::varchar(128) AS table_type,
    ''::varchar(128) AS table_acl,
    coalesce(obj_description(c.oid), '')::varchar(128) AS remarks,
    pg_get_userbyid(c.relowner)::varchar(128) AS table_owner
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast');

CREATE VIEW pg_catalog.svv_all_tables AS
SELECT table_catalog::varchar(128) AS database_name, table_schema::varchar(128) AS schema_name,
    table_name::varchar(128), table_type::varchar(128)
FROM information_schema.tables;

CREATE VIEW pg_catalog.svv_all_columns AS
SELECT table_catalog::varchar(128) AS database_name, table_schema::varchar(128) AS schema_name,
    table_name::varchar(128), column_name::varchar(128), ordinal_position::integer, data_type::varchar(128)
FROM information_schema.columns;

-- Where the stand-in keeps what ended a COPY, over a connection of its own: no rollback takes it away.
CREATE TABLE pg_catalog.redshift_load_errors (
    user_id integer, query_id bigint, transaction_id bigint, session_id integer, database_name text,
    table_id integer, start_time timestamp, file_name text, line_number bigint, column_name text,
    column_type text, column_length text, "position" integer, error_code integer, error_message text
);

-- Redshift's has neither the raw line nor the field's value (its older stl_load_errors has both). Fields are
-- padded, as there: trim() them.
CREATE VIEW pg_catalog.sys_load_error_detail AS
SELECT user_id, query_id, transaction_id, session_id, database_name::char(64), table_id, start_time,
    file_name::char(256), line_number, column_name::char(127), column_type::char(10), column_length::char(10),
    "position", error_code, error_message::char(512)
FROM pg_catalog.redshift_load_errors
WHERE current_user = 'awsuser' OR user_id = (SELECT usesysid FROM pg_catalog.pg_user WHERE usename = current_user);

CREATE FUNCTION pg_catalog.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE
AS $$ SELECT coalesce(nullif(current_setting('redshift.copied', true), ''), '0')::bigint $$;

GRANT SELECT ON pg_catalog.sys_load_error_detail TO PUBLIC;

GRANT SELECT ON pg_catalog.redshift_keys, pg_catalog.svv_redshift_columns, pg_catalog.svv_redshift_tables,
    pg_catalog.svv_all_tables, pg_catalog.svv_all_columns TO PUBLIC;
