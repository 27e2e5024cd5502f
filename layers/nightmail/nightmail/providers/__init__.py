"""Who answers. An adapter translates and decides nothing: no retry, no sleep, no polling."""
