"""What only a deployment on AWS can show."""
