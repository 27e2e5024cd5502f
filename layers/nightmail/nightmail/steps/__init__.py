"""What the state machine and the events run: one function for each, of the same name."""
