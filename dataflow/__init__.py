"""What the data means: decode, validate, enrich, detect, encode, and the graph that joins them."""
