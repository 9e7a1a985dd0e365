CREATE SCHEMA IF NOT EXISTS interactions;

CREATE TABLE IF NOT EXISTS interactions.messages (
  user_id varchar(128) NOT NULL,
  subject_id varchar(128) NOT NULL,
  message_text varchar(2056),
  status varchar(16) NOT NULL,
  cloudinary_url varchar(64),
  length_seconds integer,
  created_at timestamp NOT NULL,
  updated_at timestamp NOT NULL,
  metafield_insert_time timestamp NOT NULL,
  metafield_process_id varchar(32) NOT NULL,
  metafield_source_id varchar(32) NOT NULL
)
DISTSTYLE KEY DISTKEY(user_id) COMPOUND SORTKEY(created_at);

CREATE TABLE IF NOT EXISTS interactions.commit_ledger (
  process_id varchar(32) NOT NULL,
  pipeline varchar(128) NOT NULL,
  topic varchar(249) NOT NULL,
  topic_id varchar(64),
  consumer_group varchar(256) NOT NULL,
  kafka_partition integer NOT NULL,
  first_offset bigint NOT NULL,
  next_offset bigint NOT NULL,
  row_count bigint NOT NULL,
  lost_offsets bigint NOT NULL,
  window_start timestamp NOT NULL,
  window_end timestamp NOT NULL,
  committed_at timestamp NOT NULL
)
DISTSTYLE ALL;

CREATE TABLE IF NOT EXISTS interactions.message_contacts (
  user_id varchar(128) NOT NULL,
  subject_id varchar(128) NOT NULL,
  created_at timestamp NOT NULL,
  event_id varchar(32) NOT NULL,
  kind varchar(16) NOT NULL,
  platform varchar(32),
  value_hmac varchar(64),
  key_id varchar(64),
  masked varchar(256),
  span_start integer NOT NULL,
  span_end integer NOT NULL,
  rule varchar(64) NOT NULL,
  detector_version integer NOT NULL,
  metafield_insert_time timestamp NOT NULL,
  metafield_process_id varchar(32) NOT NULL,
  metafield_source_id varchar(32) NOT NULL
)
DISTSTYLE KEY DISTKEY(user_id) COMPOUND SORTKEY(created_at);

CREATE OR REPLACE VIEW interactions.contact_exchanges AS
SELECT user_a, user_b, contacts, kinds, first_at, a_kinds, a_first_at, b_kinds, b_first_at,
  a_first_at IS NOT NULL AND b_first_at IS NOT NULL AS both_gave,
  CASE WHEN a_first_at >= b_first_at THEN a_first_at
    WHEN b_first_at > a_first_at THEN b_first_at END AS exchanged_at
FROM (
  SELECT user_a, user_b, count(*) AS contacts,
    NULLIF(SUBSTRING(max(CASE WHEN kind = 'handle' THEN ', handle' ELSE '' END) || max(CASE WHEN kind = 'phone' THEN ', phone' ELSE '' END), 3), '') AS kinds,
    min(given_at) AS first_at,
    NULLIF(SUBSTRING(max(CASE WHEN kind = 'handle' AND giver = user_a THEN ', handle' ELSE '' END) || max(CASE WHEN kind = 'phone' AND giver = user_a THEN ', phone' ELSE '' END), 3), '') AS a_kinds,
    min(CASE WHEN giver = user_a THEN given_at END) AS a_first_at,
    NULLIF(SUBSTRING(max(CASE WHEN kind = 'handle' AND giver = user_b THEN ', handle' ELSE '' END) || max(CASE WHEN kind = 'phone' AND giver = user_b THEN ', phone' ELSE '' END), 3), '') AS b_kinds,
    min(CASE WHEN giver = user_b THEN given_at END) AS b_first_at
  FROM (
    SELECT CASE WHEN user_id < subject_id THEN user_id ELSE subject_id END AS user_a,
      CASE WHEN user_id < subject_id THEN subject_id ELSE user_id END AS user_b,
      user_id AS giver, created_at AS given_at, kind AS kind
    FROM interactions.message_contacts WHERE user_id <> subject_id
  ) given
  GROUP BY user_a, user_b
) pairs;

