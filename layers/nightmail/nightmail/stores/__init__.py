"""Where things are kept: one DynamoDB table and one S3 bucket."""
