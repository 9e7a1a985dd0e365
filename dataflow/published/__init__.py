"""What is made from a contract for people and tools outside of the pipeline."""
