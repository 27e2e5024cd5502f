"""What came of a batch's lines, read: in the order of the input, as it comes in, and with its retries."""
