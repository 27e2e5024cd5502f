"""What an answer costs: the entry's own prices, else published ones, with the batch discounts."""
