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

