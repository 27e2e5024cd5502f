"""The fan-out engine: many calls in flight over one pooled client."""
