"""Doors to Kafka, Redshift and Prometheus. They know their system and their progress, not what a message means."""
