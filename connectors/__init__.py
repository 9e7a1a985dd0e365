"""Doors to Kafka, Redshift and Prometheus: they know their system, not what a message means."""
